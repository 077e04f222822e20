//! Whether a pod is there, by what was measured and by what Kubernetes says.
//!
//! Kubernetes knows best, for as long as it answers. While it does not, and after a start before it
//! has, what it said last is a memory: then what is measured decides.

use kubemonitor_inventory::{Phase, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};
use kubemonitor_store::{NodeView, SeriesView};

use super::{
    SortBy, When,
    pod_params::{PhaseChoice, PodParams},
};
use crate::{
    model::Reading,
    monitor::{Monitor, now},
};

/// How long after Kubernetes has forgotten a pod what is measured of it may be its clearing away.
const CLEARED_AFTER_MS: i64 = 60_000;

/// How far what Kubernetes said can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// It is what Kubernetes says now.
    Current,
    /// It is what Kubernetes said before it fell silent, or before this server was started.
    Remembered,
}

impl Knowledge {
    /// What holds of pods at present.
    pub(super) fn of_pods(monitor: &Monitor) -> Self {
        if monitor.inventory.is_current() { Self::Current } else { Self::Remembered }
    }
}

/// A pod's series at one moment, as far as it says whether the pod belongs on a list, and where.
pub(super) struct Seen {
    pub(super) id: EntityId,
    /// It is there, as far as is measured.
    pub(super) is_live: bool,
    /// It was there when its node was heard of last.
    pub(super) is_in_newest: bool,
    /// Nothing was heard of its node lately.
    pub(super) is_silent: bool,
    pub(super) first_at: UnixMillis,
    pub(super) newest_at: UnixMillis,
    pub(super) rank: Option<f64>,
}

/// A node and its pods at one moment.
pub(super) struct Sight<'a> {
    view: &'a NodeView<'a>,
    /// Nothing was heard of the node lately.
    pub(super) is_silent: bool,
}

impl<'a> Sight<'a> {
    pub(super) fn new(view: &'a NodeView<'a>) -> Self {
        Self { view, is_silent: view.stale(now()) }
    }

    /// Whether something is in its node's newest tick, however long ago that was.
    pub(super) fn is_in_newest(&self, series: &SeriesView<'_>) -> bool {
        series.live() || series.last_at() == self.view.last_tick()
    }

    /// What the store has of a pod.
    pub(super) fn pod(&self, series: &SeriesView<'_>, sort: SortBy) -> Seen {
        Seen {
            id: series.id().clone(),
            is_live: series.live(),
            is_in_newest: self.is_in_newest(series),
            is_silent: self.is_silent,
            first_at: series.first_at(),
            newest_at: series.last_at(),
            rank: Reading::rank_of(series, sort),
        }
    }

    /// How many containers of a pod are there, its sandbox included; `None` without any.
    pub(super) fn containers_in(&self, pod: &EntityId) -> Option<u64> {
        let of_pod = |series: &SeriesView<'_>| series.parent() == Some(pod);
        let there = self.view.series(EntityKind::Container).filter(of_pod);
        let count = there.filter(|series| self.is_in_newest(series)).count() as u64;
        (count > 0).then_some(count)
    }
}

/// Whether Kubernetes says that a pod runs; of one that was only pushed, it says nothing else.
pub(super) fn runs(pod: &PodMeta) -> bool {
    pod.ended_at.is_none() && matches!(pod.phase, None | Some(Phase::Running))
}

/// Whether a pod's processes go on although Kubernetes has forgotten it, as when it was deleted by
/// force and its kubelet is down.
pub(super) fn outlives(meta: Option<&PodMeta>, seen: Option<&Seen>) -> bool {
    let ended_at = meta.and_then(|meta| meta.ended_at);
    ended_at.zip(seen).is_some_and(|(ended_at, seen)| {
        seen.is_live && seen.newest_at.since(ended_at) > CLEARED_AFTER_MS
    })
}

/// Whether a pod goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It is there, or will be.
    There,
    /// It was there, and of its node nothing was heard since.
    Silent,
    /// It is over.
    Ended,
}

impl Life {
    /// What is known of it. `is_silent`: nothing was heard of its node lately.
    pub(super) fn of(
        meta: Option<&PodMeta>,
        seen: Option<&Seen>,
        is_silent: bool,
        knowledge: Knowledge,
    ) -> Self {
        let told = meta.filter(|meta| meta.phase.is_some());
        let is_over = told.is_some_and(|meta| {
            meta.ended_at.is_some() || matches!(meta.phase, Some(Phase::Succeeded | Phase::Failed))
        });
        let is_there = match (told, seen, knowledge) {
            (Some(meta), seen, Knowledge::Current) => !is_over || outlives(Some(meta), seen),
            (_, Some(seen), _) if is_silent => seen.is_in_newest && !is_over,
            (_, Some(seen), _) => seen.is_live,
            (_, None, _) => !is_over,
        };
        match (is_there, is_silent) {
            (false, _) => Self::Ended,
            (true, true) => Self::Silent,
            (true, false) => Self::There,
        }
    }
}

/// Which pods a question is about.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    phase: PhaseChoice,
    when: When,
    pub(super) knowledge: Knowledge,
}

impl Wanted {
    pub(super) fn new(monitor: &Monitor, filter: &PodParams, when: When) -> Self {
        Self { phase: filter.phase, when, knowledge: Knowledge::of_pods(monitor) }
    }

    /// Whether pods count that no node has.
    pub(super) fn includes_unbound(self) -> bool {
        self.phase != PhaseChoice::Running
    }

    /// Whether a pod is among those in the phase and at the time that are asked for. `is_silent`:
    /// nothing was heard of its node lately.
    pub(super) fn includes(
        self,
        meta: Option<&PodMeta>,
        seen: Option<&Seen>,
        is_silent: bool,
    ) -> bool {
        let told = meta.filter(|meta| meta.ended_at.is_none()).and_then(|meta| meta.phase);
        match self.phase {
            PhaseChoice::Other(phase) => told == Some(phase),
            PhaseChoice::All if told.is_some() => true,
            PhaseChoice::Running | PhaseChoice::All => {
                self.runs(meta, seen, is_silent) || self.was_there(seen)
            }
        }
    }

    fn runs(self, meta: Option<&PodMeta>, seen: Option<&Seen>, is_silent: bool) -> bool {
        let is_live = seen.is_some_and(|seen| seen.is_live);
        match (meta, self.knowledge) {
            // Its collector may have fallen silent; Kubernetes knows better.
            (Some(meta), Knowledge::Current) if meta.phase.is_some() => {
                runs(meta) || outlives(Some(meta), seen)
            }
            (Some(meta), Knowledge::Remembered) if meta.phase.is_some() => {
                is_live || (runs(meta) && is_silent)
            }
            _ => is_live,
        }
    }

    fn was_there(self, seen: Option<&Seen>) -> bool {
        let (When::Span(span), Some(seen)) = (self.when, seen) else { return false };
        seen.first_at <= span.range.to && seen.newest_at >= span.range.from
    }
}
