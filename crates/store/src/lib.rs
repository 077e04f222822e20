//! The in-memory time-series store: thousands of entities with the same few integer metrics on the
//! same ticks. Knows nothing of HTTP or Kubernetes.
//!
//! A [`Tick`] goes in under the lock of its node alone, and readers see all of it or nothing. Each
//! entity keeps its newest row, and the rows before it compressed in chunks that leave as a whole
//! when they are past the retention. Sums over pods (namespaces, workloads) are kept as ticks
//! arrive, in groups that whoever knows names assigns with [`Store::join`].

mod admission;
mod chunk;
mod clock;
mod codec;
mod disk;
#[cfg(fuzzing)]
pub mod fuzzing;
mod group;
mod group_rollup;
mod history;
mod node;
mod parallel;
mod pressure;
mod recovering;
mod registry;
mod roll_call;
mod rollup;
mod sample;
mod seen_time;
mod series;
mod settings;
mod sync;
#[cfg(not(shuttle))]
mod system_time;
mod usage;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hashbrown::HashMap;
use kubemonitor_model::{EntityId, EntityRow, NodeName, Row, Tick, UnixMillis};
use parking_lot::RwLock;
use rustc_hash::FxBuildHasher;

#[cfg(shuttle)]
pub use crate::sync::set_clock;
#[cfg(not(shuttle))]
pub use crate::system_time::{clock_fault, found_data, heard, now, retention_now};
use crate::{
    admission::Refusal,
    disk::Disk,
    group::Group,
    node::{Came, Node, NotTaken, Outcome, Registry as _, Swept},
    recovering::Recovering,
    registry::Members,
    sync::thread,
};
pub use crate::{
    disk::{Claim, Damage, DiskError, DiskSettings, DiskStatus, Fsync},
    group::GroupHistory,
    group_rollup::{Extent, GroupExtents},
    history::{Extremes, GroupPast, History, Resolution},
    node::{Conflicts, NodeView, SeriesView},
    sample::{GroupKey, GroupSample, RATED, Rates, Sample, TimeRange, Traffic},
    seen_time::{ClockFault, Clocks, SeenTime},
    settings::Settings,
    usage::{Busiest, Usage},
};

/// Why a tick or a pushed row was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IngestError {
    /// It came out of order, and later than late data may be. That will never be otherwise.
    #[error(
        "the tick at {at} was overtaken by its collector's newer ones, and is {behind_ms} ms behind \
         them; at most {limit_ms} ms are merged in"
    )]
    TooLate {
        /// The tick's time.
        at: UnixMillis,
        /// How far behind it is.
        behind_ms: i64,
        /// What would be merged in.
        limit_ms: i64,
    },
    /// Ahead of the server's clock. Once that time has come, it can be taken.
    #[error(
        "the tick at {at} is {ahead_ms} ms ahead of the server's clock, and came sooner after the \
         one before than it was measured; at most {limit_ms} ms are accepted: send it again later, and \
         set the node's clock"
    )]
    TooEarly {
        /// The tick's time.
        at: UnixMillis,
        /// How far ahead it is.
        ahead_ms: i64,
        /// What is accepted.
        limit_ms: i64,
    },
    /// The same collector has measured another tick of that time. That will never be otherwise.
    #[error(
        "the tick at {at} was overtaken by its collector's newer ones, and there is another one of \
         its time: the node's clock was set"
    )]
    TimeTaken {
        /// The tick's time.
        at: UnixMillis,
    },
    /// Another collector sends for this node.
    #[error(
        "another collector sends for node `{node}`; this one's frames are taken once that one has been \
         silent for two intervals: see whether two collectors run there, or two nodes have one name"
    )]
    Conflict {
        /// The node.
        node: NodeName,
    },
    /// No memory for another entity.
    #[error(
        "there is no memory for another entity; give the server more (--memory-limit), or shorten --retention"
    )]
    NoMemory,
    /// No room for another entity.
    #[error(
        "the store holds the {limit} entities it may hold; raise --max-series or shorten --retention"
    )]
    TooManySeries {
        /// How many it may hold.
        limit: usize,
    },
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Values taken in.
    pub samples: u64,
    /// The tick was there already; nothing changed.
    pub duplicate: bool,
    /// Entities left out because the store may hold no more of them.
    pub refused_series: u64,
}

/// What was found in the data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Blocks that were loaded.
    pub blocks: usize,
    /// Entries of the journal that were taken in again.
    pub entries: usize,
}

/// What the store holds and has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Nodes.
    pub nodes: usize,
    /// Entities.
    pub series: usize,
    /// Rows of entities.
    pub rows: usize,
    /// Values in those rows.
    pub samples: usize,
    /// Memory all that takes, in bytes.
    pub bytes: usize,
    /// Memory that sums, and who counts in which, take beside it.
    pub sums_bytes: usize,
    /// Values taken in since the start.
    pub ingested_samples: u64,
    /// Those of them that came late.
    pub late_samples: u64,
    /// Ticks that were there already.
    pub duplicate_ticks: u64,
    /// Ticks refused for their time.
    pub refused_ticks: u64,
    /// Ticks refused because another collector sends for their node.
    pub conflicting_ticks: u64,
    /// Entities refused because of the limit.
    pub refused_series: u64,
}

#[derive(Debug, Default)]
struct Counters {
    ingested_samples: AtomicU64,
    late_samples: AtomicU64,
    duplicate_ticks: AtomicU64,
    refused_ticks: AtomicU64,
    conflicting_ticks: AtomicU64,
    refused_series: AtomicU64,
}

/// The store. Shared by reference; every method may be called from any thread.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    nodes: RwLock<HashMap<NodeName, Arc<Node>, FxBuildHasher>>,
    members: Members,
    counters: Counters,
    steady_nodes: AtomicUsize,
}

/// Nodes that are swept before whoever waits for a processor goes first. All of a large cluster take a
/// tenth of a second, and systems that do not interrupt would let an answer wait for that long.
const SWEPT_AT_ONCE: usize = 16;

impl Store {
    /// An empty store.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            nodes: RwLock::default(),
            members: Members::new(&settings),
            counters: Counters::default(),
            steady_nodes: AtomicUsize::new(0),
        }
    }

    /// A store that keeps what it takes in on disk as well, with what the disk has.
    pub fn open(settings: Settings, disk: &DiskSettings) -> Result<(Self, Recovered), DiskError> {
        Self::open_claimed(settings, disk.claim()?)
    }

    /// The same where the folder is this process's own already.
    pub fn open_claimed(settings: Settings, disk: Claim) -> Result<(Self, Recovered), DiskError> {
        let retention = settings.retention.max(Settings::SHORTEST_ROLLED);
        let store = Self::new(Settings { retention, ..settings });
        let recovering = Recovering::new(&store);
        let disk = Disk::open(disk, &recovering)?;
        let recovered = recovering.recovered();
        store.members.attach(disk);
        // Until a sweep says more, no time has passed since the newest of all this.
        if let Some(newest) = store.newest() {
            store.members.pass(newest);
        }
        Ok((store, recovered))
    }

    /// Writes all there is to disk and lets go of it. What comes later stays in memory alone.
    pub fn close(&self) {
        let Some(disk) = self.members.disk() else { return };
        let (heard, sequence) = (self.heard(), disk.next_sequence());
        parallel::mapped(self.all_nodes(), |node| {
            node.seal(heard, &self.members);
            disk.make_room();
        });
        self.members.roll_all_groups();
        self.roll_groups(heard);
        disk.close_sealed(sequence);
    }

    /// Notes how many bytes others keep in the data directory: they count in what it may take.
    pub fn note_bytes_beside(&self, bytes: u64) {
        if let Some(disk) = self.members.disk() {
            disk.note_beside(bytes);
        }
    }

    /// How the data directory is doing, if there is one.
    pub fn disk_status(&self) -> Option<DiskStatus> {
        Some(self.members.disk()?.status())
    }

    /// Takes in a tick that came in no frame.
    pub fn ingest(&self, tick: &Tick, now: UnixMillis) -> Result<Receipt, IngestError> {
        let mut frame = Vec::new();
        kubemonitor_frame::encode(tick, &mut frame);
        self.ingest_frame(tick, &frame, now)
    }

    /// Takes one node's tick in, all of it or nothing. `frame` is what it was decoded from, and what
    /// the disk gets. `now` is the server's clock.
    pub fn ingest_frame(
        &self,
        tick: &Tick,
        frame: &[u8],
        now: UnixMillis,
    ) -> Result<Receipt, IngestError> {
        let came = Came { now, stood_at: None };
        let taken = self.on_node(&tick.node, |node| node.take(tick, frame, came, &self.members));
        let receipt = taken.map(|outcome| self.count(outcome)).map_err(|why| {
            let counter = match why {
                NotTaken::Conflict => &self.counters.conflicting_ticks,
                _ => &self.counters.refused_ticks,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            let at = tick.at;
            match why {
                NotTaken::TooLate { behind_ms, limit_ms } => {
                    IngestError::TooLate { at, behind_ms, limit_ms }
                }
                NotTaken::TooEarly { ahead_ms, limit_ms } => {
                    IngestError::TooEarly { at, ahead_ms, limit_ms }
                }
                NotTaken::Conflict => IngestError::Conflict { node: tick.node.clone() },
                // Retired ones are asked again.
                NotTaken::Taken | NotTaken::Retired => IngestError::TimeTaken { at },
            }
        })?;
        if receipt.samples == 0 && receipt.refused_series > 0 {
            self.forget_if_empty(&tick.node);
        }
        Ok(receipt)
    }

    /// Takes in a row of one entity that somebody else measured.
    pub fn push(
        &self,
        node: &NodeName,
        at: UnixMillis,
        id: EntityId,
        row: Row,
        now: UnixMillis,
    ) -> Result<Receipt, IngestError> {
        let tick = pushed_tick(node.clone(), at, id, row);
        let taken = self.on_node(node, |node| node.push(&tick, now, &self.members));
        let outcome = taken.unwrap_or_default();
        let receipt = self.count(outcome);
        match outcome.refusal {
            None => Ok(receipt),
            Some(refusal) => {
                self.forget_if_empty(node);
                Err(self.refused(refusal))
            }
        }
    }

    /// Makes a pod's samples count in `groups` and in no others, those it has sent already and
    /// those to come.
    pub fn join(&self, pod: &EntityId, groups: &[(GroupKey, GroupHistory)]) {
        for node in self.members.join(pod, groups) {
            node.join(pod, &self.members);
        }
    }

    /// Ends what has fallen silent and drops what is past the retention. To be called every few
    /// seconds.
    pub fn sweep(&self, time: impl Into<SweepTime>) {
        let SweepTime { now, passed } = time.into();
        self.members.pass(passed);
        let nodes = self.all_nodes();
        let horizons = self.members.disk().map(|disk| {
            let oldest = nodes.iter().filter_map(|node| node.unsealed_since()).min();
            let horizons = disk::Horizons {
                journal: oldest.map_or(now, |oldest| oldest.min(now)),
                blocks: passed.minus(millis(self.settings.retention)),
                rolled: [self.settings.retention_minutes, self.settings.retention_quarters]
                    .map(|retention| passed.minus(millis(retention))),
            };
            (disk, horizons)
        });
        let (mut empty, mut steady) = (Vec::new(), 0);
        for (place, node) in nodes.iter().enumerate() {
            if place % SWEPT_AT_ONCE == SWEPT_AT_ONCE - 1 {
                thread::yield_now();
            }
            match node.sweep(now, &self.members) {
                Swept::Empty => empty.push(node),
                Swept::Steady => steady += 1,
                Swept::Held => {}
            }
        }
        self.steady_nodes.store(steady, Ordering::Relaxed);
        if !empty.is_empty() {
            let mut nodes = self.nodes.write();
            for node in empty {
                // Somebody may have sent between the two locks.
                if node.retire(&self.members) {
                    nodes.remove(node.name());
                }
            }
        }
        self.roll_groups(now);
        // Not before what is past the retention was rolled.
        if let Some((disk, horizons)) = horizons {
            disk.retire(horizons);
        }
        self.members.forget_empty_groups();
    }

    /// The nodes that are known from the data directory and have sent nothing since the start, sorted:
    /// until they do, sums lack what has changed on them.
    pub fn awaited_nodes(&self) -> Vec<NodeName> {
        let nodes = self.all_nodes();
        let awaited = nodes.iter().filter(|node| node.is_awaited());
        let mut names: Vec<_> = awaited.map(|node| node.name().clone()).collect();
        names.sort_unstable();
        names
    }

    /// How far nodes' clocks are ahead of the server's, in milliseconds, as far as is known.
    pub fn clock_skews(&self) -> Vec<(NodeName, i64)> {
        let nodes = self.all_nodes();
        let skew = |view: &NodeView<'_>| Some((view.name().clone(), view.clock_skew_ms()?));
        nodes.iter().filter_map(|node| node.view(skew)).collect()
    }

    /// When the newest came that is held; `None` of an empty store.
    pub fn newest(&self) -> Option<UnixMillis> {
        let nodes = self.nodes.read();
        nodes.values().filter_map(|node| node.newest()).max()
    }

    /// The nodes that have sent something still held, sorted.
    pub fn nodes(&self) -> Vec<NodeName> {
        let mut names: Vec<_> = self.nodes.read().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// How many nodes had sent more than a tick or two and were not silent when they were last swept.
    pub fn steady_nodes(&self) -> usize {
        self.steady_nodes.load(Ordering::Relaxed)
    }

    /// Forgets the nodes that have sent a tick or two, were silent for a minute since and are strange:
    /// whoever can send frames can make names up.
    pub fn forget_strangers(&self, now: UnixMillis, is_strange: impl Fn(&NodeName) -> bool) {
        let strange = |node: &Arc<Node>| node.came_by(now) && is_strange(node.name());
        let strangers: Vec<_> = self.all_nodes().into_iter().filter(strange).collect();
        if strangers.is_empty() {
            return;
        }
        let mut nodes = self.nodes.write();
        for node in strangers {
            node.forget_all(&self.members);
            if node.retire(&self.members) {
                nodes.remove(node.name());
            }
        }
    }

    /// Lets `read` look at a node, all of one moment. Its collector's next tick waits meanwhile.
    pub fn node<R>(&self, name: &NodeName, read: impl FnOnce(&NodeView<'_>) -> R) -> Option<R> {
        Some(self.known(name)?.view(read))
    }

    /// The node that measures (or measured last) a pod.
    pub fn locate(&self, pod: &EntityId) -> Option<NodeName> {
        self.members.locate(pod)
    }

    /// The groups there are.
    pub fn groups(&self) -> Vec<GroupKey> {
        self.members.groups()
    }

    /// A group's sum over the members there are now; `None` while none was ever measured.
    pub fn group(&self, key: &str) -> Option<GroupSample> {
        self.members.group(key)?.latest()
    }

    /// A group's sums at the ticks of a range, oldest first. The newest tick is there once every
    /// node that is not stale has sent it.
    pub fn group_window(&self, key: &str, range: TimeRange) -> Vec<GroupSample> {
        self.members.group(key).map_or_else(Vec::new, |group| self.sums_of(&group, range))
    }

    fn sums_of(&self, group: &Group, range: TimeRange) -> Vec<GroupSample> {
        let to = range.to.min(self.complete_until());
        let range = TimeRange { from: range.from, to };
        match group.history() {
            GroupHistory::Kept => group.window(range),
            GroupHistory::Summed => self.summed(group, range.from).window(range),
        }
    }

    /// A group's history from some moment on, added up from its members' samples.
    fn summed(&self, group: &Group, from: UnixMillis) -> Group {
        let range = TimeRange { from, ..TimeRange::ALL };
        let scratch = group.scratch();
        for member in group.members() {
            for node in self.members.nodes_of(&member) {
                node.recount(&member, range, &scratch);
            }
        }
        scratch.align_totals();
        scratch
    }

    /// Ticks refused because another collector sends for their node, since the start.
    pub fn conflicting_ticks(&self) -> u64 {
        self.counters.conflicting_ticks.load(Ordering::Relaxed)
    }

    /// What the store holds. Looks at every series: for people and scrapers, not for hot paths.
    pub fn stats(&self) -> Stats {
        let nodes = self.all_nodes();
        let counter = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut stats = Stats {
            nodes: nodes.len(),
            ingested_samples: counter(&self.counters.ingested_samples),
            late_samples: counter(&self.counters.late_samples),
            duplicate_ticks: counter(&self.counters.duplicate_ticks),
            refused_ticks: counter(&self.counters.refused_ticks),
            conflicting_ticks: counter(&self.counters.conflicting_ticks),
            refused_series: counter(&self.counters.refused_series),
            ..Stats::default()
        };
        for node in nodes {
            let held = node.held();
            stats.series += held.series;
            stats.rows += held.rows;
            stats.samples += held.samples;
            stats.bytes += held.bytes;
        }
        stats.sums_bytes = self.members.memory_bytes();
        stats
    }

    /// The server's clock as far as what came tells.
    fn heard(&self) -> UnixMillis {
        let nodes = self.nodes.read();
        nodes.values().filter_map(|node| node.unsealed_since()).max().unwrap_or_default()
    }

    /// The tick up to which all nodes that are still sending have sent.
    fn complete_until(&self) -> UnixMillis {
        self.members.complete_until().unwrap_or(UnixMillis(i64::MAX))
    }

    /// Puts something into a node, made if need be.
    fn on_node(
        &self,
        name: &NodeName,
        take: impl Fn(&Arc<Node>) -> Result<Outcome, NotTaken>,
    ) -> Result<Outcome, NotTaken> {
        loop {
            match take(&self.node_named(name)) {
                // It was just forgotten: the next one of that name is another.
                Err(NotTaken::Retired) => {}
                taken => return taken,
            }
        }
    }

    fn known(&self, name: &NodeName) -> Option<Arc<Node>> {
        self.nodes.read().get(name).cloned()
    }

    fn all_nodes(&self) -> Vec<Arc<Node>> {
        self.nodes.read().values().cloned().collect()
    }

    fn node_named(&self, name: &NodeName) -> Arc<Node> {
        if let Some(node) = self.known(name) {
            return node;
        }
        let mut nodes = self.nodes.write();
        Arc::clone(nodes.entry(name.clone()).or_insert_with(|| Arc::new(Node::new(name.clone()))))
    }

    /// Forgets a node that took nothing in: whoever was refused leaves nothing behind.
    fn forget_if_empty(&self, name: &NodeName) {
        let mut nodes = self.nodes.write();
        if nodes.get(name).is_some_and(|node| node.retire(&self.members)) {
            nodes.remove(name);
        }
    }

    fn refused(&self, refusal: Refusal) -> IngestError {
        match refusal {
            Refusal::NoRoom => IngestError::NoMemory,
            Refusal::TooMany => IngestError::TooManySeries { limit: self.settings.max_series },
        }
    }

    fn count(&self, outcome: Outcome) -> Receipt {
        let add = |counter: &AtomicU64, number| {
            if number > 0 {
                counter.fetch_add(number, Ordering::Relaxed);
            }
        };
        let samples = outcome.samples + outcome.late_samples;
        add(&self.counters.ingested_samples, samples);
        add(&self.counters.late_samples, outcome.late_samples);
        add(&self.counters.duplicate_ticks, u64::from(outcome.duplicate));
        add(&self.counters.refused_series, outcome.refused_series);
        if let Some((disk, sequence)) = self.members.disk().zip(outcome.sequence) {
            disk.settle(sequence);
        }
        Receipt { samples, duplicate: outcome.duplicate, refused_series: outcome.refused_series }
    }
}

/// When a sweep takes place.
#[derive(Clone, Copy, Debug)]
pub struct SweepTime {
    /// What time it is.
    pub now: UnixMillis,
    /// What time it surely is at least: by this goes what is deleted for its age.
    pub passed: UnixMillis,
}

impl From<UnixMillis> for SweepTime {
    fn from(now: UnixMillis) -> Self {
        Self { now, passed: now }
    }
}

fn pushed_tick(node: NodeName, at: UnixMillis, id: EntityId, row: Row) -> Tick {
    let entity = EntityRow { id, parent: None, qos: None, newborn: false, row };
    Tick {
        node,
        instance: 0,
        sequence: 0,
        at,
        read_delay_us: 0,
        interval_ms: 5000,
        rows: vec![entity],
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
