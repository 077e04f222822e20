//! Where frames go.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, Instant},
};

use hyper::{Uri, header::HeaderValue};
use tokio::{net::TcpStream, time::timeout};

/// How long one attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// What a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Frames, as collectors send them.
    Frames,
    /// Prometheus' remote write, version 1.
    RemoteWrite,
}

/// A server that takes samples over plain HTTP.
#[derive(Clone, Debug)]
pub struct Server {
    /// Host and port, to connect to.
    pub(super) address: String,
    /// The path that takes them.
    pub(super) path: String,
    /// What it takes there.
    pub(super) protocol: Protocol,
    pub(super) token: Option<HeaderValue>,
}

/// Why frames cannot go there.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Not an address of a server.
    #[error("`{0}` is no server's address: give a URL like `http://localhost:8080`")]
    Malformed(String),
    /// Encrypted.
    #[error(
        "`{0}` is encrypted, and load is sent over plain HTTP only: give the address behind what \
         ends TLS"
    )]
    Encrypted(String),
    /// The token cannot be had.
    #[error("--token-file {path}: {source}; put the token in it, in one line")]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The token cannot be sent.
    #[error("--token-file {0} must hold one line of visible ASCII")]
    NoToken(PathBuf),
    /// Nobody listens.
    #[error("nothing answers at {address} ({source}); start kubemonitor-api, or give its --server")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system says.
        source: io::Error,
    },
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ServerError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(ServerError::Encrypted(text.to_owned())),
            _ => return Err(malformed()),
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(malformed)?;
        let port = uri.port_u16().unwrap_or(80);
        let path = format!("{}/api/frames", uri.path().trim_end_matches('/'));
        let address = format!("{host}:{port}");
        Ok(Self { address, path, protocol: Protocol::Frames, token: None })
    }
}

impl Server {
    /// The server that takes remote write at exactly this URL.
    pub fn of_remote_write(url: &str) -> Result<Self, ServerError> {
        let server: Self = url.parse()?;
        let uri: Uri = url.parse().map_err(|_| ServerError::Malformed(url.to_owned()))?;
        Ok(Self { path: uri.path().to_owned(), protocol: Protocol::RemoteWrite, ..server })
    }

    /// Sends the token in a file along.
    pub fn with_token_file(self, path: &Path) -> Result<Self, ServerError> {
        let token = fs::read_to_string(path)
            .map_err(|source| ServerError::TokenFile { path: path.to_owned(), source })?;
        let token = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        match token {
            Ok(mut token) => {
                token.set_sensitive(true);
                Ok(Self { token: Some(token), ..self })
            }
            Err(_) => Err(ServerError::NoToken(path.to_owned())),
        }
    }

    /// Waits until somebody listens there, but not for ever. `waiting` is told at once why it waits.
    pub async fn wait(
        &self,
        patience: Duration,
        waiting: impl FnOnce(&ServerError),
    ) -> Result<(), ServerError> {
        const AGAIN: Duration = Duration::from_millis(100);
        let begun = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            // Packets may be dropped on the way: then the system would try for two minutes.
            let left = patience.saturating_sub(begun.elapsed()).max(AGAIN);
            let source = match timeout(left.min(ATTEMPT), TcpStream::connect(&self.address)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(source)) => source,
                Err(_) => io::Error::new(io::ErrorKind::TimedOut, "no answer to a connection"),
            };
            let unreachable = ServerError::Unreachable { address: self.address.clone(), source };
            if begun.elapsed() >= patience {
                return Err(unreachable);
            }
            if let Some(waiting) = waiting.take() {
                waiting(&unreachable);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_below_the_servers_address() {
        for (address, url) in [
            ("http://localhost:8080", "http://localhost:8080/api/frames"),
            ("http://monitor-api/", "http://monitor-api:80/api/frames"),
            ("http://[::1]:81/kubemonitor/", "http://[::1]:81/kubemonitor/api/frames"),
        ] {
            assert_eq!(address.parse::<Server>().unwrap().to_string(), url);
        }
    }

    #[test]
    fn what_is_no_plain_http_address_is_refused_with_the_remedy() {
        for text in ["", "localhost:8080", "ftp://host", "http://", "/api"] {
            let refusal = text.parse::<Server>().unwrap_err();
            assert!(matches!(refusal, ServerError::Malformed(_)), "{text}");
        }
        let refusal = "https://example.com".parse::<Server>().unwrap_err();
        assert!(matches!(refusal, ServerError::Encrypted(_)));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_waited_for_and_then_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server: Server = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        server.wait(Duration::ZERO, |error| panic!("{error}")).await.unwrap();
        drop(listener);
        let mut told = String::new();
        let waiting = |error: &ServerError| told = error.to_string();
        let refusal = server.wait(Duration::from_millis(150), waiting).await.unwrap_err();
        assert!(refusal.to_string().contains(&server.address), "{refusal}");
        assert!(told.contains(&server.address), "{told}");
    }
}
