//! Opening the data directory: what it holds is read back, then the writer begins.

use std::{
    cell::Cell,
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hashbrown::HashMap;
use kubemonitor_model::UnixMillis;
use rustc_hash::FxBuildHasher;

use super::{
    Block, DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level},
    block::{PREFIX, head_length, node_of},
    contents::{self, Contents},
    journal::{Found, entry_head},
    log::{Cut, Log, Place, records},
    queue::{Disk, Waiting},
    shelf::{Bodies, Shelf, ShelfFile},
    writer::Writer,
};
use crate::{
    parallel,
    sync::{
        atomic::{AtomicU64, Ordering},
        thread,
    },
};

/// Takes in what was on the disk.
pub(crate) trait Recovery: Sync {
    /// All there is of one node, others at the same time: its blocks and where their chunks are, up to
    /// where its rows are rolled, and what the journal has beyond the blocks; each in the order it was
    /// written, blocks to be asked for first. Gives the bytes of entries that make no sense.
    fn node(
        &self,
        name: &str,
        blocks: impl Iterator<Item = (Block, Arc<Bodies>)>,
        rolled_until: [Option<UnixMillis>; 2],
        entries: impl Iterator<Item = Found>,
    ) -> u64;
}

/// A data directory that no other process may use, for as long as this or its store lives.
#[derive(Debug)]
pub struct Claim {
    settings: DiskSettings,
    lock: File,
}

impl DiskSettings {
    /// Makes the folder if need be, and it this process's own.
    pub fn claim(&self) -> Result<Claim, DiskError> {
        let folder = &self.folder;
        std::fs::create_dir_all(folder).map_err(|e| DiskError::io("create", folder, e))?;
        Ok(Claim { settings: self.clone(), lock: lock(folder)? })
    }
}

impl Disk {
    /// Hands on what the folder holds.
    pub(crate) fn open(claim: Claim, recovery: &impl Recovery) -> Result<Self, DiskError> {
        let Claim { settings, lock } = claim;
        let folder = &settings.folder;
        let (minutes, minutes_log, minutes_cut) = Archive::open(folder, Level::Minutes)?;
        let (quarters, quarters_log, quarters_cut) = Archive::open(folder, Level::Quarters)?;
        let archives = Arc::new([minutes, quarters]);
        let (mut nodes, mut shelf) = (Nodes::default(), Shelf::new(folder.join("blocks")));
        let blocks = find_blocks(&mut shelf, &mut nodes)?;
        let (journal, in_journal) = find_entries(folder.join("journal"), &mut nodes)?;
        let (in_blocks, left_out) = take_in(nodes, &archives, recovery);
        let last = in_journal.max(in_blocks);
        let broken = blocks.broken + journal.broken + left_out;
        let rolled_cut_bytes = minutes_cut.bytes + quarters_cut.bytes;
        report_cut(minutes_cut, "1m");
        report_cut(quarters_cut, "15m");
        let cut_bytes = blocks.cut.bytes + journal.cut.bytes + rolled_cut_bytes + broken;
        report_cut(blocks.cut, "blocks");
        report_cut(journal.cut, "journal");

        let rolled_bytes = minutes_log.bytes() + quarters_log.bytes();
        let bytes = blocks.log.bytes() + journal.log.bytes() + rolled_bytes;
        let waiting = Waiting {
            next_sequence: last + 1,
            durable: last,
            status: DiskStatus { bytes, cut_bytes, ..DiskStatus::default() },
            ..Waiting::default()
        };
        Self::new(waiting, &settings, Arc::clone(&archives), |shared, horizons| {
            let writer = Writer {
                shared,
                horizons,
                blocks: blocks.log,
                contents: Contents::default(),
                shelf,
                journal: journal.log,
                rolled: [minutes_log, quarters_log],
                archives,
                interval: match settings.fsync {
                    Fsync::Always => Duration::from_millis(5),
                    Fsync::Every(interval) => interval,
                },
                max_bytes: settings.max_bytes,
                in_journal: 0,
                lock,
            };
            thread::Builder::new().name("disk".to_owned()).spawn(move || writer.run())
        })
    }
}

/// What there is of each node.
type Nodes = HashMap<Box<str>, OnDisk, FxBuildHasher>;

/// Where on the disk all there is of a node lies.
#[derive(Default)]
struct OnDisk {
    blocks: Vec<Head>,
    entries: Vec<EntryPlace>,
}

/// Where the head of a block is, and the block.
struct Head {
    file: Arc<ShelfFile>,
    at: u64,
    length: usize,
    block: Place,
}

/// Where an entry of the journal is.
struct EntryPlace {
    sequence: u64,
    file: Arc<ShelfFile>,
    place: Place,
}

/// A log that was gone through.
struct GoneThrough {
    log: Log,
    cut: Cut,
    /// Bytes that made no sense.
    broken: u64,
}

/// Finds the blocks of a folder. Files that do not tell what they hold are gone through.
fn find_blocks(shelf: &mut Shelf, nodes: &mut Nodes) -> Result<GoneThrough, DiskError> {
    let (mut found, mut broken) = (Vec::new(), 0);
    let mut find = |place: Place, head_at, head: &[u8]| match head_length(head)
        .and_then(|length| Ok((node_of(head)?, length)))
    {
        Ok((node, length)) => found.push((Box::from(node), place, head_at, PREFIX + length)),
        Err(error) => {
            tracing::warn!(%error, "a record is left out");
            broken += u64::from(place.length());
        }
    };
    let whole = |name, file: &mut File, size, is_newest| {
        if contents::read(name, file, size, |told| find(told.place, told.head_at, told.head))? {
            return Ok(size);
        }
        records(name, file, size, is_newest, |place, record| {
            if !contents::is_contents(record) {
                find(place, place.offset(), record);
            }
        })
    };
    let (log, cut) = Log::open_with(shelf.folder().to_owned(), whole)?;
    for (node, block, at, length) in found {
        let head = Head { file: shelf.file(block.file)?, at, length, block };
        nodes.entry(node).or_default().blocks.push(head);
    }
    Ok(GoneThrough { log, cut, broken })
}

/// Finds the entries of the journal. Gives the last one's sequence, too.
fn find_entries(folder: PathBuf, nodes: &mut Nodes) -> Result<(GoneThrough, u64), DiskError> {
    let (mut last, mut broken) = (0, 0);
    let mut found: Vec<(Box<str>, u64, Place)> = Vec::new();
    let (log, cut) = Log::open(folder.clone(), |place, record| match entry_head(record) {
        Ok((node, sequence)) => {
            last = last.max(sequence);
            found.push((Box::from(node), sequence, place));
        }
        Err(error) => {
            tracing::warn!(%error, "a record is left out");
            broken += u64::from(place.length());
        }
    })?;
    let mut files = Shelf::new(folder);
    for (node, sequence, place) in found {
        let entry = EntryPlace { sequence, file: files.file(place.file)?, place };
        nodes.entry(node).or_default().entries.push(entry);
    }
    Ok((GoneThrough { log, cut, broken }, last))
}

/// Takes in what was found, each node by one thread: what is kept of it stays in the processor's
/// caches meanwhile. Gives the last entry that blocks know of, and the bytes of what was left out.
fn take_in(nodes: Nodes, archives: &[Archive; 2], recovery: &impl Recovery) -> (u64, u64) {
    let (last, broken) = (AtomicU64::new(0), AtomicU64::new(0));
    let leave_out = |error: &DiskError, place: Place| {
        tracing::warn!(%error, "left out");
        broken.fetch_add(u64::from(place.length()), Ordering::Relaxed);
    };
    parallel::mapped(nodes.into_iter().collect(), |(node, OnDisk { blocks, entries })| {
        let in_blocks = Cell::new(0);
        let blocks = blocks.into_iter().filter_map(|head| {
            let (block, bodies) =
                head.read().map_err(|error| leave_out(&error, head.block)).ok()?;
            in_blocks.set(block.sequence);
            Some((block, bodies))
        });
        let beyond = entries.into_iter().filter(|entry| entry.sequence > in_blocks.get());
        let entries = beyond
            .filter_map(|entry| entry.read().map_err(|error| leave_out(&error, entry.place)).ok());
        let rolled_until = Level::ALL.map(|level| archives[level as usize].rolled_until(&node));
        let nonsense = recovery.node(&node, blocks, rolled_until, entries);
        broken.fetch_add(nonsense, Ordering::Relaxed);
        last.fetch_max(in_blocks.get(), Ordering::Relaxed);
    });
    (last.into_inner(), broken.into_inner())
}

impl EntryPlace {
    fn read(&self) -> Result<Found, DiskError> {
        let mut record = vec![0; self.place.length() as usize];
        self.file.read(&mut record, self.place.offset())?;
        Ok(Found::new(record))
    }
}

impl Head {
    fn read(&self) -> Result<(Block, Arc<Bodies>), DiskError> {
        let Self { file, at, length, block } = self;
        let mut head = vec![0; (*length).min(block.length() as usize)];
        file.read(&mut head, *at)?;
        let offset = block.offset() + *length as u64;
        Ok((Block::decode_head(&head)?, Arc::new(Bodies { file: Arc::clone(file), offset })))
    }
}

fn lock(folder: &Path) -> Result<File, DiskError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| DiskError::io("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DiskError::Locked(folder.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(DiskError::io("lock", &path, e)),
    }
}

fn report_cut(cut: Cut, what: &str) {
    if cut != Cut::default() {
        tracing::warn!(
            log = what,
            files = cut.files,
            bytes = cut.bytes,
            "cut off what a crash left half written"
        );
    }
}
