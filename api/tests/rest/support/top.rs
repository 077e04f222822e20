//! metrics.k8s.io of a captured cluster, and those who may ask it.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Authority, Captured, Identity, Reply, exchange, settings};

/// The captured cluster, a server that it may ask, and those who sign certificates there.
pub(crate) struct Top {
    pub(crate) captured: Captured,
    /// Vouches for the server.
    pub(crate) own: Authority,
    /// Vouches for clients.
    pub(crate) clients: Authority,
    /// Vouches for Kubernetes' API server when it passes questions on.
    pub(crate) proxies: Authority,
    _certificate: TempDir,
}

impl Top {
    /// After `ticks` ticks of both nodes.
    pub(crate) async fn after(ticks: i64) -> Self {
        let top = Self::unknown_to_the_cluster().await;
        top.introduce();
        top.captured.ticks(ticks).await;
        top.until(200).await;
        top
    }

    /// One that may not read yet whom to believe.
    pub(crate) async fn unknown_to_the_cluster() -> Self {
        let [own, clients, proxies] = ["server", "clients", "proxies"].map(Authority::new);
        let (certificate, folder) = own.server();
        let mut settings = settings();
        settings.metrics_api = Some(kubemonitor_api::MetricsApiSettings {
            listen: ([127, 0, 0, 1], 0).into(),
            certificate,
        });
        let captured = Captured::with(&settings).await;
        Self { captured, own, clients, proxies, _certificate: folder }
    }

    /// Writes the config map that says whom to believe.
    pub(crate) fn introduce(&self) {
        self.captured.kubernetes.put(
            "configmaps",
            json!({
                "kind": "ConfigMap", "apiVersion": "v1",
                "metadata": {
                    "namespace": "kube-system", "name": "extension-apiserver-authentication",
                },
                "data": {
                    "client-ca-file": self.clients.pem(),
                    "requestheader-client-ca-file": self.proxies.pem(),
                    "requestheader-allowed-names": r#"["front-proxy-client"]"#,
                    "requestheader-username-headers": r#"["X-Remote-User"]"#,
                    "requestheader-group-headers": r#"["X-Remote-Group"]"#,
                    "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
                },
            }),
        );
    }

    /// Asks until the front proxy gets this status.
    pub(crate) async fn until(&self, status: u16) {
        let mut last = 0;
        for _ in 0..500 {
            last = self.get("/apis", &[]).await.status;
            if last == status {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the status stays {last}");
    }

    pub(crate) fn proxy(&self) -> Identity {
        self.proxies.client("front-proxy-client", None)
    }

    pub(crate) async fn ask(
        &self,
        identity: Option<&Identity>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Reply {
        let address = self.captured.server.metrics_api.unwrap();
        let stream = self.own.connect(address, identity).await;
        exchange(stream, method, path, headers, Vec::new()).await
    }

    /// Asks through the front proxy as somebody who may do everything.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let admin = [("x-remote-user", "admin"), ("x-remote-group", "system:masters")];
        self.ask(Some(&self.proxy()), "GET", path, &[&admin[..], headers].concat()).await
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let reply = self.get(path, &[]).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
        reply.json()
    }

    /// The names of a list's items.
    pub(crate) async fn names(&self, path: &str) -> Vec<String> {
        let list = self.json(path).await;
        let names = list["items"].as_array().unwrap().iter();
        names.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Lets everybody see everything if the specification is as expected.
    pub(crate) fn allow(&self, expected: Value) {
        self.captured.kubernetes.decide(move |_, spec| json!({"allowed": *spec == expected}));
    }
}
