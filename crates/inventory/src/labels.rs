//! Labels of an object.

use std::sync::Arc;

/// Labels, sorted by key. Cheap to clone: objects that carry the same set share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// The value of a label; `None` when the object does not carry it.
    pub fn get(&self, key: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(key)).ok()?;
        Some(&self.0[place].1)
    }

    /// Every label, in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Whether somebody else holds the same set.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of a key that comes twice, the last value stands.
impl<K: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let sorted: std::collections::BTreeMap<Arc<str>, Arc<str>> =
            labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self(sorted.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_by_key_and_told_in_order() {
        let labels: Labels =
            [("tier", "web"), ("app", "shop"), ("app", "store")].into_iter().collect();
        assert_eq!((labels.get("app"), labels.get("ap")), (Some("store"), None));
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("app", "store"), ("tier", "web")]);
    }
}
