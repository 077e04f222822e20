//! Which pod is where, and in which groups.

use std::{
    hash::BuildHasher,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use hashbrown::HashMap;
use kubemonitor_model::{EntityId, NodeName, UnixMillis};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxBuildHasher;

use crate::{
    Settings,
    admission::{Admission, Refusal},
    disk::Disk,
    group::{Group, GroupHistory},
    millis,
    node::{Node, Registry},
    roll_call::RollCall,
    sample::GroupKey,
    sync::atomic::{AtomicI64, Ordering},
};

/// Pods are spread over this many locks: births on different nodes seldom meet.
const SHARDS: usize = 64;

/// The grid of groups' slots. Pods of all nodes meet there, whatever their own intervals.
const SLOT_MS: u32 = 5000;

type ByName<T> = HashMap<GroupKey, T, FxBuildHasher>;
type Shard = HashMap<EntityId, Member, FxBuildHasher>;

/// What time it surely is, for what is deleted for its age: a tick from a clock that is ahead must not
/// push out what is in front of it. Without limit until somebody says.
#[derive(Debug)]
pub(crate) struct Passed(AtomicI64);

impl Default for Passed {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }
}

impl Passed {
    pub(crate) fn get(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, to: UnixMillis) {
        self.0.store(to.0, Ordering::Relaxed);
    }
}

/// A pod: known from samples, from whoever assigns groups, or both.
#[derive(Debug, Default)]
struct Member {
    nodes: Vec<Weak<Node>>,
    groups: Vec<Arc<Group>>,
}

/// All pods and groups, and how many series there are.
#[derive(Debug)]
pub(crate) struct Members {
    shards: Vec<Mutex<Shard>>,
    groups: RwLock<ByName<Arc<Group>>>,
    roll_call: RollCall,
    admission: Admission,
    retention: Duration,
    late_limit: Duration,
    /// What time it surely is, as far as anything is deleted for its age.
    passed: Arc<Passed>,
    /// Set once what was on it has been taken in.
    disk: OnceLock<Disk>,
}

// Locks are taken in this order: a node, a shard, a group. `join` therefore lets go of the shard
// before the caller takes the node's: whoever comes second finds what the first one noted.

impl Members {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            groups: RwLock::default(),
            roll_call: RollCall::default(),
            admission: Admission::new(settings.max_series),
            retention: settings.retention,
            late_limit: settings.late_limit,
            passed: Arc::default(),
            disk: OnceLock::new(),
        }
    }

    /// What time it surely is from here on, for what is deleted for its age.
    pub(crate) fn pass(&self, to: UnixMillis) {
        self.passed.set(to);
    }

    /// From here on what comes is kept on disk as well.
    pub(crate) fn attach(&self, disk: Disk) {
        let _ = self.disk.set(disk);
    }

    /// Notes a pod's groups. Gives the nodes that hold samples of it.
    pub(crate) fn join(
        &self,
        pod: &EntityId,
        groups: &[(GroupKey, GroupHistory)],
    ) -> Vec<Arc<Node>> {
        let groups: Vec<_> =
            groups.iter().map(|(key, history)| self.group_named(key, *history)).collect();
        let mut shard = self.shard(pod).lock();
        let member = shard.entry(pod.clone()).or_default();
        for left in &member.groups {
            left.leave(pod);
        }
        for entered in &groups {
            entered.enter(pod);
        }
        member.groups = groups;
        let nodes: Vec<_> = member.nodes.iter().filter_map(Weak::upgrade).collect();
        if nodes.is_empty() && member.groups.is_empty() {
            shard.remove(pod);
        }
        nodes
    }

    /// Lets groups go that no pod counts in any more.
    pub(crate) fn forget_empty_groups(&self) {
        self.groups.write().retain(|_, group| Arc::strong_count(group) > 1);
    }

    pub(crate) fn locate(&self, pod: &EntityId) -> Option<NodeName> {
        let mut nodes = self.nodes_of(pod);
        if nodes.len() > 1 {
            // The order they came in says nothing: blocks are read back many at a time.
            nodes.sort_by_cached_key(|node| node.measured_last(pod));
        }
        Some(nodes.last()?.name().clone())
    }

    /// The nodes that hold samples of a pod.
    pub(crate) fn nodes_of(&self, pod: &EntityId) -> Vec<Arc<Node>> {
        let shard = self.shard(pod).lock();
        let nodes = shard.get(pod).map(|member| member.nodes.as_slice()).unwrap_or_default();
        nodes.iter().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn group(&self, key: &str) -> Option<Arc<Group>> {
        self.groups.read().get(key).cloned()
    }

    /// The tick up to which all nodes that are still sending have sent; `None` without any.
    pub(crate) fn complete_until(&self) -> Option<UnixMillis> {
        self.roll_call.complete_until()
    }

    pub(crate) fn groups(&self) -> Vec<GroupKey> {
        self.groups.read().keys().cloned().collect()
    }

    /// The groups whose sums are to be rolled now.
    pub(crate) fn groups_to_roll(&self, now: UnixMillis) -> Vec<(GroupKey, Arc<Group>)> {
        let groups = self.groups.read();
        let due =
            groups.iter().filter(|(key, group)| group.is_due(now, FxBuildHasher.hash_one(key)));
        due.map(|(key, group)| (Arc::clone(key), Arc::clone(group))).collect()
    }

    /// How new entities are admitted.
    pub(crate) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Lets go of the sums before a moment.
    pub(crate) fn release_before(&self, horizon: UnixMillis) {
        let groups: Vec<_> = self.groups.read().values().cloned().collect();
        for group in groups {
            group.release_before(horizon);
        }
    }

    /// What groups and pods' places in them take, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let pods: usize = self.shards.iter().map(|shard| shard.lock().capacity()).sum();
        let groups = self.groups.read();
        let sums: usize = groups.values().map(|group| group.memory_bytes()).sum();
        let keys: usize = groups.keys().map(|key| key.len()).sum();
        pods * (size_of::<EntityId>() + size_of::<Member>()) + sums + keys
    }

    /// All of them are to be rolled at the next occasion.
    pub(crate) fn roll_all_groups(&self) {
        self.groups.read().values().for_each(|group| group.hurry());
    }

    fn group_named(&self, key: &GroupKey, history: GroupHistory) -> Arc<Group> {
        if let Some(group) = self.groups.read().get(key) {
            return Arc::clone(group);
        }
        let mut groups = self.groups.write();
        let new = || {
            let passed = Arc::clone(&self.passed);
            Arc::new(Group::new(history, SLOT_MS, millis(self.retention), passed))
        };
        Arc::clone(groups.entry(Arc::clone(key)).or_insert_with(new))
    }

    fn shard(&self, pod: &EntityId) -> &Mutex<Shard> {
        let hash = FxBuildHasher.hash_one(pod);
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

impl Registry for Members {
    fn admit(&self, bytes: usize) -> Result<(), Refusal> {
        self.admission.admit(bytes)
    }

    fn forget(&self, node: &NodeName, series: usize, pods: &[EntityId]) {
        self.admission.release(series);
        for pod in pods {
            let mut shard = self.shard(pod).lock();
            if let Some(member) = shard.get_mut(pod) {
                // Another node may measure it: the same one under another name, for instance.
                member.nodes.retain(|n| n.upgrade().is_some_and(|other| other.name() != node));
                if member.nodes.is_empty() && member.groups.is_empty() {
                    shard.remove(pod);
                }
            }
        }
    }

    fn groups_of(&self, pod: &EntityId, node: &Arc<Node>) -> Vec<Arc<Group>> {
        let mut shard = self.shard(pod).lock();
        let member = shard.entry(pod.clone()).or_default();
        let node = Arc::downgrade(node);
        if !member.nodes.iter().any(|known| known.ptr_eq(&node)) {
            member.nodes.push(node);
        }
        member.groups.clone()
    }

    fn moved(&self, from: Option<UnixMillis>, to: Option<UnixMillis>) {
        self.roll_call.moved(from, to);
    }

    fn retention_ms(&self) -> i64 {
        millis(self.retention)
    }

    fn passed(&self) -> UnixMillis {
        self.passed.get()
    }

    fn late_limit_ms(&self) -> i64 {
        millis(self.late_limit)
    }

    fn disk(&self) -> Option<&Disk> {
        self.disk.get()
    }
}
