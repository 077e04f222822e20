//! Who asks.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::UserInfo;
use x509_cert::{
    Certificate,
    attr::AttributeTypeAndValue,
    der::{
        Decode, Tag, Tagged,
        asn1::{ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef},
    },
};

/// The group of everybody who is known.
const AUTHENTICATED: &str = "system:authenticated";
/// The name of everybody who is not, as Kubernetes' own API server passes it on.
const ANONYMOUS: &str = "system:anonymous";

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// A user of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct User {
    /// The user's name.
    pub(super) name: String,
    /// What tells two users of one name apart.
    pub(super) uid: Option<String>,
    /// The groups the user is in.
    pub(super) groups: Vec<String>,
    /// What else authorizers may want to know.
    pub(super) extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// The user a client certificate names: the common name, in the groups that are its
    /// organizations. The certificate has to have been verified.
    pub(super) fn of_certificate(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let subject = certificate.tbs_certificate().subject();
        let mut user = Self::default();
        for attribute in subject.iter() {
            if attribute.oid == COMMON_NAME {
                user.name = text(attribute)?;
            } else if attribute.oid == ORGANIZATION {
                user.groups.push(text(attribute)?);
            }
        }
        (!user.name.is_empty()).then(|| user.authenticated())
    }

    /// Adds the group of all authenticated users, as Kubernetes does.
    #[must_use]
    pub(super) fn authenticated(mut self) -> Self {
        let told = self
            .groups
            .iter()
            .any(|group| [AUTHENTICATED, "system:unauthenticated"].contains(&group.as_str()));
        if !told && self.name != ANONYMOUS {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// Whether the user is in a group.
    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|one| one == group)
    }
}

impl From<UserInfo> for User {
    fn from(info: UserInfo) -> Self {
        Self {
            name: info.username.unwrap_or_default(),
            uid: info.uid,
            groups: info.groups.unwrap_or_default(),
            extra: info.extra.unwrap_or_default(),
        }
    }
}

/// The text of a part of a name, in any of the encodings in use.
fn text(attribute: &AttributeTypeAndValue) -> Option<String> {
    let value = &attribute.value;
    let text = match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok()?.as_str().to_owned(),
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok()?.as_str().to_owned()
        }
        Tag::TeletexString => value.decode_as::<TeletexStringRef<'_>>().ok()?.as_str().to_owned(),
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(name: DistinguishedName) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = name;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn named(parts: &[(DnType, DnValue)]) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        for (kind, value) in parts {
            name.push(kind.clone(), value.clone());
        }
        name
    }

    #[test]
    fn a_certificate_names_a_user_and_a_group() {
        let printable = DnValue::PrintableString("kubernetes-admin".try_into().unwrap());
        for common_name in [printable, DnValue::Utf8String("kubernetes-admin".into())] {
            let name = named(&[
                (DnType::OrganizationName, DnValue::Utf8String("system:masters".into())),
                (DnType::CommonName, common_name),
            ]);
            let user = User::of_certificate(&certificate(name)).unwrap();
            assert_eq!(user.name, "kubernetes-admin");
            assert_eq!(user.groups, ["system:masters", "system:authenticated"]);
        }
    }

    #[test]
    fn what_names_nobody_is_nobody() {
        let only_group = named(&[(DnType::OrganizationName, "system:masters".into())]);
        assert_eq!(User::of_certificate(&certificate(only_group)), None);
        assert_eq!(User::of_certificate(&certificate(DistinguishedName::new())), None);
        assert_eq!(User::of_certificate(b"no certificate"), None);
    }

    #[test]
    fn the_anonymous_stay_unauthenticated() {
        let anonymous = User { name: ANONYMOUS.to_owned(), ..User::default() };
        assert_eq!(anonymous.clone().authenticated(), anonymous);
    }
}
