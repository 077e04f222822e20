//! Files that stay open and are read again and again from their beginning.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use crate::descriptors::{Descriptors, OpenFile};

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
    /// For files that stay open.
    pub(crate) descriptors: Descriptors,
}

/// The cgroup a file belonged to is no more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Removed;

impl Scratch {
    pub(crate) fn new(descriptors: Descriptors) -> Self {
        Self { buffer: vec![0; FIRST_SIZE], cost: ReadCost::default(), descriptors }
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

/// A file of a cgroup that is read at each tick for as long as the cgroup is known.
#[derive(Debug)]
pub(crate) enum KeptFile {
    /// Open, as long as there is a descriptor for it.
    Open(OpenFile),
    /// Opened, read and closed at each tick, since descriptors are short.
    InTurns(PathBuf),
    /// It was not there, or could not be opened. It is not tried again at each tick.
    Absent(PathBuf),
    /// Its controller is mounted nowhere.
    Nowhere,
}

impl KeptFile {
    /// The file `name` of a cgroup whose directory in the controller's hierarchy is `directory`.
    pub(crate) fn open(directory: Option<&Path>, name: &str, descriptors: &Descriptors) -> Self {
        directory.map_or(Self::Nowhere, |directory| Self::at(directory.join(name), descriptors))
    }

    fn at(path: PathBuf, descriptors: &Descriptors) -> Self {
        match File::open(&path) {
            Ok(file) => descriptors.keep(file).map_or(Self::InTurns(path), Self::Open),
            Err(error) if is_shortage(&error) => {
                descriptors.refuse();
                Self::InTurns(path)
            }
            Err(_) => Self::Absent(path),
        }
    }

    /// Tries again to open what was absent, and to keep open what was opened in turns.
    pub(crate) fn retry(&mut self, descriptors: &Descriptors) {
        if let Self::InTurns(path) | Self::Absent(path) = self {
            *self = Self::at(std::mem::take(path), descriptors);
        }
    }

    /// What the file holds now. Cgroup files are made in one piece, whatever their length.
    pub(crate) fn read<'s>(&self, scratch: &'s mut Scratch) -> Result<Option<&'s [u8]>, Removed> {
        match self {
            Self::Open(file) => readable(scratch.fill_once(file)),
            Self::InTurns(path) => match File::open(path) {
                Ok(file) => readable(scratch.fill_once(&file)),
                Err(_) if path.parent().is_some_and(|folder| !folder.exists()) => Err(Removed),
                Err(_) => Ok(None),
            },
            Self::Absent(_) | Self::Nowhere => Ok(None),
        }
    }
}

fn readable(read: io::Result<&[u8]>) -> Result<Option<&[u8]>, Removed> {
    match read {
        Ok(text) => Ok(Some(text)),
        // Only this one says that the cgroup has gone. Others come and go: EOPNOTSUPP of
        // pressure files where PSI is off, EIO.
        Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => Err(Removed),
        Err(_) => Ok(None),
    }
}

/// Whether a file could not be opened for want of descriptors, of this process or of the system.
fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|no| error.raw_os_error() == Some(no.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn scratch() -> Scratch {
        Scratch::new(Descriptors::at_most(9))
    }

    fn kept(folder: &Path, name: &str) -> KeptFile {
        KeptFile::open(Some(folder), name, &Descriptors::at_most(9))
    }

    #[test]
    fn beyond_the_budget_a_file_is_opened_in_turns_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "other"] {
            fs::write(folder.path().join(name), "1\n").unwrap();
        }
        let (descriptors, mut scratch) = (Descriptors::at_most(1), scratch());
        let open = |name| KeptFile::open(Some(folder.path()), name, &descriptors);
        let (one, mut other) = (open("one"), open("other"));
        assert!(matches!((&one, &other), (KeptFile::Open(_), KeptFile::InTurns(_))));
        assert_eq!(other.read(&mut scratch), Ok(Some(&b"1\n"[..])));
        other.retry(&descriptors);
        assert!(matches!(other, KeptFile::InTurns(_)));
        drop(one);
        other.retry(&descriptors);
        assert!(matches!(other, KeptFile::Open(_)));
        assert_eq!(other.read(&mut scratch), Ok(Some(&b"1\n"[..])));
    }

    #[test]
    fn a_file_opened_in_turns_tells_whether_its_cgroup_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let cgroup = folder.path().join("cgroup");
        fs::create_dir(&cgroup).unwrap();
        fs::write(cgroup.join("usage"), "1\n").unwrap();
        let file = KeptFile::open(Some(&cgroup), "usage", &Descriptors::at_most(0));
        fs::remove_file(cgroup.join("usage")).unwrap();
        assert_eq!(file.read(&mut scratch()), Ok(None));
        fs::remove_dir(&cgroup).unwrap();
        assert_eq!(file.read(&mut scratch()), Err(Removed));
    }

    #[test]
    fn a_kept_file_is_read_anew_each_time() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("usage"), "1\n").unwrap();
        let (file, mut scratch) = (kept(folder.path(), "usage"), scratch());
        assert_eq!(file.read(&mut scratch), Ok(Some(&b"1\n"[..])));
        fs::write(folder.path().join("usage"), "23\n").unwrap();
        assert_eq!(file.read(&mut scratch), Ok(Some(&b"23\n"[..])));
        assert_eq!(scratch.take_cost(), ReadCost { files: 2, bytes: 5 });
        assert_eq!(scratch.take_cost(), ReadCost::default());
    }

    #[test]
    fn what_is_absent_is_tried_again_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, mut scratch) = (kept(folder.path(), "late"), scratch());
        fs::write(folder.path().join("late"), "1\n").unwrap();
        assert_eq!(file.read(&mut scratch), Ok(None));
        file.retry(&Descriptors::at_most(9));
        assert_eq!(file.read(&mut scratch), Ok(Some(&b"1\n"[..])));
        assert_eq!(
            KeptFile::open(None, "late", &Descriptors::at_most(9)).read(&mut scratch),
            Ok(None)
        );
    }

    #[test]
    fn a_file_that_fails_to_read_has_nothing() {
        // The beginning of one's memory is mapped nowhere, which is EIO; a folder is EISDIR.
        for (folder, name) in [("/proc/self", "mem"), ("/", "proc")] {
            let file = kept(Path::new(folder), name);
            assert!(matches!(file, KeptFile::Open(_)), "{name}");
            assert_eq!(file.read(&mut scratch()), Ok(None), "{name}");
        }
    }

    #[test]
    fn the_buffer_grows_with_the_file_but_not_beyond_measure() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = scratch();
        for size in
            [FIRST_SIZE - 1, FIRST_SIZE, FIRST_SIZE + 1, 3 * FIRST_SIZE, LARGEST, 2 * LARGEST]
        {
            let path = folder.path().join("large");
            fs::write(&path, vec![b'x'; size]).unwrap();
            let read = scratch.read_path(&path).map(<[u8]>::len);
            assert_eq!(read, Some(size.min(LARGEST)));
            let kept = kept(folder.path(), "large");
            assert_eq!(kept.read(&mut scratch).unwrap().map(<[u8]>::len), read);
        }
    }
}
