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
mod journal;
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

pub use self::recovery::Claim;
pub(crate) use self::{
    archive::{Level, RolledBlock},
    block::{Block, EncodedBlock, Restart, StoredChunk, StoredSeries},
    journal::{Chain, Entry, Found, Unchain, encode_pushed},
    queue::{Disk, Horizons},
    recovery::Recovery,
    shelf::{Bodies, Shelved, Shelving},
};

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
    #[error("a record of {length} bytes is too long for the log")]
    TooLong {
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
    /// Bytes found broken and cut off at the start.
    pub cut_bytes: u64,
}
