//! Listening, and keeping up with whom to believe.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Extension;
use hyper_util::server::graceful::GracefulShutdown;
use kube::Client;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    answer::{Answerer, router},
    authentication::Shown,
    status::Refusal,
    tls::{CertificateError, Presented, acceptor},
    trust::TrustError,
};
use crate::{
    server::{ListenError, Server, accept, connection, end, http, layered, listen, peer},
    settings::MetricsApiSettings,
};

/// Connections at a time. Nearly all questions come over the few that Kubernetes' own API server keeps.
const CONNECTIONS: usize = 1000;
/// How long a handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// A header each: the groups of a user may be hundreds.
const HEADERS: usize = 1000;
/// How soon to look again for whom to believe, after it was found out.
const REFRESH: Duration = Duration::from_secs(60);
/// The same after it was not, the first time and at most.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Why metrics.k8s.io cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum MetricsApiError {
    /// Nobody could connect.
    #[error("--metrics-api-listen: {0}")]
    Listen(#[from] ListenError),
    /// There would be no TLS.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// metrics.k8s.io, listening and not served yet.
pub struct MetricsApi {
    listener: TcpListener,
    address: SocketAddr,
    presented: Arc<Presented>,
    answerer: Arc<Answerer>,
}

impl MetricsApi {
    /// Begins to listen. It answers from what `server` has, to whom the cluster says.
    pub async fn bind(
        settings: MetricsApiSettings,
        client: Client,
        server: &Server,
    ) -> Result<Self, MetricsApiError> {
        let presented = Arc::new(Presented::new(settings.certificate)?);
        let (listener, address) = listen(settings.listen).await?;
        let answerer = Arc::new(Answerer::new(Arc::clone(server.monitor()), client));
        Ok(Self { listener, address, presented, answerer })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then ends what is in flight.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let service = layered(router(Arc::clone(&self.answerer)), || Refusal::Internal);
        let acceptor = acceptor(Arc::clone(&self.presented));
        let open = GracefulShutdown::new();
        let mut http = http();
        http.max_headers(HEADERS);
        let serve = |stream: TcpStream| {
            let peer = peer(&stream);
            let handshake = timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream));
            let (http, service, watcher) = (http.clone(), service.clone(), open.watcher());
            async move {
                // That somebody speaks no TLS, or does not trust us, is their own business.
                let Ok(Ok(stream)) = handshake.await else { return };
                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let shown = certificates.iter().map(|shown| shown.clone().into_owned()).collect();
                let service = service.layer(Extension(Shown(shown)));
                drop(watcher.watch(connection(&http, stream, service, peer)).await);
            }
        };
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept(self.listener, CONNECTIONS, &mut connections, serve) => {}
            () = keep_up(&self.answerer, &self.presented) => {}
            () = stop => {}
        }
        end(open, connections).await;
    }
}

/// Learns again and again whom to believe and what to show, for ever.
async fn keep_up(answerer: &Answerer, presented: &Presented) {
    let (mut trust, mut certificate) = (LastSaid::default(), LastSaid::default());
    let mut retry = RETRY[0];
    loop {
        let refreshed = answerer.authenticator.refresh().await;
        let pause = if refreshed.is_ok() { REFRESH } else { retry };
        retry = if refreshed.is_ok() { RETRY[0] } else { RETRY[1].min(retry * 2) };
        trust.say(match refreshed {
            Ok(()) => News::Expected("served to those whom the cluster knows".to_owned()),
            Err(error @ TrustError::NotAllowed(_)) => News::Expected(error.to_string()),
            Err(error) => News::Bad(error.to_string()),
        });
        if let Err(error) = presented.refresh() {
            certificate.say(News::Bad(format!("the certificate stays as it was: {error}")));
        }
        sleep(pause).await;
    }
}

/// What is worth a line.
#[derive(PartialEq, Eq)]
enum News {
    Expected(String),
    Bad(String),
}

/// What was said last: nothing is said twice in a row.
#[derive(Default)]
struct LastSaid(Option<News>);

impl LastSaid {
    fn say(&mut self, news: News) {
        if self.0.as_ref() == Some(&news) {
            return;
        }
        match &news {
            News::Expected(what) => tracing::info!("metrics.k8s.io: {what}"),
            News::Bad(what) => tracing::warn!("metrics.k8s.io: {what}"),
        }
        self.0 = Some(news);
    }
}
