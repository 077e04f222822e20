//! Finding out who asks.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::{Extensions, HeaderMap, header, request::Parts};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;
use rustls::pki_types::CertificateDer;

use super::{
    cache::Cache,
    review::reviewed,
    status::Refusal,
    trust::{Trust, TrustError},
    user::User,
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
    tokens: Cache<String, Option<User>>,
}

impl Authenticator {
    /// One that believes in nobody's certificates yet.
    pub(super) fn new(client: Client) -> Self {
        Self { client, trust: ArcSwap::default(), tokens: Cache::default() }
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
        self.holder(token).await?.ok_or(Refusal::Unauthenticated)
    }

    /// Whose token that is; `None` when nobody's.
    async fn holder(&self, token: &str) -> Result<Option<User>, Refusal> {
        let key = token.to_owned();
        if let Some(verdict) = self.tokens.get(&key) {
            return Ok(verdict);
        }
        let verdict = self.review(token).await?;
        self.tokens.put(key, verdict.clone());
        Ok(verdict)
    }

    async fn review(&self, token: &str) -> Result<Option<User>, Refusal> {
        let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let reviewed = reviewed(&self.client, &review, "whose token this is").await?;
        let status = reviewed.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true));
        Ok(user.map(|user| User::from(user).authenticated()).filter(|user| !user.name.is_empty()))
    }
}

fn certificates(extensions: &Extensions) -> Option<&Shown> {
    extensions.get().filter(|Shown(certificates)| !certificates.is_empty())
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
