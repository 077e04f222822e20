//! Rolled history: blocks that stay on disk and are read when somebody asks. Each is of a node, or of
//! a group, whose key has a `/` as no node's name has.

use std::{path::PathBuf, sync::Arc};

use hashbrown::HashMap;
use kubemonitor_model::{NodeName, UnixMillis};
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use super::{
    DiskError,
    damage::Damages,
    log::{self, Cut, Log, Place, Record},
};

/// How fine rolled history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Minutes,
    Quarters,
}

impl Level {
    pub(crate) const ALL: [Self; 2] = [Self::Minutes, Self::Quarters];

    /// The length of a bucket.
    pub(crate) fn step_ms(self) -> i64 {
        match self {
            Self::Minutes => 60_000,
            Self::Quarters => 900_000,
        }
    }

    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Minutes => "1m",
            Self::Quarters => "15m",
        }
    }

    /// Files begin anew after this time: what retention drops at once.
    pub(crate) fn file_ms(self) -> i64 {
        match self {
            Self::Minutes => 3_600_000,
            Self::Quarters => 24 * 3_600_000,
        }
    }
}

/// A block of rolled rows on its way to disk.
#[derive(Clone, Debug)]
pub(crate) struct RolledBlock {
    pub(crate) level: Level,
    /// The node's name, or the group's key.
    pub(crate) name: Box<str>,
    /// The block has the buckets that end after this,
    pub(crate) from: UnixMillis,
    /// up to this one.
    pub(crate) to: UnixMillis,
    pub(crate) block: Vec<u8>,
}

impl RolledBlock {
    /// The record: what the index needs first, so that only that is read at the start.
    pub(crate) fn record(&self) -> Vec<u8> {
        let name = self.name.as_bytes();
        let mut record = Vec::with_capacity(2 + name.len() + 16 + self.block.len());
        record.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        record.extend_from_slice(name);
        record.extend_from_slice(&self.from.0.to_le_bytes());
        record.extend_from_slice(&self.to.0.to_le_bytes());
        record.extend_from_slice(&self.block);
        record
    }
}

/// Whose it is, the buckets and the rest of a record.
fn head(record: &[u8]) -> Option<(&str, UnixMillis, UnixMillis, &[u8])> {
    let (length, rest) = record.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (from, rest) = rest.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let millis = |bytes: &[u8; 8]| UnixMillis(i64::from_le_bytes(*bytes));
    Some((std::str::from_utf8(name).ok()?, millis(from), millis(to), rest))
}

#[derive(Clone, Copy, Debug)]
struct Shelved {
    from: UnixMillis,
    to: UnixMillis,
    place: Place,
}

/// Where the blocks of one level are.
#[derive(Debug)]
pub(crate) struct Archive {
    folder: PathBuf,
    damages: Arc<Damages>,
    blocks: Mutex<HashMap<Box<str>, Vec<Shelved>, FxBuildHasher>>,
}

impl Archive {
    /// Opens a level of the data directory, for reading and for writing.
    pub(crate) fn open(
        data: &std::path::Path,
        level: Level,
        damages: &Arc<Damages>,
    ) -> Result<(Self, Log, Cut), DiskError> {
        let folder = data.join(level.folder());
        let blocks = Mutex::default();
        let archive = Self { folder: folder.clone(), damages: Arc::clone(damages), blocks };
        let (log, cut) = Log::open(folder, damages, |Record { place, payload, is_whole }| {
            if let Some((name, from, to, _)) = head(payload).filter(|_| is_whole) {
                archive.shelve(name.into(), from, to, place);
            }
        })?;
        Ok((archive, log, cut))
    }

    /// Notes that a block is on disk.
    pub(crate) fn shelve(&self, name: Box<str>, from: UnixMillis, to: UnixMillis, place: Place) {
        self.blocks.lock().entry(name).or_default().push(Shelved { from, to, place });
    }

    /// Forgets blocks whose files are gone.
    pub(crate) fn forget_before(&self, oldest: UnixMillis) {
        self.blocks.lock().retain(|_, blocks| {
            blocks.retain(|block| block.place.file >= oldest);
            !blocks.is_empty()
        });
    }

    /// The end of the last bucket that is on disk for a node or a group.
    pub(crate) fn rolled_until(&self, name: &str) -> Option<UnixMillis> {
        self.blocks.lock().get(name)?.iter().map(|block| block.to).max()
    }

    /// The nodes that have history.
    pub(crate) fn nodes(&self) -> Vec<NodeName> {
        self.blocks.lock().keys().filter_map(|name| name.parse().ok()).collect()
    }

    /// Visits the blocks of a node or a group that have buckets in a range, in the order they were
    /// written. Those that cannot be read, or that `visit` makes nothing of, are noted and left out.
    pub(crate) fn read(
        &self,
        name: &str,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(&[u8]) -> Result<(), DiskError>,
    ) {
        let wanted: Vec<Place> = {
            let blocks = self.blocks.lock();
            let of_name = blocks.get(name).map(Vec::as_slice).unwrap_or_default();
            let overlapping = of_name.iter().filter(|block| block.from < to && block.to >= from);
            overlapping.map(|block| block.place).collect()
        };
        for place in wanted {
            let read = log::read(&self.folder, place).and_then(|record| {
                let Some(record) = record else { return Ok(()) };
                let (.., block) = head(&record)
                    .ok_or_else(|| DiskError::Decode("a downsampled block".to_owned()))?;
                visit(block)
            });
            if let Err(error) = read {
                let path = self.folder.join(log::file_name(place.file));
                let length = u64::from(place.length());
                self.damages.met(&path, place.offset(), length, &error.to_string());
            }
        }
    }
}
