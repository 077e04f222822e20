//! Finding the records of a file, whatever has become of it.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use kubemonitor_model::UnixMillis;

use super::{
    Place, file_name,
    record::{HEADER, Header, MAGIC, payload},
};
use crate::disk::DiskError;

/// Bytes that are read at a time: a disk that has rested gives long reads a hundred times faster than
/// short ones here and there.
const READ_AT_ONCE: usize = 4 << 20;
/// Where long reads fail, what can be had is read in pieces of this size.
const PAGE: usize = 4096;
/// Pages that may fail before a file is given up: a failing disk can take seconds for each.
const FAILING_PAGES: u32 = 16;
/// Bytes that are searched at a time for the next record.
const SEARCHED_AT_ONCE: usize = 64 << 10;

/// A record that was found.
#[derive(Clone, Copy, Debug)]
pub(in crate::disk) struct Record<'a> {
    pub(in crate::disk) place: Place,
    pub(in crate::disk) payload: &'a [u8],
    /// The payload matches its checksum.
    pub(in crate::disk) is_whole: bool,
}

/// What a file holds beside whole records.
#[derive(Debug, Default)]
pub(in crate::disk) struct Scan {
    /// Where the last record ends.
    pub(in crate::disk) end: u64,
    /// What follows is what a crash leaves: the beginning of a record, or zeros.
    pub(in crate::disk) is_torn: bool,
    /// Records that are damaged, and stretches in which there must have been some.
    pub(in crate::disk) damaged_records: u64,
    pub(in crate::disk) damaged_bytes: u64,
    /// Why some of it could not be read.
    pub(in crate::disk) error: Option<io::Error>,
}

impl Scan {
    fn damaged(&mut self, bytes: u64) {
        self.damaged_records += 1;
        self.damaged_bytes += bytes;
    }
}

/// Visits all records of a file. A damaged one costs itself alone: behind it, the next header whose
/// checksum holds is looked for.
pub(in crate::disk) fn scan(
    name: UnixMillis,
    file: &File,
    size: u64,
    mut visit: impl FnMut(Record<'_>),
) -> Scan {
    let mut window = Window { file, size, start: 0, bytes: Vec::new(), failed: 0, error: None };
    let (mut scan, mut at) = (Scan::default(), 0);
    while at < window.size {
        if let Some(header) = window.header(at) {
            let record = window.get(at, header.record_length());
            let payload = &record[HEADER..];
            let place = Place { file: name, offset: at + HEADER as u64, length: header.length };
            let is_whole = header.matches(payload);
            visit(Record { place, payload, is_whole });
            if !is_whole {
                scan.damaged(header.record_length() as u64);
            }
            at += header.record_length() as u64;
            scan.end = at;
        } else if let Some(next) = window.next_header(at + 1) {
            scan.damaged(next - at);
            at = next;
        } else {
            // What cannot be read looks like zeros, and must not be cut off.
            scan.is_torn = window.is_torn(at) && window.error.is_none();
            if !scan.is_torn {
                scan.damaged(window.size - at);
            }
            break;
        }
    }
    scan.error = window.error;
    if window.size < size {
        // The file was given up half way: what lies behind is not known.
        scan.damaged(size - window.size);
        scan.is_torn = false;
    }
    scan
}

/// The part of a file that is held in memory, moving on.
struct Window<'a> {
    file: &'a File,
    /// How far the file can be read.
    size: u64,
    start: u64,
    bytes: Vec<u8>,
    failed: u32,
    error: Option<io::Error>,
}

impl Window<'_> {
    /// So many bytes from a place on, or as many as there are.
    fn get(&mut self, at: u64, length: usize) -> &[u8] {
        let end = at.saturating_add(length as u64).min(self.size);
        let held_to = self.start + self.bytes.len() as u64;
        if at < self.start || end > held_to {
            if (self.start..=held_to).contains(&at) {
                self.bytes.drain(..to_usize(at - self.start));
            } else {
                self.bytes.clear();
            }
            self.start = at;
            let wanted = (length.max(READ_AT_ONCE) as u64).min(self.size.saturating_sub(at));
            self.fill(to_usize(wanted));
        }
        let from = to_usize(at - self.start).min(self.bytes.len());
        let to = to_usize(end.saturating_sub(self.start)).clamp(from, self.bytes.len());
        &self.bytes[from..to]
    }

    /// Reads on until so many bytes are held. Pages that cannot be read count as zeros.
    fn fill(&mut self, wanted: usize) {
        let held = self.bytes.len();
        self.bytes.resize(wanted.max(held), 0);
        let offset = self.start + held as u64;
        let Err(error) = self.file.read_exact_at(&mut self.bytes[held..], offset) else { return };
        self.error.get_or_insert(error);
        let pages = self.bytes[held..].chunks_mut(PAGE);
        for (offset, page) in (offset..).step_by(PAGE).zip(pages) {
            if self.failed > FAILING_PAGES {
                self.size = self.size.min(offset);
                break;
            }
            if self.file.read_exact_at(page, offset).is_err() {
                page.fill(0);
                self.failed += 1;
            }
        }
        self.bytes.truncate(to_usize(self.size.saturating_sub(self.start)));
    }

    /// The header at a place whose record lies in the file as a whole.
    fn header(&mut self, at: u64) -> Option<Header> {
        let header = Header::parse(self.get(at, HEADER))?;
        (at + header.record_length() as u64 <= self.size).then_some(header)
    }

    /// Where the next such header is.
    fn next_header(&mut self, mut at: u64) -> Option<u64> {
        while at + (HEADER as u64) < self.size {
            let bytes = self.get(at, SEARCHED_AT_ONCE);
            if bytes.is_empty() {
                return None;
            }
            match bytes.iter().position(|&byte| byte == MAGIC[0]) {
                None => at += bytes.len() as u64,
                Some(place) => {
                    at += place as u64;
                    if self.header(at).is_some() {
                        return Some(at);
                    }
                    at += 1;
                }
            }
        }
        None
    }

    /// Whether what follows is the beginning of one record, or zeros, to the end of the file.
    fn is_torn(&mut self, at: u64) -> bool {
        let head = self.get(at, HEADER);
        let is_cut = if head.len() < HEADER {
            let magic = head.len().min(MAGIC.len());
            head[..magic] == MAGIC[..magic]
        } else {
            Header::parse(head).is_some()
        };
        is_cut || self.is_zero(at)
    }

    fn is_zero(&mut self, mut at: u64) -> bool {
        while at < self.size {
            let bytes = self.get(at, SEARCHED_AT_ONCE);
            if bytes.is_empty() || bytes.iter().any(|&byte| byte != 0) {
                return false;
            }
            at += bytes.len() as u64;
        }
        true
    }
}

/// Of lengths that were compared with that of a buffer.
fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Reads a record of the log in `folder`; `None` when its file was dropped meanwhile.
pub(crate) fn read(folder: &Path, place: Place) -> Result<Option<Vec<u8>>, DiskError> {
    let path = folder.join(file_name(place.file));
    let mut record = vec![0; HEADER + place.length as usize];
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|e| DiskError::io("open", &path, e))?,
    };
    file.read_exact_at(&mut record, place.offset - HEADER as u64)
        .map_err(|e| DiskError::io("read", &path, e))?;
    if payload(&record).is_none() {
        return Err(DiskError::Decode(format!("a record of {}", path.display())));
    }
    record.drain(..HEADER);
    Ok(Some(record))
}

/// The payload of so many bytes of the record that ends where the file does; `None` where there is none
/// that matches its checksum.
pub(in crate::disk) fn record_ending(
    file: &File,
    size: u64,
    length: u32,
) -> io::Result<Option<Vec<u8>>> {
    let length_of_record = HEADER as u64 + u64::from(length);
    let Some(start) = size.checked_sub(length_of_record) else { return Ok(None) };
    // The header first: a length that is nothing but chance must not take memory.
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, start)?;
    if Header::parse(&header).is_none_or(|header| header.length != length) {
        return Ok(None);
    }
    let mut record = vec![0; HEADER + length as usize];
    file.read_exact_at(&mut record, start)?;
    if payload(&record).is_none() {
        return Ok(None);
    }
    record.drain(..HEADER);
    Ok(Some(record))
}
