//! One copy of every text that many objects share.

use std::{collections::HashSet, hash::Hash, sync::Arc};

use crate::{Labels, OwnerRef};

/// Texts, label sets and owners seen so far. Of 150,000 pods' names of nodes, images and labels,
/// only thousands are different.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: Pool<Arc<str>>,
    labels: Pool<Labels>,
    owners: Pool<Arc<OwnerRef>>,
}

impl Names {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        match self.texts.known.get(text) {
            Some(known) => Arc::clone(known),
            None => self.texts.keep(text.into()),
        }
    }

    pub(super) fn labels<'a>(
        &mut self,
        labels: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Labels {
        let labels = labels.into_iter().map(|(key, value)| (self.text(key), self.text(value)));
        let labels = labels.collect();
        match self.labels.known.get(&labels) {
            Some(known) => known.clone(),
            None => self.labels.keep(labels),
        }
    }

    pub(super) fn owner(&mut self, owner: OwnerRef) -> Arc<OwnerRef> {
        match self.owners.known.get(&owner) {
            Some(known) => Arc::clone(known),
            None => self.owners.keep(Arc::new(owner)),
        }
    }
}

/// Values that are kept for as long as somebody else has them too.
#[derive(Debug)]
struct Pool<T> {
    known: HashSet<T>,
    sweep_at: usize,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { known: HashSet::new(), sweep_at: SWEEP_FROM }
    }
}

/// Sweeping smaller pools would gain nothing.
const SWEEP_FROM: usize = 1024;

impl<T: Counted + Clone + Eq + Hash> Pool<T> {
    fn keep(&mut self, value: T) -> T {
        if self.known.len() >= self.sweep_at {
            self.known.retain(Counted::is_shared);
            // Only at twice the size again, so that sweeping costs each value no more than keeping.
            self.sweep_at = SWEEP_FROM.max(2 * self.known.len());
        }
        self.known.insert(value.clone());
        value
    }
}

/// Something that knows whether others hold it too.
trait Counted {
    fn is_shared(&self) -> bool;
}

impl<T: ?Sized> Counted for Arc<T> {
    fn is_shared(&self) -> bool {
        Arc::strong_count(self) > 1
    }
}

impl Counted for Labels {
    fn is_shared(&self) -> bool {
        Labels::is_shared(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_and_label_sets_are_one() {
        let mut names = Names::default();
        let other = String::from("n1");
        assert!(Arc::ptr_eq(&names.text("n1"), &names.text(&other)));
        let (key, value) = ("app".to_owned(), "web".to_owned());
        let first = names.labels([(&key, &value)]);
        let second = names.labels([(&key, &value)]);
        drop(first);
        assert!(second.is_shared(), "with the pool");
        assert_eq!(names.labels.known.len(), 1);
    }

    #[test]
    fn what_nobody_uses_any_more_is_dropped_in_time() {
        let mut names = Names::default();
        let kept = names.text("kept");
        for i in 0..10 * SWEEP_FROM {
            names.text(&i.to_string());
        }
        assert!(names.texts.known.len() <= SWEEP_FROM);
        assert!(Arc::ptr_eq(&names.text("kept"), &kept));
    }
}
