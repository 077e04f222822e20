//! One connection: what it is doing, since when, and what it takes.

use std::{
    net::IpAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{
    order::{Class, Worth},
    table::Table,
    terms::{HEAD_PATIENCE, IDLE_PATIENCE, READ_BYTES, READ_PATIENCE, SEND_BUFFER, Terms},
};

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS is being agreed on.
    Handshake,
    /// Nothing is asked.
    Idle,
    /// Of a request's head, a part has come.
    Head,
    /// The head has come, and of the body not all.
    Body,
    /// All of the request is there, and nothing of the answer.
    Answering,
    /// The answer is on its way.
    Sending,
    /// The last answer is given; what still comes is thrown away until it has been read.
    Leaving,
}

/// How long a connection may take before it counts as one that holds a place for nothing.
const GRACE: Duration = Duration::from_secs(1);
/// From how many bytes besides its own a connection holds much.
const LARGE_BYTES: usize = 64 << 10;
/// An answer that is whole in memory is bounded where it is made; here it counts as one piece.
const PIECE_BYTES: usize = 256 << 10;
/// What the system has for a connection of which it takes no more: measured 180 KiB of the answer, and
/// 130 KiB of what the client sent meanwhile.
const SYSTEM_BYTES: usize = 320 << 10;
/// How wrong the estimate of what a request took on the wire may be before the rest counts as the
/// next request's head.
const SLOP: usize = 1 << 10;
/// What is around the data of a chunk on the wire.
const CHUNK_FRAMING: usize = 16;

/// Those who connect from one address.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) address: IpAddr,
    /// Memory of its connections, in bytes.
    pub(super) used: AtomicUsize,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) id: u64,
    pub(super) sender: Arc<Sender>,
    table: Weak<Table>,
    state: Mutex<State>,
    /// Told once, when the connection has to end at once.
    pub(super) cut: Notify,
    /// Told once, when it has to end after the answer under way.
    pub(super) leave: Notify,
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// When the client has read its last answer.
    Usual,
    /// When it has read it, too, though not all of its request was read.
    Refused,
    /// With the answer, since the server ends.
    Dismissed,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// It has had an answer.
    proven: bool,
    /// It has been told to end, and counts for nothing.
    is_cut: bool,
    /// How it is to end.
    ending: Ending,
    /// What it takes in any case.
    fixed: usize,
    /// Bytes read that no request is known to have had: a part of a head.
    unclaimed: usize,
    /// Bytes of the body that have come.
    body: usize,
    /// Bytes of the answer that were made and not given to the system.
    unsent: usize,
    /// Bytes of the answer that were given to the system.
    sent: usize,
    /// What the system may hold of them, and of what the client sends meanwhile.
    in_system: usize,
    /// What is needed to compress the answer.
    packing: usize,
    /// All of the answer is made.
    is_whole: bool,
    /// Since when the system takes no more, or when that was last looked at, and what had been sent
    /// then. A client that sends one request behind the other may leave any of the answers unread.
    blocked: Option<(Instant, usize)>,
}

impl State {
    fn cost(&self) -> usize {
        if self.is_cut {
            return 0;
        }
        self.fixed + self.held()
    }

    fn held(&self) -> usize {
        let unsent = self.unsent.min(PIECE_BYTES);
        self.unclaimed + self.body + unsent + self.in_system + self.packing
    }

    fn begin(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }

    fn class(&self, now: Instant) -> Class {
        let is_young = now.duration_since(self.since) < GRACE;
        match self.phase {
            Phase::Answering if self.blocked.is_none() => Class::Answering,
            Phase::Leaving => Class::Leaving,
            _ if is_young && self.phase != Phase::Idle => Class::Busy,
            _ if !self.proven && is_young => Class::Busy,
            Phase::Handshake | Phase::Idle | Phase::Head if !self.proven => Class::Unproven,
            _ if !is_young && self.held() >= LARGE_BYTES => Class::Large,
            Phase::Handshake | Phase::Idle | Phase::Head => Class::Idle,
            Phase::Body | Phase::Answering | Phase::Sending => Class::Busy,
        }
    }
}

impl Connection {
    pub(super) fn new(id: u64, sender: Arc<Sender>, table: &Arc<Table>, terms: &Terms) -> Self {
        let now = Instant::now();
        let phase = if terms.handshake_bytes > 0 { Phase::Handshake } else { Phase::Idle };
        let state = State {
            phase,
            since: now,
            proven: false,
            is_cut: false,
            ending: Ending::Usual,
            fixed: terms.idle_bytes + terms.handshake_bytes,
            unclaimed: 0,
            body: 0,
            unsent: 0,
            sent: 0,
            in_system: 0,
            packing: 0,
            is_whole: false,
            blocked: None,
        };
        Self {
            id,
            sender,
            table: Arc::downgrade(table),
            state: Mutex::new(state),
            cut: Notify::new(),
            leave: Notify::new(),
        }
    }

    /// What it takes, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.state.lock().cost()
    }

    /// What it takes, and what it is worth; `None` if it ends already.
    pub(super) fn standing(&self, now: Instant) -> Option<(Worth, usize)> {
        let state = self.state.lock();
        (!state.is_cut).then(|| (Worth(state.class(now), state.since), state.cost()))
    }

    fn update<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (outcome, before, after) = {
            let mut state = self.state.lock();
            let before = state.cost();
            (change(&mut state), before, state.cost())
        };
        if let Some(table) = self.table.upgrade()
            && before != after
        {
            table.account(&self.sender, before, after);
        }
        outcome
    }

    /// Has it end at once. Gives what it took, 0 if it was told before.
    pub(super) fn cut(&self) -> usize {
        let freed = self.update(|state| {
            let freed = state.cost();
            state.is_cut = true;
            freed
        });
        self.cut.notify_one();
        freed
    }

    pub(super) fn is_cut(&self) -> bool {
        self.state.lock().is_cut
    }

    /// What it sent, if anything, is no whole request, and nobody makes an answer.
    pub(super) fn is_incomplete(&self) -> bool {
        !matches!(self.state.lock().phase, Phase::Answering | Phase::Sending)
    }

    /// Whether it has had its time.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        if let Some((since, had)) = state.blocked
            && now.duration_since(since) >= READ_PATIENCE
        {
            let is_slow = state.sent - had < READ_BYTES;
            state.blocked = Some((now, state.sent));
            return is_slow;
        }
        let patience = match state.phase {
            Phase::Handshake | Phase::Head => HEAD_PATIENCE,
            Phase::Idle => IDLE_PATIENCE,
            Phase::Leaving => READ_PATIENCE,
            // Whoever reads a body says how long it may take.
            Phase::Body | Phase::Answering | Phase::Sending => return false,
        };
        now.duration_since(state.since) >= patience
    }

    /// TLS is agreed on, or not needed; so many bytes are kept of it.
    pub(super) fn greeted(&self, terms: &Terms, kept: usize) {
        self.update(|state| {
            state.fixed = terms.idle_bytes + kept;
            state.begin(Phase::Idle);
        });
    }

    /// Bytes have come.
    pub(super) fn read(&self, bytes: usize) {
        self.update(|state| {
            state.unclaimed += bytes;
            if state.phase == Phase::Idle {
                state.begin(Phase::Head);
            }
        });
    }

    /// Whether a head is to come: what is written meanwhile is no answer of ours.
    pub(super) fn expects_head(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Idle | Phase::Head)
    }

    /// A head has come, of about so many bytes.
    pub(super) fn asked(&self, head_bytes: usize, has_body: bool) {
        self.update(|state| {
            state.unclaimed = state.unclaimed.saturating_sub(head_bytes);
            state.is_whole = false;
            if state.blocked.is_none() {
                state.in_system = 0;
            }
            state.begin(if has_body { Phase::Body } else { Phase::Answering });
        });
    }

    /// A part of the body has come.
    pub(super) fn received(&self, bytes: usize) {
        self.update(|state| {
            state.unclaimed = state.unclaimed.saturating_sub(bytes + CHUNK_FRAMING);
            state.body += bytes;
        });
    }

    /// All of the body has come.
    pub(super) fn received_all(&self) {
        self.update(|state| {
            if state.phase == Phase::Body {
                state.begin(Phase::Answering);
            }
        });
    }

    /// The head of the answer is there, and compressing its body takes so many bytes.
    pub(super) fn answered(&self, packing: usize) {
        self.update(|state| {
            if state.phase == Phase::Body {
                state.ending = Ending::Refused;
            }
            (state.body, state.packing) = (0, packing);
            state.begin(Phase::Sending);
        });
    }

    /// A piece of the answer is there.
    pub(super) fn made(&self, bytes: usize) {
        self.update(|state| {
            state.unsent += bytes;
        });
    }

    /// All pieces are there, or nobody wants them.
    pub(super) fn made_all(&self) {
        self.update(|state| (state.is_whole, state.packing) = (true, 0));
    }

    /// The system took a part of the answer.
    pub(super) fn wrote(&self, bytes: usize) {
        self.update(|state| {
            state.unsent = state.unsent.saturating_sub(bytes);
            state.sent += bytes;
            let in_system = (state.in_system + bytes).min(SEND_BUFFER as usize);
            state.in_system = state.in_system.max(in_system);
        });
    }

    /// The system takes no more: it has all it may have.
    pub(super) fn stalled(&self) {
        self.update(|state| {
            state.in_system = SYSTEM_BYTES;
            state.blocked = state.blocked.or(Some((Instant::now(), state.sent)));
        });
    }

    /// The system took all there was.
    pub(super) fn flushed(&self) {
        self.update(|state| {
            state.blocked = None;
            if state.phase != Phase::Sending || !state.is_whole {
                return;
            }
            (state.unsent, state.proven) = (0, true);
            if state.unclaimed > SLOP {
                state.begin(Phase::Head);
            } else {
                state.unclaimed = 0;
                state.begin(Phase::Idle);
            }
        });
    }

    /// The client is told something before all it announced has come.
    pub(super) fn refused(&self) {
        self.state.lock().ending = Ending::Refused;
    }

    /// The last answer is given. Whether to wait until the client has read it: one that is still
    /// sending would lose it otherwise, and one that does not read leaves it with the system.
    pub(super) fn leaves(&self) -> bool {
        self.update(|state| {
            state.begin(Phase::Leaving);
            match state.ending {
                Ending::Usual => state.in_system > 0,
                Ending::Refused => true,
                Ending::Dismissed => false,
            }
        })
    }

    /// The server ends.
    pub(super) fn dismiss(&self) {
        let mut state = self.state.lock();
        if state.ending == Ending::Usual {
            state.ending = Ending::Dismissed;
        }
    }
}

impl Sender {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { address, used: AtomicUsize::new(0) }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}
