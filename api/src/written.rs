//! Bodies of writes: by whom, how large, of which type, how long on the way.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::{access::Sender, errors::ApiError, monitor::Shared, routes::frames};

/// The largest body of a write.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_SECONDS: u64 = 15;

/// A body that was allowed, arrived in time and fits. It holds its place in the budget while it
/// lives.
#[derive(Debug)]
pub(crate) struct Written {
    /// The body.
    pub(crate) bytes: Bytes,
    /// Who sent it.
    pub(crate) sender: Sender,
    _place: OwnedSemaphorePermit,
}

impl FromRequest<Shared> for Written {
    type Rejection = ApiError;

    async fn from_request(request: Request, monitor: &Shared) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let sender = if parts.uri.path() == frames::PATH {
            monitor.gate.admit_frame(&parts).await?
        } else {
            monitor.gate.admit_push(&parts).await?;
            Sender::OfAnyNode
        };
        let length = declared_length(&parts.headers);
        if length > MAX_BODY_BYTES {
            return Err(ApiError::TooLarge { limit: MAX_BODY_BYTES });
        }
        let place = monitor.ingest.room_for(length).await?;
        let bytes = timeout(Duration::from_secs(BODY_SECONDS), collect(body))
            .await
            .map_err(|_| ApiError::Slow(BODY_SECONDS))??;
        Ok(Self { bytes, sender, _place: place })
    }
}

/// What a body without a declared length takes is not known: the most it may.
fn declared_length(headers: &HeaderMap) -> usize {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    declared.and_then(|value| value.parse().ok()).unwrap_or(MAX_BODY_BYTES)
}

async fn collect(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::TooLarge { limit: MAX_BODY_BYTES })
        }
        Err(error) => Err(ApiError::Body(format!("it ended early: {error}"))),
    }
}

/// Refuses a body whose type, without parameters, is none of `taken`.
pub(crate) fn check_type(
    headers: &HeaderMap,
    taken: &[&str],
    described: &'static str,
) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).map_or(Ok(""), |value| value.to_str());
    let given = given.unwrap_or("not ASCII");
    let essence = given.split(';').next().unwrap_or_default().trim();
    if taken.iter().any(|taken| taken.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    Err(ApiError::WrongType { given: given.to_owned(), taken: described })
}
