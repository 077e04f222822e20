//! Taking in what the data directory holds.

use std::sync::Arc;

use kubemonitor_model::{NodeName, UnixMillis};

use crate::{
    Recovered, Store,
    disk::{Block, Bodies, DiskError, Entry, EntryPlace, EntryReader, Found, Recovery},
    node::Came,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Loads blocks, then takes in again what the journal has beyond them.
pub(crate) struct Recovering<'a> {
    store: &'a Store,
    blocks: AtomicUsize,
    entries: AtomicUsize,
}

impl<'a> Recovering<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, blocks: AtomicUsize::new(0), entries: AtomicUsize::new(0) }
    }

    /// What came.
    pub(crate) fn recovered(self) -> Recovered {
        Recovered { blocks: self.blocks.into_inner(), entries: self.entries.into_inner() }
    }
}

impl Recovery for Recovering<'_> {
    fn node(
        &self,
        name: &str,
        blocks: impl Iterator<Item = (Block, Arc<Bodies>)>,
        rolled_until: [Option<UnixMillis>; 2],
        entries: impl Iterator<Item = (Found, EntryPlace)>,
        leave_out: &dyn Fn(&DiskError, &EntryPlace),
    ) {
        let (mut in_blocks, mut whole) = (0, 0);
        let node = name.parse::<NodeName>().ok();
        if let Some(node) = &node {
            for (block, bodies) in blocks {
                self.store.node_named(node).restore(block, &bodies, &self.store.members);
                in_blocks += 1;
            }
            if in_blocks > 0 {
                self.store.node_named(node).settle(rolled_until);
            }
        }
        let mut reader = EntryReader::default();
        for (found, place) in entries {
            match reader.decode(&found) {
                Ok(entry) => {
                    whole += 1;
                    if let Some(entry) = entry {
                        self.store.take_again(&entry);
                    }
                }
                Err(error) => leave_out(&error, &place),
            }
        }
        self.blocks.fetch_add(in_blocks, Ordering::Relaxed);
        self.entries.fetch_add(whole, Ordering::Relaxed);
        if let Some(node) = node.and_then(|node| self.store.known(&node)) {
            node.await_first();
        }
    }

    fn newest(&self) -> Option<UnixMillis> {
        self.store.newest()
    }
}

impl Store {
    fn take_again(&self, &Entry { now, tick, at, frame }: &Entry<'_>) {
        let came = Came { now, stood_at: Some(at) };
        let taken = self.on_node(&tick.node, |node| match frame {
            Some(frame) => node.take(tick, frame, came, &self.members),
            None => node.push(tick, now, &self.members),
        });
        if let Err(why) = taken {
            tracing::debug!(node = %tick.node, ?why, "an entry of the journal is not taken in again");
        }
    }
}
