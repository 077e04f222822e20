//! What fuzz targets reach of the data directory's formats: each takes any bytes.

use std::{fs::File, io::Write, os::unix::fs::FileExt};

use kubemonitor_model::{EntityKind, UnixMillis};

use crate::{
    chunk::Chunks,
    disk::{self, Block, EntryReader, Found},
};

/// A file of the journal, whatever has become of it: its records are found, and what they say is read.
pub fn journal(file: &[u8]) {
    let mut reader = EntryReader::default();
    disk::records_of(&scratch(file), file.len() as u64, |payload, _| {
        let _ = reader.decode(&Found::new(payload.to_vec()));
    });
}

/// One entry of the journal whose checksums hold.
pub fn entry(payload: &[u8]) {
    let _ = EntryReader::default().decode(&Found::new(payload.to_vec()));
}

/// A block as a record, or the plain head of one. What is understood is read to its last row.
pub fn block(bytes: &[u8]) {
    for block in [Block::decode(bytes), Block::of_plain_head(bytes)].into_iter().flatten() {
        for series in block.series {
            let (kind, mut chunks) = (series.kind, Chunks::default());
            chunks.restore(series.chunks);
            read(&chunks, kind);
        }
    }
}

fn read(chunks: &Chunks, kind: EntityKind) {
    let all = UnixMillis(i64::MAX);
    chunks.read(kind, UnixMillis(i64::MIN), all, |point| {
        std::hint::black_box(point.at);
    });
}

/// A file of blocks that may end in a footer. What the footer tells lies in the file.
pub fn footer(file: &[u8]) {
    disk::footer_of(&scratch(file), file.len() as u64, |offset, length| {
        assert!(offset + u64::from(length) <= file.len() as u64);
    });
}

/// A file of these bytes, in memory.
fn scratch(bytes: &[u8]) -> File {
    thread_local! {
        static FILE: File = tempfile();
    }
    FILE.with(|file| {
        let mut file = file.try_clone().expect("a descriptor");
        file.set_len(0).expect("it is ours");
        file.write_all_at(bytes, 0).expect("memory");
        file.flush().expect("memory");
        file
    })
}

fn tempfile() -> File {
    use rustix::fs::{MemfdFlags, memfd_create};
    File::from(memfd_create("scratch", MemfdFlags::CLOEXEC).expect("memory"))
}
