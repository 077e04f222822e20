//! What all handlers share: the store, the inventory, and the limits.

use std::{
    panic::resume_unwind,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use kube::Client;
use kubemonitor_inventory::{Inventory, NameBook, NameBookError};
use kubemonitor_model::{NodeName, UnixMillis};
use kubemonitor_store::{Recovered, Store};

use crate::{
    OpenError, Prefix, Settings, Storage,
    access::Gate,
    hosts::AllowedHosts,
    late_stats::LateStats,
    limits::Making,
    memory::{AnswerMemory, Guard},
};

/// The server's state.
#[derive(Debug)]
pub struct Monitor {
    /// What was measured.
    pub(crate) store: Store,
    /// What Kubernetes says.
    pub(crate) inventory: Inventory,
    /// What Kubernetes has said of pods, on disk where the store is.
    pub(crate) names: Option<Mutex<NameBook>>,
    /// How long samples are kept as they were measured.
    pub(crate) retention: Duration,
    /// How far back answers reach; beyond the retention in coarser steps.
    pub(crate) reach: Duration,
    /// What stands before all paths where clients see them.
    pub(crate) base_path: Prefix,
    /// Lets in those who may write.
    pub(crate) gate: Gate,
    /// As what the server may be asked.
    pub(crate) hosts: AllowedHosts,
    /// How many answers may be in the making at a time.
    pub(crate) making: Making,
    /// How much memory answers in the making may hold.
    pub(crate) answer_memory: AnswerMemory,
    /// What keeps the process within its memory.
    pub(crate) guard: Guard,
    /// What the store holds, counted lately.
    pub(crate) stats: LateStats,
    /// How many nodes send, as of the last sweep.
    pub(crate) sending_nodes: AtomicUsize,
    /// The node under which the store has what was pushed without one.
    pub(crate) nowhere: NodeName,
}

/// Where names are in the data directory.
const NAMES: &str = "names/pods.jsonl";

/// A handle on the state, as handlers have it.
pub(crate) type Shared = Arc<Monitor>;

/// No host and no Kubernetes node is called that.
const NOWHERE: &str = "(none)";

/// The node under which the store has what was pushed without one.
fn nowhere() -> NodeName {
    NOWHERE.parse().expect("printable ASCII without `/`")
}

/// Reads the names of pods that were there then or later. Gives how many pods the book has.
fn names_since(
    horizon: UnixMillis,
    book: &Path,
    inventory: &Inventory,
) -> Result<(NameBook, usize), NameBookError> {
    let (book, pods) = NameBook::open(book)?;
    let count = pods.len();
    for pod in pods {
        if pod.ended_at.is_none_or(|ended_at| ended_at >= horizon) {
            inventory.recall(pod);
        }
    }
    Ok((book, count))
}

/// Whether it is the one under which the store has what was pushed without one.
pub(crate) fn is_nowhere(node: &NodeName) -> bool {
    node.as_str() == NOWHERE
}

impl Monitor {
    /// The state of a server: what the data directory has, if there is one, else nothing yet.
    ///
    /// # Errors
    /// If the data directory cannot be used.
    pub fn open(settings: &Settings, inventory: Inventory) -> Result<Self, OpenError> {
        let Storage { limits, disk, memory } = &settings.storage;
        let memory_bytes = memory.bytes();
        let (store, names) = match disk {
            Some(disk) => {
                let claim = disk.claim()?;
                let (store, names) = thread::scope(|scope| {
                    let names = scope.spawn(|| {
                        let horizon = now().minus(millis(limits.retention));
                        names_since(horizon, &disk.folder.join(NAMES), &inventory)
                    });
                    let store = Store::open_claimed(*limits, claim);
                    (store, names.join().unwrap_or_else(|panic| resume_unwind(panic)))
                });
                let (store, Recovered { blocks, entries }) = store?;
                let (names, pods) = names?;
                let folder = disk.folder.display();
                tracing::info!(%folder, blocks, entries, pods, "read back");
                if let Some(newest) = store.newest() {
                    kubemonitor_store::found_data(newest);
                }
                store.note_bytes_beside(names.bytes());
                (store, Some(Mutex::new(names)))
            }
            None => (Store::new(*limits), None),
        };
        Ok(Self {
            store,
            base_path: settings.base_path.clone(),
            gate: Gate::new(settings.access.clone(), inventory.clone()),
            inventory,
            names,
            retention: limits.retention,
            reach: settings.storage.reach(),
            hosts: settings.allowed_hosts.clone(),
            making: Making::default(),
            answer_memory: AnswerMemory::within(memory_bytes),
            guard: Guard::new(memory_bytes),
            stats: LateStats::default(),
            sending_nodes: AtomicUsize::new(0),
            nowhere: nowhere(),
        })
    }

    /// Has this cluster say whose tokens are that writes come with.
    #[must_use]
    pub fn trusting(mut self, cluster: &Client) -> Self {
        self.gate.ask(cluster);
        self
    }

    /// Counts the nodes that send, as far as is known: those that have sent for a while, and with a
    /// cluster no more than it has. Whoever can send frames can make up names of nodes.
    pub(crate) fn count_sending_nodes(&self) {
        let (sending, known) = (self.store.steady_nodes(), self.inventory.node_count());
        let count = if known > 0 { sending.min(known) } else { sending };
        self.sending_nodes.store(count, Ordering::Relaxed);
    }

    /// The nodes that were measured, or that Kubernetes knows, sorted.
    pub(crate) fn nodes(&self) -> Vec<NodeName> {
        let mut names = self.store.nodes();
        names.retain(|name| !is_nowhere(name));
        let present = self.inventory.nodes().into_iter().filter(|node| node.ended_at.is_none());
        names.extend(present.filter_map(|node| node.name.parse::<NodeName>().ok()));
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The server's clock, as time was seen to pass.
pub(crate) fn now() -> UnixMillis {
    kubemonitor_store::now()
}
