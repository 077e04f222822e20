//! Who may write.
//!
//! Without a cluster everybody may who reaches the server, or those who know its token. In a cluster
//! writing is closed: a collector shows the token that kubelet gives its pod, which stands for one
//! node, and is believed for that node alone; what others push as JSON needs the server's token, an
//! account that was named, or that pushing was opened.

mod account;
mod gate;
mod sender;

use axum::http::{HeaderMap, header};

pub use self::account::{Account, AccountError};
pub(crate) use self::{gate::Gate, sender::Sender};

/// Whom tokens of service accounts have to be meant for.
pub(crate) const AUDIENCE: &str = "kubemonitor";

/// Who may write.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody who can reach the server.
    Open,
    /// Those who show one of these.
    Closed(Keys),
}

/// What opens a server for writing.
#[derive(Clone, Default)]
pub struct Keys {
    /// The token that opens everything, for frames of any node.
    pub token: Option<Box<str>>,
    /// The account of the collectors; `None` where no cluster could say whose a token is.
    pub collector: Option<Account>,
    /// Accounts that may push JSON.
    pub pushers: Vec<Account>,
    /// Everybody may push JSON.
    pub allow_push: bool,
}

/// Who may send frames, and who may push JSON, for the log.
impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self::Closed(keys) = self else { return f.write_str("everybody") };
        let token = keys.token.as_ref().map(|_| "a token".to_owned());
        let one_of = |who: Vec<String>| {
            if who.is_empty() { "nobody".to_owned() } else { who.join(" or ") }
        };
        let collector = keys.collector.as_ref().map(ToString::to_string);
        let pushers = keys.pushers.iter().map(ToString::to_string);
        let frames = one_of(token.iter().cloned().chain(collector).collect());
        let json = if keys.allow_push {
            "everybody".to_owned()
        } else {
            one_of(token.into_iter().chain(pushers).collect())
        };
        write!(f, "frames: {frames}; JSON: {json}")
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("collector", &self.collector)
            .field("pushers", &self.pushers)
            .field("allow_push", &self.allow_push)
            .finish()
    }
}

/// The token of a header `Authorization: Bearer <token>`.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let of = |text: &'static str| {
            let headers = [(header::AUTHORIZATION, text.parse().unwrap())].into_iter().collect();
            bearer_token(&headers).map(str::to_owned)
        };
        for good in ["Bearer s3cret", "bearer  s3cret", "BEARER s3cret "] {
            assert_eq!(of(good).as_deref(), Some("s3cret"), "{good}");
        }
        for none in ["s3cret", "Basic s3cret", "Bearer ", "Bearer"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn the_log_says_who_may_write() {
        assert_eq!(Access::Open.to_string(), "everybody");
        let collector = Some("resource-collector".parse().unwrap());
        let mut keys = Keys { collector, ..Keys::default() };
        let said = |keys: &Keys| Access::Closed(keys.clone()).to_string();
        assert_eq!(said(&keys), "frames: resource-collector; JSON: nobody");
        keys.token = Some("s3cret".into());
        keys.pushers = vec!["shop/pusher".parse().unwrap()];
        assert_eq!(
            said(&keys),
            "frames: a token or resource-collector; JSON: a token or shop/pusher"
        );
        keys.allow_push = true;
        assert!(said(&keys).ends_with("JSON: everybody"));
    }

    #[test]
    fn the_token_is_not_printed() {
        let keys = Keys { token: Some("s3cret".into()), ..Keys::default() };
        assert!(!format!("{:?}", Access::Closed(keys)).contains("s3cret"));
    }
}
