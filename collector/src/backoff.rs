//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double from half a second to half a minute. Each is shortened at random by up to a
/// half, so that a thousand collectors that lost their server at once do not come back at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    /// The wait after one more failure; `random` is from 0 to 1.
    pub(crate) fn after_failure(&mut self, random: f64) -> Duration {
        let doubled = Self::FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        doubled.min(Self::LONGEST).mul_f64(1.0 - random / 2.0)
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_begin_anew() {
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..8).map(|_| backoff.after_failure(0.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.after_failure(1.0), Duration::from_secs(15));
        backoff.reset();
        assert_eq!(backoff.after_failure(0.5), Duration::from_millis(375));
    }
}
