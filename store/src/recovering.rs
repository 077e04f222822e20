//! Taking in what the data directory holds.

use hashbrown::HashMap;
use kubemonitor_model::NodeName;
use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use crate::{
    Recovered, Store,
    disk::{Archive, Block, Bodies, Entry, Found, Level, Recovery, Unchain},
    parallel,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Loads blocks, then takes in again what the journal has beyond them.
pub(crate) struct Recovering<'a> {
    store: &'a Store,
    blocks: AtomicUsize,
    entries: usize,
    /// Of each node, up to which entry its blocks reach.
    in_blocks: Mutex<HashMap<Box<str>, u64, FxBuildHasher>>,
    /// Of each node, how its entries go on.
    chains: HashMap<Box<str>, Unchain, FxBuildHasher>,
}

impl<'a> Recovering<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        let (in_blocks, chains) = (Mutex::default(), HashMap::default());
        Self { store, blocks: AtomicUsize::new(0), entries: 0, in_blocks, chains }
    }

    /// What came.
    pub(crate) fn recovered(self) -> Recovered {
        Recovered { blocks: self.blocks.into_inner(), entries: self.entries }
    }
}

impl Recovery for Recovering<'_> {
    fn block(&self, block: Block, bodies: Bodies) {
        let Ok(node) = block.node.parse::<NodeName>() else { return };
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.in_blocks.lock().insert(node.as_str().into(), block.sequence);
        self.store.node_named(&node).restore(block, &bodies, &self.store.members);
    }

    fn settle(&self, archives: &[Archive; 2]) {
        parallel::mapped(self.store.all_nodes(), |node| {
            node.settle(
                Level::ALL.map(|level| archives[level as usize].rolled_until(node.name().as_str())),
            );
        });
    }

    fn wants(&self, entry: &Found) -> bool {
        let in_blocks = self.in_blocks.lock().get(&entry.node).copied();
        in_blocks.is_none_or(|in_blocks| entry.sequence > in_blocks)
    }

    fn entries(&mut self, entries: Vec<Found>) -> u64 {
        let mut by_node: HashMap<_, Vec<Found>, FxBuildHasher> = HashMap::default();
        for entry in entries {
            by_node.entry(entry.node.clone()).or_default().push(entry);
        }
        let with_chain = |(node, entries)| {
            let chain = self.chains.remove(&node).unwrap_or_default();
            (node, chain, entries)
        };
        let of_nodes = by_node.into_iter().map(with_chain).collect();
        let store = self.store;
        let taken = parallel::mapped(of_nodes, |(node, mut chain, entries)| {
            let (whole, broken) = store.replay(&mut chain, &entries);
            (node, chain, whole, broken)
        });
        let mut broken_bytes = 0;
        for (node, chain, whole, broken) in taken {
            self.chains.insert(node, chain);
            self.entries += whole;
            broken_bytes += broken;
        }
        broken_bytes
    }
}

impl Store {
    /// Takes in what the journal has of a node. Gives how many entries were whole, and how many bytes
    /// the others have.
    fn replay(&self, chain: &mut Unchain, entries: &[Found]) -> (usize, u64) {
        let (mut whole, mut broken_bytes) = (0, 0);
        for found in entries {
            match chain.decode(found) {
                Ok(entry) => {
                    whole += 1;
                    if let Some(entry) = entry {
                        self.take_again(&entry, chain.frame());
                    }
                }
                Err(error) => {
                    tracing::warn!(node = &*found.node, %error, "left out");
                    broken_bytes += found.len() as u64;
                }
            }
        }
        (whole, broken_bytes)
    }

    fn take_again(&self, Entry { now, pushed, tick }: &Entry, frame: &[u8]) {
        let taken = self.on_node(&tick.node, |node| {
            if *pushed {
                node.push(tick, *now, &self.members)
            } else {
                node.take(tick, frame, i64::MAX, *now, &self.members)
            }
        });
        if let Err(newest) = taken {
            tracing::debug!(node = %tick.node, ?newest, "an entry of the journal is too late");
        }
    }
}
