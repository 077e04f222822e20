//! Service accounts.

use std::{fmt, str::FromStr};

/// A service account of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its namespace; `None` for the server's own.
    pub namespace: Option<Box<str>>,
    /// Its name.
    pub name: Box<str>,
}

/// A text that names no service account.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` names no service account: give NAMESPACE/NAME, or NAME for one in the server's namespace"
)]
pub struct AccountError(String);

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        if !namespace.into_iter().chain([name]).all(is_name) {
            return Err(AccountError(text.to_owned()));
        }
        Ok(Self { namespace: namespace.map(Into::into), name: name.into() })
    }
}

/// As Kubernetes has it for both: small letters, digits, `-` and `.`.
fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    (1..=253).contains(&text.len()) && text.bytes().all(allowed)
}

impl Account {
    /// The user that Kubernetes says such an account is, where the server is in this namespace.
    pub(super) fn user(&self, own_namespace: &str) -> String {
        let namespace = self.namespace.as_deref().unwrap_or(own_namespace);
        format!("system:serviceaccount:{namespace}:{}", self.name)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_in_the_servers_namespace_unless_told() {
        let user = |text: &str| text.parse::<Account>().unwrap().user("monitoring");
        assert_eq!(
            user("resource-collector"),
            "system:serviceaccount:monitoring:resource-collector"
        );
        assert_eq!(user("shop/pusher"), "system:serviceaccount:shop:pusher");
    }

    #[test]
    fn what_is_no_account_is_refused_with_the_remedy() {
        for text in ["", "/", "a/", "/b", "a/b/c", "A", "system:serviceaccount:a:b", "a b"] {
            let refusal = text.parse::<Account>().unwrap_err().to_string();
            assert!(refusal.contains(&format!("`{text}`")) && refusal.contains("NAMESPACE/NAME"));
        }
    }
}
