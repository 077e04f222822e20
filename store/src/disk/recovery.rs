//! Opening the data directory: what it holds is read back, then the writer begins.

use std::{
    fs::{File, OpenOptions},
    sync::Arc,
    time::Duration,
};

use super::{
    Block, DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level},
    block::{PREFIX, head_length},
    journal::Found,
    log::{Cut, Log, Place},
    queue::{Disk, Waiting},
    shelf::{Bodies, Shelf},
    writer::Writer,
};
use crate::{parallel, sync::thread};

/// Takes in what was on the disk, some of it at a time: all of it at once would be held twice.
pub(crate) trait Recovery {
    /// Blocks and where their chunks are, in the order they were written.
    fn blocks(&mut self, blocks: Vec<(Block, Bodies)>);
    /// All blocks have come.
    fn settle(&mut self, archives: &[Archive; 2]);
    /// Whether the blocks that came do not have this entry.
    fn wants(&self, entry: &Found) -> bool;
    /// Entries, in the order they were written. Gives the bytes of those that make no sense.
    fn entries(&mut self, entries: Vec<Found>) -> u64;
}

/// Bytes of journal entries that are taken in at a time: a few ticks of the largest cluster. Those
/// of one node follow each other then, while what is kept of it is in the processor's caches.
const ENTRIES_AT_ONCE: usize = 64 << 20;

/// Blocks whose heads are read at a time.
const BLOCKS_AT_ONCE: usize = 1024;

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
        let mut last = 0;
        let mut shelf = Shelf::new(folder.join("blocks"));
        let (blocks, blocks_cut, mut broken) = read_blocks(&mut shelf, |blocks| {
            last = blocks.iter().map(|(block, _)| block.sequence).max().unwrap_or(0).max(last);
            recovery.blocks(blocks);
        })?;
        recovery.settle(&archives);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let visit = |record: &[u8]| match Found::read(record) {
            Ok(entry) => {
                last = last.max(entry.sequence);
                if recovery.wants(&entry) {
                    entries.push(entry);
                    bytes += record.len();
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
        };
        let (journal, journal_cut) = Log::open(folder.join("journal"), visit)?;
        broken += recovery.entries(entries);
        let rolled_cut_bytes = minutes_cut.bytes + quarters_cut.bytes;
        report_cut(minutes_cut, "1m");
        report_cut(quarters_cut, "15m");
        let cut_bytes = blocks_cut.bytes + journal_cut.bytes + rolled_cut_bytes + broken;
        report_cut(blocks_cut, "blocks");
        report_cut(journal_cut, "journal");

        let rolled_bytes = minutes_log.bytes() + quarters_log.bytes();
        let bytes = blocks.bytes() + journal.bytes() + rolled_bytes;
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
                blocks,
                shelf,
                journal,
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

/// Hands on the blocks of a folder without what stays on disk. Gives the log, what was cut off, and
/// how many bytes made no sense.
fn read_blocks(
    shelf: &mut Shelf,
    mut take: impl FnMut(Vec<(Block, Bodies)>),
) -> Result<(Log, Cut, u64), DiskError> {
    let mut heads: Vec<(Place, usize)> = Vec::new();
    let mut broken = 0;
    let (log, cut) =
        Log::open_heads(shelf.folder().to_owned(), |place, head| match head_length(head) {
            Ok(length) => heads.push((place, PREFIX + length)),
            Err(error) => {
                tracing::warn!(%error, "a record is left out");
                broken += u64::from(place.length());
            }
        })?;
    for heads in heads.chunks(BLOCKS_AT_ONCE) {
        let mut wanted = Vec::with_capacity(heads.len());
        for &(place, length) in heads {
            wanted.push((shelf.file(place.file)?, place, length));
        }
        let read = parallel::mapped(wanted, |(file, place, length)| {
            let mut head = vec![0; length.min(place.length() as usize)];
            file.read(&mut head, place.offset())?;
            let bodies = Bodies { file, offset: place.offset() + length as u64 };
            Ok::<_, DiskError>((Block::decode_head(&head)?, bodies))
        });
        let mut whole = Vec::with_capacity(read.len());
        for (outcome, (place, _)) in read.into_iter().zip(heads) {
            match outcome {
                Ok(block) => whole.push(block),
                Err(error) => {
                    tracing::warn!(%error, "a block is left out");
                    broken += u64::from(place.length());
                }
            }
        }
        take(whole);
    }
    Ok((log, cut, broken))
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
