//! What of the data directory cannot be read: counted, and logged once a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use kubemonitor_model::UnixMillis;
use parking_lot::Mutex;

use super::{archive::Level, log};
use crate::sample::TimeRange;

/// Something that could not be read, which answers over this time may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Records, or stretches of a file in which there must have been some.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The files they are in.
    pub files: u64,
    /// What they had was measured in this time, or in a part of it.
    pub range: TimeRange,
}

/// All damage that is known.
#[derive(Debug, Default)]
pub(crate) struct Damages(Mutex<BTreeMap<PathBuf, InFile>>);

/// Damage in one file.
#[derive(Debug, Default)]
struct InFile {
    records: u64,
    bytes: u64,
    /// Where records are that turned out to be damaged when somebody asked for them.
    met: BTreeSet<u64>,
}

/// A part of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Recent,
    Downsampled(Level),
}

impl Damages {
    /// Notes what a file was found to have lost when it was gone through.
    pub(super) fn found(&self, path: &Path, records: u64, bytes: u64, why: &str) {
        tracing::warn!(
            path = %path.display(), records, bytes, why,
            "damaged on the disk; all else in the file is kept, and answers over this time say that \
             they may lack something"
        );
        let mut files = self.0.lock();
        let file = files.entry(path.to_owned()).or_default();
        file.records += records;
        file.bytes += bytes;
    }

    /// Notes a record that was asked for and cannot be read. Asked for again, it counts once.
    pub(super) fn met(&self, path: &Path, offset: u64, bytes: u64, why: &str) {
        let mut files = self.0.lock();
        let file = files.entry(path.to_owned()).or_default();
        let is_first = file.records == 0;
        if file.met.insert(offset) {
            file.records += 1;
            file.bytes += bytes;
        }
        drop(files);
        if is_first {
            tracing::warn!(path = %path.display(), offset, why, "damaged on the disk; left out of answers");
        }
    }

    /// The file is gone, and its damage with it.
    pub(super) fn forget(&self, path: &Path) {
        self.0.lock().remove(path);
    }

    /// All there is; `None` when all is well.
    pub(super) fn all(&self) -> Option<Damage> {
        self.that(|_, _| true)
    }

    /// What an answer over a range may lack that is read at one level, or as it was measured.
    pub(crate) fn within(&self, range: TimeRange, level: Option<Level>) -> Option<Damage> {
        self.that(|part, spanned| {
            let is_read = part == Part::Recent || level.map(Part::Downsampled) == Some(part);
            is_read && spanned.from <= range.to && spanned.to >= range.from
        })
    }

    fn that(&self, is_meant: impl Fn(Part, TimeRange) -> bool) -> Option<Damage> {
        let files = self.0.lock();
        let meant = files.iter().filter_map(|(path, file)| {
            let (part, range) = span(path)?;
            let InFile { records, bytes, .. } = *file;
            is_meant(part, range).then_some(Damage { records, bytes, files: 1, range })
        });
        meant.reduce(|one, other| Damage {
            records: one.records + other.records,
            bytes: one.bytes + other.bytes,
            files: one.files + other.files,
            range: TimeRange {
                from: one.range.from.min(other.range.from),
                to: one.range.to.max(other.range.to),
            },
        })
    }
}

/// What a file is of, and when what it holds was measured, as far as its name tells.
fn span(path: &Path) -> Option<(Part, TimeRange)> {
    const QUARTER_MS: i64 = 900_000;
    const HOUR_MS: i64 = 3_600_000;
    let folder = path.parent()?.file_name()?.to_str()?;
    let begun = log::begun(path)?;
    // Rows are written some time after they were measured.
    let (part, before_ms, length_ms) =
        match Level::ALL.into_iter().find(|level| level.folder() == folder) {
            Some(level) => (Part::Downsampled(level), HOUR_MS, level.file_ms()),
            None => (Part::Recent, QUARTER_MS, QUARTER_MS),
        };
    let to = UnixMillis(begun.0.saturating_add(length_ms));
    Some((part, TimeRange { from: begun.minus(before_ms), to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(from: i64, to: i64) -> TimeRange {
        TimeRange { from: UnixMillis(from * HOUR), to: UnixMillis(to * HOUR) }
    }

    #[test]
    fn damage_counts_once_and_only_for_answers_that_are_read_from_there() {
        let damages = Damages::default();
        assert_eq!(damages.all(), None);
        let quarters = PathBuf::from(format!("/data/15m/{:013}.log", 100 * HOUR));
        for _ in 0..3 {
            damages.met(&quarters, 16, 40, "its checksum");
        }
        damages.met(&quarters, 96, 10, "its checksum");
        let count = |damage: Option<Damage>| damage.map(|d| (d.records, d.bytes, d.files));
        assert_eq!(count(damages.all()), Some((2, 50, 1)));
        assert_eq!(count(damages.within(at(90, 200), Some(Level::Quarters))), Some((2, 50, 1)));
        assert_eq!(count(damages.within(at(90, 98), Some(Level::Quarters))), None);
        assert_eq!(count(damages.within(at(126, 200), Some(Level::Quarters))), None);
        assert_eq!(count(damages.within(at(90, 200), Some(Level::Minutes))), None);
        assert_eq!(count(damages.within(at(90, 200), None)), None);
        damages.found(Path::new("/data/blocks/0000360000000.log"), 1, 7, "a header");
        assert_eq!(count(damages.within(at(90, 200), None)), Some((1, 7, 1)));
        assert_eq!(count(damages.within(at(90, 200), Some(Level::Quarters))), Some((3, 57, 2)));
        damages.forget(&quarters);
        assert_eq!(count(damages.all()), Some((1, 7, 1)));
    }
}
