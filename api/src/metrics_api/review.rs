//! Asking the Kubernetes API for a verdict.

use std::fmt::Debug;

use k8s_openapi::ClusterResourceScope;
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{PATIENCE, status::Refusal};

/// The review with its verdict. `question` ends the sentence "the Kubernetes API cannot be asked".
pub(super) async fn reviewed<R>(
    client: &Client,
    review: &R,
    question: &'static str,
) -> Result<R, Refusal>
where
    R: Resource<DynamicType = (), Scope = ClusterResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
{
    let no_verdict = |reason| Refusal::NoVerdict { question, reason };
    let api = Api::<R>::all(client.clone());
    match timeout(PATIENCE, api.create(&PostParams::default(), review)).await {
        Ok(Ok(reviewed)) => Ok(reviewed),
        Ok(Err(error)) => Err(no_verdict(in_short(&error))),
        Err(_) => Err(no_verdict("no answer in time".to_owned())),
    }
}

/// What the Kubernetes API says is wrong, without all that it says besides.
pub(super) fn in_short(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
