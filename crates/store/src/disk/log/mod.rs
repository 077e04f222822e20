//! A log of records in files of its own folder: append, read back, drop whole files.
//!
//! ```text
//! record := magic (4) length (u32 LE) crc32 of the payload (u32 LE) crc32 of these 12 bytes (u32 LE) payload
//! ```
//!
//! A file is named after the moment it was begun. What a crash left half written at its end is cut
//! off when the log is opened, and counted. A damaged record costs itself alone: its header tells where
//! the next one is, and where the header is damaged too, the next one that is whole is looked for. What
//! is no file of the log, or cannot be read, is left alone.

mod reading;
mod record;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use kubemonitor_model::UnixMillis;

use self::record::Header;
pub(super) use self::{
    reading::{Record, Scan, read, record_ending, scan},
    record::HEADER,
};
use super::{DiskError, damage::Damages};

/// A record longer than this was never written: its length is garbage.
const MAX_RECORD: u32 = 256 << 20;
const SUFFIX: &str = "log";
/// Digits of a file's name.
const DIGITS: usize = 13;
/// No file is begun after this, the year 2200: such a name was not given by a log.
const LAST_NAME: UnixMillis = UnixMillis(7_258_118_400_000);

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

/// What was cut off when a log was opened: records that a crash left half written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// The log of one folder.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    /// By name, the one being written to last.
    files: BTreeMap<UnixMillis, LogFile>,
    open: Option<(UnixMillis, File)>,
    /// How much of the open file is surely on the disk.
    synced: u64,
    /// Appended and not yet given to the kernel.
    buffer: Vec<u8>,
    damages: Arc<Damages>,
}

/// A file of a log.
#[derive(Clone, Copy, Debug)]
struct LogFile {
    bytes: u64,
    /// When it was begun: its name, but never in the future. A name says more where the clock was
    /// ahead, and what goes by age must not wait for that.
    begun: UnixMillis,
}

impl Log {
    /// Opens the log in `folder`, made if need be, and visits what it holds and where, oldest first.
    pub(super) fn open(
        folder: PathBuf,
        damages: &Arc<Damages>,
        mut visit: impl FnMut(Record<'_>),
    ) -> Result<(Self, Cut), DiskError> {
        Self::open_with(folder, damages, |name, file, size| scan(name, file, size, &mut visit))
    }

    /// Opens the log in `folder`, made if need be. `look_through` goes through a file of so many bytes.
    pub(super) fn open_with(
        folder: PathBuf,
        damages: &Arc<Damages>,
        mut look_through: impl FnMut(UnixMillis, &File, u64) -> Scan,
    ) -> Result<(Self, Cut), DiskError> {
        fs::create_dir_all(&folder).map_err(|e| DiskError::io("create", &folder, e))?;
        let mut log = Self {
            folder,
            files: BTreeMap::new(),
            open: None,
            synced: 0,
            buffer: Vec::new(),
            damages: Arc::clone(damages),
        };
        let mut cut = Cut::default();
        for name in log.names()? {
            let path = log.path(name);
            // What time it is cannot be told yet: see `Log::cap_begun`.
            let begun = name;
            let (file, size) = match File::open(&path).and_then(|f| Ok((f.metadata()?.len(), f))) {
                Ok((size, file)) => (file, size),
                Err(error) => {
                    let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
                    damages.found(&path, 1, size, &format!("it cannot be opened: {error}"));
                    log.files.insert(name, LogFile { bytes: size, begun });
                    continue;
                }
            };
            let found = look_through(name, &file, size);
            let mut bytes = size;
            if found.end < size && found.is_torn {
                cut.files += 1;
                cut.bytes += size - found.end;
                match OpenOptions::new().write(true).open(&path).and_then(|f| f.set_len(found.end))
                {
                    Ok(()) => bytes = found.end,
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "a torn record stays");
                    }
                }
            }
            if found.damaged_records > 0 {
                let error = found.error.map(|error| format!("it cannot be read: {error}"));
                let why = error.as_deref().unwrap_or("checksums do not match");
                damages.found(&path, found.damaged_records, found.damaged_bytes, why);
            }
            log.files.insert(name, LogFile { bytes, begun });
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
        let header = Header::of(payload).ok_or(DiskError::Length { length: payload.len() })?;
        let size = self.files.get(&name).map_or(0, |file| file.bytes);
        let offset = size + (self.buffer.len() + HEADER) as u64;
        self.buffer.extend_from_slice(&header.to_bytes());
        self.buffer.extend_from_slice(payload);
        Ok(Place { file: name, offset, length: header.length })
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
        if let Some(file) = self.files.get_mut(name) {
            file.bytes = self.synced;
        }
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

    /// Waits for the sync only if there is anything to wait for.
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
        let now = UnixMillis(now.0.clamp(0, LAST_NAME.0));
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
        self.files.insert(name, LogFile { bytes: 0, begun: now });
        (self.open, self.synced) = (Some((name, file)), 0);
        Ok(name)
    }

    /// Has no file begun after `latest`, by which all that is in them had come. A name says more where the
    /// clock was ahead, and such a file would stay for too long; one that is said to be older than it is would
    /// go too soon.
    pub(crate) fn cap_begun(&mut self, latest: UnixMillis) {
        for file in self.files.values_mut() {
            file.begun = file.begun.min(latest);
        }
    }

    /// When the file being written to was begun.
    pub(crate) fn begun(&self) -> Option<UnixMillis> {
        let (name, _) = self.open.as_ref()?;
        Some(self.files.get(name)?.begun)
    }

    /// The file being written to.
    pub(crate) fn open_file(&self) -> Option<UnixMillis> {
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
            let next = self.files.values().nth(1);
            if next.is_none_or(|next| next.begun > horizon) {
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

    /// The oldest file.
    pub(crate) fn oldest(&self) -> Option<UnixMillis> {
        self.files.first_key_value().map(|(&name, _)| name)
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    fn drop_file(&mut self, name: UnixMillis) -> Result<(), DiskError> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(|e| DiskError::io("remove", &path, e))?;
        self.files.remove(&name);
        self.damages.forget(&path);
        Ok(())
    }

    /// The files of the log. What else lies in its folder is left alone.
    fn names(&self) -> Result<Vec<UnixMillis>, DiskError> {
        let entries =
            fs::read_dir(&self.folder).map_err(|e| DiskError::io("list", &self.folder, e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| DiskError::io("list", &self.folder, e))?;
            let path = entry.path();
            match begun(&path).filter(|_| path.is_file()) {
                Some(name) => names.push(name),
                None => {
                    tracing::warn!(path = %path.display(), "no file of the data directory; left alone");
                }
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
    Path::new(&format!("{:0DIGITS$}", name.0)).with_extension(SUFFIX)
}

/// When a file was begun, as its name says; `None` where that is no name of a log's file.
pub(super) fn begun(path: &Path) -> Option<UnixMillis> {
    let stem = path.file_stem()?.to_str()?;
    let is_named = path.extension()? == SUFFIX
        && stem.len() == DIGITS
        && stem.bytes().all(|byte| byte.is_ascii_digit());
    let name = UnixMillis(stem.parse().ok().filter(|_| is_named)?);
    (name < LAST_NAME).then_some(name)
}
