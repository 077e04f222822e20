//! What waits for the disk, and whoever hands it over.

use std::{collections::VecDeque, io, sync::Arc};

use kubemonitor_model::UnixMillis;
use parking_lot::Mutex;

use super::{
    DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level, RolledBlock},
    block::EncodedBlock,
    damage::{Damage, Damages},
    journal,
    shelf::Shelving,
};
use crate::sample::TimeRange;
use crate::sync::{Condvar, mpsc, thread::JoinHandle};

/// Entries waiting for the disk beyond this are let go, oldest first: memory is not for queues.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// How many bytes of blocks may wait.
const MAX_WAITING_BLOCK_BYTES: usize = 256 << 20;

/// A block on its way to the disk.
#[derive(Debug)]
pub(super) struct QueuedBlock {
    pub(super) block: EncodedBlock,
    pub(super) shelving: Shelving,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) entries: VecDeque<Vec<u8>>,
    pub(super) entry_bytes: usize,
    pub(super) blocks: VecDeque<QueuedBlock>,
    pub(super) rolled: VecDeque<RolledBlock>,
    pub(super) block_bytes: usize,
    pub(super) next_sequence: u64,
    /// The last sequence the disk has.
    pub(super) durable: u64,
    pub(super) lost_entries: u64,
    /// Blocks were let go: not all that came is in them.
    pub(super) lost_blocks: bool,
    pub(super) status: DiskStatus,
    pub(super) closing: bool,
    /// What others keep in the folder, in bytes.
    pub(super) bytes_beside: u64,
    /// Blocks have all entries before this one.
    pub(super) in_blocks: u64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) waiting: Mutex<Waiting>,
    /// Something is durable now, or will never be.
    pub(super) written: Condvar,
    /// There is something to write, sooner than the interval says.
    pub(super) wanted: Condvar,
}

/// The data directory.
#[derive(Debug)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
    fsync: Fsync,
    archives: Arc<[Archive; 2]>,
    damages: Arc<Damages>,
    horizons: mpsc::SyncSender<Horizons>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What need no longer be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizons {
    /// All that came before is in blocks handed over already.
    pub(crate) journal: UnixMillis,
    /// Blocks closed before are past the retention.
    pub(crate) blocks: UnixMillis,
    /// Rolled blocks whose buckets ended before are past the retention, by level.
    pub(crate) rolled: [UnixMillis; 2],
}

impl Disk {
    pub(super) fn new(
        waiting: Waiting,
        settings: &DiskSettings,
        archives: Arc<[Archive; 2]>,
        damages: Arc<Damages>,
        begin: impl FnOnce(Arc<Shared>, mpsc::Receiver<Horizons>) -> io::Result<JoinHandle<()>>,
    ) -> Result<Self, DiskError> {
        let shared = Arc::new(Shared {
            waiting: Mutex::new(waiting),
            written: Condvar::new(),
            wanted: Condvar::new(),
        });
        let (horizons, horizons_rx) = mpsc::sync_channel(1);
        let thread = begin(Arc::clone(&shared), horizons_rx)
            .map_err(|e| DiskError::io("start the writer of", &settings.folder, e))?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { shared, fsync: settings.fsync, archives, damages, horizons, thread })
    }

    /// Queues an entry; gives its sequence. Entries of one node must be queued in the order in
    /// which they were taken in.
    pub(crate) fn queue_entry(&self, mut entry: Vec<u8>) -> u64 {
        let mut waiting = self.shared.waiting.lock();
        let sequence = waiting.next_sequence;
        waiting.next_sequence += 1;
        journal::number(&mut entry, sequence);
        waiting.entry_bytes += entry.len();
        waiting.entries.push_back(entry);
        while waiting.entry_bytes > MAX_WAITING_BYTES {
            let Some(lost) = waiting.entries.pop_front() else { break };
            waiting.entry_bytes -= lost.len();
            waiting.lost_entries += 1;
        }
        if self.fsync == Fsync::Always {
            self.shared.wanted.notify_one();
        }
        sequence
    }

    /// Queues a block. What is returned tells where its chunks are once they are on the disk.
    pub(crate) fn queue_block(&self, block: EncodedBlock) -> Shelving {
        let shelving = Shelving::default();
        let mut waiting = self.shared.waiting.lock();
        waiting.block_bytes += block.record.len();
        waiting.blocks.push_back(QueuedBlock { block, shelving: Arc::clone(&shelving) });
        while waiting.block_bytes > MAX_WAITING_BLOCK_BYTES {
            let Some(lost) = waiting.blocks.pop_front() else { break };
            waiting.block_bytes -= lost.block.record.len();
            waiting.lost_blocks = true;
        }
        shelving
    }

    /// Waits until the writer has caught up with the blocks, as far as the disk takes them. For
    /// whoever hands over many at once.
    pub(crate) fn make_room(&self) {
        let mut waiting = self.shared.waiting.lock();
        while waiting.block_bytes > MAX_WAITING_BLOCK_BYTES / 2
            && waiting.status.problem.is_none()
            && !waiting.closing
        {
            self.shared.wanted.notify_one();
            self.shared.written.wait(&mut waiting);
        }
    }

    /// Queues a block of rolled rows.
    pub(crate) fn queue_rolled(&self, rolled: RolledBlock) {
        let mut waiting = self.shared.waiting.lock();
        waiting.block_bytes += rolled.block.len();
        waiting.rolled.push_back(rolled);
        while waiting.block_bytes > MAX_WAITING_BLOCK_BYTES {
            let Some(lost) = waiting.rolled.pop_front() else { break };
            waiting.block_bytes -= lost.block.len();
            waiting.lost_entries += 1;
        }
    }

    /// Rolled history of a level.
    pub(crate) fn archive(&self, level: Level) -> &Archive {
        &self.archives[level as usize]
    }

    /// What an answer over a range may lack that is read at one level, or as it was measured.
    pub(crate) fn damage_within(&self, range: TimeRange, level: Option<Level>) -> Option<Damage> {
        self.damages.within(range, level)
    }

    /// The sequence that the next entry will have.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.shared.waiting.lock().next_sequence
    }

    /// With [`Fsync::Always`], waits until the disk has an entry. A disk that refuses is not
    /// waited for: the store goes on from memory.
    pub(crate) fn settle(&self, sequence: u64) {
        if self.fsync != Fsync::Always {
            return;
        }
        let mut waiting = self.shared.waiting.lock();
        while waiting.durable < sequence && waiting.status.problem.is_none() && !waiting.closing {
            self.shared.written.wait(&mut waiting);
        }
    }

    /// Says what need no longer be kept. To be called before the blocks that the horizon counts on
    /// could be taken from the queue by others: their order is what makes dropping safe.
    pub(crate) fn retire(&self, horizons: Horizons) {
        // The writer is busy with the last one: there will be another in a few seconds.
        let _ = self.horizons.try_send(horizons);
        self.shared.wanted.notify_one();
    }

    /// Notes what others keep in the folder, in bytes.
    pub(crate) fn note_beside(&self, bytes: u64) {
        self.shared.waiting.lock().bytes_beside = bytes;
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> DiskStatus {
        let waiting = self.shared.waiting.lock();
        let damage = self.damages.all();
        DiskStatus { lost_entries: waiting.lost_entries, damage, ..waiting.status.clone() }
    }

    /// Ends like [`close`](Self::close), where blocks that were handed over have all entries before
    /// `sequence`: the journal
    /// goes if there are no others.
    pub(crate) fn close_sealed(&self, sequence: u64) {
        self.shared.waiting.lock().in_blocks = sequence;
        self.close();
    }

    /// Writes what waits and ends the thread.
    pub(crate) fn close(&self) {
        self.shared.waiting.lock().closing = true;
        self.shared.wanted.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the disk's writer had panicked");
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.close();
    }
}
