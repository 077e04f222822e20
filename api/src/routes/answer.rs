//! Answers: one entity or a page of a list, the newest samples or those of a span.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::Response,
};
use tokio::runtime::Handle;

use super::json::{Out, written};
use crate::{
    errors::ApiError,
    monitor::{Monitor, Shared, now},
    query::{Address, Entity, PageParams, Selection, TimeParams, When},
};

/// The header with the token of the next page.
const NEXT: &str = "x-continue";

/// Answers with one entity: an array of its newest sample, or of those of the span.
pub(crate) async fn one<E: Entity>(
    monitor: Shared,
    time: TimeParams,
    find: impl FnOnce(&Monitor) -> Result<E, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let when = time.meant(now(), monitor.reach);
    let permit = monitor.answering.enter().await?;
    written(permit, move || {
        let entity = find(&monitor)?;
        let write = move |out: &mut Out| match when {
            When::Newest => out.each(entity.newest(&monitor).into_iter()),
            When::Span(span) => out.each(entity.over(&span, &monitor).into_samples()),
        };
        Ok((HeaderMap::new(), write))
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
    let permit = monitor.answering.enter().await?;
    let runtime = Handle::current();
    written(permit, move || {
        let mut selection = page.selection();
        find(&monitor, when, &mut selection)?;
        let page = selection.page();
        drop(turn);
        let bytes = size_of_val(page.items.as_slice());
        let room = runtime.block_on(monitor.answer_memory.room_for(bytes))?;
        let headers = page.next.map(|next| next_page(&address, &next)).unwrap_or_default();
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
