//! The thread that writes, and what it is handed.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    sync::Arc,
    time::{Duration, Instant},
};

use kubemonitor_model::UnixMillis;
use parking_lot::Mutex;

use super::{
    Block, DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level, RolledBlock},
    journal::{self, Found},
    log::{Cut, Log},
};
use crate::{
    parallel,
    sync::{
        Condvar, mpsc, now,
        thread::{self, JoinHandle},
    },
};

/// Entries waiting for the disk beyond this are let go, oldest first: memory is not for queues.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// The same for blocks.
const MAX_WAITING_BLOCK_BYTES: usize = 256 << 20;
/// A file of the journal is closed after this time, one of the blocks after the other.
const JOURNAL_FILE_MS: i64 = 60_000;
const BLOCKS_FILE_MS: i64 = 900_000;
/// How long the disk is left alone after it refused.
const PAUSE: Duration = Duration::from_secs(2);

/// Takes in what was on the disk, some of it at a time: all of it at once would be held twice.
pub(crate) trait Recovery {
    /// Blocks, in the order they were written.
    fn blocks(&mut self, blocks: Vec<Block>);
    /// All blocks have come.
    fn settle(&mut self, archives: &[Archive; 2]);
    /// Entries, in the order they were written. Gives the bytes of those that make no sense.
    fn entries(&mut self, entries: Vec<Found>) -> u64;
}

/// Bytes of records that are decoded at a time, by all processors together.
const DECODED_AT_ONCE: usize = 4 << 20;

/// Records on their way from a log to whoever takes them in.
struct Batches<T, D, F> {
    records: Vec<Vec<u8>>,
    bytes: usize,
    /// Bytes of records that could not be understood.
    broken: u64,
    decode: D,
    take: F,
    decoded: std::marker::PhantomData<T>,
}

impl<T: Send, D, F> Batches<T, D, F>
where
    D: Fn(&[u8]) -> Result<T, DiskError> + Sync,
    F: FnMut(Vec<T>) -> u64,
{
    fn new(decode: D, take: F) -> Self {
        let decoded = std::marker::PhantomData;
        Self { records: Vec::new(), bytes: 0, broken: 0, decode, take, decoded }
    }

    fn add(&mut self, record: &[u8]) {
        self.bytes += record.len();
        self.records.push(record.to_vec());
        if self.bytes >= DECODED_AT_ONCE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        let sizes: Vec<_> = records.iter().map(Vec::len).collect();
        let decoded = parallel::mapped(records, |record| (self.decode)(&record));
        let mut whole = Vec::with_capacity(decoded.len());
        for (outcome, size) in decoded.into_iter().zip(sizes) {
            match outcome {
                Ok(record) => whole.push(record),
                Err(error) => {
                    tracing::warn!(%error, "a record is left out");
                    self.broken += size as u64;
                }
            }
        }
        self.broken += (self.take)(whole);
    }

    fn finish(mut self) -> u64 {
        self.flush();
        self.broken
    }
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Vec<u8>>,
    entry_bytes: usize,
    blocks: VecDeque<Vec<u8>>,
    rolled: VecDeque<RolledBlock>,
    block_bytes: usize,
    next_sequence: u64,
    /// The last sequence the disk has.
    durable: u64,
    lost_entries: u64,
    status: DiskStatus,
    closing: bool,
    /// Blocks have all entries before this one.
    in_blocks: u64,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something is durable now, or will never be.
    written: Condvar,
    /// There is something to write, sooner than the interval says.
    wanted: Condvar,
}

/// The data directory.
#[derive(Debug)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
    fsync: Fsync,
    archives: Arc<[Archive; 2]>,
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
    /// The same for rolled ones, by level.
    pub(crate) rolled: [UnixMillis; 2],
}

impl Disk {
    /// Opens the folder and hands on what it holds.
    pub(crate) fn open(
        settings: &DiskSettings,
        recovery: &mut impl Recovery,
    ) -> Result<Self, DiskError> {
        let folder = &settings.folder;
        std::fs::create_dir_all(folder).map_err(|e| DiskError::io("create", folder, e))?;
        let lock = lock(settings)?;
        let (minutes, minutes_log, minutes_cut) = Archive::open(folder, Level::Minutes)?;
        let (quarters, quarters_log, quarters_cut) = Archive::open(folder, Level::Quarters)?;
        let archives = Arc::new([minutes, quarters]);
        let mut last = 0;
        let mut batches = Batches::new(Block::decode, |blocks: Vec<Block>| {
            last = blocks.iter().map(|block| block.sequence).max().unwrap_or(0).max(last);
            recovery.blocks(blocks);
            0
        });
        let (blocks, blocks_cut) = Log::open(folder.join("blocks"), |record| batches.add(record))?;
        let mut broken = batches.finish();
        recovery.settle(&archives);
        let mut batches = Batches::new(Found::read, |entries: Vec<Found>| {
            last = entries.iter().map(Found::sequence).max().unwrap_or(0).max(last);
            recovery.entries(entries)
        });
        let (journal, journal_cut) =
            Log::open(folder.join("journal"), |record| batches.add(record))?;
        broken += batches.finish();
        let rolled_cut_bytes = minutes_cut.bytes + quarters_cut.bytes;
        report_cut(minutes_cut, "1m");
        report_cut(quarters_cut, "15m");
        let cut_bytes = blocks_cut.bytes + journal_cut.bytes + rolled_cut_bytes + broken;
        report_cut(blocks_cut, "blocks");
        report_cut(journal_cut, "journal");

        let rolled_bytes = minutes_log.bytes() + quarters_log.bytes();
        let bytes = blocks.bytes() + journal.bytes() + rolled_bytes;
        let waiting = Waiting {
            next_sequence: last + 1,
            durable: last,
            status: DiskStatus { bytes, cut_bytes, ..DiskStatus::default() },
            ..Waiting::default()
        };
        let shared = Arc::new(Shared {
            waiting: Mutex::new(waiting),
            written: Condvar::new(),
            wanted: Condvar::new(),
        });
        let (horizons, horizons_rx) = mpsc::sync_channel(1);
        let writer = Writer {
            shared: Arc::clone(&shared),
            horizons: horizons_rx,
            blocks,
            journal,
            rolled: [minutes_log, quarters_log],
            archives: Arc::clone(&archives),
            interval: match settings.fsync {
                Fsync::Always => Duration::from_millis(5),
                Fsync::Every(interval) => interval,
            },
            max_bytes: settings.max_bytes,
            in_journal: 0,
            _lock: lock,
        };
        let thread = thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || writer.run())
            .map_err(|e| DiskError::io("start the writer of", folder, e))?;
        let disk = Self {
            shared,
            fsync: settings.fsync,
            archives,
            horizons,
            thread: Mutex::new(Some(thread)),
        };
        Ok(disk)
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

    /// Queues a block.
    pub(crate) fn queue_block(&self, block: Vec<u8>) {
        let mut waiting = self.shared.waiting.lock();
        waiting.block_bytes += block.len();
        waiting.blocks.push_back(block);
        while waiting.block_bytes > MAX_WAITING_BLOCK_BYTES {
            let Some(lost) = waiting.blocks.pop_front() else { break };
            waiting.block_bytes -= lost.len();
            waiting.lost_entries += 1;
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

    /// How it is doing.
    pub(crate) fn status(&self) -> DiskStatus {
        let waiting = self.shared.waiting.lock();
        DiskStatus { lost_entries: waiting.lost_entries, ..waiting.status.clone() }
    }

    /// The same, where blocks that were handed over have all entries before `sequence`: the journal
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

fn lock(settings: &DiskSettings) -> Result<File, DiskError> {
    let path = settings.folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| DiskError::io("open", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DiskError::Locked(settings.folder.clone())),
        Err(std::fs::TryLockError::Error(e)) => Err(DiskError::io("lock", &path, e)),
    }
}

fn report_cut(cut: Cut, what: &str) {
    if cut != Cut::default() {
        tracing::warn!(
            log = what,
            files = cut.files,
            bytes = cut.bytes,
            "cut off what a crash left half written"
        );
    }
}

/// The thread's side.
struct Writer {
    shared: Arc<Shared>,
    horizons: mpsc::Receiver<Horizons>,
    blocks: Log,
    journal: Log,
    /// By level.
    rolled: [Log; 2],
    archives: Arc<[Archive; 2]>,
    interval: Duration,
    max_bytes: Option<u64>,
    /// The last sequence appended to the journal.
    in_journal: u64,
    _lock: File,
}

impl Writer {
    fn run(mut self) {
        loop {
            let closing = self.wait();
            // Taken before the queues: what it counts on is in them, or was.
            let horizons = self.horizons.try_recv().ok();
            let mut outcome = self.write().and_then(|()| self.retire(horizons));
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
        waiting.in_blocks == waiting.next_sequence
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
        if self.journal.begun().is_none_or(|begun| now.since(begun) > JOURNAL_FILE_MS) {
            self.journal.begin_file(now)?;
        }
        if self.blocks.begun().is_none_or(|begun| now.since(begun) > BLOCKS_FILE_MS) {
            self.blocks.begin_file(now)?;
        }
        for (log, level) in self.rolled.iter_mut().zip(Level::ALL) {
            if log.begun().is_none_or(|begun| now.since(begun) > level.file_ms()) {
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

    /// Takes from the batch what is on the disk. A block of a log that refused half way may be there
    /// twice then: it replaces itself.
    fn append(&mut self, batch: &mut Batch, now: UnixMillis) -> Result<(), DiskError> {
        for entry in &batch.entries {
            self.journal.append(entry, now)?;
        }
        self.journal.sync_if_any()?;
        batch.entries.clear();
        for block in &batch.blocks {
            self.blocks.append(block, now)?;
        }
        self.blocks.sync_if_any()?;
        batch.blocks.clear();
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
        waiting.block_bytes += batch.blocks.iter().map(Vec::len).sum::<usize>();
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
        for (archive, log) in self.archives.iter().zip(&self.rolled) {
            if let Some(oldest) = log.oldest() {
                archive.forget_before(oldest);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.logs().map(Log::bytes).sum()
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
        let mut waiting = self.shared.waiting.lock();
        let problem = outcome.as_ref().err().map(ToString::to_string);
        match (&waiting.status.problem, &problem) {
            (None, Some(problem)) => tracing::error!(problem, "serving from memory alone"),
            (Some(_), None) => tracing::info!("the data directory takes data again"),
            _ => {}
        }
        waiting.status.problem = problem;
        waiting.status.bytes = self.bytes();
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
    blocks: VecDeque<Vec<u8>>,
    rolled: VecDeque<RolledBlock>,
}
