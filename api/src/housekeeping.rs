//! What happens regularly, and whenever Kubernetes tells where pods belong.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use kubemonitor_inventory::PodMeta;
use kubemonitor_model::NodeName;
use kubemonitor_store::{SweepTime, retention_now};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::{
    joins::join,
    monitor::{Monitor, Shared, millis, now},
};

const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Pods that are joined before somebody may end this: after a restart there are all of a cluster's,
/// with their whole history to be read from disk.
const JOINED_AT_ONCE: usize = 256;

/// Joins pods to their sums and drops what is past the retention, for ever.
pub(crate) async fn run(monitor: Shared) {
    let mut changes = monitor.inventory.subscribe();
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            news = changes.next() => {
                let pods: Arc<[Arc<PodMeta>]> = news.moved.as_slice().into();
                let all = [news.moved, news.updated].concat();
                off_the_way(&monitor, move |monitor| write_down(monitor, &all)).await;
                for first in (0..pods.len()).step_by(JOINED_AT_ONCE) {
                    let pods = Arc::clone(&pods);
                    let joined = move |monitor: &Monitor| {
                        for pod in pods.iter().skip(first).take(JOINED_AT_ONCE) {
                            join(&monitor.store, pod);
                        }
                    };
                    off_the_way(&monitor, joined).await;
                }
            }
            _ = sweeps.tick() => off_the_way(&monitor, sweep).await,
        }
    }
}

/// Does work that takes a while on a large cluster where it holds nobody up.
async fn off_the_way(monitor: &Shared, work: impl FnOnce(&Monitor) + Send + 'static) {
    let monitor = Arc::clone(monitor);
    if let Err(error) = spawn_blocking(move || work(&monitor)).await {
        tracing::error!(%error, "housekeeping failed; it goes on with the next round");
    }
}

/// Notes the names of pods where a restart finds them. What cannot be written is tried again with
/// the next ones.
fn write_down(monitor: &Monitor, pods: &[Arc<PodMeta>]) {
    let Some(names) = &monitor.names else { return };
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = names.note(pods, || monitor.inventory.pods()) {
        tracing::warn!(%error, "the names of pods are not kept on disk at present");
    }
    monitor.store.note_bytes_beside(names.bytes());
}

fn sweep(monitor: &Monitor) {
    let (at, passed) = (now(), retention_now());
    monitor.store.sweep(SweepTime { now: at, passed });
    monitor.count_sending_nodes();
    // Without a cluster every name may be a node's.
    if monitor.inventory.node_count() > 0 && monitor.inventory.ready().is_ok() {
        let is_strange = |name: &NodeName| monitor.inventory.node(name.as_str()).is_none();
        monitor.store.forget_strangers(at, is_strange);
    }
    monitor.inventory.forget_ended_before(passed.minus(millis(monitor.retention)));
}
