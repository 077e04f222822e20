//! Asking Kubernetes what a user may see.

use k8s_openapi::api::authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;

use super::{asked::Asked, cache::Cache, status::Refusal, user::User};
use crate::review::reviewed;

/// Who may do everything, without asking. Kubernetes' own API server asks as one of these whether
/// this one is there.
const MASTERS: &str = "system:masters";

/// Asks Kubernetes what users may see, and remembers it for a few seconds.
pub(super) struct Authorizer {
    client: Client,
    verdicts: Cache<(User, Asked), Verdict>,
}

#[derive(Clone)]
enum Verdict {
    Allowed,
    /// With the reason, where one was given.
    Denied(String),
}

impl Authorizer {
    /// One that knows nobody's rights yet.
    pub(super) fn new(client: Client) -> Self {
        Self { client, verdicts: Cache::default() }
    }

    /// Refuses what the user may not see.
    pub(super) async fn admit(&self, user: &User, asked: &Asked) -> Result<(), Refusal> {
        if user.is_in(MASTERS) {
            return Ok(());
        }
        let key = (user.clone(), asked.clone());
        let verdict = if let Some(verdict) = self.verdicts.get(&key) {
            verdict
        } else {
            let verdict = self.review(user, asked).await?;
            self.verdicts.put(key, verdict.clone());
            verdict
        };
        match verdict {
            Verdict::Allowed => Ok(()),
            Verdict::Denied(reason) => {
                Err(Refusal::Forbidden(asked.forbidden_to(&user.name, &reason)))
            }
        }
    }

    async fn review(&self, user: &User, asked: &Asked) -> Result<Verdict, Refusal> {
        let User { name, uid, groups, extra } = user.clone();
        let spec = SubjectAccessReviewSpec {
            user: Some(name),
            uid,
            groups: Some(groups),
            extra: Some(extra),
            ..asked.right()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let reviewed = reviewed(&self.client, &review)
            .await
            .map_err(|reason| Refusal::NoVerdict { question: "what this user may see", reason })?;
        let status = reviewed.status.unwrap_or_default();
        Ok(if status.allowed {
            Verdict::Allowed
        } else {
            Verdict::Denied(status.reason.unwrap_or_default())
        })
    }
}
