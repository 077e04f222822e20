//! The thread that writes, and what it is handed.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use kubemonitor_model::UnixMillis;
use parking_lot::{Condvar, Mutex};

use super::{
    Block, DiskError, DiskSettings, DiskStatus, Fsync,
    archive::{Archive, Level, RolledBlock},
    journal::{self, Entry},
    log::{Cut, Log},
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

/// What was on the disk.
pub(crate) struct Found {
    pub(crate) blocks: Vec<Block>,
    pub(crate) entries: Vec<Entry>,
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
    /// Opens the folder and reads what it holds.
    pub(crate) fn open(settings: &DiskSettings) -> Result<(Self, Found), DiskError> {
        let folder = &settings.folder;
        std::fs::create_dir_all(folder).map_err(|e| DiskError::io("create", folder, e))?;
        let lock = lock(settings)?;
        let mut found = Found { blocks: Vec::new(), entries: Vec::new() };
        let mut broken = 0;
        let (blocks, blocks_cut) =
            Log::open(folder.join("blocks"), |record| match Block::decode(record) {
                Ok(block) => found.blocks.push(block),
                Err(error) => {
                    tracing::warn!(%error, "a block is left out");
                    broken += record.len() as u64;
                }
            })?;
        let (journal, journal_cut) =
            Log::open(folder.join("journal"), |record| match journal::decode(record) {
                Ok(entry) => found.entries.push(entry),
                Err(error) => {
                    tracing::warn!(%error, "an entry is left out");
                    broken += record.len() as u64;
                }
            })?;
        let (minutes, minutes_log, minutes_cut) = Archive::open(folder, Level::Minutes)?;
        let (quarters, quarters_log, quarters_cut) = Archive::open(folder, Level::Quarters)?;
        let rolled_cut_bytes = minutes_cut.bytes + quarters_cut.bytes;
        report_cut(minutes_cut, "1m");
        report_cut(quarters_cut, "15m");
        let cut_bytes = blocks_cut.bytes + journal_cut.bytes + rolled_cut_bytes + broken;
        report_cut(blocks_cut, "blocks");
        report_cut(journal_cut, "journal");

        let last = found.entries.iter().map(|entry| entry.sequence).max().unwrap_or(0);
        let last = found.blocks.iter().map(|block| block.sequence).max().unwrap_or(0).max(last);
        let rolled_bytes = minutes_log.bytes() + quarters_log.bytes();
        let bytes = blocks.bytes() + journal.bytes() + rolled_bytes;
        let archives = Arc::new([minutes, quarters]);
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
        let thread = std::thread::Builder::new()
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
        Ok((disk, found))
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
            let outcome = self.write().and_then(|()| self.retire(horizons));
            self.report(&outcome);
            if closing {
                return;
            }
            if outcome.is_err() {
                std::thread::sleep(PAUSE);
            }
        }
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
        let (batch, last) = {
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
        if let Err(error) = self.append(&batch, now) {
            self.journal.forget_unwritten();
            self.blocks.forget_unwritten();
            self.rolled.iter_mut().for_each(Log::forget_unwritten);
            self.give_back(batch);
            return Err(error);
        }
        self.in_journal = last;
        Ok(())
    }

    /// An entry that is found twice is a duplicate, a block replaces itself: what was written
    /// before an error, and is written again, does no harm.
    fn append(&mut self, batch: &Batch, now: UnixMillis) -> Result<(), DiskError> {
        for entry in &batch.entries {
            self.journal.append(entry, now)?;
        }
        self.journal.sync_if_any()?;
        for block in &batch.blocks {
            self.blocks.append(block, now)?;
        }
        self.blocks.sync_if_any()?;
        let mut places = Vec::new();
        for rolled in &batch.rolled {
            let log = &mut self.rolled[rolled.level as usize];
            places.push(log.append(&rolled.record(), now)?);
        }
        for log in &mut self.rolled {
            log.sync_if_any()?;
        }
        for (rolled, place) in batch.rolled.iter().zip(places) {
            let archive = &self.archives[rolled.level as usize];
            archive.shelve(rolled.node.clone(), rolled.from, rolled.to, place);
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

fn now() -> UnixMillis {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
    UnixMillis(i64::try_from(millis).unwrap_or(i64::MAX))
}
