//! Which series belong together.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::Column;
use crate::{
    Labels,
    labels::NAME,
    plan::{Grouping, Matching},
};

/// Numbers for labels that are met again and again.
#[derive(Debug, Default)]
pub(super) struct Groups {
    numbers: HashMap<Labels, usize, FxBuildHasher>,
    labels: Vec<Labels>,
}

impl Groups {
    pub(super) fn number(&mut self, labels: Labels) -> usize {
        let next = self.labels.len();
        let number = *self.numbers.entry(labels.clone()).or_insert(next);
        if number == next {
            self.labels.push(labels);
        }
        number
    }

    /// The labels of all groups, by number.
    pub(super) fn into_labels(self) -> Vec<Labels> {
        self.labels
    }

    /// Sorts columns into their groups, in the order in which they come.
    pub(super) fn sorted<'a>(
        &mut self,
        columns: &'a [Column],
        labels_of: impl Fn(&Labels) -> Labels,
    ) -> Vec<Vec<&'a Column>> {
        let mut members: Vec<Vec<&Column>> = Vec::new();
        for column in columns {
            let number = self.number(labels_of(&column.labels));
            if members.len() <= number {
                members.resize_with(number + 1, Vec::new);
            }
            members[number].push(column);
        }
        members
    }
}

impl Grouping {
    /// The labels of the group that a series belongs to.
    pub(super) fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::By(names) => labels.filtered(|name| names.iter().any(|by| by == name)),
            Self::Without(names) => {
                labels.filtered(|name| name != NAME && names.iter().all(|without| without != name))
            }
        }
    }
}

impl Matching {
    /// The labels of a series that those of its partners have to equal.
    pub(super) fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::On(names) => labels.filtered(|name| names.iter().any(|on| on == name)),
            Self::Ignoring(names) => {
                labels.filtered(|name| name != NAME && names.iter().all(|other| other != name))
            }
        }
    }
}
