//! Counters that start anew, as when a container's cgroup is made again or a node boots: what is shown
//! goes on from what it was.

use kubemonitor_model::{Row, UnixMillis};

use super::Series;
use crate::{codec, disk::Restart};

/// Restarts that are known one by one. Older ones are added up: a row that comes late, from before
/// them, then shows what its neighbours let it.
const MOST_RESTARTS: usize = 32;
/// So many of them stay.
const KEPT_RESTARTS: usize = 16;
/// When restarts were that count for every row.
const EVER: UnixMillis = UnixMillis(i64::MIN);

impl Series {
    /// Notes the counters that fell: they started anew. Gives their columns.
    pub(super) fn unwrap_restarts(&mut self, row: &Row, at: UnixMillis) -> u64 {
        let mut restarted = 0;
        let mut columns = row.present() & self.kind.counter_columns();
        if self.restarts.is_empty() {
            columns &= codec::different(&self.last.values, row.values());
        }
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            columns &= columns - 1;
            let shown = row.values()[column].saturating_add(self.added(column, at));
            // An absent column keeps its last value, so a counter that comes back lower is seen.
            let fallen_by = self.last.values[column].saturating_sub(shown);
            if fallen_by > 0 {
                restarted |= 1 << column;
                let column = u8::try_from(column).expect("a row has at most 64 columns");
                self.restarts.push(Restart { at, column, added: fallen_by });
            }
        }
        self.add_up_restarts();
        restarted
    }

    /// Adds the oldest restarts up where there are many.
    fn add_up_restarts(&mut self) {
        if self.restarts.len() <= MOST_RESTARTS {
            return;
        }
        let mut times: Vec<_> =
            self.restarts.iter().map(|r| r.at).filter(|&at| at != EVER).collect();
        if times.len() > MOST_RESTARTS {
            times.sort_unstable();
            self.add_up_before(times[times.len() - KEPT_RESTARTS]);
        }
    }

    /// What makes up for the restarts of a counter up to `at`.
    pub(super) fn added(&self, column: usize, at: UnixMillis) -> u64 {
        let restarts = self.restarts.iter();
        let earlier = restarts.filter(|r| usize::from(r.column) == column && r.at <= at);
        earlier.fold(0, |sum, restart| sum.saturating_add(restart.added))
    }

    /// Restarts before all that is held count alike for every row.
    pub(super) fn forget_old_restarts(&mut self) {
        if let Some(first) = self.chunks.first() {
            self.add_up_before(first);
        }
    }

    /// Makes one entry a column of all restarts before a moment.
    fn add_up_before(&mut self, horizon: UnixMillis) {
        let (old, mut kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.restarts)
            .into_iter()
            .partition(|restart| restart.at < horizon);
        for restart in old {
            match kept.iter_mut().find(|k| k.column == restart.column && k.at == EVER) {
                Some(sum) => sum.added = sum.added.saturating_add(restart.added),
                None => kept.push(Restart { at: EVER, ..restart }),
            }
        }
        self.restarts = kept;
    }
}
