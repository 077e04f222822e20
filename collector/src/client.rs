//! One request: a frame goes out, an answer comes back.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kubemonitor_model::told;
use tokio::time::timeout;

use crate::{Settings, outbox::Frame, token::Token, trust};

const USER_AGENT_VALUE: HeaderValue =
    HeaderValue::from_static(concat!("kubemonitor-collector/", env!("CARGO_PKG_VERSION")));

/// Long enough for a server under load, short enough to be tried again within a tick or two: the server
/// has writes wait for 5 s before it turns them away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// What of an answer's text is read. The connection is used again only if that is all of it.
const LONGEST_ANSWER: usize = 64 << 10;

/// The longest part of an answer that is worth a line in the log, in characters.
const LONGEST_DETAIL: usize = 300;

/// A server that asks for a longer wait is asked again after this long: what it says of itself while it
/// is down may come from something before it, which knows no better.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Frames are not held back for longer, whatever a server asks for.
const LONGEST_SPREAD: Duration = Duration::from_secs(5);

/// Why no frame can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file cannot be read.
    #[error("cannot read {path}, given by {option}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The option that names it.
        option: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// What is in the token file is no token.
    #[error("{0}, given by `--token-file` (API_TOKEN_FILE), must hold one line of visible ASCII")]
    NoToken(PathBuf),
    /// What is in the CA file are no certificates.
    #[error("{path}, given by `--ca-file` (API_CA_FILE), holds no usable PEM certificate{detail}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, if more is known.
        detail: String,
    },
    /// The system knows no certificates.
    #[error("found none of the system's certificates; name a file with `--ca-file`: {0}")]
    NoSystemCertificates(io::Error),
    /// rustls does not want to.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Reads a file that an option names.
pub(crate) fn read_named(path: &Path, option: &'static str) -> Result<Vec<u8>, ClientError> {
    fs::read(path).map_err(|source| ClientError::Unreadable {
        path: path.to_owned(),
        option,
        source,
    })
}

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The server has it, and would like all senders' next ones over this time after a tick.
    Taken {
        /// From the tick on.
        spread: Duration,
    },
    /// The server will never take it.
    Refused(String),
    /// The server cannot take a frame of this time yet: a clock is wrong. Others it may take.
    WrongTime(String),
    /// The server takes none now.
    Later {
        /// What stands in the way.
        obstacle: Obstacle,
        /// For the log.
        why: String,
        /// The server's `Retry-After`.
        after: Option<Duration>,
    },
}

/// Why a server takes no frames at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// It is not there, has not answered, or has too much to do: that ends by itself.
    Away,
    /// It does not believe us to be who we say: somebody has to give us another token.
    Token,
    /// Somebody else sends for this node.
    OtherSender,
    /// It answers something that no kubemonitor does: the address is wrong, or what is before it.
    Stranger,
}

/// Sends frames to one server, over one connection as long as that lasts.
pub(crate) struct Client {
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: hyper::Uri,
    token: Option<Token>,
    answer_timeout: Duration,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ClientError> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust::tls(settings)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self {
            http: HttpClient::builder(TokioExecutor::new())
                .pool_max_idle_per_host(1)
                .pool_timer(TokioTimer::new())
                .build(connector),
            url: settings.server.frames().clone(),
            token: settings.token_file.as_deref().map(Token::open).transpose()?,
            answer_timeout: ANSWER_TIMEOUT,
        })
    }

    /// Sends a frame and waits for the answer, but not for ever.
    pub(crate) async fn post(&mut self, frame: &Frame) -> Answer {
        let answer = self.attempt(frame).await;
        let is_stale = matches!(answer, Answer::Later { obstacle: Obstacle::Token, .. });
        // It may have been replaced since it was read.
        if is_stale && self.token.as_mut().is_some_and(Token::read_again) {
            return self.attempt(frame).await;
        }
        answer
    }

    async fn attempt(&mut self, frame: &Frame) -> Answer {
        match timeout(self.answer_timeout, self.exchange(frame)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => later(told(error.as_ref())),
            Err(_) => later(format!("no answer within {:?}", self.answer_timeout)),
        }
    }

    async fn exchange(&mut self, frame: &Frame) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let mut request = Request::post(&self.url)
            .header(CONTENT_TYPE, kubemonitor_frame::CONTENT_TYPE)
            .header(USER_AGENT, USER_AGENT_VALUE);
        if let Some(token) = &mut self.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let response = self.http.request(request.body(Full::new(frame.bytes.clone()))?).await?;
        Ok(Self::answer(response).await)
    }

    async fn answer(response: Response<Incoming>) -> Answer {
        let status = response.status();
        let (after, spread) = (retry_after(&response), spread(&response));
        // Read in any case: a connection with an answer left in it cannot be used again.
        let text = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        if status.is_success() {
            return Answer::Taken { spread };
        }
        let text = text.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let why = format!("{status} {}", one_line(&text)).trim_end().to_owned();
        match status {
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE => Answer::Refused(why),
            StatusCode::TOO_EARLY => Answer::WrongTime(why),
            status => Answer::Later { obstacle: obstacle(status), why, after },
        }
    }
}

fn obstacle(status: StatusCode) -> Obstacle {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Obstacle::Token,
        StatusCode::CONFLICT => Obstacle::OtherSender,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Obstacle::Away,
        status if status.is_server_error() => Obstacle::Away,
        _ => Obstacle::Stranger,
    }
}

fn later(why: String) -> Answer {
    Answer::Later { obstacle: Obstacle::Away, why, after: None }
}

fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

fn spread(response: &Response<Incoming>) -> Duration {
    let header = response.headers().get(kubemonitor_frame::SPREAD_HEADER);
    let millis = header.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    Duration::from_millis(millis).min(LONGEST_SPREAD)
}

/// The beginning of a text, such that it cannot break the log's lines.
fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(LONGEST_DETAIL).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kubemonitor_model::{Tick, UnixMillis};
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use tempfile::NamedTempFile;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::test_server::{Reply, Server};

    const TAKEN: Answer = Answer::Taken { spread: Duration::ZERO };

    fn frame() -> Frame {
        let tick = Tick {
            node: "n".parse().expect("a name"),
            instance: 1,
            sequence: 1,
            at: UnixMillis(1000),
            read_delay_us: 0,
            interval_ms: 1000,
            rows: Vec::new(),
        };
        let mut bytes = Vec::new();
        kubemonitor_frame::encode(&tick, &mut bytes);
        Frame { sequence: 1, bytes: bytes.into() }
    }

    fn file(text: &str) -> NamedTempFile {
        let file = NamedTempFile::new().expect("a file");
        fs::write(file.path(), text).expect("written");
        file
    }

    fn why(answer: Answer) -> String {
        match answer {
            Answer::Later { why, .. } => why,
            other => panic!("not later, but {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_status_decides_what_becomes_of_a_frame() {
        let statuses = [200, 204, 400, 413, 415, 425, 401, 403, 409, 404, 408, 429, 500, 503];
        let server = Server::start(statuses.map(Reply::Status)).await;
        let mut client = Client::new(&Settings::for_tests(&server.url())).expect("a client");
        for status in statuses {
            let answer = client.post(&frame()).await;
            let as_expected = match status {
                200 | 204 => answer == TAKEN,
                400 | 413 | 415 => matches!(answer, Answer::Refused(_)),
                425 => matches!(answer, Answer::WrongTime(_)),
                _ => {
                    let expected = match status {
                        401 | 403 => Obstacle::Token,
                        409 => Obstacle::OtherSender,
                        404 => Obstacle::Stranger,
                        _ => Obstacle::Away,
                    };
                    matches!(&answer, Answer::Later { obstacle, after: None, .. } if *obstacle == expected)
                }
            };
            assert!(as_expected, "{status}: {answer:?}");
        }
        assert_eq!(server.connections(), 1, "the connection is kept");
    }

    #[tokio::test]
    async fn the_servers_reason_is_kept_in_one_line() {
        let server = Server::start([Reply::Status(400)]).await;
        let mut client = Client::new(&Settings::for_tests(&server.url())).expect("a client");
        let reason = "400 Bad Request {\"detail\": \"a reason\"}".to_owned();
        assert_eq!(client.post(&frame()).await, Answer::Refused(reason));
    }

    #[tokio::test]
    async fn retry_after_is_taken_and_bounded() {
        let server =
            Server::start([Reply::RetryAfter(429, 7), Reply::RetryAfter(503, 1 << 40)]).await;
        let mut client = Client::new(&Settings::for_tests(&server.url())).expect("a client");
        for seconds in [7, 30] {
            match client.post(&frame()).await {
                Answer::Later { after, .. } => {
                    assert_eq!(after, Some(Duration::from_secs(seconds)));
                }
                other => panic!("not later, but {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let server = Server::start([Reply::Silence]).await;
        let mut client = Client::new(&Settings::for_tests(&server.url())).expect("a client");
        client.answer_timeout = Duration::from_millis(100);
        assert_eq!(why(client.post(&frame()).await), "no answer within 100ms");
        assert_eq!(client.post(&frame()).await, TAKEN);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_with_the_cause() {
        let server = Server::start([]).await;
        let url = server.url();
        server.stop().await;
        let mut client = Client::new(&Settings::for_tests(&url)).expect("a client");
        let why = why(client.post(&frame()).await);
        assert!(why.contains("Connection refused"), "{why}");
    }

    #[tokio::test]
    async fn a_token_that_was_replaced_is_taken_up() {
        let server = Server::start(["one", "two", "two", "three"].map(Reply::Token)).await;
        let token = file("one\n");
        let settings = Settings {
            token_file: Some(token.path().to_owned()),
            ..Settings::for_tests(&server.url())
        };
        let mut client = Client::new(&settings).expect("a client");
        assert_eq!(client.post(&frame()).await, TAKEN);
        fs::write(token.path(), "two").expect("written");
        assert_eq!(client.post(&frame()).await, TAKEN, "at once");
        assert_eq!(server.received().len(), 3);
        assert!(why(client.post(&frame()).await).starts_with("401 Unauthorized"));
        assert_eq!(server.received().len(), 4, "the same token is not shown twice");
    }

    #[tokio::test]
    async fn an_https_server_is_trusted_if_the_given_certificates_vouch_for_it() {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a configuration");
        let server = Server::start_tls(TlsAcceptor::from(Arc::new(config))).await;
        let url = format!("https://localhost:{}", server.address.port());

        let ca = file(&cert.pem());
        let trusting =
            Settings { ca_file: Some(ca.path().to_owned()), ..Settings::for_tests(&url) };
        let mut client = Client::new(&trusting).expect("a client");
        assert_eq!(client.post(&frame()).await, TAKEN);

        let other = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let other = file(&other.cert.pem());
        let distrusting =
            Settings { ca_file: Some(other.path().to_owned()), ..Settings::for_tests(&url) };
        let mut client = Client::new(&distrusting).expect("a client");
        let why = why(client.post(&frame()).await);
        assert!(why.contains("certificate"), "{why}");
        assert_eq!(server.received().len(), 1);
    }
}
