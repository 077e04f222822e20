//! Finding the records of a file.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt,
    path::Path,
};

use kubemonitor_model::UnixMillis;

use super::{HEADER, MAX_RECORD, Place, file_name};
use crate::disk::DiskError;

/// Bytes of a record that [`heads`] looks at.
const HEAD: usize = 512;
/// Bytes that are read at a time where a file is gone through.
const READ_AT_ONCE: usize = 4 << 20;

/// Visits the place and the first bytes of each record of a file; gives where the last whole one ends.
/// The newest file is read whole, as only there a crash can have torn something; of the others, what
/// lies between is not looked at: its checksum is, when it is read.
pub(in crate::disk) fn records(
    name: UnixMillis,
    file: &mut File,
    size: u64,
    is_newest: bool,
    mut visit: impl FnMut(Place, &[u8]),
) -> io::Result<u64> {
    if is_newest {
        let first = |place, payload: &[u8]| visit(place, &payload[..payload.len().min(HEAD)]);
        checked_records(name, file, size, first)
    } else {
        heads(name, file, size, visit)
    }
}

/// Visits the first bytes of each record of a file; gives where the last whole one ends. All of the
/// file goes by: a disk that has rested gives long reads a hundred times faster than short ones here
/// and there, and what is read now is at hand when it is asked for.
fn heads(
    name: UnixMillis,
    file: &File,
    size: u64,
    mut visit: impl FnMut(Place, &[u8]),
) -> io::Result<u64> {
    let (mut end, mut head) = (0, [0; HEADER + HEAD]);
    let mut reader = BufReader::with_capacity(READ_AT_ONCE, file);
    loop {
        let wanted = (HEADER + HEAD).min(usize::try_from(size - end).unwrap_or(usize::MAX));
        let head = &mut head[..wanted];
        reader.read_exact(head)?;
        let Some((length, rest)) = head.split_first_chunk() else { return Ok(end) };
        let length = u32::from_le_bytes(*length);
        let next = end + HEADER as u64 + u64::from(length);
        if length > MAX_RECORD || next > size || rest.len() < 4 {
            return Ok(end);
        }
        let place = Place { file: name, offset: end + HEADER as u64, length };
        visit(place, &rest[4..rest.len().min(4 + length as usize)]);
        // No file is as long as what this could not say.
        reader.seek_relative((next - end).cast_signed() - wanted.cast_signed() as i64)?;
        end = next;
    }
}

/// Visits the records of a file that match their checksums, whole; gives where the last one ends.
pub(super) fn checked_records(
    name: UnixMillis,
    file: &mut File,
    size: u64,
    mut visit: impl FnMut(Place, &[u8]),
) -> io::Result<u64> {
    // Of the file, what comes after `end` and was read so far.
    let (mut buffer, mut filled, mut end) = (vec![0; READ_AT_ONCE], 0, 0);
    loop {
        let read = file.read(&mut buffer[filled..])?;
        filled += read;
        let mut taken = 0;
        while let Some(payload) = record_at(&buffer[..filled], taken) {
            let offset = end + (taken + HEADER) as u64;
            // A record is at most as long as its header can say.
            let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            visit(Place { file: name, offset, length }, payload);
            taken += HEADER + payload.len();
        }
        end += taken as u64;
        buffer.copy_within(taken..filled, 0);
        filled -= taken;
        let wanted = buffer[..filled]
            .first_chunk()
            .map_or(HEADER, |length| HEADER + u32::from_le_bytes(*length) as usize);
        // It is here and does not match, or is longer than what there is.
        if wanted <= filled && filled >= HEADER || end + wanted as u64 > size || read == 0 {
            return Ok(end);
        }
        if wanted > buffer.len() {
            buffer.resize(wanted, 0);
        }
    }
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
    let broken = || DiskError::Decode(format!("a record of {}", path.display()));
    record_at(&record, 0).map(<[u8]>::to_vec).map(Some).ok_or_else(broken)
}

/// The payload of so many bytes of the record that ends where the file does; `None` where there is none
/// that matches its checksum.
pub(in crate::disk) fn record_ending(
    file: &File,
    size: u64,
    length: u32,
) -> io::Result<Option<Vec<u8>>> {
    let length_of_record = HEADER as u64 + u64::from(length);
    let Some(start) = size.checked_sub(length_of_record).filter(|_| length <= MAX_RECORD) else {
        return Ok(None);
    };
    let mut record = vec![0; HEADER + length as usize];
    file.read_exact_at(&mut record, start)?;
    if record_at(&record, 0).is_none_or(|payload| payload.len() != length as usize) {
        return Ok(None);
    }
    record.drain(..HEADER);
    Ok(Some(record))
}

fn record_at(bytes: &[u8], offset: usize) -> Option<&[u8]> {
    let (length, rest) = bytes.get(offset..)?.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length);
    let payload = rest.get(..length as usize).filter(|_| length <= MAX_RECORD)?;
    (crc32fast::hash(payload) == u32::from_le_bytes(*checksum)).then_some(payload)
}
