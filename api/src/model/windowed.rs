//! An entity in a list over a span of time.

use std::cell::Cell;

use serde::{Serialize, Serializer};

/// An entity and its samples, oldest first.
#[derive(Debug, Serialize)]
#[serde(bound(serialize = "I: Serialize, S: Iterator<Item: Serialize>"))]
pub(crate) struct Windowed<I, S> {
    /// Who it is.
    #[serde(flatten)]
    identity: I,
    /// Its samples in the span, oldest first.
    samples: WrittenOnce<S>,
}

impl<I, S> Windowed<I, S> {
    /// An entity with samples that are read while they are written.
    pub(crate) fn new(identity: I, samples: S) -> Self {
        Self { identity, samples: WrittenOnce(Cell::new(Some(samples))) }
    }

    /// The samples alone.
    pub(crate) fn into_samples(self) -> impl Iterator<Item = S::Item>
    where
        S: Iterator,
    {
        self.samples.0.into_inner().into_iter().flatten()
    }
}

/// A sequence that comes into being while it is written, and can be written once: a long window of
/// many entities is never in memory as a whole.
struct WrittenOnce<S>(Cell<Option<S>>);

impl<S> std::fmt::Debug for WrittenOnce<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrittenOnce")
    }
}

impl<S: Iterator<Item: Serialize>> Serialize for WrittenOnce<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_beside_the_members_of_the_identity() {
        #[derive(Serialize)]
        struct Identity {
            name: &'static str,
        }
        let windowed = Windowed::new(Identity { name: "a" }, [1, 2].into_iter());
        let json = serde_json::to_string(&windowed).unwrap();
        assert_eq!(json, r#"{"name":"a","samples":[1,2]}"#);
    }
}
