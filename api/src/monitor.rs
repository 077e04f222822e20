//! What all handlers share: the store, the inventory, and the limits.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use kubemonitor_inventory::Inventory;
use kubemonitor_model::{NodeName, UnixMillis};
use kubemonitor_store::{DiskError, Recovered, Store};

use crate::{
    Settings, Storage,
    access::Access,
    limits::{Answering, IngestBudget},
};

/// The server's state.
#[derive(Debug)]
pub struct Monitor {
    /// What was measured.
    pub(crate) store: Store,
    /// What Kubernetes says.
    pub(crate) inventory: Inventory,
    /// How long samples are kept as they were measured.
    pub(crate) retention: Duration,
    /// How far back answers reach; beyond the retention in coarser steps.
    pub(crate) reach: Duration,
    /// Who may write.
    pub(crate) access: Access,
    /// How much may be written at a time.
    pub(crate) ingest: IngestBudget,
    /// How many answers may be in the making at a time.
    pub(crate) answering: Answering,
    /// The node under which the store has what was pushed without one.
    pub(crate) nowhere: NodeName,
}

/// A handle on the state, as handlers have it.
pub(crate) type Shared = Arc<Monitor>;

/// No host and no Kubernetes node is called that.
const NOWHERE: &str = "(none)";

/// The node under which the store has what was pushed without one.
fn nowhere() -> NodeName {
    NOWHERE.parse().expect("printable ASCII without `/`")
}

impl Monitor {
    /// The state of a server: what the data directory has, if there is one, else nothing yet.
    ///
    /// # Errors
    /// If the data directory cannot be used.
    pub fn open(settings: &Settings, inventory: Inventory) -> Result<Self, DiskError> {
        let Storage { limits, disk } = &settings.storage;
        let store = match disk {
            Some(disk) => {
                let (store, recovered) = Store::open(*limits, disk)?;
                let Recovered { blocks, entries } = recovered;
                tracing::info!(folder = %disk.folder.display(), blocks, entries, "read back");
                store
            }
            None => Store::new(*limits),
        };
        Ok(Self {
            store,
            inventory,
            retention: limits.retention,
            reach: settings.storage.reach(),
            access: settings.access.clone(),
            ingest: IngestBudget::default(),
            answering: Answering::default(),
            nowhere: nowhere(),
        })
    }

    /// The nodes that were measured, or that Kubernetes knows, sorted.
    pub(crate) fn nodes(&self) -> Vec<NodeName> {
        let mut names = self.store.nodes();
        names.retain(|name| *name != self.nowhere);
        let present = self.inventory.nodes().into_iter().filter(|node| node.ended_at.is_none());
        names.extend(present.filter_map(|node| node.name.parse::<NodeName>().ok()));
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The server's clock.
pub(crate) fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
