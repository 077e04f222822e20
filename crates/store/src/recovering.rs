//! Taking in what the data directory holds.

use std::sync::Arc;

use kubemonitor_model::{NodeName, UnixMillis};

use crate::{
    Recovered, Store,
    disk::{Block, Bodies, Entry, Found, Recovery, Unchain},
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
        entries: impl Iterator<Item = Found>,
    ) -> u64 {
        let (mut in_blocks, mut whole, mut broken_bytes) = (0, 0, 0);
        if let Ok(node) = name.parse::<NodeName>() {
            for (block, bodies) in blocks {
                self.store.node_named(&node).restore(block, &bodies, &self.store.members);
                in_blocks += 1;
            }
            if in_blocks > 0 {
                self.store.node_named(&node).settle(rolled_until);
            }
        }
        let mut chain = Unchain::default();
        for found in entries {
            match chain.decode(&found) {
                Ok(entry) => {
                    whole += 1;
                    if let Some(entry) = entry {
                        self.store.take_again(&entry);
                    }
                }
                Err(error) => {
                    tracing::warn!(node = name, %error, "left out");
                    broken_bytes += found.len() as u64;
                }
            }
        }
        if let Ok(node) = name.parse::<NodeName>()
            && in_blocks + whole > 0
        {
            self.store.node_named(&node).await_news();
        }
        self.blocks.fetch_add(in_blocks, Ordering::Relaxed);
        self.entries.fetch_add(whole, Ordering::Relaxed);
        broken_bytes
    }
}

impl Store {
    fn take_again(&self, &Entry { now, tick, frame }: &Entry<'_>) {
        let taken = self.on_node(&tick.node, |node| match frame {
            Some(frame) => node.take(tick, frame, i64::MAX, now, &self.members),
            None => node.push(tick, now, &self.members),
        });
        if let Err(newest) = taken {
            tracing::debug!(node = %tick.node, ?newest, "an entry of the journal is too late");
        }
    }
}
