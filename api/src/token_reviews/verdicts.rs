//! What Kubernetes said of tokens, remembered by the tokens' hashes.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use k8s_openapi::api::authentication::v1::UserInfo;
use ring::digest::{SHA256, digest};
use tokio::time::Instant;

/// A token's SHA-256: what is remembered instead of the token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    /// A number from 0.75 to 1.25 that is always the same for a token.
    fn spread(self) -> f64 {
        0.75 + f64::from(self.0[0]) / 510.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// What Kubernetes says of a token.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Whose it is.
    Good(Arc<UserInfo>),
    /// Nobody's, or for somebody else, and why.
    Bad(Arc<str>),
}

/// How long verdicts hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durations {
    /// How long a good token is taken without asking again. Who loses a right keeps it for so long.
    pub(crate) good: Duration,
    /// How much longer it is taken where Kubernetes cannot be asked.
    pub(crate) grace: Duration,
    /// How long a bad token is refused without asking again.
    pub(crate) bad: Duration,
}

/// How soon to ask again about a good token after Kubernetes could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// For how long around a token's end Kubernetes may still find it good: it allows a minute, and clocks differ.
const AROUND_ITS_END: Duration = Duration::from_secs(120);
/// Good tokens that are remembered: a cluster's collectors, a few times over.
const GOOD: usize = 20_000;
/// Bad tokens that are remembered.
const BAD: usize = 4096;

/// What is remembered of a token.
#[derive(Debug)]
pub(super) enum Remembered {
    /// The verdict holds.
    Holds(Verdict),
    /// It was good and Kubernetes is to be asked again; until when there is no answer, it holds if
    /// there is a holder here.
    AskAgain(Option<Arc<UserInfo>>),
    /// Nothing.
    Nothing,
}

/// Verdicts by tokens. Strangers' bad tokens have a room of their own, so that no flood of them
/// makes a good one forgotten.
#[derive(Debug)]
pub(super) struct Verdicts {
    durations: Durations,
    good: HashMap<TokenHash, Good>,
    bad: HashMap<TokenHash, Bad>,
}

#[derive(Debug)]
struct Good {
    holder: Arc<UserInfo>,
    ask_at: Instant,
    grace_until: Instant,
    /// When the token itself says that it ends.
    expires: Option<SystemTime>,
}

#[derive(Debug)]
struct Bad {
    why: Arc<str>,
    until: Instant,
}

impl Verdicts {
    pub(super) fn new(durations: Durations) -> Self {
        Self { durations, good: HashMap::new(), bad: HashMap::new() }
    }

    /// What is remembered of a token.
    pub(super) fn of(&self, token: &TokenHash, now: Instant, clock: SystemTime) -> Remembered {
        if let Some(good) = self.good.get(token) {
            if good.expires.is_some_and(|expires| expires <= clock) {
                // The clock here may be wrong; Kubernetes knows.
                return Remembered::AskAgain(None);
            }
            if now < good.ask_at {
                return Remembered::Holds(Verdict::Good(Arc::clone(&good.holder)));
            }
            let holder = (now < good.grace_until).then(|| Arc::clone(&good.holder));
            return Remembered::AskAgain(holder);
        }
        match self.bad.get(token).filter(|bad| now < bad.until) {
            Some(bad) => Remembered::Holds(Verdict::Bad(Arc::clone(&bad.why))),
            None => Remembered::Nothing,
        }
    }

    /// Remembers a verdict. A token that Kubernetes finds good and the clock here, `clock`, finds ended
    /// is taken as Kubernetes says: else each frame would be a question while that clock is wrong.
    pub(super) fn put(
        &mut self,
        token: TokenHash,
        verdict: &Verdict,
        expires: Option<SystemTime>,
        (now, clock): (Instant, SystemTime),
    ) {
        match verdict {
            Verdict::Good(holder) => {
                self.bad.remove(&token);
                if self.good.len() >= GOOD {
                    self.make_room(now);
                }
                let Durations { good, grace, bad } = self.durations;
                // Just ended, and taken out of leniency: asked about again soon, and without grace. What
                // ended longer ago and is good has not ended: the clock here is wrong.
                let is_ending = expires
                    .is_some_and(|expires| expires <= clock && clock < expires + AROUND_ITS_END);
                // Collectors all begin at one moment: asked again at one moment about all of them,
                // Kubernetes would have a peak of questions.
                let (good, grace) = if is_ending {
                    (bad, Duration::ZERO)
                } else {
                    (good.mul_f64(token.spread()), grace)
                };
                let holder = Arc::clone(holder);
                let expires = expires.filter(|expires| *expires > clock);
                let (ask_at, grace_until) = (now + good, now + good + grace);
                self.good.insert(token, Good { holder, ask_at, grace_until, expires });
            }
            Verdict::Bad(why) => {
                self.good.remove(&token);
                if self.bad.len() >= BAD {
                    self.bad.retain(|_, bad| bad.until > now);
                }
                if self.bad.len() >= BAD {
                    self.bad.clear();
                }
                let until = now + self.durations.bad;
                self.bad.insert(token, Bad { why: Arc::clone(why), until });
            }
        }
    }

    /// Kubernetes could not be asked about a token: one that was good is not asked about at once
    /// again, and holds no longer for that.
    pub(super) fn unanswered(&mut self, token: &TokenHash, now: Instant) {
        if let Some(good) = self.good.get_mut(token) {
            good.ask_at = good.grace_until.min(now + ASK_AGAIN).max(good.ask_at);
        }
    }

    /// Forgets what does not hold any more; else the half that was seen good the longest ago.
    fn make_room(&mut self, now: Instant) {
        self.good.retain(|_, good| good.grace_until > now);
        if self.good.len() >= GOOD {
            let mut ends: Vec<Instant> = self.good.values().map(|good| good.grace_until).collect();
            let middle = ends.len() / 2;
            let (_, median, _) = ends.select_nth_unstable(middle);
            let median = *median;
            self.good.retain(|_, good| good.grace_until > median);
        }
        if self.good.len() >= GOOD {
            // All of one moment.
            self.good.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const DURATIONS: Durations = Durations {
        good: Duration::from_secs(100),
        grace: Duration::from_secs(600),
        bad: Duration::from_secs(10),
    };
    const CLOCK: SystemTime = UNIX_EPOCH;

    fn good() -> Verdict {
        Verdict::Good(Arc::default())
    }

    fn after(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_token_is_asked_about_again_and_has_its_grace() {
        let (begun, token) = (Instant::now(), TokenHash::of("a"));
        let mut verdicts = Verdicts::new(DURATIONS);
        verdicts.put(token, &good(), None, (begun, CLOCK));
        let at = |verdicts: &Verdicts, seconds| verdicts.of(&token, after(begun, seconds), CLOCK);
        assert!(matches!(at(&verdicts, 74), Remembered::Holds(Verdict::Good(_))));
        assert!(matches!(at(&verdicts, 126), Remembered::AskAgain(Some(_))));
        // Without an answer it holds for a while, and not for longer than its grace.
        verdicts.unanswered(&token, after(begun, 126));
        assert!(matches!(at(&verdicts, 135), Remembered::Holds(_)));
        assert!(matches!(at(&verdicts, 137), Remembered::AskAgain(Some(_))));
        verdicts.unanswered(&token, after(begun, 670));
        assert!(matches!(at(&verdicts, 726), Remembered::AskAgain(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_taken_beyond_the_tokens_own_end() {
        let (begun, token) = (Instant::now(), TokenHash::of("a"));
        let mut verdicts = Verdicts::new(DURATIONS);
        let expires = CLOCK + Duration::from_secs(50);
        verdicts.put(token, &good(), Some(expires), (begun, CLOCK));
        let at = |seconds| {
            let clock = CLOCK + Duration::from_secs(seconds);
            verdicts.of(&token, after(begun, seconds), clock)
        };
        assert!(matches!(at(49), Remembered::Holds(_)));
        assert!(matches!(at(50), Remembered::AskAgain(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_has_just_ended_is_asked_about_again_soon() {
        let (begun, token) = (Instant::now(), TokenHash::of("a"));
        let mut verdicts = Verdicts::new(DURATIONS);
        let clock = CLOCK + Duration::from_secs(1);
        verdicts.put(token, &good(), Some(CLOCK), (begun, clock));
        let at = |seconds| verdicts.of(&token, after(begun, seconds), clock);
        assert!(matches!(at(9), Remembered::Holds(Verdict::Good(_))));
        assert!(matches!(at(10), Remembered::AskAgain(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_here_makes_no_question_of_each_frame() {
        let (begun, token) = (Instant::now(), TokenHash::of("a"));
        let mut verdicts = Verdicts::new(DURATIONS);
        let ahead = CLOCK + Duration::from_secs(86_400);
        verdicts.put(token, &good(), Some(CLOCK + Duration::from_secs(3600)), (begun, ahead));
        assert!(matches!(verdicts.of(&token, begun, ahead), Remembered::Holds(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_bad_tokens_makes_no_good_one_forgotten() {
        let (begun, token) = (Instant::now(), TokenHash::of("good"));
        let mut verdicts = Verdicts::new(DURATIONS);
        verdicts.put(token, &good(), None, (begun, CLOCK));
        for number in 0..3 * BAD {
            let bad = TokenHash::of(&number.to_string());
            verdicts.put(bad, &Verdict::Bad("no".into()), None, (begun, CLOCK));
            assert!(verdicts.bad.len() <= BAD);
        }
        assert!(matches!(verdicts.of(&token, begun, CLOCK), Remembered::Holds(Verdict::Good(_))));
        let last = TokenHash::of(&(3 * BAD - 1).to_string());
        assert!(matches!(verdicts.of(&last, begun, CLOCK), Remembered::Holds(Verdict::Bad(_))));
        assert!(matches!(verdicts.of(&last, after(begun, 10), CLOCK), Remembered::Nothing));
    }

    #[tokio::test(start_paused = true)]
    async fn few_good_tokens_are_remembered_too() {
        let begun = Instant::now();
        let mut verdicts = Verdicts::new(DURATIONS);
        for number in 0..3 * GOOD {
            let token = TokenHash::of(&number.to_string());
            let at = begun + Duration::from_millis(number as u64);
            verdicts.put(token, &good(), None, (at, CLOCK));
            assert!(verdicts.good.len() <= GOOD);
        }
    }
}
