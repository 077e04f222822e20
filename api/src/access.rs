//! Who may write.

use axum::http::{HeaderMap, header};

use crate::errors::ApiError;

/// Who may write: everybody, or those who know the token.
#[derive(Clone)]
pub enum Access {
    /// Everybody who can reach the server.
    Open,
    /// Those who send `Authorization: Bearer <token>`.
    Token(Box<str>),
}

impl Access {
    /// Whether a request with these headers may write.
    pub(crate) fn allow_write(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Self::Token(token) = self else { return Ok(()) };
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, given)| given.trim())
            .ok_or(ApiError::Unauthorized)?;
        if same(given.as_bytes(), token.as_bytes()) { Ok(()) } else { Err(ApiError::Forbidden) }
    }
}

/// Compares without stopping at the first difference, so that the time tells nothing of the token.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Token(_) => "Token(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: Option<&'static str>) -> HeaderMap {
        let value = value.map(|value| (header::AUTHORIZATION, value.parse().unwrap()));
        value.into_iter().collect()
    }

    #[test]
    fn with_a_token_only_those_who_know_it_may_write() {
        let access = Access::Token("s3cret".into());
        for good in ["Bearer s3cret", "bearer  s3cret"] {
            assert!(access.allow_write(&headers(Some(good))).is_ok());
        }
        for none in [None, Some("s3cret"), Some("Basic s3cret")] {
            let refusal = access.allow_write(&headers(none));
            assert!(matches!(refusal, Err(ApiError::Unauthorized)));
        }
        for wrong in ["Bearer ", "Bearer s3cre", "Bearer s3cres", "Bearer s3cret2"] {
            let refusal = access.allow_write(&headers(Some(wrong)));
            assert!(matches!(refusal, Err(ApiError::Forbidden)));
        }
    }

    #[test]
    fn without_a_token_everybody_may_write() {
        assert!(Access::Open.allow_write(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn the_token_is_not_printed() {
        assert_eq!(format!("{:?}", Access::Token("s3cret".into())), "Token(…)");
    }
}
