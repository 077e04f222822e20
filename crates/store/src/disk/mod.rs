//! The store's durable half: a journal of what came, blocks of what was closed.
//!
//! An entry is in the journal before its frame is acknowledged, and on the disk within the commit
//! interval after that. A node's chunks go into a block together, every five minutes, leave memory
//! once it is on the disk, and the journal before that is dropped. At a restart the heads of blocks
//! are read and what the journal has beyond them is taken in again.
//!
//! Why own files and not an embedded database: both halves are append-only and leave as whole
//! files, which is all that a log-structured engine would do too, but it would write everything
//! twice more (its own journal, its compactions) and turn unusable when the disk is full, where
//! this only has to try again.

mod archive;
mod block;
mod contents;
mod damage;
mod journal;
mod lock;
mod log;
mod queue;
mod recovery;
mod shelf;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) use self::{
    archive::{Level, RolledBlock},
    block::{Block, EncodedBlock, Restart, StoredChunk, StoredSeries},
    journal::{Chain, Entry, EntryReader, Found, encode_pushed},
    queue::{Disk, Horizons},
    recovery::{EntryPlace, Recovery},
    shelf::{Bodies, Shelved, Shelving},
};
pub use self::{damage::Damage, recovery::Claim};

/// How the store is kept on disk.
#[derive(Clone, Debug)]
pub struct DiskSettings {
    /// The folder; made if need be. One process at a time.
    pub folder: PathBuf,
    /// When an acknowledged tick is on the disk.
    pub fsync: Fsync,
    /// Oldest files are dropped when all of them, with what others keep in the folder, take more than
    /// this.
    pub max_bytes: Option<u64>,
}

/// When an acknowledged tick is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before it is acknowledged.
    Always,
    /// At most this much later, together with all others of that time.
    Every(Duration),
}

impl Default for Fsync {
    fn default() -> Self {
        Self::Every(Duration::from_millis(500))
    }
}

/// Why the data directory does not serve.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// A file operation failed.
    #[error("cannot {action} {}: {source}; {}", path.display(), remedy(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("{} is used by another process; give each server its own --data-dir", .0.display())]
    Locked(PathBuf),
    /// A record that no log can hold.
    #[error(
        "a record of {length} bytes cannot be kept: it is empty, or longer than a log can hold"
    )]
    Length {
        /// Its length.
        length: usize,
    },
    /// A record could not be written down.
    #[error("cannot encode a block: {0}")]
    Encode(String),
    /// A record could not be understood.
    #[error("cannot decode {0}")]
    Decode(String),
}

impl DiskError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or give --data-max-bytes"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "the data directory must be writable by this user"
        }
        _ => "see whether the disk is well",
    }
}

/// How the durable half is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskStatus {
    /// What is wrong at present; `None` when all is well.
    pub problem: Option<String>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Entries that never reached the disk, since the start.
    pub lost_entries: u64,
    /// Bytes at the ends of files that a crash had left half written, cut off at the start.
    pub cut_bytes: u64,
    /// What cannot be read; `None` when all is well.
    pub damage: Option<Damage>,
}

/// What was compressed with its length before it, and with a dictionary at hand. A length that so
/// few bytes cannot come to takes no memory.
pub(crate) fn unpacked(packed: &[u8], dictionary: &[u8]) -> Result<Vec<u8>, DiskError> {
    /// No input of LZ4 grows more than this.
    const MOST: usize = 255;
    let broken = |what: String| DiskError::Decode(format!("what is compressed: {what}"));
    let length = packed.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    if length / MOST > packed.len() {
        return Err(broken(format!("{length} bytes cannot be in {}", packed.len())));
    }
    lz4_flex::block::decompress_size_prepended_with_dict(packed, dictionary)
        .map_err(|error| broken(error.to_string()))
}

/// Visits the payloads of a file's records, and whether each is whole.
#[cfg(fuzzing)]
pub(crate) fn records_of(file: &std::fs::File, size: u64, mut visit: impl FnMut(&[u8], bool)) {
    let name = kubemonitor_model::UnixMillis(7);
    log::scan(name, file, size, |record| visit(record.payload, record.is_whole));
}

/// Visits where the blocks are that a file's footer tells of, and how long they are.
#[cfg(fuzzing)]
pub(crate) fn footer_of(file: &std::fs::File, size: u64, mut visit: impl FnMut(u64, u32)) {
    let name = kubemonitor_model::UnixMillis(7);
    let _ = contents::read(name, file, size, |told| {
        visit(told.place.offset(), told.place.length());
        let _ = block::head_length(told.head).and_then(|_| Block::decode_head(told.head));
    });
}
