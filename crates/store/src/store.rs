//! The store itself: nodes by name, and what is done over all of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use hashbrown::HashMap;
use kubemonitor_model::{EntityId, EntityRow, NodeName, Row, Tick, UnixMillis};
use parking_lot::RwLock;
use rustc_hash::FxBuildHasher;

use crate::{
    Claim, DiskError, DiskSettings, DiskStatus, GroupHistory, GroupKey, GroupSample, IngestError,
    NodeView, Receipt, Recovered, Settings, Stats, TimeRange,
    admission::Refusal,
    disk::Disk,
    group::Group,
    node::{Came, Node, NotTaken, Outcome, Registry as _},
    parallel,
    recovering::Recovering,
    registry::Members,
};

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
    pub(crate) settings: Settings,
    pub(crate) nodes: RwLock<HashMap<NodeName, Arc<Node>, FxBuildHasher>>,
    pub(crate) members: Members,
    counters: Counters,
    pub(crate) steady_nodes: AtomicUsize,
}

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

    /// Like [`open`](Self::open), for a folder whose lock this process already holds.
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

    /// The newest tick of any collector; `None` where there is none. What others push tells no time: whoever
    /// pushes has a clock of his own.
    pub fn newest(&self) -> Option<UnixMillis> {
        let nodes = self.nodes.read();
        nodes.values().filter_map(|node| node.newest_tick()).max()
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

    pub(crate) fn sums_of(&self, group: &Group, range: TimeRange) -> Vec<GroupSample> {
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
    pub(crate) fn complete_until(&self) -> UnixMillis {
        self.members.complete_until().unwrap_or(UnixMillis(i64::MAX))
    }

    /// Puts something into a node, made if need be.
    pub(crate) fn on_node(
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

    pub(crate) fn known(&self, name: &NodeName) -> Option<Arc<Node>> {
        self.nodes.read().get(name).cloned()
    }

    pub(crate) fn all_nodes(&self) -> Vec<Arc<Node>> {
        self.nodes.read().values().cloned().collect()
    }

    pub(crate) fn node_named(&self, name: &NodeName) -> Arc<Node> {
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
