//! What fuzz targets reach of what strangers send: each takes anything.

use std::time::Duration;

use axum::{extract::FromRequestParts, http::Request};
use futures::executor::block_on;
use kubemonitor_model::{EntityKind, UnixMillis};

use crate::{
    pushed::PushedSample,
    query::{Asked, PageParams, PodParams, TimeParams, When},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A body that is pushed. What is understood lies between the bounds of what is stored.
pub fn push(body: &[u8]) {
    let Ok(sample) = PushedSample::read(body) else { return };
    let _ = (sample.at(HOUR), sample.node(), sample.pod());
    for kind in EntityKind::ALL {
        if let Ok(row) = sample.row(kind) {
            assert!(row.values().iter().all(|value| i64::try_from(*value).is_ok()));
        }
    }
}

/// The query of a list. What is understood asks for a span of time that has a beginning and an end.
pub fn query(text: &str) {
    let Ok(request) = Request::builder().uri(format!("/api/pods?{text}")).body(()) else { return };
    let (mut parts, ()) = request.into_parts();
    let asked =
        block_on(Asked::<(TimeParams, PageParams, PodParams)>::from_request_parts(&mut parts, &()));
    let Ok(Asked((time, ..))) = asked else { return };
    if let When::Span(span) = time.meant(UnixMillis(1_800_000_000_000), HOUR) {
        assert!(span.step.is_none_or(|step| step > 0));
    }
}
