//! Whose a bearer token is, as Kubernetes says (`TokenReview`).
//!
//! Anybody can send tokens, and each question costs the Kubernetes API something. So verdicts are
//! remembered, questions about tokens that nobody has seen are limited by source and in total, and
//! what is asked about known tokens waits for nothing that strangers do.

mod claims;
mod limiter;
mod verdicts;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;
use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

pub(crate) use self::{
    claims::Claims,
    limiter::{Rate, Rates},
    verdicts::{Durations, Verdict},
};
use self::{
    limiter::Limiter,
    verdicts::{Remembered, TokenHash, Verdicts},
};
use crate::review::{PATIENCE, reviewed};

/// How tokens are reviewed on one port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// Whom tokens have to be meant for; `None` for the Kubernetes API itself.
    pub(crate) audience: Option<&'static str>,
    /// How long verdicts hold.
    pub(crate) durations: Durations,
    /// How often may be asked.
    pub(crate) rates: Rates,
}

/// Why there is no verdict.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum NoVerdict {
    /// Too many tokens that nobody has seen before.
    #[error("too many unknown tokens are being checked")]
    TooMany,
    /// Kubernetes gave none.
    #[error("{0}")]
    Unanswered(Arc<str>),
}

/// Questions under way at a time about tokens that nobody has seen, and as many about known ones.
const AT_A_TIME: usize = 64;
/// The longest reason that is passed on, in characters.
const LONGEST_REASON: usize = 200;

type Outcome = Result<Verdict, NoVerdict>;
type Question = Shared<BoxFuture<'static, Outcome>>;

/// Asks Kubernetes whose tokens are, and remembers it.
pub(crate) struct TokenReviews {
    client: Client,
    policy: Policy,
    verdicts: Mutex<Verdicts>,
    limiter: Mutex<Limiter>,
    /// Each token is asked about once at a time, whoever waits for the answer.
    under_way: Mutex<HashMap<TokenHash, Question>>,
    places_for_known: Semaphore,
    places_for_unknown: Semaphore,
    asked: AtomicU64,
    /// Whether Kubernetes gave no answer the last time, which is said once.
    failing: AtomicBool,
}

impl TokenReviews {
    /// One that knows no token yet.
    pub(crate) fn new(client: Client, policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            client,
            policy,
            verdicts: Mutex::new(Verdicts::new(policy.durations)),
            limiter: Mutex::new(Limiter::new(policy.rates)),
            under_way: Mutex::default(),
            places_for_known: Semaphore::new(AT_A_TIME),
            places_for_unknown: Semaphore::new(AT_A_TIME),
            asked: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        })
    }

    /// How often Kubernetes was asked.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// What is to be said of a token that came from `source`.
    pub(crate) async fn verdict(self: &Arc<Self>, token: &str, source: IpAddr) -> Outcome {
        let key = TokenHash::of(token);
        let remembered = self.verdicts.lock().of(&key, Instant::now(), SystemTime::now());
        match remembered {
            Remembered::Holds(verdict) => Ok(verdict),
            Remembered::AskAgain(holder) => {
                let question = self.question(key, token, None)?;
                match (question.await, holder) {
                    (Err(_), Some(holder)) => Ok(Verdict::Good(holder)),
                    (outcome, _) => outcome,
                }
            }
            Remembered::Nothing => {
                let outcome = self.question(key, token, Some(source))?.await;
                if let Ok(Verdict::Good(_)) = &outcome {
                    self.limiter.lock().acquaint(source, Instant::now());
                }
                outcome
            }
        }
    }

    /// The question about a token: the one that is under way, or a new one, if the limits of the
    /// source of an unknown one allow it.
    fn question(
        self: &Arc<Self>,
        key: TokenHash,
        token: &str,
        unknown_from: Option<IpAddr>,
    ) -> Result<Question, NoVerdict> {
        let mut under_way = self.under_way.lock();
        if let Some(question) = under_way.get(&key) {
            return Ok(question.clone());
        }
        if let Some(source) = unknown_from
            && !self.limiter.lock().admits(source, Instant::now())
        {
            return Err(NoVerdict::TooMany);
        }
        let (reviews, token) = (Arc::clone(self), token.to_owned());
        // In a task of its own: the answer is remembered even where nobody waits for it any more.
        let asking = tokio::spawn(async move {
            let outcome = reviews.ask(&token, unknown_from.is_none()).await;
            reviews.settle(key, &token, &outcome);
            outcome
        });
        let gone = || Err(NoVerdict::Unanswered("the server is ending".into()));
        let question = asking.map(move |asked| asked.unwrap_or_else(|_| gone())).boxed().shared();
        under_way.insert(key, question.clone());
        Ok(question)
    }

    fn settle(&self, key: TokenHash, token: &str, outcome: &Outcome) {
        let now = Instant::now();
        match outcome {
            Ok(verdict) => {
                let expires = Claims::read(token).and_then(|claims| claims.expires);
                self.verdicts.lock().put(key, verdict, expires, (now, SystemTime::now()));
            }
            Err(_) => self.verdicts.lock().unanswered(&key, now),
        }
        self.say(outcome);
        // After the verdict is there: who comes between finds one of the two.
        self.under_way.lock().remove(&key);
    }

    fn say(&self, outcome: &Outcome) {
        match outcome {
            Ok(_) if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("Kubernetes says again whose tokens are");
            }
            Err(why) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%why, "Kubernetes does not say whose tokens are; unknown ones wait");
            }
            _ => {}
        }
    }

    async fn ask(&self, token: &str, known: bool) -> Outcome {
        let places = if known { &self.places_for_known } else { &self.places_for_unknown };
        let unanswered = |why: String| NoVerdict::Unanswered(short(&why));
        let Ok(Ok(_place)) = timeout(PATIENCE, places.acquire()).await else {
            return Err(unanswered(format!("no answer within {} s", PATIENCE.as_secs())));
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let spec = TokenReviewSpec {
            token: Some(token.to_owned()),
            audiences: self.policy.audience.map(|audience| vec![audience.to_owned()]),
        };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviewed = reviewed(&self.client, &review).await.map_err(unanswered)?;
        let status = reviewed.status.unwrap_or_default();
        let bad = |why: &str| Ok(Verdict::Bad(short(why)));
        if status.authenticated != Some(true) {
            return bad(status.error.as_deref().unwrap_or("Kubernetes does not know it"));
        }
        // Where Kubernetes names no audience, the token is good for its own API only.
        if let Some(audience) = self.policy.audience
            && !status.audiences.unwrap_or_default().iter().any(|found| found == audience)
        {
            return bad("Kubernetes does not say that it is meant for this server");
        }
        match status.user.filter(|user| user.username.as_deref().is_some_and(|u| !u.is_empty())) {
            Some(user) => Ok(Verdict::Good(Arc::new(user))),
            None => bad("Kubernetes names nobody whose it is"),
        }
    }
}

fn short(reason: &str) -> Arc<str> {
    reason.chars().take(LONGEST_REASON).collect::<String>().into()
}

impl std::fmt::Debug for TokenReviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenReviews").field("policy", &self.policy).finish_non_exhaustive()
    }
}
