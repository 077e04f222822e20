//! Chunks that are read from their block when somebody asks for them, and are not held in memory.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use kubemonitor_model::UnixMillis;

use super::{DiskError, damage::Damages, log::file_name};

/// A file of a log, open for as long as anything of it may be read.
#[derive(Debug)]
pub(crate) struct ShelfFile {
    path: PathBuf,
    file: File,
    damages: Arc<Damages>,
}

impl ShelfFile {
    pub(crate) fn open(path: PathBuf, damages: Arc<Damages>) -> Result<Arc<Self>, DiskError> {
        // Written to by `clear` alone; what may only be read is read.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .or_else(|_| File::open(&path))
            .map_err(|e| DiskError::io("open", &path, e))?;
        Ok(Arc::new(Self { path, file, damages }))
    }

    /// Notes that something in there cannot be read.
    pub(super) fn damaged(&self, offset: u64, length: u64, why: &str) {
        self.damages.met(&self.path, offset, length, why);
    }

    /// Fills a buffer from an offset on.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), DiskError> {
        let read = self.file.read_exact_at(buffer, offset);
        read.map_err(|e| DiskError::io("read", &self.path, e))
    }

    /// Lets go of what it holds: the file was dropped, and its room is wanted now, not when the last
    /// chunk that was read from it goes.
    fn clear(&self) {
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(path = %self.path.display(), %error, "the file's room is not free yet");
        }
    }
}

/// The files of a log that were asked for, by when they were begun.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    damages: Arc<Damages>,
    files: BTreeMap<UnixMillis, Arc<ShelfFile>>,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf, damages: &Arc<Damages>) -> Self {
        Self { folder, damages: Arc::clone(damages), files: BTreeMap::new() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that was begun then.
    pub(super) fn file(&mut self, begun: UnixMillis) -> Result<Arc<ShelfFile>, DiskError> {
        if let Some(file) = self.files.get(&begun) {
            return Ok(Arc::clone(file));
        }
        let path = self.folder.join(file_name(begun));
        let file = ShelfFile::open(path, Arc::clone(&self.damages))?;
        Ok(Arc::clone(self.files.entry(begun).or_insert(file)))
    }

    /// Lets go of the files that were begun before; of all, where there is none.
    pub(super) fn keep_from(&mut self, oldest: Option<UnixMillis>) {
        let kept = oldest.map(|oldest| self.files.split_off(&oldest)).unwrap_or_default();
        for gone in std::mem::replace(&mut self.files, kept).into_values() {
            gone.clear();
        }
    }
}

/// Where the chunks of a block are, once the block is on the disk: the file, and where in it the
/// chunks begin.
pub(crate) type Shelving = Arc<OnceLock<Arc<Bodies>>>;

/// The chunks of a block, one after the other in a file.
#[derive(Debug)]
pub(crate) struct Bodies {
    pub(crate) file: Arc<ShelfFile>,
    pub(crate) offset: u64,
}

/// A chunk on disk. That it holds its block, which is of its node alone, and not the file, lets the
/// processors take the blocks of several nodes in without counting holders of one file against each
/// other.
#[derive(Debug)]
pub(crate) struct Shelved {
    bodies: Arc<Bodies>,
    /// How far into the bodies.
    at: u32,
    length: u32,
    checksum: u32,
}

impl Bodies {
    /// Reads all of them, so long together, for the system to have them at hand when each is asked
    /// for: from a disk that has rested, one long read is a hundred times faster than many short
    /// ones.
    pub(crate) fn fetch(&self, length: u32) {
        // Whoever reads them one by one hears of what is wrong.
        let _ = self.file.read(&mut vec![0; length as usize], self.offset);
    }
}

impl Shelved {
    /// The chunk that lies so far into the bodies.
    pub(crate) fn new(bodies: &Arc<Bodies>, at: u32, length: u32, checksum: u32) -> Self {
        Self { bodies: Arc::clone(bodies), at, length, checksum }
    }

    /// How long it is.
    pub(crate) fn length(&self) -> usize {
        self.length as usize
    }

    /// Its bytes, in a buffer that is used again and again. `None` when they are gone: files leave
    /// before the chunks in them do where bytes are limited.
    pub(crate) fn read<'a>(&self, buffer: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        buffer.resize(self.length as usize, 0);
        let Bodies { file, offset } = &*self.bodies;
        let offset = offset + u64::from(self.at);
        match file.read(buffer, offset) {
            Ok(()) if crc32fast::hash(buffer) == self.checksum => Some(buffer),
            Ok(()) => {
                file.damaged(offset, u64::from(self.length), "a chunk's checksum does not match");
                None
            }
            Err(DiskError::Io { source, .. }) if source.kind() == io::ErrorKind::UnexpectedEof => {
                None
            }
            Err(error) => {
                file.damaged(offset, u64::from(self.length), &error.to_string());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, Arc<ShelfFile>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks");
        std::fs::write(&path, bytes).unwrap();
        let file = ShelfFile::open(path, Arc::default()).unwrap();
        (folder, file)
    }

    #[test]
    fn a_chunk_is_read_as_it_was_written_or_not_at_all() {
        let (_folder, file) = written(b"headfirstsecond");
        let bodies = Arc::new(Bodies { file, offset: 4 });
        let mut buffer = Vec::new();
        let chunk = |at| Shelved::new(&bodies, at, 6, crc32fast::hash(b"second"));
        assert_eq!(chunk(5).read(&mut buffer), Some(&b"second"[..]));
        assert_eq!(chunk(4).read(&mut buffer), None);
        assert_eq!(chunk(9).read(&mut buffer), None, "beyond the file's end");
    }

    #[test]
    fn a_file_that_was_dropped_has_nothing_and_takes_no_room() {
        let (folder, file) = written(b"first");
        let bodies = Arc::new(Bodies { file: Arc::clone(&file), offset: 0 });
        let chunk = Shelved::new(&bodies, 0, 5, 0);
        let path = folder.path().join("blocks");
        std::fs::remove_file(path).unwrap();
        file.clear();
        assert_eq!(chunk.read(&mut Vec::new()), None);
        assert_eq!(file.file.metadata().unwrap().len(), 0);
    }
}
