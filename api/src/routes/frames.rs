//! `POST /api/frames`: what collectors send.

use std::{cell::RefCell, sync::atomic::Ordering};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
};
use kubemonitor_frame::Decoder;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    errors::ApiError,
    monitor::{Shared, now},
    openapi::{FrameRefused, WriteRefused},
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

thread_local! {
    static DECODER: RefCell<Decoder> = RefCell::default();
}

/// Where frames are taken.
pub(crate) const PATH: &str = "/api/frames";

const TYPES: [&str; 2] = [kubemonitor_frame::CONTENT_TYPE, "application/octet-stream"];

/// A collector's frame: everything one node measured at one tick (the format is described in
/// docs/frame.md). Sent twice, it changes nothing. One that is refused for its time (425) or because
/// another collector sends for its node (409) can be taken later, and is to be sent again.
#[utoipa::path(
    post, path = "/api/frames", operation_id = "sendFrame", tag = "writes",
    request_body(
        content(
            (inline(Frame) = "application/vnd.kubemonitor.frame"),
            (inline(Frame) = "application/octet-stream"),
        ),
        description = "One frame of at most 4 MiB.",
    ),
    responses((status = 200, body = Receipt), WriteRefused, FrameRefused),
    security((), ("token" = [])),
)]
pub(crate) async fn receive(
    State(monitor): State<Shared>,
    headers: HeaderMap,
    written: Written,
) -> Result<(HeaderMap, Json<Receipt>), ApiError> {
    check_type(&headers, &TYPES, "application/vnd.kubemonitor.frame or application/octet-stream")?;
    let (receipt, interval_ms) = DECODER.with_borrow_mut(|decoder| {
        let tick = decoder.decode(&written.bytes)?;
        monitor.gate.check(&written.sender, &tick.node)?;
        let taken = monitor.store.ingest_frame(tick, &written.bytes, now());
        if matches!(&taken, Ok(receipt) if !receipt.duplicate) {
            kubemonitor_store::heard(tick.at);
        }
        Ok::<_, ApiError>((taken?, tick.interval_ms))
    })?;
    if receipt.samples == 0 && receipt.refused_series > 0 {
        let full = || "the server holds as many entities as it may (--max-series)".to_owned();
        return Err(ApiError::Busy(monitor.guard.problem().unwrap_or_else(full)));
    }
    let header = HeaderName::from_static(kubemonitor_frame::SPREAD_HEADER);
    let sending = monitor.sending_nodes.load(Ordering::Relaxed);
    let spread_ms = HeaderValue::from(spread_ms(sending, interval_ms));
    let receipt = Receipt {
        status: "ok",
        samples: receipt.samples,
        duplicate: receipt.duplicate,
        refused_entities: receipt.refused_series,
    };
    Ok((HeaderMap::from_iter([(header, spread_ms)]), Json(receipt)))
}

/// Over how long after a tick so many nodes are to spread their frames: what taking them in costs
/// one processor, a few times over, so that none waits long behind others. Nothing that a person
/// would notice on a hundred nodes, and at most half of the interval on thousands.
fn spread_ms(nodes: usize, interval_ms: u64) -> u64 {
    (nodes as u64 / 2).min(interval_ms / 2)
}

/// A frame, for documentation.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "stands for its bytes")]
struct Frame(Vec<u8>);

#[cfg(test)]
mod tests {
    use super::spread_ms;

    #[test]
    fn a_few_nodes_send_at_once_and_thousands_over_half_of_the_interval() {
        assert_eq!([1, 100, 2000, 5000].map(|nodes| spread_ms(nodes, 5000)), [0, 50, 1000, 2500]);
        assert_eq!(spread_ms(5000, 1000), 500);
    }
}
