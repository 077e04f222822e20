//! The bearer token that this collector shows: a file that somebody may replace while it runs, as
//! kubelet does with the tokens of service accounts.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::header::HeaderValue;
use tokio::time::Instant;

use crate::{ClientError, client::read_named};

/// How often the file is read. Kubelet replaces tokens when a fifth of their life is left, two minutes
/// at the least.
const READ_EVERY: Duration = Duration::from_secs(60);

/// A bearer token in a file.
pub(crate) struct Token {
    path: PathBuf,
    header: HeaderValue,
    read_at: Instant,
}

impl Token {
    /// Reads it for the first time: where there is none, somebody mistyped.
    pub(crate) fn open(path: &Path) -> Result<Self, ClientError> {
        let (path, header) = (path.to_owned(), header_from(path)?);
        Ok(Self { path, header, read_at: Instant::now() })
    }

    /// The value of the header `Authorization`, from a file that was read lately.
    pub(crate) fn header(&mut self) -> HeaderValue {
        if self.read_at.elapsed() >= READ_EVERY {
            self.read_again();
        }
        self.header.clone()
    }

    /// Takes what is in the file now; keeps what it has where there is nothing usable. Says whether the
    /// token is another one.
    pub(crate) fn read_again(&mut self) -> bool {
        self.read_at = Instant::now();
        match header_from(&self.path) {
            Ok(header) if header != self.header => {
                self.header = header;
                true
            }
            _ => false,
        }
    }
}

fn header_from(path: &Path) -> Result<HeaderValue, ClientError> {
    let token = read_named(path, "`--token-file` (API_TOKEN_FILE)")?;
    let token = token.trim_ascii();
    let refusal = || ClientError::NoToken(path.to_owned());
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(refusal());
    }
    let mut header =
        HeaderValue::from_bytes(&[b"Bearer ", token].concat()).map_err(|_| refusal())?;
    // Whoever prints requests does not print it.
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// Puts a token where kubelet does: in a folder of its own, to which a link is turned in one go.
    fn project(folder: &Path, version: &str, token: &str) {
        fs::create_dir(folder.join(version)).expect("a folder");
        fs::write(folder.join(version).join("token"), token).expect("written");
        symlink(version, folder.join("..data_tmp")).expect("a link");
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("turned");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_kubelet_replaced_is_taken_up_within_a_minute() {
        let folder = tempfile::tempdir().expect("a folder");
        project(folder.path(), "..1", "one");
        symlink("..data/token", folder.path().join("token")).expect("a link");
        let mut token = Token::open(&folder.path().join("token")).expect("a token");
        project(folder.path(), "..2", "two\n");
        assert_eq!(token.header(), "Bearer one");
        tokio::time::advance(READ_EVERY).await;
        assert_eq!(token.header(), "Bearer two");
    }

    #[tokio::test]
    async fn a_token_that_is_gone_or_empty_leaves_the_one_there_was() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), "one").expect("written");
        let mut token = Token::open(file.path()).expect("a token");
        for unusable in ["", "two words", "caf\u{e9}"] {
            fs::write(file.path(), unusable).expect("written");
            assert!(!token.read_again());
            assert_eq!(token.header(), "Bearer one");
        }
        fs::remove_file(file.path()).expect("removed");
        assert!(!token.read_again());
        assert_eq!(token.header(), "Bearer one");
    }

    #[tokio::test]
    async fn it_is_never_printed() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), "secret").expect("written");
        let header = Token::open(file.path()).expect("a token").header();
        assert!(!format!("{header:?}").contains("secret"));
    }
}
