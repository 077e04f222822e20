//! A Kubernetes API for tests: lists, watches and everything that can go wrong with them, over real
//! HTTP on loopback.
//!
//! It serves objects that a test puts there, in pages with continue tokens, as whole objects or as
//! metadata only, watches that begin at any version it still remembers, tokens of service accounts
//! and their reviews, and other reviews with the verdicts of a test. It checks nothing and schedules nothing.

mod collection;
mod fault;
mod fixture;
mod http;
mod tokens;

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use collection::{Change, Cluster, Verdicts};
pub use fault::{Fault, Verb};
pub use fixture::Fixture;
pub use tokens::PodToken;

/// A running API server. Dropping it ends it, and all its connections' watches.
#[derive(Debug)]
pub struct FakeKubernetes {
    address: SocketAddr,
    cluster: Arc<Mutex<Cluster>>,
    server: JoinHandle<()>,
}

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `pods`, `deployments`, …
    pub resource: String,
    /// What was wanted.
    pub verb: Verb,
    /// The page size that was asked for.
    pub limit: Option<usize>,
    /// Whether it goes on with a list that was begun.
    pub continues: bool,
    /// The version that a watch was to begin after.
    pub after: Option<u64>,
    /// Whether only metadata was asked for.
    pub metadata_only: bool,
}

impl Request {
    fn of(resource: &str, verb: Verb) -> Self {
        let resource = resource.to_owned();
        let (limit, continues, after, metadata_only) = (None, false, None, false);
        Self { resource, verb, limit, continues, after, metadata_only }
    }
}

impl FakeKubernetes {
    /// Starts an API server of an empty cluster on a free port.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let cluster = Arc::new(Mutex::new(Cluster::default()));
        let routes = http::routes(Arc::clone(&cluster));
        let server = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("serving on loopback does not end");
        });
        Self { address, cluster, server }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts all objects of a fixture there.
    pub fn load(&self, fixture: &Fixture) {
        for (resource, objects) in &fixture.lists {
            for object in objects {
                self.put(resource, object.clone());
            }
        }
    }

    /// Creates an object, or replaces the one of its name, and tells the watches.
    pub fn put(&self, resource: &str, object: Value) {
        self.cluster.lock().change(resource, Change::Put, object);
    }

    /// Deletes an object and tells the watches. One that is not there stays so.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) {
        self.cluster.lock().delete(resource, namespace, name);
    }

    /// Does what an event of a captured watch says: `{"type": "ADDED", "object": …}`.
    pub fn replay(&self, resource: &str, event: &Value) {
        let change = if event["type"] == "DELETED" { Change::Delete } else { Change::Put };
        self.cluster.lock().change(resource, change, event["object"].clone());
    }

    /// Lists `count` objects that are made up when they are asked for, so that a large cluster takes
    /// no memory here. `make` gives the JSON of the object at a place.
    pub fn make_up(
        &self,
        resource: &str,
        count: usize,
        make: impl Fn(usize) -> String + Send + Sync + 'static,
    ) {
        self.cluster.lock().make_up(resource, count, Arc::new(make));
    }

    /// Decides what reviews are answered with from now on: `decide` gets `tokenreviews` or
    /// `subjectaccessreviews` and the specification, and gives the status. Until then all are refused.
    pub fn decide(&self, decide: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) {
        self.cluster.lock().verdicts = Verdicts(Some(Arc::new(decide)));
    }

    /// Gives out a token, which reviews know from now on: good until it ends or is revoked, for those
    /// it is meant for.
    pub fn issue(&self, token: PodToken) -> String {
        self.cluster.lock().tokens.issue(token)
    }

    /// Forgets a token, as Kubernetes does when its pod is gone.
    pub fn revoke(&self, token: &str) {
        self.cluster.lock().tokens.revoke(token);
    }

    /// How many reviews of a resource were asked for.
    pub fn reviews(&self, resource: &str) -> usize {
        let cluster = self.cluster.lock();
        let is_one = |r: &&Request| r.verb == Verb::Review && r.resource == resource;
        cluster.requests.iter().filter(is_one).count()
    }

    /// A kubeconfig that leads there, whose namespace is this one.
    pub fn kubeconfig(&self, namespace: &str) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url()}}],
            "users": [{"name": "fake", "user": {}}],
            "contexts": [{"name": "fake", "context": {
                "cluster": "fake", "user": "fake", "namespace": namespace,
            }}],
        })
        .to_string()
    }

    /// Sends a bookmark on every watch that asked for them.
    pub fn bookmark(&self) {
        self.cluster.lock().bookmark();
    }

    /// Forgets what was before now, as compaction does: running watches end with 410 Gone, later ones
    /// from an older version begin with it, and lists that were begun cannot be continued.
    pub fn forget_history(&self) {
        self.cluster.lock().forget_history();
    }

    /// Goes away, as an API server does that is restarted: watches break off and every request fails,
    /// until [`come_back`](Self::come_back).
    pub fn go_away(&self) {
        let mut cluster = self.cluster.lock();
        cluster.faults.fail_all();
        cluster.break_watches();
    }

    /// Answers again after [`go_away`](Self::go_away).
    pub fn come_back(&self) {
        self.heal();
    }

    /// Breaks the connections of all watches in the middle of a chunk.
    pub fn break_watches(&self) {
        self.cluster.lock().break_watches();
    }

    /// Sends a line that is no event on the watches of a resource.
    pub fn garble_watches(&self, resource: &str) {
        self.cluster.lock().garble_watches(resource);
    }

    /// Lets the next `times` requests go wrong.
    pub fn fail(&self, resource: &str, verb: Verb, fault: Fault, times: usize) {
        self.cluster.lock().faults.add(resource, verb, fault, times);
    }

    /// Lets all requests be answered rightly again.
    pub fn heal(&self) {
        self.cluster.lock().faults.clear();
    }

    /// The requests made until now, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.cluster.lock().requests.clone()
    }

    /// How many watches of a resource are running.
    pub fn watches(&self, resource: &str) -> usize {
        self.cluster.lock().watches(resource)
    }
}

impl Drop for FakeKubernetes {
    fn drop(&mut self) {
        self.server.abort();
        self.cluster.lock().break_watches();
    }
}
