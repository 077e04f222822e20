//! Answers: one entity or a page of a list, the newest samples or those of a span.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::Response,
};

use kubemonitor_store::Damage;

use super::json::{Out, written};
use crate::{
    errors::ApiError,
    limits::Size,
    model::Timestamp,
    monitor::{Monitor, Shared, now},
    query::{Address, Entity, PageParams, TimeParams, When},
};

/// The header with the token of the next page.
const NEXT: &str = "x-continue";
/// The header that says that a span may lack something.
const INCOMPLETE: &str = "x-kubemonitor-incomplete";

/// Answers with one entity: an array of its newest sample, or of those of the span.
pub(crate) async fn one<E: Entity>(
    monitor: Shared,
    time: TimeParams,
    find: impl FnOnce(&Monitor) -> Result<E, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let when = time.meant(now(), monitor.reach);
    let place = monitor.making.enter(Size::Small).await?;
    written(place, move || {
        let entity = find(&monitor)?;
        let samples = match when {
            When::Newest => vec![entity.newest()],
            When::Span(span) => entity.over(&span, &monitor).samples,
        };
        // After the reading: what is damaged may show only then.
        let headers = incomplete(&monitor, when);
        Ok((headers, move |out: &mut Out| out.array(samples, |sample| sample)))
    })
    .await
}

/// Answers with a page of a list: an array of newest samples, or of entities with their samples of
/// the span.
pub(crate) async fn list<E: Entity>(
    monitor: Shared,
    Address(address): Address,
    time: TimeParams,
    page: PageParams,
    find: impl FnOnce(&Monitor, When) -> Result<Vec<E>, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let when = time.meant(now(), monitor.reach);
    let place = monitor.making.enter(page.size()).await?;
    written(place, move || {
        let page = page.cut(find(&monitor, when)?);
        let mut headers = page.next.map(|next| next_page(&address, &next)).unwrap_or_default();
        headers.extend(incomplete(&monitor, when));
        let write = move |out: &mut Out| match when {
            When::Newest => out.array(page.items, E::newest),
            When::Span(span) => out.array(page.items, |entity| entity.over(&span, &monitor)),
        };
        Ok((headers, write))
    })
    .await
}

/// The header that says what a span may lack because it cannot be read; none where all can.
fn incomplete(monitor: &Monitor, when: When) -> HeaderMap {
    let When::Span(span) = when else { return HeaderMap::new() };
    let damage = monitor.store.damage_within(span.range, span.asked_at);
    let text = damage.map(|Damage { records, range, .. }| {
        let (from, to) = (Timestamp(range.from), Timestamp(range.to));
        format!("{records} damaged records of the time from {from} to {to}")
    });
    let value = text.and_then(|text| HeaderValue::try_from(text).ok());
    value.map(|value| (HeaderName::from_static(INCOMPLETE), value)).into_iter().collect()
}

/// The headers that lead to the next page.
fn next_page(address: &Uri, token: &str) -> HeaderMap {
    let path = address.path();
    let query = address.query().unwrap_or_default();
    let others = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("continue="));
    let token_pair = format!("continue={token}");
    let query = others.chain([token_pair.as_str()]).collect::<Vec<_>>().join("&");
    let link = format!("<{path}?{query}>; rel=\"next\"");
    let headers = [(header::LINK, link), (HeaderName::from_static(NEXT), token.to_owned())];
    headers
        .into_iter()
        // Both are made of what a URI may have, and so may every header.
        .filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
        .collect()
}
