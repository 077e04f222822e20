//! How far the lists of each kind have come.

use crate::{Kind, NotSynced};

/// The lists of all kinds.
#[derive(Debug)]
pub(crate) struct Listings([Listing; Kind::ALL.len()]);

/// Counts the complete lists of a kind. What still carries an older number when a list is complete
/// was not on it.
pub(crate) type Epoch = u32;

#[derive(Clone, Copy, Debug)]
struct Listing {
    epoch: Epoch,
    progress: Progress,
    /// Changes are told as they happen.
    is_current: bool,
}

impl Listing {
    fn new(progress: Progress) -> Self {
        Self { epoch: 0, progress, is_current: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Nobody watches this kind.
    Idle,
    /// Not listed in full yet.
    Awaited,
    /// The API refuses, and there never was a full list.
    Refused,
    /// Listed in full at least once.
    Synced,
}

impl Listings {
    /// No kind is watched.
    pub(crate) fn idle() -> Self {
        Self([Listing::new(Progress::Idle); Kind::ALL.len()])
    }

    /// Every kind will be listed.
    pub(crate) fn awaited() -> Self {
        Self([Listing::new(Progress::Awaited); Kind::ALL.len()])
    }

    pub(crate) fn begin(&mut self, kind: Kind) {
        self.0[kind as usize].epoch += 1;
    }

    /// The number of the list that was completed.
    pub(crate) fn end(&mut self, kind: Kind) -> Epoch {
        let listing = &mut self.0[kind as usize];
        listing.progress = Progress::Synced;
        listing.is_current = true;
        listing.epoch
    }

    pub(crate) fn interrupt(&mut self, kind: Kind) {
        self.0[kind as usize].is_current = false;
    }

    pub(crate) fn resume(&mut self, kind: Kind) {
        let listing = &mut self.0[kind as usize];
        listing.is_current = listing.progress == Progress::Synced;
    }

    /// Whether what is known of a kind is what the API says at present: it was listed in full, and
    /// changes are told since.
    pub(crate) fn is_current(&self, kind: Kind) -> bool {
        self.0[kind as usize].is_current
    }

    pub(crate) fn refuse(&mut self, kind: Kind) {
        let progress = &mut self.0[kind as usize].progress;
        if *progress != Progress::Synced {
            *progress = Progress::Refused;
        }
    }

    /// What objects that are seen now carry.
    pub(crate) fn epoch(&self, kind: Kind) -> Epoch {
        self.0[kind as usize].epoch
    }

    /// Whether objects of this kind, if there are any, will be told.
    pub(crate) fn is_expected(&self, kind: Kind) -> bool {
        matches!(self.0[kind as usize].progress, Progress::Awaited | Progress::Synced)
    }

    /// The kinds that keep the picture from being complete. One that is refused and not essential
    /// does not: waiting would not bring it.
    pub(crate) fn missing(&self) -> Vec<NotSynced> {
        Kind::ALL
            .into_iter()
            .filter_map(|kind| match self.0[kind as usize].progress {
                Progress::Awaited => Some(NotSynced { kind, refused: false }),
                Progress::Refused if kind.is_essential() => Some(NotSynced { kind, refused: true }),
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_owner_kind_does_not_hold_up_the_rest() {
        let mut listings = Listings::awaited();
        for kind in Kind::ALL {
            if kind == Kind::Pods || kind == Kind::CronJobs {
                listings.refuse(kind);
            } else {
                listings.end(kind);
            }
        }
        assert_eq!(listings.missing(), [NotSynced { kind: Kind::Pods, refused: true }]);
        listings.end(Kind::Pods);
        assert_eq!(listings.missing(), []);
    }

    #[test]
    fn a_refusal_after_a_full_list_keeps_what_is_known() {
        let mut listings = Listings::awaited();
        listings.end(Kind::Jobs);
        listings.refuse(Kind::Jobs);
        assert!(listings.is_expected(Kind::Jobs));
    }

    #[test]
    fn what_is_known_is_current_from_a_full_list_until_the_api_falls_silent() {
        let mut listings = Listings::awaited();
        let mut is_current = |act: fn(&mut Listings, Kind)| {
            act(&mut listings, Kind::Pods);
            listings.is_current(Kind::Pods)
        };
        let end = |listings: &mut Listings, kind| {
            listings.end(kind);
        };
        assert!(!is_current(Listings::begin));
        assert!(!is_current(Listings::resume), "half of a list is no list");
        assert!(is_current(end));
        assert!(!is_current(Listings::interrupt));
        assert!(is_current(Listings::resume));
    }

    #[test]
    fn nothing_is_missing_where_nobody_watches() {
        assert_eq!(Listings::idle().missing(), []);
    }
}
