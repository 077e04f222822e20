//! Kinds that the server's service account may not see.

use std::{
    io,
    sync::{Arc, Mutex},
};

use crate::support::{follow, owned_by, pod, requests, until};
use kubemonitor_fake_kubernetes::{FakeKubernetes, Fault, Verb};
use kubemonitor_inventory::{Kind, NotSynced};
use kubemonitor_model::EntityId;

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes what is logged in this thread, where a test's tasks run.
    fn take() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .with_max_level(tracing::Level::INFO)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let log = self.0.lock().unwrap();
        String::from_utf8_lossy(&log).lines().map(ToOwned::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refused_owner_kind_is_told_once_and_holds_up_nobody() {
    let (log, _guard) = Log::take();
    let fake = FakeKubernetes::start().await;
    let job_pod = owned_by(pod("p", "p", "n1"), "batch/v1", "Job", "nightly-1", "job");
    fake.put("pods", job_pod);
    fake.fail("jobs", Verb::List, Fault::Status(403), usize::MAX);
    let (inventory, _watchers) = follow(&fake);
    until("it is ready all the same", || inventory.ready().is_ok()).await;
    let pod = inventory.pod_by_uid(&EntityId::parse("p")).unwrap();
    assert_eq!(pod.workload.as_ref().unwrap().to_string(), "shop/Job/nightly-1");

    until("it was tried again", || requests(&fake, "jobs", Verb::List).len() >= 3).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("may not follow jobs: 403 jobs is forbidden"), "{lines:?}");
    assert!(lines[0].contains("let the server's service account list and watch jobs"), "{lines:?}");
}

#[tokio::test]
async fn without_pods_it_is_not_ready_and_says_so_until_they_are_granted() {
    let (log, _guard) = Log::take();
    let fake = FakeKubernetes::start().await;
    fake.put("pods", pod("a", "a", "n1"));
    fake.fail("pods", Verb::List, Fault::Status(403), usize::MAX);
    let (inventory, _watchers) = follow(&fake);
    let pods = NotSynced { kind: Kind::Pods, refused: true };
    until("only pods are missing", || inventory.ready() == Err(vec![pods])).await;
    assert_eq!(pods.to_string(), "pods: the service account may not list and watch them");

    fake.heal();
    until("it is ready", || inventory.ready().is_ok()).await;
    assert_eq!(inventory.pods().len(), 1);
    assert!(log.lines().last().unwrap().contains("following pods again"));
}

#[tokio::test]
async fn a_kind_the_cluster_does_not_have_holds_up_nobody() {
    let fake = FakeKubernetes::start().await;
    fake.fail("cronjobs", Verb::List, Fault::Status(404), usize::MAX);
    let (inventory, _watchers) = follow(&fake);
    until("it is ready", || inventory.ready().is_ok()).await;
}
