//! Lets in those who may write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::request::Parts;
use kube::Client;
use kubemonitor_inventory::Inventory;
use kubemonitor_model::NodeName;

use super::{AUDIENCE, Access, Keys, Sender, bearer_token};
use crate::{
    errors::ApiError,
    peer::Peer,
    token_reviews::{Claims, Durations, NoVerdict, Policy, Rate, Rates, TokenReviews, Verdict},
};

/// Good tokens are asked about again every two minutes: a cluster of 5,000 nodes asks 42 times a
/// second. While Kubernetes cannot be asked, collectors that were let in stay so for ten minutes.
/// Unknown tokens come from all collectors at once when the server was started.
const POLICY: Policy = Policy {
    audience: Some(AUDIENCE),
    durations: Durations {
        good: Duration::from_secs(120),
        grace: Duration::from_secs(600),
        bad: Duration::from_secs(10),
    },
    rates: Rates {
        stranger: Rate { burst: 20.0, per_second: 5.0 },
        strangers: Rate { burst: 1000.0, per_second: 200.0 },
        acquaintance: Rate { burst: 200.0, per_second: 50.0 },
        acquaintances: Rate { burst: 1000.0, per_second: 200.0 },
    },
};

/// The longest token of a service account that is looked at. They have about 1 KiB.
const LONGEST_TOKEN: usize = 4 << 10;

/// What is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Frame,
    Push,
}

/// Lets in those who may write.
#[derive(Debug)]
pub(crate) struct Gate {
    access: Access,
    inventory: Inventory,
    accounts: Option<Accounts>,
    refused: AtomicU64,
}

/// Accounts whose tokens are taken, and who says whose they are.
#[derive(Debug)]
struct Accounts {
    reviews: Arc<TokenReviews>,
    collector: String,
    pushers: Vec<String>,
}

impl Gate {
    /// One that believes no account yet.
    pub(crate) fn new(access: Access, inventory: Inventory) -> Self {
        Self { access, inventory, accounts: None, refused: AtomicU64::new(0) }
    }

    /// Lets in the accounts of a cluster as well, if any were named.
    pub(crate) fn ask(&mut self, cluster: &Client) {
        let Access::Closed(Keys { collector: Some(collector), pushers, .. }) = &self.access else {
            return;
        };
        let own = cluster.default_namespace();
        self.accounts = Some(Accounts {
            reviews: TokenReviews::new(cluster.clone(), POLICY),
            collector: collector.user(own),
            pushers: pushers.iter().map(|pusher| pusher.user(own)).collect(),
        });
    }

    /// How often Kubernetes was asked whose a token is.
    pub(crate) fn token_reviews(&self) -> u64 {
        self.accounts.as_ref().map_or(0, |accounts| accounts.reviews.asked())
    }

    /// How many writes were refused for who sent them.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Who sends this frame.
    pub(crate) async fn admit_frame(&self, request: &Parts) -> Result<Sender, ApiError> {
        self.counted(self.admit(request, Kind::Frame).await)
    }

    /// Refuses a frame of a node that is not its sender's.
    pub(crate) fn check(&self, sender: &Sender, node: &NodeName) -> Result<(), ApiError> {
        self.counted(sender.check(node))
    }

    /// Refuses JSON from those who may not push it.
    pub(crate) async fn admit_push(&self, request: &Parts) -> Result<(), ApiError> {
        self.counted(self.admit(request, Kind::Push).await.map(drop))
    }

    fn counted<T>(&self, admitted: Result<T, ApiError>) -> Result<T, ApiError> {
        admitted.inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })
    }

    async fn admit(&self, request: &Parts, kind: Kind) -> Result<Sender, ApiError> {
        let Access::Closed(keys) = &self.access else { return Ok(Sender::OfAnyNode) };
        if kind == Kind::Push && keys.allow_push {
            return Ok(Sender::OfAnyNode);
        }
        let given = bearer_token(&request.headers);
        let given = given.ok_or_else(|| ApiError::NoToken(self.remedy(keys, kind)))?;
        if keys.token.as_deref().is_some_and(|token| same(given.as_bytes(), token.as_bytes())) {
            return Ok(Sender::OfAnyNode);
        }
        match &self.accounts {
            Some(accounts) => accounts.admit(given, request, kind, &self.inventory).await,
            None => Err(ApiError::WrongToken("it is not the one of --token-file".to_owned())),
        }
    }

    /// What would open it.
    fn remedy(&self, keys: &Keys, kind: Kind) -> &'static str {
        match kind {
            Kind::Frame if self.accounts.is_some() => {
                "show the token of a collector's pod, or that of the server's --token-file"
            }
            Kind::Push if keys.token.is_none() => {
                "start the server with --token-file or --push-service-account and show such a token, \
                 or open pushing with --allow-push"
            }
            _ => "show the one of the server's --token-file",
        }
    }
}

impl Accounts {
    async fn admit(
        &self,
        token: &str,
        request: &Parts,
        kind: Kind,
        inventory: &Inventory,
    ) -> Result<Sender, ApiError> {
        self.check(&claims(token)?, kind)?;
        let source = Peer::of(&request.extensions).source();
        let holder = match self.reviews.verdict(token, source).await {
            Ok(Verdict::Good(holder)) => holder,
            Ok(Verdict::Bad(why)) => return Err(ApiError::InvalidToken(why)),
            Err(error @ NoVerdict::TooMany) => return Err(ApiError::Busy(error.to_string())),
            Err(NoVerdict::Unanswered(why)) => return Err(ApiError::Unverified(why)),
        };
        let user = holder.username.as_deref().unwrap_or_default();
        self.check_user(user, kind)?;
        match kind {
            Kind::Frame => Sender::collector(&holder, inventory),
            Kind::Push => Ok(Sender::OfAnyNode),
        }
    }

    /// Refuses what would be refused whatever Kubernetes said, without asking it.
    fn check(&self, claims: &Claims, kind: Kind) -> Result<(), ApiError> {
        if !claims.audiences.iter().any(|audience| audience == AUDIENCE) {
            return Err(ApiError::WrongToken(format!(
                "it is meant for `{}`, and this server takes those for the audience `{AUDIENCE}`",
                shortened(&claims.audiences.join(", "))
            )));
        }
        self.check_user(&claims.subject, kind)
    }

    fn check_user(&self, user: &str, kind: Kind) -> Result<(), ApiError> {
        let allowed = match kind {
            Kind::Frame => user == self.collector,
            Kind::Push => self.pushers.iter().any(|pusher| pusher == user),
        };
        if allowed {
            return Ok(());
        }
        let user = shortened(user);
        Err(ApiError::WrongToken(match kind {
            Kind::Frame => format!(
                "it is `{user}`'s, and frames are taken from `{}` (--collector-service-account)",
                self.collector
            ),
            Kind::Push => format!("it is `{user}`'s, which no --push-service-account names"),
        }))
    }
}

/// What a service account's token says of itself.
fn claims(token: &str) -> Result<Claims, ApiError> {
    let short_enough = (token.len() <= LONGEST_TOKEN).then_some(token);
    short_enough.and_then(Claims::read).ok_or_else(|| {
        ApiError::WrongToken(
            "it is neither a service account's nor the one of the server's --token-file".to_owned(),
        )
    })
}

/// What a stranger wrote, so that an error stays readable.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Compares without stopping at the first difference, so that the time tells nothing of the token.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn request(authorization: Option<&str>) -> Parts {
        let mut request = Request::new(());
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        request.into_parts().0
    }

    fn gate(access: Access) -> Gate {
        Gate::new(access, Inventory::without_cluster())
    }

    #[tokio::test]
    async fn an_open_server_takes_what_comes() {
        let gate = gate(Access::Open);
        assert_eq!(gate.admit_frame(&request(None)).await.unwrap(), Sender::OfAnyNode);
        assert!(gate.admit_push(&request(None)).await.is_ok());
    }

    #[tokio::test]
    async fn with_a_token_only_those_who_know_it_may_write() {
        let gate = gate(Access::Closed(Keys { token: Some("s3cret".into()), ..Keys::default() }));
        assert!(gate.admit_push(&request(Some("Bearer s3cret"))).await.is_ok());
        assert!(gate.admit_frame(&request(Some("bearer s3cret"))).await.is_ok());
        for none in [None, Some("s3cret"), Some("Basic s3cret"), Some("Bearer ")] {
            let refusal = gate.admit_push(&request(none)).await;
            assert!(matches!(refusal, Err(ApiError::NoToken(_))), "{none:?}");
        }
        for wrong in ["s3cre", "s3cres", "s3cret2", "a.e30.c"] {
            let refusal = gate.admit_frame(&request(Some(&format!("Bearer {wrong}")))).await;
            assert!(matches!(refusal, Err(ApiError::WrongToken(_))), "{wrong}");
        }
    }

    #[tokio::test]
    async fn pushing_can_be_opened_alone() {
        let gate = gate(Access::Closed(Keys { allow_push: true, ..Keys::default() }));
        assert!(gate.admit_push(&request(None)).await.is_ok());
        assert!(gate.admit_frame(&request(None)).await.is_err());
    }
}
