//! Chunks that are complete, in memory or on the disk.

use std::{cell::RefCell, sync::Arc};

use kubemonitor_model::EntityKind;

use super::span::Span;
use crate::{
    codec::Point,
    disk::{Bodies, Shelved, StoredChunk},
};

/// A run of rows that is complete, readable without any other.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) span: Span,
    kept: Kept,
}

/// Where a chunk's bytes are.
#[derive(Debug)]
enum Kept {
    /// In memory alone.
    Memory(Box<[u8]>),
    /// In memory, and so far into the bodies of the node's block of this number, which is on its way
    /// to the disk.
    Leaving { bytes: Box<[u8]>, block: u32, at: u32 },
    /// On the disk.
    Shelved(Shelved),
}

thread_local! {
    /// Where chunks on the disk are read to.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Closed {
    pub(super) fn in_memory(span: Span, bytes: Box<[u8]>) -> Self {
        Self { span, kept: Kept::Memory(bytes) }
    }

    /// A chunk read back from disk.
    pub(super) fn restored(stored: StoredChunk) -> Self {
        Self::in_memory(span_of(&stored), stored.bytes.into_boxed_slice())
    }

    /// A chunk that stays on disk, so far into its block's bodies.
    pub(super) fn on_disk(stored: &StoredChunk, bodies: &Arc<Bodies>, at: u32) -> Self {
        let shelved = Shelved::new(bodies, at, stored.length, stored.checksum);
        Self { span: span_of(stored), kept: Kept::Shelved(shelved) }
    }

    /// The chunk for a block; `None` when one has it already.
    pub(super) fn stored(&self) -> Option<StoredChunk> {
        let Kept::Memory(bytes) = &self.kept else { return None };
        let (length, checksum) = (length(bytes), crc32fast::hash(bytes));
        let Span { first, last, step_ms, rows } = self.span;
        Some(StoredChunk { first, last, step_ms, rows, length, checksum, bytes: bytes.to_vec() })
    }

    /// It is in the node's block of this number, so far into its bodies, if it was in none before.
    /// Gives where the next one is.
    pub(super) fn leave(&mut self, block: u32, at: u32) -> u32 {
        let Kept::Memory(bytes) = &mut self.kept else { return at };
        let next = at.saturating_add(length(bytes));
        self.kept = Kept::Leaving { bytes: std::mem::take(bytes), block, at };
        next
    }

    /// A block will never be on the disk: what is in there goes into another one.
    pub(super) fn stay(&mut self, number: u32) {
        if let Kept::Leaving { bytes, block, .. } = &mut self.kept
            && *block == number
        {
            self.kept = Kept::Memory(std::mem::take(bytes));
        }
    }

    /// A block is on the disk: what is in there need not be held any more.
    pub(super) fn shelve(&mut self, number: u32, bodies: &Arc<Bodies>) {
        if let Kept::Leaving { bytes, block, at } = &self.kept
            && *block == number
        {
            let checksum = crc32fast::hash(bytes);
            self.kept = Kept::Shelved(Shelved::new(bodies, *at, length(bytes), checksum));
        }
    }

    /// Whether no block has it.
    pub(super) fn is_in_memory_alone(&self) -> bool {
        matches!(self.kept, Kept::Memory(_))
    }

    /// Bytes its rows are compressed to.
    pub(super) fn length(&self) -> usize {
        match &self.kept {
            Kept::Memory(bytes) | Kept::Leaving { bytes, .. } => bytes.len(),
            Kept::Shelved(shelved) => shelved.length(),
        }
    }

    /// Memory the chunk takes, itself included.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes = match &self.kept {
            Kept::Memory(bytes) | Kept::Leaving { bytes, .. } => bytes.len(),
            Kept::Shelved(_) => 0,
        };
        size_of::<Self>() + bytes
    }

    /// Visits the rows in order, at `point`, which comes from the chunk before if there is one. Of
    /// a chunk that is gone from the disk there are none.
    pub(super) fn read(&self, kind: EntityKind, point: &mut Point, visit: impl FnMut(&Point)) {
        self.with_bytes(|bytes| self.span.read(bytes, kind, point, visit));
    }

    /// Which columns the first row has; none where it is gone from the disk.
    pub(super) fn first_present(&self, kind: EntityKind) -> u64 {
        self.with_bytes(|bytes| self.span.first_present(bytes, kind)).unwrap_or_default()
    }

    /// All rows; `None` when some are gone from the disk.
    pub(super) fn all_rows(&self, kind: EntityKind) -> Option<Vec<Point>> {
        self.with_bytes(|bytes| self.span.all_rows(bytes, kind))?
    }

    /// Lets `read` see the compressed rows, wherever they are, unless they are gone.
    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match &self.kept {
            Kept::Memory(bytes) | Kept::Leaving { bytes, .. } => Some(read(bytes)),
            Kept::Shelved(shelved) => READ.with_borrow_mut(|buffer| shelved.read(buffer).map(read)),
        }
    }
}

fn span_of(stored: &StoredChunk) -> Span {
    let &StoredChunk { first, last, step_ms, rows, .. } = stored;
    Span { first, last, step_ms, rows }
}

/// No chunk is as long as what this could not say.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
