//! `POST /api/frames`: what collectors send.

use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    errors::ApiError,
    monitor::{Shared, now},
    openapi::WriteRefused,
    written::{Written, check_type},
};

/// What became of a frame.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status": "ok", "samples": 612, "duplicate": false, "refused_entities": 0
}))]
pub(crate) struct Receipt {
    /// `ok`.
    status: &'static str,
    /// Values taken in.
    samples: u64,
    /// The frame was there already; nothing changed.
    duplicate: bool,
    /// Entities left out because the server may hold no more of them.
    refused_entities: u64,
}

const TYPES: [&str; 2] = [kubemonitor_frame::CONTENT_TYPE, "application/octet-stream"];

/// A collector's frame: everything one node measured at one tick (the format is described in
/// docs/frame.md). Sent twice, it changes nothing.
#[utoipa::path(
    post, path = "/api/frames", tag = "writes",
    request_body(
        content(
            (inline(Frame) = "application/vnd.kubemonitor.frame"),
            (inline(Frame) = "application/octet-stream"),
        ),
        description = "One frame of at most 1 MiB.",
    ),
    responses((status = 200, body = Receipt), WriteRefused),
    security((), ("token" = [])),
)]
pub(crate) async fn receive(
    State(monitor): State<Shared>,
    headers: HeaderMap,
    written: Written,
) -> Result<Json<Receipt>, ApiError> {
    check_type(&headers, &TYPES, "application/vnd.kubemonitor.frame or application/octet-stream")?;
    let tick = kubemonitor_frame::decode(&written.bytes)?;
    let receipt = monitor.store.ingest(&tick, now())?;
    if receipt.samples == 0 && receipt.refused_series > 0 {
        return Err(ApiError::Busy("the server holds as many entities as it may".to_owned()));
    }
    Ok(Json(Receipt {
        status: "ok",
        samples: receipt.samples,
        duplicate: receipt.duplicate,
        refused_entities: receipt.refused_series,
    }))
}

/// A frame, for documentation.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "stands for its bytes")]
struct Frame(Vec<u8>);
