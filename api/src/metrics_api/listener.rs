//! Listening, and keeping up with whom to believe.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Extension, response::IntoResponse};
use kube::Client;
use tokio::time::sleep;

use super::{
    answer::{Answerer, router},
    authentication::Shown,
    status::Refusal,
    tls::{CertificateError, Presented, acceptor},
    trust::TrustError,
};
use crate::{
    connections::{Greeted, ListenError, Listener, Socket, Speech, Terms},
    hosts::AllowedHosts,
    server::{Server, layered},
    settings::MetricsApiSettings,
};

/// How soon to look again for whom to believe, after it was found out.
const REFRESH: Duration = Duration::from_secs(60);
/// How long to wait before asking again after a failure, the first time and at most.
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
    listener: Listener,
    presented: Arc<Presented>,
    answerer: Arc<Answerer>,
}

impl MetricsApi {
    /// Begins to listen. It answers from what `server` has, to whom the cluster says.
    #[expect(clippy::unused_async, reason = "listening needs a runtime, which this makes sure of")]
    pub async fn bind(
        settings: MetricsApiSettings,
        client: Client,
        server: &Server,
    ) -> Result<Self, MetricsApiError> {
        let presented = Arc::new(Presented::new(settings.certificate)?);
        let listener = Listener::bind(settings.listen, Terms::metrics_api())?;
        let answerer = Arc::new(Answerer::new(Arc::clone(server.monitor()), client));
        Ok(Self { listener, presented, answerer })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Serves until `stop`, then ends what is in flight.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        // Who asks has to show that it may, whatever it calls the server.
        let speech = Speech {
            name: "metrics.k8s.io",
            refuse: |error| Refusal::from(error).into_response(),
            hosts: AllowedHosts::Any,
        };
        let service = layered(router(Arc::clone(&self.answerer)), speech.refuse);
        let acceptor = acceptor(Arc::clone(&self.presented));
        let greet = |socket: Socket| {
            let (handshake, service) = (acceptor.accept(socket), service.clone());
            async move {
                // That somebody speaks no TLS, or does not trust us, is their own business.
                let stream = handshake.await.ok()?;
                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let shown = certificates.iter().map(|shown| shown.clone().into_owned()).collect();
                // TLS keeps them, and so does the service.
                let kept = 2 * certificates.iter().map(|shown| shown.len()).sum::<usize>();
                let service = service.layer(Extension(Shown(shown)));
                Some(Greeted { stream, service, kept })
            }
        };
        let stop = async {
            tokio::select! {
                () = keep_up(&self.answerer, &self.presented) => {}
                () = stop => {}
            }
        };
        self.listener.serve(speech, stop, greet).await;
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
