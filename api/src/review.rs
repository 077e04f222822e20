//! Asking the Kubernetes API for a verdict.

use std::{fmt::Debug, time::Duration};

use k8s_openapi::ClusterResourceScope;
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

/// How long the Kubernetes API may take to say who asks and what they may: less than the 5 s after
/// which it gives up on a server behind it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// The review with its verdict; else why there is none.
pub(crate) async fn reviewed<R>(client: &Client, review: &R) -> Result<R, String>
where
    R: Resource<DynamicType = (), Scope = ClusterResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize,
{
    let api = Api::<R>::all(client.clone());
    match timeout(PATIENCE, api.create(&PostParams::default(), review)).await {
        Ok(Ok(reviewed)) => Ok(reviewed),
        Ok(Err(error)) => Err(in_short(&error)),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// What the Kubernetes API says is wrong, without all that it says besides.
pub(crate) fn in_short(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => {
            let mut cause: &dyn std::error::Error = other;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            cause.to_string()
        }
    }
}
