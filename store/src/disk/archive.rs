//! Rolled history: blocks that stay on disk and are read when somebody asks.

use std::path::PathBuf;

use hashbrown::HashMap;
use kubemonitor_model::{NodeName, UnixMillis};
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use super::{
    Block, DiskError,
    log::{self, Cut, Log, Place},
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

    fn folder(self) -> &'static str {
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
    pub(crate) node: NodeName,
    /// The block has the buckets that end after this,
    pub(crate) from: UnixMillis,
    /// up to this one.
    pub(crate) to: UnixMillis,
    pub(crate) block: Vec<u8>,
}

impl RolledBlock {
    /// The record: what the index needs first, so that only that is read at the start.
    pub(crate) fn record(&self) -> Vec<u8> {
        let name = self.node.as_str().as_bytes();
        let mut record = Vec::with_capacity(1 + name.len() + 16 + self.block.len());
        record.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        record.extend_from_slice(name);
        record.extend_from_slice(&self.from.0.to_le_bytes());
        record.extend_from_slice(&self.to.0.to_le_bytes());
        record.extend_from_slice(&self.block);
        record
    }
}

/// The node, the buckets and the rest of a record.
fn head(record: &[u8]) -> Option<(NodeName, UnixMillis, UnixMillis, &[u8])> {
    let (&length, rest) = record.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(length))?;
    let (from, rest) = rest.split_first_chunk()?;
    let (to, rest) = rest.split_first_chunk()?;
    let name = std::str::from_utf8(name).ok()?.parse().ok()?;
    let millis = |bytes: &[u8; 8]| UnixMillis(i64::from_le_bytes(*bytes));
    Some((name, millis(from), millis(to), rest))
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
    blocks: Mutex<HashMap<NodeName, Vec<Shelved>, FxBuildHasher>>,
}

impl Archive {
    /// Opens a level of the data directory, for reading and for writing.
    pub(crate) fn open(
        data: &std::path::Path,
        level: Level,
    ) -> Result<(Self, Log, Cut), DiskError> {
        let folder = data.join(level.folder());
        let archive = Self { folder: folder.clone(), blocks: Mutex::default() };
        let (log, cut) = Log::open_heads(folder, |place, record| {
            if let Some((node, from, to, _)) = head(record) {
                archive.shelve(node, from, to, place);
            }
        })?;
        Ok((archive, log, cut))
    }

    /// Notes that a block is on disk.
    pub(crate) fn shelve(&self, node: NodeName, from: UnixMillis, to: UnixMillis, place: Place) {
        self.blocks.lock().entry(node).or_default().push(Shelved { from, to, place });
    }

    /// Forgets blocks whose files are gone.
    pub(crate) fn forget_before(&self, oldest: UnixMillis) {
        self.blocks.lock().retain(|_, blocks| {
            blocks.retain(|block| block.place.file >= oldest);
            !blocks.is_empty()
        });
    }

    /// The end of the last bucket that is on disk for a node.
    pub(crate) fn rolled_until(&self, node: &NodeName) -> Option<UnixMillis> {
        self.blocks.lock().get(node)?.iter().map(|block| block.to).max()
    }

    /// The nodes that have history.
    pub(crate) fn nodes(&self) -> Vec<NodeName> {
        self.blocks.lock().keys().cloned().collect()
    }

    /// Visits the blocks of a node that have buckets in a range, in the order they were written.
    pub(crate) fn read(
        &self,
        node: &NodeName,
        from: UnixMillis,
        to: UnixMillis,
        mut visit: impl FnMut(Block),
    ) -> Result<(), DiskError> {
        let wanted: Vec<Place> = {
            let blocks = self.blocks.lock();
            let of_node = blocks.get(node).map(Vec::as_slice).unwrap_or_default();
            let overlapping = of_node.iter().filter(|block| block.from < to && block.to >= from);
            overlapping.map(|block| block.place).collect()
        };
        for place in wanted {
            let Some(record) = log::read(&self.folder, place)? else { continue };
            let (.., block) =
                head(&record).ok_or_else(|| DiskError::Decode("a rolled block".to_owned()))?;
            visit(Block::decode(block)?);
        }
        Ok(())
    }
}
