//! The life of one kind's watch.

use std::{
    pin::pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::StreamExt;
use kube::{
    Api, Client,
    runtime::watcher::{self, DefaultBackoff, Event, watcher},
};
use kubemonitor_model::UnixMillis;
use tokio::time::{sleep, timeout};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use super::{
    fault::{Fault, Health},
    names::Names,
    translate::Watched,
};
use crate::{Inventory, Observation};

/// How long the API server lets a watch go on before it is renewed. Connections that are silent for
/// longer are taken for dead.
pub(crate) const RENEWAL_SECONDS: u32 = 120;

/// How long a watch has to go on after a fault until it is believed: longer than a connection may take.
/// One that was taken up again says nothing until there is something to say.
const BELIEVED_AFTER: Duration = Duration::from_secs(40);

/// What would stand where the delays ended, which they do not.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Lists a kind and watches it, for ever. Every fault is answered by waiting, longer each time up
/// to half a minute and never quite the same, and trying again.
pub(super) async fn follow<K: Watched>(client: Client, inventory: Inventory) {
    let api = Api::<K>::all(client);
    // Lists in pages of 500, watches with bookmarks.
    let config = watcher::Config { timeout: Some(RENEWAL_SECONDS), ..Default::default() };
    let mut names = Names::default();
    let mut health = Health::new(K::KIND);
    let mut delays = DefaultBackoff::default();
    loop {
        let mut events = pin!(watcher(api.clone(), config.clone()));
        // The client logs each failure by itself, and malformed answers in full; `Health` says once
        // what is worth saying.
        loop {
            let next = events.next().with_subscriber(NoSubscriber::new());
            let event = if health.is_well() {
                next.await
            } else if let Ok(event) = timeout(BELIEVED_AFTER, next).await {
                event
            } else {
                health.improved();
                inventory.observe(Observation::Resumed(K::KIND), now());
                continue;
            };
            let Some(event) = event else { break };
            match event.map_err(Fault) {
                Ok(event) => {
                    if !matches!(event, Event::Init | Event::InitApply(_)) && health.improved() {
                        inventory.observe(Observation::Resumed(K::KIND), now());
                    }
                    if let Some(observation) = observation(event, &mut names) {
                        inventory.observe(observation, now());
                    }
                }
                Err(fault) => {
                    health.worsened(&fault);
                    if fault.is_silence() {
                        inventory.observe(Observation::Interrupted(K::KIND), now());
                    }
                    if fault.is_refusal() {
                        inventory.observe(Observation::Refused(K::KIND), now());
                    }
                    sleep(delays.next().unwrap_or(LONGEST_DELAY)).await;
                    if !fault.is_resumable() {
                        break;
                    }
                }
            }
        }
    }
}

fn observation<K: Watched>(event: Event<K>, names: &mut Names) -> Option<Observation> {
    match event {
        Event::Init => Some(Observation::ListingBegins(K::KIND)),
        Event::InitDone => Some(Observation::ListingEnds(K::KIND)),
        Event::InitApply(object) | Event::Apply(object) => object.seen(names),
        Event::Delete(object) => object.gone(),
    }
}

fn now() -> UnixMillis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
