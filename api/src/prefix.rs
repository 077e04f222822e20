//! What stands before all paths where clients see them: a proxy's doing.
//!
//! A proxy may take a prefix away before it passes a request on, and say so (`X-Forwarded-Prefix`), or
//! leave it there. Paths are found either way, and addresses in answers lead back through the proxy.

use std::{fmt, str::FromStr, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Extensions, HeaderMap, Request, Uri, uri::PathAndQuery},
};
use tower::{Layer, util::MapRequestLayer};

/// The header in which proxies say what they took away.
const HEADER: &str = "x-forwarded-prefix";
/// The longest prefix that is believed.
const LONGEST: usize = 256;

/// What stands before all paths: empty, or parts that each begin with `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

/// A text that cannot stand before paths.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` cannot stand before paths: give what the proxy puts there, like `/kubemonitor`, of letters, \
     digits and -._~/"
)]
pub struct PrefixError(String);

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let parts = text.strip_suffix('/').unwrap_or(text);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        // `//host` would lead to another host, and `/..` to another path.
        let is_part = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(allowed)
        };
        let is_prefix = parts.is_empty()
            || parts.strip_prefix('/').is_some_and(|parts| parts.split('/').all(is_part));
        if is_prefix && text.len() <= LONGEST {
            Ok(Self(parts.into()))
        } else {
            Err(PrefixError(text.chars().take(LONGEST).collect()))
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// What stands before the path of a request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_default()
    }

    /// Whether nothing does.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address as clients see it.
    pub(crate) fn before(&self, uri: &Uri) -> Uri {
        let here = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        format!("{self}{here}").parse().unwrap_or_else(|_| uri.clone())
    }

    /// The address without the prefix; `None` where it does not begin with it.
    fn taken_from(&self, uri: &Uri) -> Option<Uri> {
        let rest = uri.path_and_query()?.as_str().strip_prefix(self.0.as_ref())?;
        match rest.as_bytes().first() {
            Some(b'/') => rest.parse().ok(),
            Some(b'?') | None => format!("/{rest}").parse().ok(),
            Some(_) => None,
        }
    }

    /// What the proxies on the way say, the outermost first; nothing where they say nothing usable.
    fn forwarded(headers: &HeaderMap) -> Option<Self> {
        let said = headers.get_all(HEADER).iter().map(|value| value.to_str().ok());
        let parts: Vec<&str> = said.collect::<Option<Vec<_>>>()?;
        let parts = parts.iter().flat_map(|value| value.split(',')).map(str::trim);
        let prefix: String = parts.map(|part| part.trim_end_matches('/')).collect();
        (!prefix.is_empty()).then(|| prefix.parse().ok()).flatten()
    }
}

/// The router, with paths found whether or not the prefix `base` is before them.
pub(crate) fn prefixed(router: Router, base: Prefix) -> Router {
    let found = MapRequestLayer::new(move |mut request: Request<Body>| {
        if !base.is_empty()
            && let Some(uri) = base.taken_from(request.uri())
        {
            *request.uri_mut() = uri;
        }
        let outside = Prefix::forwarded(request.headers()).unwrap_or_else(|| base.clone());
        if !outside.is_empty() {
            request.extensions_mut().insert(outside);
        }
        request
    });
    // Whatever a layer of the router's own did to the path would come after the path was found.
    Router::new().fallback_service(found.layer(router))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_is_a_path_and_nothing_else() {
        for (text, prefix) in [("", ""), ("/", ""), ("/k", "/k"), ("/a/b-c/", "/a/b-c")] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), prefix);
        }
        let long = format!("/{}", "x".repeat(LONGEST));
        for text in [
            "k",
            "//evil.example",
            "/a//b",
            "/a/../b",
            "/.",
            "/a b",
            "/a?b",
            "/a%2f",
            "/\u{e9}",
            &long,
        ] {
            let refusal = text.parse::<Prefix>().unwrap_err().to_string();
            assert!(refusal.contains("/kubemonitor"), "{refusal}");
        }
    }

    #[test]
    fn only_whole_parts_are_taken_away() {
        let taken = |uri: &'static str| {
            prefix("/km").taken_from(&Uri::from_static(uri)).map(|uri| uri.to_string())
        };
        for (uri, left) in [
            ("/km/api/pods?limit=1", "/api/pods?limit=1"),
            ("/km/", "/"),
            ("/km", "/"),
            ("/km?x=1", "/?x=1"),
        ] {
            assert_eq!(taken(uri).as_deref(), Some(left), "{uri}");
        }
        for uri in ["/kmx/api", "/api/km", "/"] {
            assert_eq!(taken(uri), None, "{uri}");
        }
    }

    #[test]
    fn proxies_one_behind_the_other_each_add_theirs() {
        let of = |values: &[&'static str]| {
            let headers = values.iter().map(|v| (HEADER.parse().unwrap(), v.parse().unwrap()));
            Prefix::forwarded(&headers.collect::<HeaderMap>()).map(|prefix| prefix.to_string())
        };
        assert_eq!(of(&["/a"]).as_deref(), Some("/a"));
        assert_eq!(of(&["/a/", "/b"]).as_deref(), Some("/a/b"));
        assert_eq!(of(&["/a, /b"]).as_deref(), Some("/a/b"));
        for nothing in [&[][..], &["/"], &["//evil.example"], &["/a", "b c"]] {
            assert_eq!(of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn addresses_lead_back_through_the_proxy() {
        let uri = Uri::from_static("/api/pods?limit=1");
        assert_eq!(prefix("/km").before(&uri).to_string(), "/km/api/pods?limit=1");
        assert_eq!(prefix("").before(&uri), uri);
    }
}
