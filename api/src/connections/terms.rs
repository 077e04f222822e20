//! What a listener allows its connections.

use std::time::Duration;

use crate::descriptors;

/// The longest head of a request. Those of browsers and collectors take 1 KiB.
pub(crate) const HEAD_BYTES: usize = 16 << 10;
/// How long a head may take, from its first byte; also how long a TLS handshake may.
pub(super) const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing may be asked: longer than the minute that proxies keep connections.
pub(super) const IDLE_PATIENCE: Duration = Duration::from_secs(75);
/// A reader that in this time takes less than `READ_BYTES` of its answer is cut off.
pub(super) const READ_PATIENCE: Duration = Duration::from_secs(30);
/// Far below what the slowest phone takes.
pub(super) const READ_BYTES: usize = 64 << 10;
/// What of an answer the system holds for a slow reader, at most.
pub(super) const SEND_BUFFER: u32 = 128 << 10;
/// What the system takes in before it is read, at most.
pub(super) const RECEIVE_BUFFER: u32 = 64 << 10;

/// What a listener allows its connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Memory of all connections together, in bytes.
    pub(super) budget: usize,
    /// What a connection takes that does nothing.
    pub(super) idle_bytes: usize,
    /// What a TLS handshake may take besides.
    pub(super) handshake_bytes: usize,
    /// How many headers a request may have.
    pub(super) headers: usize,
}

impl Terms {
    /// Connections of collectors, probes and readers.
    pub(crate) fn rest() -> Self {
        // Measured: 14 KiB for one that has been asked something, and what the system has for it.
        Self { budget: 128 << 20, idle_bytes: 16 << 10, handshake_bytes: 0, headers: 100 }
            .within(descriptors::limit() / 8 * 5)
    }

    /// Connections of Kubernetes' API server, and of who else asks for metrics.k8s.io.
    pub(crate) fn metrics_api() -> Self {
        // The groups of a user may be hundreds, a header each. A handshake holds one message, of at
        // most 64 KiB.
        Self { budget: 32 << 20, idle_bytes: 32 << 10, handshake_bytes: 64 << 10, headers: 1000 }
            .within(descriptors::limit() / 8)
    }

    /// With no more connections than that: where descriptors are short, each connection counts for
    /// more.
    fn within(self, connections: usize) -> Self {
        let least = self.budget / connections.max(1);
        Self { idle_bytes: self.idle_bytes.max(least), ..self }
    }

    /// What the connections of one sender may take. Not all, so that others find a place at once;
    /// nearly, since a whole cluster may come through one translated address.
    pub(super) fn share(&self) -> usize {
        self.budget / 4 * 3
    }
}

#[cfg(test)]
impl Terms {
    /// Room for so many connections that do nothing.
    pub(super) fn for_connections(connections: usize) -> Self {
        let idle_bytes = 20 << 10;
        Self { budget: connections * idle_bytes, idle_bytes, handshake_bytes: 0, headers: 100 }
    }
}
