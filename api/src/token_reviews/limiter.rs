//! How often Kubernetes may be asked about tokens that nobody has seen before.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use tokio::time::Instant;

/// So many at once, and so many a second in the long run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: f64,
    pub(crate) per_second: f64,
}

/// What may be asked. A source that has shown a good token lately is not held back by what strangers
/// do, and may ask more: it may be a proxy that many collectors are behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// For each source that has shown no good token yet.
    pub(crate) stranger: Rate,
    /// For all of those together.
    pub(crate) strangers: Rate,
    /// For each source that has shown a good one.
    pub(crate) acquaintance: Rate,
    /// For all of those together.
    pub(crate) acquaintances: Rate,
}

/// How long a source is remembered for a good token: tokens of pods are renewed every hour.
const ACQUAINTED: Duration = Duration::from_secs(2 * 3600);
/// Entries from which on those that make no difference are dropped.
const MANY: usize = 8192;

/// Counts questions by source and in total.
#[derive(Debug)]
pub(super) struct Limiter {
    rates: Rates,
    sources: HashMap<IpAddr, Bucket>,
    acquainted: HashMap<IpAddr, Instant>,
    strangers: Bucket,
    acquaintances: Bucket,
}

/// What is left of a burst, and when that was counted.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { left: rate.burst, at: now }
    }

    fn filled(self, rate: Rate, now: Instant) -> Self {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate.per_second;
        Self { left: rate.burst.min(self.left + gained), at: now }
    }
}

impl Limiter {
    pub(super) fn new(rates: Rates) -> Self {
        let now = Instant::now();
        Self {
            rates,
            sources: HashMap::new(),
            acquainted: HashMap::new(),
            strangers: Bucket::full(rates.strangers, now),
            acquaintances: Bucket::full(rates.acquaintances, now),
        }
    }

    /// Whether one more question may be asked for this source; if so, it is counted.
    pub(super) fn admits(&mut self, source: IpAddr, now: Instant) -> bool {
        let acquainted = self.acquainted.get(&source).is_some_and(|until| *until > now);
        let (each, all, bucket) = if acquainted {
            (self.rates.acquaintance, self.rates.acquaintances, &mut self.acquaintances)
        } else {
            (self.rates.stranger, self.rates.strangers, &mut self.strangers)
        };
        let own = self.sources.get(&source).copied().unwrap_or(Bucket::full(each, now));
        let (own, total) = (own.filled(each, now), bucket.filled(all, now));
        *bucket = total;
        if own.left < 1.0 || total.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        // Only who is counted has an entry, so there are no more of them than questions lately.
        self.sources.insert(source, Bucket { left: own.left - 1.0, ..own });
        if self.sources.len() >= MANY {
            let slowest = self.rates.stranger;
            self.sources.retain(|_, own| own.filled(slowest, now).left < slowest.burst);
        }
        true
    }

    /// A token from this source was good.
    pub(super) fn acquaint(&mut self, source: IpAddr, now: Instant) {
        self.acquainted.insert(source, now + ACQUAINTED);
        if self.acquainted.len() >= MANY {
            self.acquainted.retain(|_, until| *until > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates {
        stranger: Rate { burst: 3.0, per_second: 1.0 },
        strangers: Rate { burst: 10.0, per_second: 2.0 },
        acquaintance: Rate { burst: 20.0, per_second: 10.0 },
        acquaintances: Rate { burst: 50.0, per_second: 50.0 },
    };

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    /// How many of so many questions at one moment are admitted.
    fn admitted(limiter: &mut Limiter, source: IpAddr, questions: usize, now: Instant) -> usize {
        (0..questions).filter(|_| limiter.admits(source, now)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_has_its_burst_and_then_its_rate() {
        let (mut limiter, now) = (Limiter::new(RATES), Instant::now());
        assert_eq!(admitted(&mut limiter, source(1), 100, now), 3);
        assert_eq!(admitted(&mut limiter, source(1), 100, now + Duration::from_secs(2)), 2);
        assert_eq!(admitted(&mut limiter, source(2), 100, now + Duration::from_secs(2)), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn many_sources_have_one_total() {
        let (mut limiter, now) = (Limiter::new(RATES), Instant::now());
        let flood = |limiter: &mut Limiter, now| {
            (0..100_000).filter(|number| limiter.admits(source(*number), now)).count()
        };
        assert_eq!(flood(&mut limiter, now), 10);
        assert_eq!(flood(&mut limiter, now + Duration::from_secs(1)), 2);
        assert!(limiter.sources.len() < 20, "who is turned away is not remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn acquaintances_do_not_wait_for_strangers() {
        let (mut limiter, now) = (Limiter::new(RATES), Instant::now());
        limiter.acquaint(source(7), now);
        for number in 100..200 {
            limiter.admits(source(number), now);
        }
        assert!(!limiter.admits(source(300), now), "strangers have used up what is theirs");
        assert_eq!(admitted(&mut limiter, source(7), 100, now), 20);
        let later = now + ACQUAINTED;
        limiter.sources.clear();
        assert_eq!(admitted(&mut limiter, source(7), 100, later), 3, "not for ever");
    }
}
