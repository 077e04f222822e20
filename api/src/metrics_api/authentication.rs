//! Finding out who asks.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::http::{Extensions, request::Parts};
use kube::Client;
use rustls::pki_types::CertificateDer;

use super::{
    status::Refusal,
    trust::{Trust, TrustError},
    user::User,
};
use crate::{
    access::bearer_token,
    peer::Peer,
    token_reviews::{Claims, Durations, NoVerdict, Policy, Rate, Rates, TokenReviews, Verdict},
};

/// The certificates that the client of a connection showed and has the key of. Nothing is known of
/// who signed them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown(pub(super) Arc<[CertificateDer<'static>]>);

/// Finds out who asks, by certificates, by what the front proxy says, or by a token that Kubernetes
/// knows.
pub(super) struct Authenticator {
    client: Client,
    trust: ArcSwap<Trust>,
    tokens: Arc<TokenReviews>,
}

/// Nearly everybody comes through Kubernetes' own API server and shows no token here. Verdicts hold as
/// long as in Kubernetes' own extension servers; without Kubernetes nobody's rights could be asked
/// either, so there is no grace.
const POLICY: Policy = Policy {
    audience: None,
    durations: Durations {
        good: Duration::from_secs(10),
        grace: Duration::ZERO,
        bad: Duration::from_secs(10),
    },
    rates: Rates {
        stranger: Rate { burst: 10.0, per_second: 1.0 },
        strangers: Rate { burst: 50.0, per_second: 10.0 },
        acquaintance: Rate { burst: 20.0, per_second: 10.0 },
        acquaintances: Rate { burst: 100.0, per_second: 50.0 },
    },
};

/// The longest token that is asked about. Those of identity providers list all groups of a user.
const LONGEST_JWT: usize = 16 << 10;
/// The longest that is no JSON Web Token: those of kubeadm and of webhooks are short.
const LONGEST_OTHER: usize = 1024;

impl Authenticator {
    /// One that believes in nobody's certificates yet.
    pub(super) fn new(client: Client) -> Self {
        let tokens = TokenReviews::new(client.clone(), POLICY);
        Self { client, trust: ArcSwap::default(), tokens }
    }

    /// Believes from now on in those that the cluster names now; on an error, in those as before.
    pub(super) async fn refresh(&self) -> Result<(), TrustError> {
        self.trust.store(Arc::new(Trust::read(&self.client).await?));
        Ok(())
    }

    /// Who asks.
    pub(super) async fn user(&self, request: &Parts) -> Result<User, Refusal> {
        let certified = certificates(&request.extensions)
            .and_then(|shown| self.trust.load().user(&shown.0, &request.headers));
        if let Some(user) = certified {
            return Ok(user);
        }
        let token = bearer_token(&request.headers).ok_or(Refusal::Unauthenticated)?;
        if !is_possible(token) {
            return Err(Refusal::Unauthenticated);
        }
        match self.tokens.verdict(token, Peer::of(&request.extensions).source()).await {
            Ok(Verdict::Good(holder)) => Ok(User::from(holder.as_ref().clone()).authenticated()),
            Ok(Verdict::Bad(_)) => Err(Refusal::Unauthenticated),
            Err(error @ NoVerdict::TooMany) => Err(Refusal::Busy(error.to_string())),
            Err(NoVerdict::Unanswered(why)) => {
                let (question, reason) = ("whose token this is", why.to_string());
                Err(Refusal::NoVerdict { question, reason })
            }
        }
    }
}

fn certificates(extensions: &Extensions) -> Option<&Shown> {
    extensions.get().filter(|Shown(certificates)| !certificates.is_empty())
}

/// Whether Kubernetes could know the token: what cannot be one is not asked about.
fn is_possible(token: &str) -> bool {
    let longest = if Claims::read(token).is_some() { LONGEST_JWT } else { LONGEST_OTHER };
    token.len() <= longest && token.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_token_is_not_asked_about() {
        for token in ["abcdef.0123456789abcdef", "opaque", "a.e30.c"] {
            assert!(is_possible(token), "{token}");
        }
        let (long, wide) = ("x".repeat(2000), format!("a.e30.{}", "c".repeat(20_000)));
        for token in ["two words", "\u{7}", &long, &wide] {
            assert!(!is_possible(token), "{token}");
        }
    }
}
