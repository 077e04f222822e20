//! Files that stay open and are read again and again from their beginning.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

/// Large enough for nearly every kernel file, so that the buffer rarely has to grow.
const FIRST_SIZE: usize = 16 * 1024;
/// No kernel file that is read here comes near this; what goes beyond is left unread.
const LARGEST: usize = 1024 * 1024;

/// What reading cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCost {
    /// Files read.
    pub files: u64,
    /// Bytes they held.
    pub bytes: u64,
}

/// Where all reads land, one after the other.
pub(crate) struct Scratch {
    buffer: Vec<u8>,
    cost: ReadCost,
}

/// The cgroup a file belonged to is no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removed;

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; FIRST_SIZE], cost: ReadCost::default() }
    }

    /// What reading has cost since this was asked last.
    pub(crate) fn take_cost(&mut self) -> ReadCost {
        std::mem::take(&mut self.cost)
    }

    /// Reads a file from its beginning. `None` when that fails.
    pub(crate) fn read(&mut self, file: &File) -> Option<&[u8]> {
        self.fill(file).ok()
    }

    /// Opens a file just to read it once.
    pub(crate) fn read_path(&mut self, path: &Path) -> Option<&[u8]> {
        self.read(&File::open(path).ok()?)
    }

    /// Reads until the end shows: the kernel hands out long files piecewise.
    fn fill(&mut self, file: &File) -> io::Result<&[u8]> {
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                if filled >= LARGEST {
                    break;
                }
                self.buffer.resize(filled * 2, 0);
            }
            match file.read_at(&mut self.buffer[filled..], filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.account(filled))
    }

    /// Reads a file that the kernel makes in one piece, which saves asking for the end.
    fn fill_once(&mut self, file: &File) -> io::Result<&[u8]> {
        match file.read_at(&mut self.buffer, 0) {
            Ok(count) if count < self.buffer.len() => Ok(self.account(count)),
            Ok(_) => self.fill(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.fill(file),
            Err(error) => Err(error),
        }
    }

    fn account(&mut self, filled: usize) -> &[u8] {
        self.cost.files += 1;
        self.cost.bytes += filled as u64;
        &self.buffer[..filled]
    }
}

/// A file of a cgroup, open for as long as the cgroup is known.
#[derive(Debug)]
pub(crate) enum KeptFile {
    /// Open.
    Open(File),
    /// It was not there, or could not be opened. It is not tried again at each tick.
    Absent(PathBuf),
    /// Its controller is mounted nowhere.
    Nowhere,
}

impl KeptFile {
    /// The file `name` of a cgroup whose directory in the controller's hierarchy is `directory`.
    pub(crate) fn open(directory: Option<&Path>, name: &str) -> Self {
        let Some(directory) = directory else { return Self::Nowhere };
        let path = directory.join(name);
        match File::open(&path) {
            Ok(file) => Self::Open(file),
            Err(_) => Self::Absent(path),
        }
    }

    /// Tries again to open what was absent.
    pub(crate) fn retry(&mut self) {
        if let Self::Absent(path) = self
            && let Ok(file) = File::open(path)
        {
            *self = Self::Open(file);
        }
    }

    /// What the file holds now. Cgroup files are made in one piece, whatever their length.
    pub(crate) fn read<'s>(&self, scratch: &'s mut Scratch) -> Result<Option<&'s [u8]>, Removed> {
        let Self::Open(file) = self else { return Ok(None) };
        match scratch.fill_once(file) {
            Ok(text) => Ok(Some(text)),
            // Only this one says that the cgroup has gone. Others come and go: EOPNOTSUPP of
            // pressure files where PSI is off, EIO.
            Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => Err(Removed),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_kept_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("usage"), "1\n").unwrap();
        let (file, mut scratch) = (KeptFile::open(Some(folder.path()), "usage"), Scratch::new());
        assert_eq!(file.read(&mut scratch), Ok(Some(&b"1\n"[..])));
        fs::write(folder.path().join("usage"), "23\n").unwrap();
        assert_eq!(file.read(&mut scratch), Ok(Some(&b"23\n"[..])));
        assert_eq!(scratch.take_cost(), ReadCost { files: 2, bytes: 5 });
        assert_eq!(scratch.take_cost(), ReadCost::default());
    }

    #[test]
    fn what_is_absent_is_tried_again_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, mut scratch) = (KeptFile::open(Some(folder.path()), "late"), Scratch::new());
        fs::write(folder.path().join("late"), "1\n").unwrap();
        assert_eq!(file.read(&mut scratch), Ok(None));
        file.retry();
        assert_eq!(file.read(&mut scratch), Ok(Some(&b"1\n"[..])));
        assert_eq!(KeptFile::open(None, "late").read(&mut scratch), Ok(None));
    }

    #[test]
    fn a_file_that_fails_to_read_has_nothing() {
        // The beginning of one's memory is mapped nowhere, which is EIO; a folder is EISDIR.
        for (folder, name) in [("/proc/self", "mem"), ("/", "proc")] {
            let file = KeptFile::open(Some(Path::new(folder)), name);
            assert!(matches!(file, KeptFile::Open(_)), "{name}");
            assert_eq!(file.read(&mut Scratch::new()), Ok(None), "{name}");
        }
    }

    #[test]
    fn the_buffer_grows_with_the_file_but_not_beyond_measure() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::new();
        for size in
            [FIRST_SIZE - 1, FIRST_SIZE, FIRST_SIZE + 1, 3 * FIRST_SIZE, LARGEST, 2 * LARGEST]
        {
            let path = folder.path().join("large");
            fs::write(&path, vec![b'x'; size]).unwrap();
            let read = scratch.read_path(&path).map(<[u8]>::len);
            assert_eq!(read, Some(size.min(LARGEST)));
            let kept = KeptFile::open(Some(folder.path()), "large");
            assert_eq!(kept.read(&mut scratch).unwrap().map(<[u8]>::len), read);
        }
    }
}
