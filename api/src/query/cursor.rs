//! Where a page of a list ended, as the token that leads to the next one.

use std::{borrow::Cow, fmt, str::FromStr};

use super::page::{Listed, PARTS, Sort};

/// Where a page ended: the place of its last item. It stays good when others come and go.
///
/// Written `sort~rank~key`: the rank's bits, since decimal digits could lose the last one, and the
/// key in hexadecimal, since a URL would have to escape it otherwise.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cursor {
    /// How the list is sorted.
    pub(super) sort: Sort,
    rank: Option<f64>,
    key: [String; PARTS],
}

/// Stands between the parts of a key, none of which has it.
const SEPARATOR: char = '\0';

impl Cursor {
    /// The place of the last item of a page.
    pub(super) fn after(sort: Sort, last: &impl Listed) -> Self {
        let key = std::array::from_fn(|part| last.key(part).into_owned());
        Self { sort, rank: last.rank(), key }
    }
}

impl Listed for Cursor {
    fn key(&self, part: usize) -> Cow<'_, str> {
        self.key.get(part).map_or(Cow::Borrowed(""), |part| Cow::Borrowed(part))
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~", self.sort)?;
        if let Some(rank) = self.rank {
            write!(f, "{:016x}", rank.to_bits())?;
        }
        f.write_str("~")?;
        let key = self.key.join(&SEPARATOR.to_string());
        key.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REMEDY: &str = "give the token of the page before, as its header `X-Continue` has it";
        let mut parts = text.splitn(3, '~');
        let mut part = || parts.next().ok_or(REMEDY);
        let (sort, rank, key) = (part()?, part()?, part()?);
        // `from_str_radix` would take a sign and capitals, too.
        let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if !rank.chars().chain(key.chars()).all(is_hex) {
            return Err(REMEDY);
        }
        let rank = match rank.len() {
            0 => None,
            16 => Some(u64::from_str_radix(rank, 16).map(f64::from_bits).map_err(|_| REMEDY)?),
            _ => return Err(REMEDY),
        };
        let key = unhex(key).ok_or(REMEDY)?;
        let mut parts = key.splitn(3, SEPARATOR).map(str::to_owned);
        let key = std::array::from_fn(|_| parts.next().unwrap_or_default());
        Ok(Self { sort: sort.parse().map_err(|_| REMEDY)?, rank, key })
    }
}

fn unhex(digits: &str) -> Option<String> {
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    // A key is UTF-8. What is not, is a place where nothing stands, but a place.
    Some(String::from_utf8_lossy(&bytes?).into_owned())
}
