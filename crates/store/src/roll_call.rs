//! Which tick each node has come to: up to where sums over all of them are complete.

use std::collections::BTreeMap;

use kubemonitor_model::UnixMillis;
use parking_lot::Mutex;

/// How far behind the newest tick a node may be and still be waited for.
const LAGGARD_MS: i64 = 15_000;

/// How many nodes have come to which tick. Kept as they move on: looking at 5,000 nodes for each sum
/// that somebody asks for would cost more than the sums.
#[derive(Debug, Default)]
pub(crate) struct RollCall(Mutex<BTreeMap<UnixMillis, usize>>);

impl RollCall {
    /// A node's newest tick was `from` and is `to` now; `None` while it has none.
    pub(crate) fn moved(&self, from: Option<UnixMillis>, to: Option<UnixMillis>) {
        let mut nodes = self.0.lock();
        if let Some(from) = from
            && let Some(count) = nodes.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                nodes.remove(&from);
            }
        }
        if let Some(to) = to {
            *nodes.entry(to).or_default() += 1;
        }
    }

    /// The tick up to which all nodes that are still sending have sent; `None` without any.
    pub(crate) fn complete_until(&self) -> Option<UnixMillis> {
        let nodes = self.0.lock();
        let (newest, _) = nodes.last_key_value()?;
        let (slowest, _) = nodes.range(newest.minus(LAGGARD_MS)..).next()?;
        Some(*slowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    #[test]
    fn all_wait_for_the_slowest_that_still_sends() {
        let call = RollCall::default();
        let moved = |from, to| call.moved(Some(at(from)), Some(at(to)));
        assert_eq!(call.complete_until(), None);
        for _ in 0..3 {
            call.moved(None, Some(at(5)));
        }
        moved(5, 10);
        assert_eq!(call.complete_until(), Some(at(5)));
        moved(5, 10);
        moved(10, 20);
        assert_eq!(call.complete_until(), Some(at(5)), "15 s behind is not yet silent");
        moved(20, 25);
        assert_eq!(call.complete_until(), Some(at(10)));
        call.moved(Some(at(10)), None);
        assert_eq!(call.complete_until(), Some(at(25)), "who is gone is not waited for");
    }

    #[test]
    fn a_clock_that_is_set_back_takes_its_node_back() {
        let call = RollCall::default();
        call.moved(None, Some(at(100)));
        call.moved(Some(at(100)), Some(at(10)));
        assert_eq!(call.complete_until(), Some(at(10)));
    }
}
