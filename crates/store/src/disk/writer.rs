//! The thread that writes.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use kubemonitor_model::UnixMillis;

use super::{
    DiskError,
    archive::{Archive, Level, RolledBlock},
    contents::Contents,
    lock::Lock,
    log::Log,
    queue::{Horizons, QueuedBlock, Shared},
    shelf::{Bodies, Shelf},
};
use crate::sync::{mpsc, now, thread};

/// A file of the journal is closed after this time or length, one of the blocks after the other: the
/// newest of either is read into memory at a start.
const JOURNAL_FILE_MS: i64 = 60_000;
const JOURNAL_FILE_BYTES: u64 = 64 << 20;
const BLOCKS_FILE_MS: i64 = 900_000;
const BLOCKS_FILE_BYTES: u64 = 256 << 20;
/// How long the disk is left alone after it refused.
const PAUSE: Duration = Duration::from_secs(2);

/// The thread's side.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) horizons: mpsc::Receiver<Horizons>,
    pub(super) blocks: Log,
    /// Of the file of blocks that is written to.
    pub(super) contents: Contents,
    /// The files of blocks, for reading.
    pub(super) shelf: Shelf,
    pub(super) journal: Log,
    /// By level.
    pub(super) rolled: [Log; 2],
    pub(super) archives: Arc<[Archive; 2]>,
    pub(super) interval: Duration,
    pub(super) max_bytes: Option<u64>,
    /// The last sequence appended to the journal.
    pub(super) in_journal: u64,
    /// Kept for as long as the folder is ours.
    #[expect(dead_code, reason = "held, not read")]
    pub(super) lock: Lock,
}

impl Writer {
    pub(super) fn run(mut self) {
        loop {
            let closing = self.wait();
            // Taken before the queues: what it counts on is in them, or was.
            let horizons = self.horizons.try_recv().ok();
            let mut outcome = self.write().and_then(|()| self.retire(horizons));
            if closing && outcome.is_ok() {
                outcome = self.end_blocks(now());
            }
            if closing && outcome.is_ok() && self.is_all_in_blocks() {
                outcome = self.journal.clear();
            }
            self.report(&outcome);
            if closing {
                return;
            }
            if outcome.is_err() {
                thread::sleep(PAUSE);
            }
        }
    }

    fn is_all_in_blocks(&self) -> bool {
        let waiting = self.shared.waiting.lock();
        waiting.in_blocks == waiting.next_sequence && !waiting.lost_blocks
    }

    /// Waits for the commit interval, or until somebody cannot.
    fn wait(&self) -> bool {
        let deadline = Instant::now() + self.interval;
        let mut waiting = self.shared.waiting.lock();
        if !waiting.closing {
            self.shared.wanted.wait_until(&mut waiting, deadline);
        }
        waiting.closing
    }

    fn write(&mut self) -> Result<(), DiskError> {
        let now = now();
        // Begun in the future: the clock was set back since.
        let is_older = |begun, most_ms| !(0..=most_ms).contains(&now.since(begun));
        let is_old = |begun| is_older(begun, JOURNAL_FILE_MS);
        if self.journal.begun().is_none_or(is_old) || self.journal.length() > JOURNAL_FILE_BYTES {
            self.journal.begin_file(now)?;
        }
        let is_old = |begun| is_older(begun, BLOCKS_FILE_MS);
        if self.blocks.begun().is_none_or(is_old) || self.blocks.length() > BLOCKS_FILE_BYTES {
            self.end_blocks(now)?;
            self.blocks.begin_file(now)?;
            self.contents.begin();
        }
        for (log, level) in self.rolled.iter_mut().zip(Level::ALL) {
            if log.begun().is_none_or(|begun| is_older(begun, level.file_ms())) {
                log.begin_file(now)?;
            }
        }
        let (mut batch, last) = {
            let mut waiting = self.shared.waiting.lock();
            waiting.entry_bytes = 0;
            waiting.block_bytes = 0;
            let batch = Batch {
                entries: std::mem::take(&mut waiting.entries),
                blocks: std::mem::take(&mut waiting.blocks),
                rolled: std::mem::take(&mut waiting.rolled),
            };
            (batch, waiting.next_sequence - 1)
        };
        if let Err(error) = self.append(&mut batch, now) {
            self.journal.forget_unwritten();
            self.blocks.forget_unwritten();
            self.rolled.iter_mut().for_each(Log::forget_unwritten);
            self.give_back(batch);
            return Err(error);
        }
        self.in_journal = last;
        Ok(())
    }

    /// Ends the file of blocks that is written to, if one is: it tells what it holds.
    fn end_blocks(&mut self, now: UnixMillis) -> Result<(), DiskError> {
        let Some(open) = self.blocks.open_file() else { return Ok(()) };
        let file = self.shelf.file(open)?;
        self.contents.write(&mut self.blocks, &file, now)
    }

    /// Takes from the batch what is on the disk. A block of a log that refused half way may be there
    /// twice then: it replaces itself.
    fn append(&mut self, batch: &mut Batch, now: UnixMillis) -> Result<(), DiskError> {
        for entry in &batch.entries {
            self.journal.append(entry, now)?;
        }
        self.journal.sync_if_any()?;
        batch.entries.clear();
        let mut places = Vec::new();
        for queued in &batch.blocks {
            places.push(self.blocks.append(&queued.block.record, now)?);
        }
        self.blocks.sync_if_any()?;
        for (queued, place) in batch.blocks.iter().zip(&places) {
            self.contents.note(*place, queued.block.bodies_at);
        }
        for (QueuedBlock { block, shelving }, place) in batch.blocks.drain(..).zip(places) {
            let offset = place.offset() + u64::from(block.bodies_at);
            // Nobody else sets it; where the file cannot be opened, memory keeps what it has.
            let _ = shelving.set(Arc::new(Bodies { file: self.shelf.file(place.file)?, offset }));
        }
        let mut places = Vec::new();
        for rolled in &batch.rolled {
            let log = &mut self.rolled[rolled.level as usize];
            places.push(log.append(&rolled.record(), now)?);
        }
        for log in &mut self.rolled {
            log.sync_if_any()?;
        }
        for (rolled, place) in batch.rolled.drain(..).zip(places) {
            let archive = &self.archives[rolled.level as usize];
            archive.shelve(rolled.name, rolled.from, rolled.to, place);
        }
        Ok(())
    }

    /// What could not be written waits again, before what has come since.
    fn give_back(&self, batch: Batch) {
        let mut waiting = self.shared.waiting.lock();
        waiting.entry_bytes += batch.entries.iter().map(Vec::len).sum::<usize>();
        let blocks = batch.blocks.iter().map(|queued| queued.block.record.len());
        waiting.block_bytes += blocks.sum::<usize>();
        waiting.block_bytes += batch.rolled.iter().map(|rolled| rolled.block.len()).sum::<usize>();
        for entry in batch.entries.into_iter().rev() {
            waiting.entries.push_front(entry);
        }
        for block in batch.blocks.into_iter().rev() {
            waiting.blocks.push_front(block);
        }
        for rolled in batch.rolled.into_iter().rev() {
            waiting.rolled.push_front(rolled);
        }
    }

    fn retire(&mut self, horizons: Option<Horizons>) -> Result<(), DiskError> {
        if let Some(horizons) = horizons {
            self.journal.drop_before(horizons.journal)?;
            self.blocks.drop_before(horizons.blocks)?;
            for (log, horizon) in self.rolled.iter_mut().zip(horizons.rolled) {
                log.drop_before(horizon)?;
            }
        }
        if let Some(max_bytes) = self.max_bytes {
            while self.bytes() > max_bytes && self.drop_oldest()? {}
        }
        self.shelf.keep_from(self.blocks.oldest());
        for (archive, log) in self.archives.iter().zip(&self.rolled) {
            if let Some(oldest) = log.oldest() {
                archive.forget_before(oldest);
            }
        }
        Ok(())
    }

    /// What the folder takes.
    fn bytes(&self) -> u64 {
        let beside = self.shared.waiting.lock().bytes_beside;
        self.logs().map(Log::bytes).sum::<u64>() + beside
    }

    fn logs(&self) -> impl Iterator<Item = &Log> {
        [&self.journal, &self.blocks].into_iter().chain(&self.rolled)
    }

    /// Drops the oldest file there is; the journal's only when nothing else is left to drop.
    fn drop_oldest(&mut self) -> Result<bool, DiskError> {
        let [minutes, quarters] = &mut self.rolled;
        let mut logs = [quarters, minutes, &mut self.blocks];
        logs.sort_by_key(|log| log.oldest());
        for log in logs {
            if log.drop_oldest()? {
                return Ok(true);
            }
        }
        self.journal.drop_oldest()
    }

    fn report(&self, outcome: &Result<(), DiskError>) {
        let bytes = self.bytes();
        let mut waiting = self.shared.waiting.lock();
        let problem = outcome.as_ref().err().map(ToString::to_string);
        match (&waiting.status.problem, &problem) {
            (None, Some(problem)) => tracing::error!(problem, "serving from memory alone"),
            (Some(_), None) => tracing::info!("the data directory takes data again"),
            _ => {}
        }
        waiting.status.problem = problem;
        waiting.status.bytes = bytes;
        if outcome.is_ok() {
            waiting.durable = waiting.durable.max(self.in_journal);
        }
        drop(waiting);
        self.shared.written.notify_all();
    }
}

/// What is written at once.
struct Batch {
    entries: VecDeque<Vec<u8>>,
    blocks: VecDeque<QueuedBlock>,
    rolled: VecDeque<RolledBlock>,
}
