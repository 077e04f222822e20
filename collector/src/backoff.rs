//! How long to wait before the next attempt.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use kubemonitor_model::{Interval, NodeName};

/// Waits that double from half a second up to an interval, from one to five seconds: a server that is
/// there again has every node's frames within two ticks of five seconds, and is asked no more often
/// while it is away than frames come when it is there.
///
/// Each wait is shortened by up to a half, by the node's name and the number of the attempt: a
/// thousand collectors that lost their server at once do not come back at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    node: NodeName,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

    pub(crate) fn new(node: NodeName, interval: Interval) -> Self {
        let [least, most] = Self::LONGEST;
        Self { node, longest: interval.duration().clamp(least, most), failures: 0 }
    }

    /// The wait after one more failure, from the beginning of the attempt that failed.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let doubled = Self::FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.longest).mul_f64(1.0 - share(&self.node, self.failures) / 2.0)
    }

    /// The wait after a failure where the server asked for one: that, and up to the longest wait more.
    pub(crate) fn after_request(&mut self, asked: Duration) -> Duration {
        self.failures = self.failures.saturating_add(1);
        asked + self.longest.mul_f64(share(&self.node, self.failures))
    }

    /// Begins with short waits again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A node's share of a time over which all nodes spread, from 0 to 1: one for each turn.
pub(crate) fn share(node: &NodeName, turn: u32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (node.as_str(), turn).hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(node: &str, interval: &str) -> Backoff {
        let interval = interval.parse().expect("an interval");
        Backoff::new(node.parse().expect("a name"), interval)
    }

    fn seconds(times: &[Duration]) -> Vec<f64> {
        times.iter().map(Duration::as_secs_f64).collect()
    }

    #[test]
    fn waits_double_up_to_the_interval_and_begin_short_again() {
        let mut backoff = backoff("n", "5");
        let waits: Vec<Duration> = (0..8).map(|_| backoff.after_failure()).collect();
        for (wait, most) in seconds(&waits).iter().zip([0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0]) {
            assert!((most / 2.0..=most).contains(wait), "{waits:?}");
        }
        backoff.failures = u32::MAX;
        assert!(backoff.after_failure() <= Duration::from_secs(5));
        backoff.reset();
        assert!(backoff.after_failure() <= Duration::from_millis(500));
    }

    #[test]
    fn the_longest_wait_follows_the_interval_within_bounds() {
        for (interval, longest) in [("100ms", 1), ("1s", 1), ("3s", 3), ("5", 5), ("60m", 5)] {
            assert_eq!(backoff("n", interval).longest, Duration::from_secs(longest), "{interval}");
        }
    }

    #[test]
    fn who_is_asked_to_wait_waits_that_long_and_up_to_an_interval_more() {
        let mut backoff = backoff("n", "5");
        let asked = Duration::from_secs(2);
        let waits: Vec<Duration> = (0..50).map(|_| backoff.after_request(asked)).collect();
        assert!(waits.iter().all(|wait| (asked..=asked + Duration::from_secs(5)).contains(wait)));
        assert!(waits.iter().max() > waits.iter().min(), "not always the same");
    }

    #[test]
    fn a_nodes_share_is_its_own_and_stays() {
        let name = |name: &str| name.parse::<NodeName>().expect("a name");
        assert_eq!(share(&name("a"), 0).to_bits(), share(&name("a"), 0).to_bits());
        assert_ne!(share(&name("a"), 0).to_bits(), share(&name("b"), 0).to_bits());
        assert_ne!(share(&name("a"), 0).to_bits(), share(&name("a"), 1).to_bits());
    }

    /// When each of 5,000 collectors that all lost their server at the same moment tries first after
    /// it has come back.
    fn returns(back: Duration, wait: impl Fn(&mut Backoff) -> Duration) -> Vec<Duration> {
        let first_after = |node| {
            let mut backoff = backoff(&format!("worker-{node}"), "5");
            let mut at = Duration::ZERO;
            while at < back {
                at += wait(&mut backoff);
            }
            at.saturating_sub(back)
        };
        (0..5000).map(first_after).collect()
    }

    fn most_in_a_second(mut returns: Vec<Duration>) -> usize {
        returns.sort_unstable();
        let in_a_second = |from: &Duration| {
            let until = *from + Duration::from_secs(1);
            returns.iter().filter(|&at| (*from..until).contains(at)).count()
        };
        returns.iter().step_by(50).map(in_a_second).max().unwrap_or(0)
    }

    #[test]
    fn after_an_outage_all_are_back_within_two_ticks_and_not_at_once() {
        for outage in [30, 31, 60, 300] {
            let returns = returns(Duration::from_secs(outage), Backoff::after_failure);
            assert!(returns.iter().max() <= Some(&Duration::from_secs(5)), "one tick");
            let most = most_in_a_second(returns);
            assert!(most < 2000, "{most} of 5000 in one second after {outage} s");
        }
        let asked = |backoff: &mut Backoff| backoff.after_request(Duration::from_secs(2));
        let most = most_in_a_second(returns(Duration::from_secs(1), asked));
        assert!(most < 1500, "{most} of 5000 in one second after all were sent away at once");
    }
}
