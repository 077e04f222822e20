//! Who is measured.

use std::fmt;

/// The identity of an entity within its node and kind: a pod's UID, a container's ID, a unit's
/// name. Identifiers that are hexadecimal, nearly all of them, take 16 or 32 bytes and no
/// allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum EntityId {
    /// A UUID: `0f9d4c1e-…` (pod UIDs).
    Uuid([u8; 16]),
    /// 32 lower-case hexadecimal digits (UIDs of static pods, which are hashes).
    Hash([u8; 16]),
    /// 64 lower-case hexadecimal digits (container IDs).
    Digest([u8; 32]),
    /// Anything else.
    Text(Box<str>),
}

impl EntityId {
    /// The most compact identity that prints as `text`.
    pub fn parse(text: &str) -> Self {
        let bytes = text.as_bytes();
        match bytes.len() {
            36 => parse_uuid(bytes).map(Self::Uuid),
            32 => parse_hex(bytes).map(Self::Hash),
            64 => parse_hex(bytes).map(Self::Digest),
            _ => None,
        }
        .unwrap_or_else(|| Self::Text(text.into()))
    }
}

/// Places of the dashes in a UUID's 36 characters.
const DASHES: [usize; 4] = [8, 13, 18, 23];

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut hex = [0; 32];
    let mut len = 0;
    for (i, &byte) in text.iter().enumerate() {
        if DASHES.contains(&i) {
            if byte != b'-' {
                return None;
            }
        } else {
            *hex.get_mut(len)? = byte;
            len += 1;
        }
    }
    parse_hex(&hex)
}

fn parse_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(out)
}

/// Lower case only, so that every identity prints as it was read.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, dashed): (&[u8], bool) = match self {
            Self::Uuid(bytes) => (bytes, true),
            Self::Hash(bytes) => (bytes, false),
            Self::Digest(bytes) => (bytes, false),
            Self::Text(text) => return f.write_str(text),
        };
        let mut text = [0; 64];
        let mut len = 0;
        for byte in bytes {
            if dashed && DASHES.contains(&len) {
                text[len] = b'-';
                len += 1;
            }
            for digit in [byte >> 4, byte & 15] {
                text[len] = b"0123456789abcdef"[usize::from(digit)];
                len += 1;
            }
        }
        f.write_str(std::str::from_utf8(&text[..len]).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The quality of service class kubelet gave a pod, as its cgroup's place tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum QosClass {
    /// Limits equal requests for every container.
    Guaranteed = 1,
    /// Some requests or limits.
    Burstable = 2,
    /// None at all.
    BestEffort = 3,
}

impl QosClass {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }

    /// The class with this wire number.
    pub fn from_wire(number: u8) -> Option<Self> {
        [Self::Guaranteed, Self::Burstable, Self::BestEffort]
            .into_iter()
            .find(|&class| class as u8 == number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_kubernetes_uses_are_compact() {
        let uid = EntityId::parse("a96ab411-2bca-47bf-90b4-002d39ce26bb");
        assert!(matches!(uid, EntityId::Uuid(_)));
        let hash = EntityId::parse("bba8a4a63ab4a7b4dc3a1f9a4bbd2d3c");
        assert!(matches!(hash, EntityId::Hash(_)));
        let digest = EntityId::parse(&"0a".repeat(32));
        assert!(matches!(digest, EntityId::Digest(_)));
    }

    #[test]
    fn what_only_looks_like_an_identifier_stays_text() {
        for text in [
            "",
            "ssh.service",
            "A96AB411-2BCA-47BF-90B4-002D39CE26BB",
            "a96ab411_2bca-47bf-90b4-002d39ce26bb",
        ] {
            assert_eq!(EntityId::parse(text), EntityId::Text(text.into()));
        }
    }

    proptest! {
        #[test]
        fn an_identity_prints_as_it_was_read(text in "[0-9a-f-]{0,70}|.{0,40}|[0-9a-f]{64}|[0-9a-f]{32}") {
            prop_assert_eq!(EntityId::parse(&text).to_string(), text);
        }
    }
}
