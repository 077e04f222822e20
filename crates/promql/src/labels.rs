//! The labels of a series.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

/// The label that holds the metric's name.
pub(crate) const NAME: &str = "__name__";

type Label = (Arc<str>, Arc<str>);

/// Labels in order of their names, each name once, none with an empty value. The metric's name is the label
/// `__name__`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[Label]>);

impl Labels {
    /// Labels in any order; of one name given twice, the last counts.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        labels: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut all: Vec<Label> =
            labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        all.reverse();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all.dedup_by(|later, first| later.0 == first.0);
        all.retain(|(_, value)| !value.is_empty());
        Self(all.into())
    }

    /// The value of a label; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.binary_search_by(|(known, _)| (**known).cmp(name));
        found.map_or("", |place| &self.0[place].1)
    }

    /// The metric's name; empty where there is none.
    pub fn metric(&self) -> &str {
        self.get(NAME)
    }

    /// All labels, the metric's name among them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without the metric's name, and what else says of it what it is.
    pub(crate) fn without_metric(&self) -> Self {
        self.filtered(|name| ![NAME, "__type__", "__unit__"].contains(&name))
    }

    /// Those that `keep` says yes to.
    pub(crate) fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// With a label set, or taken away by an empty value.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        if self.get(name) == value {
            return self.clone();
        }
        let others = self.0.iter().filter(|(known, _)| **known != *name).cloned();
        Self::new(others.chain([(name.into(), value.into())]))
    }
}

/// Whether a name can be written without quotes.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        f.write_char('{')?;
        for (name, value) in self.iter() {
            if is_plain_name(name) {
                write!(f, "{separator}{name}={value:?}")?;
            } else {
                write!(f, "{separator}{name:?}={value:?}")?;
            }
            separator = ", ";
        }
        f.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_empty_ones_are_none() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!((labels.get("b"), labels.get("c"), labels.get("x")), ("3", "", ""));
        assert_eq!(labels.with("a", ""), Labels::new([("b", "3")]));
        assert_eq!(labels.with("__name__", "up").without_metric(), labels);
    }
}
