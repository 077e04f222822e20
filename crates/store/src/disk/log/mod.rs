//! A log of records in files of its own folder: append, read back, drop whole files.
//!
//! ```text
//! record := length (u32 LE) crc32 of the payload (u32 LE) payload
//! ```
//!
//! A file is named after the moment it was begun. What a crash left half written is cut off when
//! the log is opened, and counted; so is what does not match its checksum, with all that follows it
//! in that file.

mod reading;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use kubemonitor_model::UnixMillis;

use self::reading::checked_records;
pub(super) use self::reading::{read, record_ending, records};
use super::DiskError;

/// A record longer than this was never written: its length is garbage.
const MAX_RECORD: u32 = 256 << 20;
/// Bytes of a record before its payload.
pub(super) const HEADER: usize = 8;
const SUFFIX: &str = "log";

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, by when it was begun.
    pub(crate) file: UnixMillis,
    offset: u64,
    length: u32,
}

impl Place {
    pub(super) fn new(file: UnixMillis, offset: u64, length: u32) -> Self {
        Self { file, offset, length }
    }

    /// Where in the file the payload begins.
    pub(crate) fn offset(self) -> u64 {
        self.offset
    }

    /// How long it is.
    pub(crate) fn length(self) -> u32 {
        self.length
    }
}

/// What had to be cut off when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// The log of one folder.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    /// Bytes of each file, the one being written to last.
    files: BTreeMap<UnixMillis, u64>,
    open: Option<(UnixMillis, File)>,
    /// How much of the open file is surely on the disk.
    synced: u64,
    /// Appended and not yet given to the kernel.
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in `folder`, made if need be, and visits what it holds and where, oldest first.
    pub(crate) fn open(
        folder: PathBuf,
        mut visit: impl FnMut(Place, &[u8]),
    ) -> Result<(Self, Cut), DiskError> {
        Self::open_with(folder, |name, file, size, _| checked_records(name, file, size, &mut visit))
    }

    /// Opens the log in `folder` and visits the place and the first bytes of each record.
    pub(super) fn open_heads(
        folder: PathBuf,
        mut visit: impl FnMut(Place, &[u8]),
    ) -> Result<(Self, Cut), DiskError> {
        Self::open_with(folder, |name, file, size, is_newest| {
            records(name, file, size, is_newest, &mut visit)
        })
    }

    /// Opens the log in `folder`, made if need be. `whole` finds where the last whole record of a file
    /// ends, and hears how long it is and whether it is the newest.
    pub(super) fn open_with(
        folder: PathBuf,
        mut whole: impl FnMut(UnixMillis, &mut File, u64, bool) -> io::Result<u64>,
    ) -> Result<(Self, Cut), DiskError> {
        fs::create_dir_all(&folder).map_err(|e| DiskError::io("create", &folder, e))?;
        let mut log =
            Self { folder, files: BTreeMap::new(), open: None, synced: 0, buffer: Vec::new() };
        let mut cut = Cut::default();
        let names = log.names()?;
        for &name in &names {
            let (path, is_newest) = (log.path(name), names.last() == Some(&name));
            let mut read = |path: &Path| {
                let mut file = OpenOptions::new().read(true).write(true).open(path)?;
                let size = file.metadata()?.len();
                let end = whole(name, &mut file, size, is_newest)?;
                if end < size {
                    file.set_len(end)?;
                }
                Ok((size, end))
            };
            let (size, end) = read(&path).map_err(|e| DiskError::io("read", &path, e))?;
            if end < size {
                cut.files += 1;
                cut.bytes += size - end;
            }
            log.files.insert(name, end);
        }
        Ok((log, cut))
    }

    /// Adds a record. It is on the disk after [`Log::sync`].
    /// Records go to the file begun last, or one begun at `now` where there is none.
    pub(crate) fn append(&mut self, payload: &[u8], now: UnixMillis) -> Result<Place, DiskError> {
        let name = match &self.open {
            Some((name, _)) => *name,
            None => self.begin_file(now)?,
        };
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|&length| length <= MAX_RECORD)
            .ok_or(DiskError::TooLong { length: payload.len() })?;
        let size = self.files.get(&name).copied().unwrap_or(0);
        let offset = size + (self.buffer.len() + HEADER) as u64;
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        self.buffer.extend_from_slice(payload);
        Ok(Place { file: name, offset, length })
    }

    /// Gives what was appended to the kernel, and waits until the disk has it. After an error the
    /// file is left as it surely is and not written to again: what follows something torn would be
    /// lost with it, and after a failed sync nobody knows which pages the disk has.
    pub(crate) fn sync(&mut self) -> Result<(), DiskError> {
        let Some((name, file)) = self.open.as_mut() else { return Ok(()) };
        let written = file.write_all(&self.buffer).map_err(|error| ("write", error));
        let synced = written.and_then(|()| file.sync_data().map_err(|error| ("sync", error)));
        if let Err((action, error)) = synced {
            let path = self.folder.join(file_name(*name));
            self.abandon();
            return Err(DiskError::io(action, &path, error));
        }
        self.synced += self.buffer.len() as u64;
        self.files.insert(*name, self.synced);
        self.buffer.clear();
        Ok(())
    }

    /// Cuts the open file back to what surely is on the disk, as far as the disk lets it, and closes
    /// it. Where it does not, the next start cuts it.
    fn abandon(&mut self) {
        let Some((name, file)) = self.open.take() else { return };
        self.buffer.clear();
        let path = self.path(name);
        let outcome = if self.synced == 0 {
            self.files.remove(&name);
            fs::remove_file(&path)
        } else {
            file.set_len(self.synced)
        };
        if let Err(error) = outcome {
            tracing::warn!(path = %path.display(), %error, "a torn record stays until the next start");
        }
    }

    /// The same, when there is anything to wait for.
    pub(crate) fn sync_if_any(&mut self) -> Result<(), DiskError> {
        if self.buffer.is_empty() { Ok(()) } else { self.sync() }
    }

    /// Lets go of records that could not be written.
    pub(crate) fn forget_unwritten(&mut self) {
        self.buffer.clear();
    }

    /// Begins a new file, so that older ones can be dropped one day.
    pub(crate) fn begin_file(&mut self, now: UnixMillis) -> Result<UnixMillis, DiskError> {
        self.sync()?;
        let last = self.files.last_key_value().map(|(&name, _)| name);
        let name = last.map_or(now, |last| UnixMillis(now.0.max(last.0 + 1)));
        let path = self.path(name);
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|e| DiskError::io("create", &path, e))?;
        // A file whose name is not on the disk would be lost with all it holds.
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|e| DiskError::io("sync", &self.folder, e))?;
        self.files.insert(name, 0);
        (self.open, self.synced) = (Some((name, file)), 0);
        Ok(name)
    }

    /// When the file being written to was begun.
    pub(crate) fn begun(&self) -> Option<UnixMillis> {
        self.open.as_ref().map(|(name, _)| *name)
    }

    /// Bytes of the file being written to that are on the disk.
    pub(crate) fn length(&self) -> u64 {
        self.synced
    }

    /// Drops the files all of whose records are older than `horizon`: those whose successor was
    /// begun before it.
    pub(crate) fn drop_before(&mut self, horizon: UnixMillis) -> Result<(), DiskError> {
        while let Some((&oldest, _)) = self.files.first_key_value() {
            let next = self.files.keys().nth(1);
            if next.is_none_or(|&next| next > horizon) {
                break;
            }
            self.drop_file(oldest)?;
        }
        Ok(())
    }

    /// Drops the oldest file, but never the one being written to.
    pub(crate) fn drop_oldest(&mut self) -> Result<bool, DiskError> {
        let Some((&oldest, _)) = self.files.first_key_value().filter(|_| self.files.len() > 1)
        else {
            return Ok(false);
        };
        self.drop_file(oldest)?;
        Ok(true)
    }

    /// Drops all files.
    pub(crate) fn clear(&mut self) -> Result<(), DiskError> {
        self.open = None;
        while let Some((&oldest, _)) = self.files.first_key_value() {
            self.drop_file(oldest)?;
        }
        Ok(())
    }

    /// When the oldest file was begun.
    pub(crate) fn oldest(&self) -> Option<UnixMillis> {
        self.files.first_key_value().map(|(&name, _)| name)
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().sum()
    }

    fn drop_file(&mut self, name: UnixMillis) -> Result<(), DiskError> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(|e| DiskError::io("remove", &path, e))?;
        self.files.remove(&name);
        Ok(())
    }

    fn names(&self) -> Result<Vec<UnixMillis>, DiskError> {
        let entries =
            fs::read_dir(&self.folder).map_err(|e| DiskError::io("list", &self.folder, e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| DiskError::io("list", &self.folder, e))?;
            let path = entry.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|suffix| suffix == SUFFIX)
                && let Some(name) = stem.and_then(|stem| stem.parse().ok())
            {
                names.push(UnixMillis(name));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, name: UnixMillis) -> PathBuf {
        self.folder.join(file_name(name))
    }
}

pub(super) fn file_name(name: UnixMillis) -> PathBuf {
    Path::new(&format!("{:013}", name.0)).with_extension(SUFFIX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(folder: &Path) -> (Log, Cut, Vec<Vec<u8>>) {
        let mut records = Vec::new();
        let (log, cut) =
            Log::open(folder.to_owned(), |_, payload| records.push(payload.to_vec())).unwrap();
        (log, cut, records)
    }

    #[test]
    fn what_was_appended_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _, records) = opened(folder.path());
        assert!(records.is_empty());
        log.append(b"one", UnixMillis(1000)).unwrap();
        log.append(b"", UnixMillis(1000)).unwrap();
        log.sync().unwrap();
        log.begin_file(UnixMillis(1000)).unwrap();
        log.append(b"three", UnixMillis(2000)).unwrap();
        log.sync().unwrap();
        let (log, cut, records) = opened(folder.path());
        assert_eq!(records, [b"one".as_slice(), b"", b"three"]);
        assert_eq!((cut, log.bytes()), (Cut::default(), 8 + 3 + 8 + 8 + 5));
    }

    #[test]
    fn whole_files_leave_when_all_they_hold_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, ..) = opened(folder.path());
        for at in [1000, 2000, 3000] {
            log.begin_file(UnixMillis(at)).unwrap();
            log.append(b"x", UnixMillis(at)).unwrap();
        }
        log.sync().unwrap();
        log.drop_before(UnixMillis(2999)).unwrap();
        assert_eq!(log.files.keys().next(), Some(&UnixMillis(2000)));
        assert!(log.drop_oldest().unwrap());
        assert!(!log.drop_oldest().unwrap(), "the file being written to stays");
    }

    /// Writes more than files may have, in a process of its own: the limit is the process's.
    #[test]
    fn nothing_is_written_behind_a_torn_record() {
        const FOLDER: &str = "KEPT_IN";
        if let Ok(folder) = std::env::var(FOLDER) {
            return write_until_refused(Path::new(&folder));
        }
        let folder = tempfile::tempdir().unwrap();
        let test = "disk::log::tests::nothing_is_written_behind_a_torn_record";
        let status = std::process::Command::new("sh")
            // Blocks of 512 bytes; the signal that comes with the limit is ignored.
            .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" --exact \"$1\""])
            .arg(std::env::current_exe().unwrap())
            .arg(test)
            .env(FOLDER, folder.path())
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.unwrap().success());
        let (_, cut, records) = opened(folder.path());
        assert_eq!(cut, Cut::default(), "the torn record was cut off at once");
        assert_eq!(records.iter().map(|r| r[0]).collect::<Vec<_>>(), [1, 3]);
    }

    fn write_until_refused(folder: &Path) {
        let (mut log, ..) = opened(folder);
        let mut written = |number: u8, length| {
            log.append(&vec![number; length], UnixMillis(7)).unwrap();
            log.sync()
        };
        written(1, 600).unwrap();
        let error = written(2, 600).unwrap_err();
        assert!(matches!(error, DiskError::Io { action: "write", .. }), "{error}");
        written(3, 600).unwrap();
    }

    proptest! {
        #[test]
        fn a_broken_tail_is_cut_and_all_before_it_stays(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..20),
            at in any::<prop::sample::Index>(),
            flip in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (mut log, ..) = opened(folder.path());
            let mut ends = vec![0];
            for record in &records {
                log.append(record, UnixMillis(7)).unwrap();
                ends.push(ends.last().unwrap() + HEADER + record.len());
            }
            log.sync().unwrap();
            let path = folder.path().join("0000000000007.log");
            let mut bytes = fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            if flip { bytes[at] ^= 0x40 } else { bytes.truncate(at) }
            fs::write(&path, &bytes).unwrap();
            let whole = ends.iter().filter(|&&end| end <= at).count() - 1;
            let (mut log, _, kept) = opened(folder.path());
            prop_assert_eq!(&kept, &records[..whole]);
            log.append(b"more", UnixMillis(8)).unwrap();
            log.sync().unwrap();
            let (_, cut, kept) = opened(folder.path());
            prop_assert_eq!(kept.len(), whole + 1);
            prop_assert_eq!(cut, Cut::default());
        }
    }
}
