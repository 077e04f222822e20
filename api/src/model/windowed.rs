//! An entity in a list over a span of time.

use serde::Serialize;

/// An entity and its samples, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Windowed<I, S> {
    /// Who it is.
    #[serde(flatten)]
    pub(crate) identity: I,
    /// Its samples in the span, oldest first.
    pub(crate) samples: Vec<S>,
}
