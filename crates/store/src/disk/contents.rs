//! What a file of blocks holds, told at its end: the heads of all its blocks once more, together.
//!
//! A start needs the heads, which are a tenth of a file. Read one by one from all over it, or with
//! all that lies between, they keep a disk that has rested busy for long; here they are in one place.
//!
//! ```text
//! record   := 0xC0 entry* length of the record (u32 LE)
//! entry    := where the block is (u64 LE) its length (u32 LE) length of the head (u32 LE) head
//! ```
//!
//! It is the last record of a file that was ended in order. One without it is gone through.

use std::{fs::File, io, os::unix::fs::FileExt};

use kubemonitor_model::UnixMillis;

use super::{
    DiskError,
    log::{HEADER, Log, Place, record_ending},
    shelf::ShelfFile,
};

/// What the record begins with, where blocks have their version.
const KIND: u8 = 0xC0;
const TAIL: usize = 4;

/// Whether a record is not a block, but tells of those before it.
pub(super) fn is_contents(record: &[u8]) -> bool {
    record.first() == Some(&KIND)
}

/// The blocks of the file being written to.
#[derive(Debug, Default)]
pub(super) struct Contents(Vec<(Place, u32)>);

/// A block that is told of.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) place: Place,
    /// Where in the file its head is repeated.
    pub(super) head_at: u64,
    pub(super) head: &'a [u8],
}

impl Contents {
    /// Another file is written to.
    pub(super) fn begin(&mut self) {
        self.0.clear();
    }

    /// A block is on the disk, with a head of so many bytes.
    pub(super) fn note(&mut self, place: Place, head: u32) {
        self.0.push((place, head));
    }

    /// Ends the file that is written to with what it holds, read back from `file`.
    pub(super) fn write(
        &mut self,
        log: &mut Log,
        file: &ShelfFile,
        now: UnixMillis,
    ) -> Result<(), DiskError> {
        // What could not be told once is not told in part the next time.
        let blocks = std::mem::take(&mut self.0);
        if blocks.is_empty() {
            return Ok(());
        }
        let mut record = vec![KIND];
        for (place, head) in blocks {
            record.extend_from_slice(&place.offset().to_le_bytes());
            record.extend_from_slice(&place.length().to_le_bytes());
            record.extend_from_slice(&head.to_le_bytes());
            let from = record.len();
            record.resize(from + head as usize, 0);
            file.read(&mut record[from..], place.offset())?;
        }
        let length = record.len() + TAIL;
        let length = u32::try_from(length).map_err(|_| DiskError::Length { length })?;
        record.extend_from_slice(&length.to_le_bytes());
        log.append(&record, now)?;
        log.sync()
    }
}

/// Visits what a file's end tells of its blocks. `false` where it does not tell.
pub(super) fn read(
    name: UnixMillis,
    file: &File,
    size: u64,
    visit: impl FnMut(Told<'_>),
) -> io::Result<bool> {
    let mut tail = [0; TAIL];
    let Some(tail_at) = size.checked_sub(TAIL as u64) else { return Ok(false) };
    file.read_exact_at(&mut tail, tail_at)?;
    let Some(record) = record_ending(file, size, u32::from_le_bytes(tail))? else {
        return Ok(false);
    };
    let start = size - (HEADER + record.len()) as u64;
    let Some(told) = parse(name, &record, start) else { return Ok(false) };
    told.into_iter().for_each(visit);
    Ok(true)
}

/// The blocks that a record which begins at `start` tells of; `None` where it does not tell of all
/// that lie before it.
pub(super) fn parse(name: UnixMillis, record: &[u8], start: u64) -> Option<Vec<Told<'_>>> {
    let (&KIND, entries) = record.split_last_chunk::<TAIL>()?.0.split_first()? else {
        return None;
    };
    let (mut told, mut reached) = (Vec::new(), 0);
    let (mut entries, mut at) = (entries, start + HEADER as u64 + 1);
    while let Some((place, head)) = entry(name, entries) {
        if place.offset() != reached + HEADER as u64 {
            return None;
        }
        reached = place.offset() + u64::from(place.length());
        told.push(Told { place, head_at: at + ENTRY as u64, head });
        let length = ENTRY + head.len();
        (entries, at) = (&entries[length..], at + length as u64);
    }
    // One block comes after the other, from the beginning of the file to here: all are told of.
    (reached == start && entries.is_empty()).then_some(told)
}

/// Bytes of an entry before the head.
const ENTRY: usize = 16;

fn entry(name: UnixMillis, entries: &[u8]) -> Option<(Place, &[u8])> {
    let (offset, rest) = entries.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (head, rest) = rest.split_first_chunk()?;
    let head = rest.get(..u32::from_le_bytes(*head) as usize)?;
    Some((Place::new(name, u64::from_le_bytes(*offset), u32::from_le_bytes(*length)), head))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, sync::Arc};

    use super::*;

    const NAME: UnixMillis = UnixMillis(7);

    /// A file of three records whose heads are their first 2, 3 and 4 bytes.
    fn written() -> (tempfile::TempDir, PathBuf) {
        written_but(None)
    }

    /// A file whose footer leaves one of its blocks out.
    fn written_but(forgotten: Option<u8>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let damages = Arc::default();
        let (mut log, _) = Log::open(folder.path().to_owned(), &damages, |_| ()).unwrap();
        let mut contents = Contents::default();
        for number in 2..5 {
            let place = log.append(&[number; 100], NAME).unwrap();
            log.sync().unwrap();
            if forgotten != Some(number) {
                contents.note(place, u32::from(number));
            }
        }
        let path = folder.path().join("0000000000007.log");
        let file = ShelfFile::open(path.clone(), damages).unwrap();
        contents.write(&mut log, &file, NAME).unwrap();
        (folder, path)
    }

    fn told(path: &PathBuf) -> Option<Vec<(u64, u32, Vec<u8>)>> {
        let file = File::open(path).unwrap();
        let mut told = Vec::new();
        let tells = read(NAME, &file, file.metadata().unwrap().len(), |block| {
            let mut repeated = vec![0; block.head.len()];
            file.read_exact_at(&mut repeated, block.head_at).unwrap();
            assert_eq!(repeated, block.head);
            told.push((block.place.offset(), block.place.length(), repeated));
        });
        tells.unwrap().then_some(told)
    }

    #[test]
    fn a_file_that_was_ended_tells_of_its_blocks() {
        let (_folder, path) = written();
        let at = |number: usize| (HEADER + number * (HEADER + 100)) as u64;
        let expected =
            [(at(0), 100, vec![2; 2]), (at(1), 100, vec![3; 3]), (at(2), 100, vec![4; 4])];
        assert_eq!(told(&path).unwrap(), expected);
    }

    #[test]
    fn a_file_that_does_not_tell_of_all_its_blocks_tells_nothing() {
        for forgotten in 2..5 {
            let (_folder, path) = written_but(Some(forgotten));
            assert_eq!(told(&path), None, "without {forgotten}");
        }
    }

    #[test]
    fn a_file_that_was_not_ended_or_is_broken_tells_nothing() {
        let (_folder, path) = written();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(told(&path), None, "{length} bytes");
        }
        for broken in 3 * (HEADER + 100)..whole.len() {
            let mut bytes = whole.clone();
            bytes[broken] ^= 0x10;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(told(&path), None, "byte {broken}");
        }
    }

    #[test]
    fn zeros_behind_a_footer_hide_it_and_nothing_else() {
        let (_folder, path) = written();
        let whole = fs::read(&path).unwrap();
        for zeros in [1, 3, 4, 7, 8, 15, 16, 17, 100, 4096, 100_000] {
            let mut bytes = whole.clone();
            bytes.resize(whole.len() + zeros, 0);
            fs::write(&path, &bytes).unwrap();
            assert_eq!(told(&path), None, "{zeros} zeros");
        }
    }
}
