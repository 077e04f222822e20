//! A server of our own on a free port, and what to send it.

mod client;
mod cluster;
mod contract;
mod ticks;
mod tls;
mod top;

use std::{net::SocketAddr, time::Duration};

use futures::future::{FutureExt, OptionFuture};
use kube::Client;
use kubemonitor_api::{
    Access, AllowedHosts, MetricsApi, Monitor, Prefix, Server, Settings, Storage,
};
use kubemonitor_inventory::Inventory;
use kubemonitor_model::Tick;
use kubemonitor_store::Settings as Limits;
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

pub(crate) use self::{
    client::{Reply, exchange, send},
    cluster::Captured,
    contract::{PATHS, Shape, fields},
    ticks::{container, frame, node, pod, recent, tick, unit},
    tls::{Authority, Identity},
    top::Top,
};

/// A server that runs in this process.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Where metrics.k8s.io is, if anywhere.
    pub(crate) metrics_api: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Settings that suit tests.
pub(crate) fn settings() -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        allowed_hosts: AllowedHosts::Any,
        storage: Storage {
            limits: Limits { max_series: 1000, ..Limits::default() },
            ..Storage::default()
        },
        access: Access::Open,
        base_path: Prefix::default(),
        cluster: None,
        metrics_api: None,
        log: String::new(),
    }
}

impl Running {
    /// A server without a cluster.
    pub(crate) async fn start() -> Self {
        Self::with(&settings(), Inventory::without_cluster()).await
    }

    pub(crate) async fn with(settings: &Settings, inventory: Inventory) -> Self {
        Self::asking(settings, inventory, None).await
    }

    /// A server with metrics.k8s.io if the settings want it and there is a cluster to ask.
    pub(crate) async fn asking(
        settings: &Settings,
        inventory: Inventory,
        cluster: Option<Client>,
    ) -> Self {
        let monitor = Monitor::open(settings, inventory).unwrap();
        let monitor = match &cluster {
            Some(client) => monitor.trusting(client),
            None => monitor,
        };
        Self::of(settings, monitor, cluster).await
    }

    /// A server that has been opened.
    pub(crate) async fn of(settings: &Settings, monitor: Monitor, cluster: Option<Client>) -> Self {
        let server = Server::bind(settings.listen, monitor).await.unwrap();
        let metrics_api = match settings.metrics_api.clone().zip(cluster) {
            Some((settings, client)) => {
                Some(MetricsApi::bind(settings, client, &server).await.unwrap())
            }
            None => None,
        };
        let address = server.address();
        let metrics_address = metrics_api.as_ref().map(MetricsApi::address);
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = stopped.map(drop).shared();
        let metrics_api = metrics_api.map(|api| api.serve(stopped.clone()));
        let serving = tokio::spawn(async {
            tokio::join!(server.serve(stopped), OptionFuture::from(metrics_api));
        });
        Self { address, metrics_api: metrics_address, stop, serving }
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
    }

    /// Asks, with no headers of its own.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.address, "GET", path, &[], Vec::new()).await
    }

    /// What a question that must succeed is answered with.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
        reply.json()
    }

    /// The values of one field, item by item.
    pub(crate) async fn column(&self, path: &str, field: &str) -> Vec<Value> {
        let list = self.json(path).await;
        list.as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    }

    /// What a refused question is answered with; its status must be this one.
    pub(crate) async fn problem(&self, status: u16, path: &str) -> Value {
        self.get(path).await.problem(status)
    }

    /// Pushes JSON.
    pub(crate) async fn push(&self, path: &str, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        send(self.address, "POST", path, &json, body.to_string().into()).await
    }

    /// Sends a tick as a collector does.
    pub(crate) async fn tick(&self, tick: &Tick) -> Value {
        let frame = [("content-type", kubemonitor_frame::CONTENT_TYPE)];
        let body = ticks::frame(tick);
        let reply = send(self.address, "POST", "/api/frames", &frame, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Asks until the answer is as wanted: names and sums follow what Kubernetes tells a moment
    /// later.
    pub(crate) async fn eventually(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut answer = Value::Null;
        for _ in 0..400 {
            answer = self.get(path).await.json();
            if wanted(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} stays {answer:#}");
    }
}
