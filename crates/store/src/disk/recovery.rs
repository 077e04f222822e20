//! Opening the data directory: what it holds is read back, then the writer begins.

use std::{cell::Cell, fs::File, path::PathBuf, sync::Arc, time::Duration};

use hashbrown::HashMap;
use kubemonitor_model::UnixMillis;
use rustc_hash::FxBuildHasher;

use crate::sync::now;

use super::{
    Block, DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level},
    block::{PREFIX, head_length, node_of},
    contents::{self, Contents},
    damage::Damages,
    journal::{Found, entry_head},
    lock::Lock,
    log::{Cut, Log, Place, Record, Scan, scan},
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
    /// written, blocks to be asked for first. `leave_out` hears of entries that make no sense.
    fn node(
        &self,
        name: &str,
        blocks: impl Iterator<Item = (Block, Arc<Bodies>)>,
        rolled_until: [Option<UnixMillis>; 2],
        entries: impl Iterator<Item = (Found, EntryPlace)>,
        leave_out: &dyn Fn(&DiskError, &EntryPlace),
    );

    /// The newest tick of all that was handed on.
    fn newest(&self) -> Option<UnixMillis>;
}

/// A data directory that no other process may use, for as long as this or its store lives.
#[derive(Debug)]
pub struct Claim {
    settings: DiskSettings,
    lock: Lock,
}

impl DiskSettings {
    /// Makes the folder if need be, and it this process's own.
    pub fn claim(&self) -> Result<Claim, DiskError> {
        let folder = &self.folder;
        std::fs::create_dir_all(folder).map_err(|e| DiskError::io("create", folder, e))?;
        Ok(Claim { settings: self.clone(), lock: Lock::take(folder)? })
    }
}

impl Disk {
    /// Hands on what the folder holds.
    pub(crate) fn open(claim: Claim, recovery: &impl Recovery) -> Result<Self, DiskError> {
        let Claim { settings, lock } = claim;
        let folder = &settings.folder;
        let damages = Arc::<Damages>::default();
        let (minutes, mut minutes_log, minutes_cut) =
            Archive::open(folder, Level::Minutes, &damages)?;
        let (quarters, mut quarters_log, quarters_cut) =
            Archive::open(folder, Level::Quarters, &damages)?;
        let archives = Arc::new([minutes, quarters]);
        let mut nodes = Nodes::default();
        let mut shelf = Shelf::new(folder.join("blocks"), &damages);
        let (mut blocks, blocks_cut) = find_blocks(&mut shelf, &mut nodes, &damages)?;
        let (mut journal, journal_cut, in_journal) =
            find_entries(folder.join("journal"), &mut nodes, &damages)?;
        let last = in_journal.max(take_in(nodes, &archives, recovery));
        // The clock may be behind what it was: then the newest data tell the time.
        let latest = recovery.newest().map_or_else(now, |newest| newest.max(now()));
        for log in [&mut minutes_log, &mut quarters_log, &mut blocks, &mut journal] {
            log.cap_begun(latest);
        }
        let cuts = [
            (minutes_cut, "1m"),
            (quarters_cut, "15m"),
            (blocks_cut, "blocks"),
            (journal_cut, "journal"),
        ];
        for (cut, what) in cuts {
            report_cut(cut, what);
        }
        let cut_bytes = cuts.iter().map(|(cut, _)| cut.bytes).sum();
        let rolled_bytes = minutes_log.bytes() + quarters_log.bytes();
        let bytes = blocks.bytes() + journal.bytes() + rolled_bytes;
        let waiting = Waiting {
            next_sequence: last + 1,
            durable: last,
            status: DiskStatus { bytes, cut_bytes, ..DiskStatus::default() },
            ..Waiting::default()
        };
        Self::new(waiting, &settings, Arc::clone(&archives), damages, |shared, horizons| {
            let writer = Writer {
                shared,
                horizons,
                blocks,
                contents: Contents::default(),
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
pub(crate) struct EntryPlace {
    sequence: u64,
    file: Arc<ShelfFile>,
    place: Place,
}

/// Finds the blocks of a folder. Files that do not tell what they hold are gone through.
fn find_blocks(
    shelf: &mut Shelf,
    nodes: &mut Nodes,
    damages: &Arc<Damages>,
) -> Result<(Log, Cut), DiskError> {
    let mut found = Vec::new();
    let mut find = |place: Place, head_at, head: &[u8]| match head_length(head)
        .and_then(|length| Ok((node_of(head)?, length)))
    {
        Ok((node, length)) => {
            found.push((Box::from(node), place, head_at, PREFIX + length));
            true
        }
        Err(_) => false,
    };
    let look_through = |name, file: &File, size| {
        let mut unknown = (0, 0);
        let mut note = |is_known: bool, place: Place| {
            if !is_known {
                unknown = (unknown.0 + 1, unknown.1 + u64::from(place.length()));
            }
        };
        let footer = contents::read(name, file, size, |told| {
            note(find(told.place, told.head_at, told.head), told.place);
        });
        let mut found = match footer {
            Ok(true) => Scan { end: size, ..Scan::default() },
            // What cannot be read here is met again, and said, when all of the file is.
            Ok(false) | Err(_) => {
                scan(name, file, size, |Record { place, payload, is_whole }| {
                    // Each chunk of a block has its own checksum, and so has the head.
                    if is_whole && !contents::is_contents(payload) {
                        note(find(place, place.offset(), payload), place);
                    } else if !is_whole && Block::decode_head(payload).is_ok() {
                        find(place, place.offset(), payload);
                    }
                })
            }
        };
        found.damaged_records += unknown.0;
        found.damaged_bytes += unknown.1;
        found
    };
    let (log, cut) = Log::open_with(shelf.folder().to_owned(), damages, look_through)?;
    for (node, block, at, length) in found {
        // It could be opened a moment ago.
        let Ok(file) = shelf.file(block.file) else { continue };
        nodes.entry(node).or_default().blocks.push(Head { file, at, length, block });
    }
    Ok((log, cut))
}

/// Finds the entries of the journal. Gives the last one's sequence, too.
fn find_entries(
    folder: PathBuf,
    nodes: &mut Nodes,
    damages: &Arc<Damages>,
) -> Result<(Log, Cut, u64), DiskError> {
    let mut last = 0;
    let mut found: Vec<(Box<str>, u64, Place)> = Vec::new();
    let look_through = |name, file: &File, size| {
        let mut unknown = (0, 0);
        let mut scanned = scan(name, file, size, |Record { place, payload, is_whole }| {
            match entry_head(payload) {
                _ if !is_whole => {}
                Ok((node, sequence)) => {
                    last = last.max(sequence);
                    found.push((Box::from(node), sequence, place));
                }
                Err(_) => unknown = (unknown.0 + 1, unknown.1 + u64::from(place.length())),
            }
        });
        scanned.damaged_records += unknown.0;
        scanned.damaged_bytes += unknown.1;
        scanned
    };
    let (log, cut) = Log::open_with(folder.clone(), damages, look_through)?;
    let mut files = Shelf::new(folder, damages);
    for (node, sequence, place) in found {
        let Ok(file) = files.file(place.file) else { continue };
        nodes.entry(node).or_default().entries.push(EntryPlace { sequence, file, place });
    }
    Ok((log, cut, last))
}

/// Takes in what was found, each node by one thread: what is kept of it stays in the processor's
/// caches meanwhile. Gives the last entry that blocks know of.
fn take_in(nodes: Nodes, archives: &[Archive; 2], recovery: &impl Recovery) -> u64 {
    let last = AtomicU64::new(0);
    let leave_out = |error: &DiskError, file: &ShelfFile, place: Place| {
        file.damaged(place.offset(), u64::from(place.length()), &error.to_string());
    };
    parallel::mapped(nodes.into_iter().collect(), |(node, OnDisk { blocks, entries })| {
        let in_blocks = Cell::new(0);
        let blocks = blocks.into_iter().filter_map(|head| {
            let read = head.read().map_err(|error| leave_out(&error, &head.file, head.block));
            let (block, bodies) = read.ok()?;
            in_blocks.set(block.sequence.max(in_blocks.get()));
            Some((block, bodies))
        });
        let beyond = entries.into_iter().filter(|entry| entry.sequence > in_blocks.get());
        let entries = beyond.filter_map(|entry| {
            let read = entry.read().map_err(|error| leave_out(&error, &entry.file, entry.place));
            Some((read.ok()?, entry))
        });
        let rolled_until = Level::ALL.map(|level| archives[level as usize].rolled_until(&node));
        recovery.node(&node, blocks, rolled_until, entries, &|error, entry| {
            leave_out(error, &entry.file, entry.place);
        });
        last.fetch_max(in_blocks.get(), Ordering::Relaxed);
    });
    last.into_inner()
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
