//! A log of records in files of its own folder: append, read back, drop whole files.
//!
//! ```text
//! record := length (u32 LE) crc32 of the payload (u32 LE) payload
//! ```
//!
//! A file is named after the moment it was begun. What a crash left half written is cut off when
//! the log is opened, and counted; so is what does not match its checksum, with all that follows it
//! in that file.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use kubemonitor_model::UnixMillis;

use super::DiskError;

/// A record longer than this was never written: its length is garbage.
const MAX_RECORD: u32 = 256 << 20;
const HEADER: usize = 8;
const SUFFIX: &str = "log";

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
    /// Appended and not yet given to the kernel.
    buffer: Vec<u8>,
}

impl Log {
    /// Opens the log in `folder`, made if need be, and visits what it holds, oldest first.
    pub(crate) fn open(
        folder: PathBuf,
        mut visit: impl FnMut(&[u8]),
    ) -> Result<(Self, Cut), DiskError> {
        fs::create_dir_all(&folder).map_err(|e| DiskError::io("create", &folder, e))?;
        let mut log = Self { folder, files: BTreeMap::new(), open: None, buffer: Vec::new() };
        let mut cut = Cut::default();
        for name in log.names()? {
            let path = log.path(name);
            let mut bytes = Vec::new();
            File::open(&path)
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .map_err(|e| DiskError::io("read", &path, e))?;
            let mut offset = 0;
            while let Some(payload) = record_at(&bytes, offset) {
                visit(payload);
                offset += HEADER + payload.len();
            }
            if offset < bytes.len() {
                cut.files += 1;
                cut.bytes += (bytes.len() - offset) as u64;
                OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .and_then(|file| file.set_len(offset as u64))
                    .map_err(|e| DiskError::io("cut", &path, e))?;
            }
            log.files.insert(name, offset as u64);
        }
        Ok((log, cut))
    }

    /// Adds a record. It is the kernel's after [`Log::flush`], the disk's after [`Log::sync`].
    /// Records go to the file begun last, or one begun at `now` where there is none.
    pub(crate) fn append(&mut self, payload: &[u8], now: UnixMillis) -> Result<(), DiskError> {
        if self.open.is_none() {
            self.begin_file(now)?;
        }
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|&length| length <= MAX_RECORD)
            .ok_or(DiskError::TooLong { length: payload.len() })?;
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
        self.buffer.extend_from_slice(payload);
        Ok(())
    }

    /// Gives what was appended to the kernel. After an error nothing of it is in the file, and the
    /// same call may be tried again.
    pub(crate) fn flush(&mut self) -> Result<(), DiskError> {
        let Some((name, file)) = self.open.as_mut().filter(|_| !self.buffer.is_empty()) else {
            return Ok(());
        };
        let size = self.files.get(name).copied().unwrap_or(0);
        if let Err(error) = file.write_all(&self.buffer) {
            let path = self.folder.join(file_name(*name));
            // Part of it may have been written: the next try must find the old end.
            file.set_len(size).map_err(|e| DiskError::io("cut", &path, e))?;
            return Err(DiskError::io("write", &path, error));
        }
        self.files.insert(*name, size + self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }

    /// Waits until the disk has what was flushed.
    pub(crate) fn sync(&mut self) -> Result<(), DiskError> {
        self.flush()?;
        let Some((name, file)) = self.open.as_ref() else { return Ok(()) };
        file.sync_data().map_err(|e| DiskError::io("sync", &self.path(*name), e))
    }

    /// Lets go of records that could not be written.
    pub(crate) fn forget_unwritten(&mut self) {
        self.buffer.clear();
    }

    /// Begins a new file, so that older ones can be dropped one day.
    pub(crate) fn begin_file(&mut self, now: UnixMillis) -> Result<(), DiskError> {
        self.sync()?;
        let last = self.files.last_key_value().map(|(&name, _)| name);
        let name = last.map_or(now, |last| UnixMillis(now.0.max(last.0 + 1)));
        let path = self.path(name);
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .map_err(|e| DiskError::io("create", &path, e))?;
        self.files.insert(name, 0);
        self.open = Some((name, file));
        Ok(())
    }

    /// When the file being written to was begun.
    pub(crate) fn begun(&self) -> Option<UnixMillis> {
        self.open.as_ref().map(|(name, _)| *name)
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

fn file_name(name: UnixMillis) -> PathBuf {
    Path::new(&format!("{:013}", name.0)).with_extension(SUFFIX)
}

fn record_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(offset..)?.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    let payload = rest.get(..length as usize).filter(|_| length <= MAX_RECORD)?;
    (crc32fast::hash(payload) == u32::from_le_bytes(*checksum)).then_some(payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opened(folder: &Path) -> (Log, Cut, Vec<Vec<u8>>) {
        let mut records = Vec::new();
        let (log, cut) =
            Log::open(folder.to_owned(), |payload| records.push(payload.to_vec())).unwrap();
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
