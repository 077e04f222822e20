//! All connections of a listener, and which of them go when there is no room.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::{
    connection::{Connection, Sender},
    order::{Standing, in_order},
    terms::Terms,
};
use crate::peer::Peer;

/// How often connections are looked at for having had their time.
const ROUND: Duration = Duration::from_millis(250);
/// How often at most room is made for what has come meanwhile.
const RELIEF_PAUSE: Duration = Duration::from_millis(5);
/// How often at most the log says that room had to be made.
const NEWS_PAUSE: Duration = Duration::from_secs(60);
/// Room is made for this part of the budget at a time, so that it is not made for each newcomer.
const HEADROOM: usize = 64;

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) terms: Terms,
    /// Memory of all connections, in bytes.
    used: AtomicUsize,
    open: Mutex<Open>,
    crowded: Notify,
    /// How many were cut to make room, ever.
    cut_for_room: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// With the number of their connections.
    senders: HashMap<IpAddr, (Arc<Sender>, usize)>,
}

/// A connection that has a place in the table, for as long as this lives.
#[derive(Debug)]
pub(super) struct Admitted {
    table: Arc<Table>,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connection.cut();
        self.table.open.lock().remove(&self.connection);
    }
}

impl Open {
    fn remove(&mut self, connection: &Connection) {
        self.connections.remove(&connection.id);
        let address = connection.sender.address;
        if let Some((_, connections)) = self.senders.get_mut(&address) {
            *connections -= 1;
            if *connections == 0 {
                self.senders.remove(&address);
            }
        }
    }
}

impl Table {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            used: AtomicUsize::new(0),
            open: Mutex::default(),
            crowded: Notify::new(),
            cut_for_room: AtomicU64::new(0),
        }
    }

    /// Gives a newcomer a place, if need be that of another; `None` if all others wait for their
    /// answers.
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Option<Admitted> {
        let address = peer.source();
        let connection = {
            let mut open = self.open.lock();
            let id = open.next_id;
            open.next_id += 1;
            let (sender, connections) =
                open.senders.entry(address).or_insert_with(|| (Arc::new(Sender::new(address)), 0));
            *connections += 1;
            let connection = Connection::new(id, Arc::clone(sender), self, &self.terms);
            let connection = Arc::new(connection);
            open.connections.insert(id, Arc::clone(&connection));
            connection
        };
        self.account(&connection.sender, 0, connection.cost());
        let admitted = Admitted { table: Arc::clone(self), connection };
        if self.is_over(&admitted.connection.sender) {
            self.relieve(self.terms.budget);
            let is_refused =
                self.is_over(&admitted.connection.sender) || admitted.connection.is_cut();
            if is_refused {
                return None;
            }
        }
        Some(admitted)
    }

    /// Notes what a connection takes now instead of before.
    pub(super) fn account(&self, sender: &Sender, before: usize, after: usize) {
        if after <= before {
            self.used.fetch_sub(before - after, Relaxed);
            sender.used.fetch_sub(before - after, Relaxed);
            return;
        }
        self.used.fetch_add(after - before, Relaxed);
        sender.used.fetch_add(after - before, Relaxed);
        if self.is_over(sender) {
            self.crowded.notify_one();
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    fn is_over(&self, sender: &Sender) -> bool {
        self.used() > self.terms.budget || sender.used() > self.terms.share()
    }

    /// Makes room where the system has none for another connection.
    pub(super) fn make_room(&self) {
        self.relieve(self.used().saturating_sub(1));
    }

    /// Cuts connections until all take less than `budget` and each sender's less than its share.
    fn relieve(&self, budget: usize) {
        let now = Instant::now();
        let standing = self.all().into_iter().filter_map(|connection| {
            let (worth, cost) = connection.standing(now)?;
            Some(Standing { connection, worth, cost })
        });
        let candidates = in_order(standing);
        let share = self.terms.share();
        let is_crowded = self.used() > budget;
        let mut crowding: HashMap<IpAddr, bool> = HashMap::new();
        let mut cut = 0;
        for connection in candidates {
            let sender = &connection.sender;
            let crowds = *crowding.entry(sender.address).or_insert(sender.used() > share);
            let helps_all = is_crowded && self.used() > below(budget);
            let helps_share = crowds && sender.used() > below(share);
            if helps_all || helps_share {
                cut += u64::from(connection.cut() > 0);
            }
        }
        self.cut_for_room.fetch_add(cut, Relaxed);
    }

    /// Cuts what has had its time, and makes room when there is none; for ever.
    pub(super) async fn watch_over(&self, name: &str) {
        let (mut round, mut news) = (Instant::now(), Instant::now() - NEWS_PAUSE);
        let mut said = 0;
        loop {
            // That nobody called for room is what a round is for.
            let crowded = timeout(ROUND, self.crowded.notified()).await.is_ok();
            if crowded {
                self.relieve(self.terms.budget);
            }
            let now = Instant::now();
            if now.duration_since(round) >= ROUND {
                round = now;
                self.cut_overdue(now);
            }
            let cut = self.cut_for_room.load(Relaxed);
            if cut > said && now.duration_since(news) >= NEWS_PAUSE {
                (news, said) = (now, cut);
                let (open, senders) = self.size();
                tracing::warn!(
                    listener = name,
                    cut,
                    open,
                    senders,
                    "too much is held by connections: those least worth keeping are cut"
                );
            }
            sleep(RELIEF_PAUSE).await;
        }
    }

    pub(super) fn cut_overdue(&self, now: Instant) {
        for connection in self.all() {
            if connection.is_overdue(now) {
                connection.cut();
            }
        }
    }

    /// Has every connection end after the answer under way.
    pub(super) fn leave(&self) {
        for connection in self.all() {
            connection.leave.notify_one();
        }
    }

    /// Cuts those of which no whole request has come.
    pub(super) fn cut_incomplete(&self) {
        for connection in self.all() {
            if connection.is_incomplete() {
                connection.cut();
            }
        }
    }

    /// How many connections there are, and from how many senders.
    fn size(&self) -> (usize, usize) {
        let open = self.open.lock();
        (open.connections.len(), open.senders.len())
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        self.open.lock().connections.values().cloned().collect()
    }
}

/// A little less than that.
fn below(bytes: usize) -> usize {
    bytes - bytes / HEADROOM
}
