//! Answers: one entity or a page of a list, the newest samples or those of a span.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::Response,
};
use tokio::runtime::Handle;

use kubemonitor_store::Damage;

use super::json::{Out, written};
use crate::{
    errors::ApiError,
    limits::Size,
    model::Timestamp,
    monitor::{Monitor, Shared, now},
    query::{Address, Entity, PageParams, Selection, TimeParams, When},
};

/// Samples of one entity that are read before anything is written: an hour of every 5 s, a month of quarters.
const FEW_SAMPLES: usize = 3000;

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
        let few: Vec<_> = match when {
            When::Newest => entity.clone().newest(&monitor).into_iter().collect(),
            When::Span(span) => {
                let samples = entity.clone().over(&span, &monitor).into_samples();
                samples.take(FEW_SAMPLES + 1).collect()
            }
        };
        // After the reading: what is damaged may show only then.
        let headers = incomplete(&monitor, when);
        let write = move |out: &mut Out| match when {
            When::Span(span) if few.len() > FEW_SAMPLES => {
                drop(few);
                out.each(entity.over(&span, &monitor).into_samples())
            }
            _ => out.each(few.into_iter()),
        };
        Ok((headers, write))
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
    find: impl FnOnce(&Monitor, When, &mut Selection<E>) -> Result<(), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let when = time.meant(now(), monitor.reach);
    let turn = monitor.answer_memory.turn().await?;
    let place = monitor.making.enter(page.size()).await?;
    let runtime = Handle::current();
    written(place, move || {
        let mut selection = page.selection();
        find(&monitor, when, &mut selection)?;
        let page = selection.page();
        drop(turn);
        let bytes = size_of_val(page.items.as_slice());
        let room = runtime.block_on(monitor.answer_memory.room_for(bytes))?;
        let mut headers = page.next.map(|next| next_page(&address, &next)).unwrap_or_default();
        headers.extend(incomplete(&monitor, when));
        let write = move |out: &mut Out| {
            let _until_written = room;
            match when {
                When::Newest => out.array(page.items, |entity| entity.newest(&monitor)),
                When::Span(span) => {
                    out.array(page.items, |entity| Some(entity.over(&span, &monitor)))
                }
            }
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
