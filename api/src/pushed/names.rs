//! Names in pushed samples.

use std::fmt;

use crate::errors::ApiError;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A node: a host's name.
    Node,
    /// A pod or a Deployment.
    Object,
    /// A namespace.
    Namespace,
}

impl Named {
    fn most_bytes(self) -> usize {
        match self {
            Self::Namespace => 63,
            Self::Node | Self::Object => 253,
        }
    }

    fn allows(self, byte: u8) -> bool {
        match self {
            Self::Namespace => byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
            Self::Object => Self::Namespace.allows(byte) || byte == b'.',
            // Not all that is measured is a node of Kubernetes.
            Self::Node => byte.is_ascii_alphanumeric() || b"-._".contains(&byte),
        }
    }

    fn is_name(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        bytes.len() <= self.most_bytes()
            && bytes.iter().all(|&byte| self.allows(byte))
            && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, others) = match self {
            Self::Node => ("ASCII letters, digits", "`-`, `.` and `_`"),
            Self::Object => ("lower-case ASCII letters, digits", "`-` and `.`"),
            Self::Namespace => ("lower-case ASCII letters, digits", "`-`"),
        };
        let most = self.most_bytes();
        write!(f, "give a name of 1 to {most} {kind}, and between them {others}")
    }
}

/// The name that path and body both have.
pub(crate) fn agreed(
    field: &'static str,
    of: Named,
    path: &str,
    body: Option<&str>,
) -> Result<(), ApiError> {
    match body {
        None => Err(missing(field)),
        Some(body) if body != path => {
            Err(ApiError::Disagreement { field, path: shown(path), body: shown(body) })
        }
        Some(body) => name(field, of, body),
    }
}

/// Checks a name as Kubernetes does.
pub(crate) fn name(field: &'static str, of: Named, text: &str) -> Result<(), ApiError> {
    if of.is_name(text) {
        return Ok(());
    }
    Err(ApiError::Value { field, value: shown(text), remedy: of.to_string() })
}

/// A name that has to be given.
pub(crate) fn required<'a>(
    field: &'static str,
    value: Option<&'a str>,
) -> Result<&'a str, ApiError> {
    value.ok_or_else(|| missing(field))
}

/// As much of a text as an answer repeats.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 100;
    let start: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() { start + "…" } else { start }
}

fn missing(field: &'static str) -> ApiError {
    ApiError::Body(format!("`{field}` is missing"))
}

/// The empty text is how some write that there is none.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The value of a field that has two names.
pub(super) fn either<'a>(
    field: &'static str,
    value: Option<&'a str>,
    other_field: &'static str,
    other: Option<&'a str>,
) -> Result<Option<&'a str>, ApiError> {
    match (given(value), given(other)) {
        (Some(value), Some(other)) if value != other => Err(ApiError::Body(format!(
            "`{field}` is `{}` and `{other_field}` is `{}`: give one of them",
            shown(value),
            shown(other)
        ))),
        (value, other) => Ok(value.or(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_body_have_to_agree() {
        let agreed = |path, body| agreed("pod", Named::Object, path, body);
        assert!(agreed("p", Some("p")).is_ok());
        let torn = agreed("p", Some("q")).unwrap_err();
        assert!(matches!(torn, ApiError::Disagreement { field: "pod", .. }));
        assert!(agreed("p", None).unwrap_err().to_string().contains("`pod` is missing"));
    }

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for (of, text) in [
            (Named::Object, "cart-5f9c6d7b8-x2k4q"),
            (Named::Object, "a.b-c.d"),
            (Named::Namespace, "kube-system"),
            (Named::Namespace, "0"),
            (Named::Node, "ip-10-0-0-1.ec2.internal"),
            (Named::Node, "WORKER_7"),
            (Named::Object, &"x".repeat(253)),
            (Named::Namespace, &"x".repeat(63)),
        ] {
            assert!(name("f", of, text).is_ok(), "{text}");
        }
        for (of, text) in [
            (Named::Object, ""),
            (Named::Object, "a/b"),
            (Named::Object, "a\0b"),
            (Named::Object, "a\nb"),
            (Named::Object, "-a"),
            (Named::Object, "a."),
            (Named::Object, "Cart"),
            (Named::Object, "a_b"),
            (Named::Object, "장바구니"),
            (Named::Namespace, "a.b"),
            (Named::Node, "<b>"),
            (Named::Node, "(none)"),
            (Named::Object, &"x".repeat(254)),
            (Named::Namespace, &"x".repeat(64)),
            (Named::Object, &"x".repeat(1 << 20)),
        ] {
            let refusal = name("f", of, text).unwrap_err().to_string();
            assert!(refusal.contains("ASCII") && refusal.contains("`f`"), "{refusal}");
            assert!(refusal.len() < 1000, "{}", refusal.len());
        }
    }
}
