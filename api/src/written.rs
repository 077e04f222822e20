//! Bodies of writes: by whom, how large, of which type, how fast.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::{access::Sender, errors::ApiError, monitor::Shared, routes::frames};

/// The largest body of a write: the largest frame.
pub(crate) const MAX_BODY_BYTES: usize = kubemonitor_frame::MAX_FRAME_BYTES;
/// How long a body may take to arrive, however small.
const BODY_SECONDS: u64 = 5;
/// The least rate of a larger one.
const BYTES_PER_SECOND: usize = 100 << 10;
/// What a body gets before any of it has come: what is declared costs nothing to declare.
const AT_FIRST_BYTES: usize = 16 << 10;

/// A body that was allowed, arrived in time and fits.
#[derive(Debug)]
pub(crate) struct Written {
    /// The body.
    pub(crate) bytes: Vec<u8>,
    /// Who sent it.
    pub(crate) sender: Sender,
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
        let bytes = collect(body, length).await?;
        Ok(Self { bytes, sender })
    }
}

/// The length that is declared, if any.
fn declared_length(headers: &HeaderMap) -> usize {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    declared.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// Copies what comes: each piece that is kept as it came would hold a whole buffer of the
/// connection, even for one byte.
async fn collect(mut body: Body, length: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::with_capacity(length.min(AT_FIRST_BYTES));
    let began = Instant::now();
    loop {
        let earned = Duration::from_secs((bytes.len() / BYTES_PER_SECOND) as u64);
        let until = began + Duration::from_secs(BODY_SECONDS) + earned;
        let frame = timeout_at(until, body.frame()).await;
        let data = match frame.map_err(|_| ApiError::Slow(BODY_SECONDS))? {
            None => return Ok(bytes),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => return Err(ApiError::Body(format!("it ended early: {error}"))),
        };
        if bytes.len() + data.len() > MAX_BODY_BYTES {
            return Err(ApiError::TooLarge { limit: MAX_BODY_BYTES });
        }
        bytes.extend_from_slice(&data);
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
