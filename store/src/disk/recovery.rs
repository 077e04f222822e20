//! Opening the data directory: what it holds is read back, then the writer begins.

use std::{
    fs::{File, OpenOptions},
    hash::BuildHasher,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use rustc_hash::FxBuildHasher;

use super::{
    Block, DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level},
    block::{PREFIX, head_length, node_of},
    journal::Found,
    log::{Cut, Log, Place},
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
    /// A block and where its chunks are. Those of one node come one after the other in the order they
    /// were written, those of others at the same time.
    fn block(&self, block: Block, bodies: Bodies);
    /// All blocks have come.
    fn settle(&self, archives: &[Archive; 2]);
    /// Whether the blocks that came do not have this entry.
    fn wants(&self, entry: &Found) -> bool;
    /// Entries, in the order they were written. Gives the bytes of those that make no sense.
    fn entries(&mut self, entries: Vec<Found>) -> u64;
}

/// Bytes of journal entries that are taken in at a time: a few ticks of the largest cluster. Those
/// of one node follow each other then, while what is kept of it is in the processor's caches.
const ENTRIES_AT_ONCE: usize = 64 << 20;

impl Disk {
    /// Opens the folder and hands on what it holds.
    pub(crate) fn open(
        settings: &DiskSettings,
        recovery: &mut impl Recovery,
    ) -> Result<Self, DiskError> {
        let folder = &settings.folder;
        std::fs::create_dir_all(folder).map_err(|e| DiskError::io("create", folder, e))?;
        let lock = lock(settings)?;
        let (minutes, minutes_log, minutes_cut) = Archive::open(folder, Level::Minutes)?;
        let (quarters, quarters_log, quarters_cut) = Archive::open(folder, Level::Quarters)?;
        let archives = Arc::new([minutes, quarters]);
        let mut shelf = Shelf::new(folder.join("blocks"));
        let blocks = read_blocks(&mut shelf, &*recovery)?;
        recovery.settle(&archives);
        let journal = read_journal(folder.join("journal"), recovery)?;
        let (last, broken) = (blocks.last.max(journal.last), blocks.broken + journal.broken);
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
        Self::new(waiting, settings, Arc::clone(&archives), |shared, horizons| {
            let writer = Writer {
                shared,
                horizons,
                blocks: blocks.log,
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

/// A log that was read.
struct ReadBack {
    log: Log,
    cut: Cut,
    /// The last entry of the journal that it knows of.
    last: u64,
    /// Bytes that made no sense.
    broken: u64,
}

/// Where the head of a block is.
struct Head {
    file: Arc<ShelfFile>,
    place: Place,
    length: usize,
    /// Tells its node from others.
    node: u64,
}

impl Head {
    fn read(self) -> Result<(Block, Bodies), DiskError> {
        let Self { file, place, length, .. } = self;
        let mut head = vec![0; length.min(place.length() as usize)];
        file.read(&mut head, place.offset())?;
        let bodies = Bodies { file, offset: place.offset() + length as u64 };
        Ok((Block::decode_head(&head)?, bodies))
    }
}

/// Hands on the blocks of a folder without what stays on disk.
fn read_blocks(shelf: &mut Shelf, recovery: &impl Recovery) -> Result<ReadBack, DiskError> {
    let (mut found, mut broken) = (Vec::new(), 0);
    let (log, cut) =
        Log::open_heads(shelf.folder().to_owned(), |place, head| match head_length(head) {
            Ok(length) => {
                let node = FxBuildHasher.hash_one(node_of(head));
                found.push((place, PREFIX + length, node));
            }
            Err(error) => {
                tracing::warn!(%error, "a record is left out");
                broken += u64::from(place.length());
            }
        })?;
    let mut heads = Vec::with_capacity(found.len());
    for (place, length, node) in found {
        heads.push(Head { file: shelf.file(place.file)?, place, length, node });
    }
    let (last, unread) = (AtomicU64::new(0), AtomicU64::new(0));
    parallel::by_key(
        heads,
        |head| &head.node,
        |head| {
            let length = u64::from(head.place.length());
            match head.read() {
                Ok((block, bodies)) => {
                    last.fetch_max(block.sequence, Ordering::Relaxed);
                    recovery.block(block, bodies);
                }
                Err(error) => {
                    tracing::warn!(%error, "a block is left out");
                    unread.fetch_add(length, Ordering::Relaxed);
                }
            }
        },
    );
    Ok(ReadBack { log, cut, last: last.into_inner(), broken: broken + unread.into_inner() })
}

/// Hands on what the journal has beyond the blocks.
fn read_journal(folder: PathBuf, recovery: &mut impl Recovery) -> Result<ReadBack, DiskError> {
    let (mut last, mut broken) = (0, 0);
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let (log, cut) = Log::open(folder, |record| match Found::read(record) {
        Ok(entry) => {
            last = last.max(entry.sequence);
            if recovery.wants(&entry) {
                bytes += record.len();
                entries.push(entry);
            }
            if bytes >= ENTRIES_AT_ONCE {
                bytes = 0;
                broken += recovery.entries(std::mem::take(&mut entries));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "a record is left out");
            broken += record.len() as u64;
        }
    })?;
    broken += recovery.entries(entries);
    Ok(ReadBack { log, cut, last, broken })
}

fn lock(settings: &DiskSettings) -> Result<File, DiskError> {
    let path = settings.folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| DiskError::io("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DiskError::Locked(settings.folder.clone())),
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
