//! What a JSON Web Token says of itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// What a JSON Web Token says of itself. Nobody has checked the signature: this is good for refusing
/// what could not be accepted anyway, and never for accepting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Whose it is.
    pub(crate) subject: String,
    /// Whom it is meant for.
    pub(crate) audiences: Vec<String>,
    /// When it ends.
    pub(crate) expires: Option<SystemTime>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: Audiences,
    exp: Option<f64>,
}

/// One or several, as the standard allows.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
}

impl Default for Audiences {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// The last second of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;

impl Claims {
    /// Reads them; `None` for what is no JSON Web Token.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || header.is_empty() || signature.is_empty() {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let Payload { sub, aud, exp } = serde_json::from_slice(&payload).ok()?;
        let audiences = match aud {
            Audiences::One(one) => vec![one],
            Audiences::Several(several) => several,
        };
        let seconds = exp.filter(|exp| (0.0..=LAST_SECOND).contains(exp));
        let expires = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs_f64(seconds));
        Some(Self { subject: sub, audiences, expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn audiences_may_be_one_or_several() {
        let expires = Some(UNIX_EPOCH + Duration::from_secs(60));
        for (aud, audiences) in [(r#""a""#, vec!["a"]), (r#"["a","b"]"#, vec!["a", "b"])] {
            let claims = Claims::read(&token(&format!(r#"{{"sub":"s","aud":{aud},"exp":60}}"#)));
            let audiences = audiences.into_iter().map(str::to_owned).collect();
            assert_eq!(claims, Some(Claims { subject: "s".into(), audiences, expires }));
        }
        assert_eq!(Claims::read(&token("{}")), Some(Claims::default()));
        let odd = Claims::read(&token(r#"{"exp":-1e300}"#)).unwrap();
        assert_eq!(odd.expires, None);
    }

    #[test]
    fn what_is_no_json_web_token_says_nothing() {
        let good = token("{}");
        let longer = format!("{good}.e30");
        let garbled = good.replace('.', "..");
        for text in
            ["", "s3cret", "a.b", "a.!.c", "..", &longer, &garbled, &token("[1]"), &token("{")]
        {
            assert_eq!(Claims::read(text), None, "{text}");
        }
    }
}
