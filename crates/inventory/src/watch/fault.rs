//! What goes wrong with a watch, and what to say about it.

use kube::{core::Status, runtime::watcher};
use tracing::{debug, info, warn};

use crate::Kind;

/// Why a list or watch did not go on.
#[derive(Debug)]
pub(super) struct Fault(pub(super) watcher::Error);

/// What a fault means for those who run the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The history that the watch would have gone on from is gone, which is part of normal life.
    Expired,
    /// No right to list or watch the kind.
    Refused,
    /// The cluster has no such kind.
    Unserved,
    /// Anything else: connections, malformed answers, an API server that is down.
    Failed,
}

impl Fault {
    /// Whether the same watch can go on without having lost anything.
    pub(super) fn is_resumable(&self) -> bool {
        // An event that could not be read is lost, and only a new list brings what it said.
        let lost = matches!(self.0, watcher::Error::WatchFailed(kube::Error::SerdeError(_)));
        !lost && self.trouble() != Trouble::Expired
    }

    /// Whether what was known until now may be out of date: not so where only the history to go on
    /// from is gone, since a new list follows at once.
    pub(super) fn is_silence(&self) -> bool {
        self.trouble() != Trouble::Expired
    }

    /// Whether the API server will not tell about this kind at all.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.trouble(), Trouble::Refused | Trouble::Unserved)
    }

    fn trouble(&self) -> Trouble {
        match self.status().map(|status| status.code) {
            Some(410) => Trouble::Expired,
            Some(403) => Trouble::Refused,
            Some(404) => Trouble::Unserved,
            _ => Trouble::Failed,
        }
    }

    /// What the API server answered, if it did.
    fn status(&self) -> Option<&Status> {
        use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
        match &self.0 {
            WatchError(status)
            | InitialListFailed(kube::Error::Api(status))
            | WatchStartFailed(kube::Error::Api(status))
            | WatchFailed(kube::Error::Api(status)) => Some(status),
            _ => None,
        }
    }

    /// What happened, down to its cause.
    fn explanation(&self) -> String {
        if let Some(status) = self.status() {
            return format!("{} {}", status.code, status.message);
        }
        let mut innermost: &dyn std::error::Error = &self.0;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        innermost.to_string()
    }
}

/// Says once that a kind cannot be followed, and once that it can be again.
#[derive(Debug)]
pub(super) struct Health {
    kind: Kind,
    trouble: Option<Trouble>,
}

impl Health {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, trouble: None }
    }

    pub(super) fn worsened(&mut self, fault: &Fault) {
        let (kind, trouble, why) = (self.kind, fault.trouble(), fault.explanation());
        if trouble == Trouble::Expired || self.trouble == Some(trouble) {
            debug!("cannot follow {kind}: {why}");
            return;
        }
        self.trouble = Some(trouble);
        match trouble {
            Trouble::Refused => warn!(
                "may not follow {kind}: {why}; let the server's service account list and watch \
                 {kind} in all namespaces (a ClusterRole), which it will notice by itself"
            ),
            Trouble::Unserved => warn!("this cluster has no {kind}: {why}"),
            Trouble::Expired | Trouble::Failed => {
                warn!(
                    "cannot follow {kind}: {why}; what is known of them stays, and it tries again"
                );
            }
        }
    }

    /// Whether the kind can be followed, as far as is known.
    pub(super) fn is_well(&self) -> bool {
        self.trouble.is_none()
    }

    /// Something came. Says whether nothing could before.
    pub(super) fn improved(&mut self) -> bool {
        let is_back = self.trouble.take().is_some();
        if is_back {
            info!("following {} again", self.kind);
        }
        is_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16) -> Box<Status> {
        Box::new(Status { code, message: "because".to_owned(), ..Status::default() })
    }

    fn malformed() -> kube::Error {
        kube::Error::SerdeError(serde_json::from_str::<()>("{").unwrap_err())
    }

    #[test]
    fn only_a_fault_that_loses_nothing_goes_on_with_the_same_watch() {
        use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
        for (error, resumable) in [
            (WatchStartFailed(kube::Error::Api(answered(500))), true),
            (WatchStartFailed(kube::Error::Api(answered(410))), false),
            (WatchError(answered(410)), false),
            (WatchError(answered(500)), true),
            (WatchFailed(malformed()), false),
            (InitialListFailed(malformed()), true),
        ] {
            let fault = Fault(error);
            assert_eq!(fault.is_resumable(), resumable, "{fault:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        for (code, refusal) in [(403, true), (404, true), (401, false), (410, false), (503, false)]
        {
            let fault = Fault(watcher::Error::WatchError(answered(code)));
            assert_eq!(fault.is_refusal(), refusal);
            assert_eq!(fault.explanation(), format!("{code} because"));
        }
    }
}
