//! What a connection's HTTP is read from and written to: tells the table what goes over the wire, and
//! answers in the API's own words what hyper refuses without asking the service.

use std::{
    fmt::Write as _,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use futures::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{connection::Connection, listener::Refuse, terms::HEAD_BYTES};
use crate::errors::ApiError;

/// What is thrown away at most of what a client sends after it was refused.
const THROWN_AWAY_BYTES: usize = 1 << 20;

/// A stream that is watched.
pub(super) struct Watched<S> {
    stream: S,
    connection: Arc<Connection>,
    refuse: Refuse,
    /// What is sent instead of hyper's own refusal.
    refusal: Option<Bytes>,
    ending: Ending,
}

/// How far the end has come.
#[derive(Clone, Copy)]
enum Ending {
    NotYet,
    /// Nothing is written any more; so many bytes were thrown away.
    Waiting(usize),
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>, refuse: Refuse) -> Self {
        Self { stream, connection, refuse, refusal: None, ending: Ending::NotYet }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.connection.read(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.connection.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.connection.stalled(),
        }
        written
    }

    /// Writes the refusal that stands for what hyper has written; `None` where hyper writes the
    /// service's answer.
    fn poll_refusal(
        &mut self,
        cx: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<Option<io::Result<usize>>> {
        if self.refusal.is_none() && self.connection.expects_head() {
            self.refusal = in_own_words(written, self.refuse);
            if self.refusal.is_some() {
                self.connection.refused();
            }
        }
        let Some(refusal) = &mut self.refusal else { return Poll::Ready(None) };
        while refusal.has_remaining() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, refusal)) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into()))),
                Ok(bytes) => refusal.advance(bytes),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(Some(Ok(written.len())))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(outcome) = ready!(self.poll_refusal(cx, buf)) {
            return Poll::Ready(outcome);
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A refusal is all in one piece.
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        if let Some(outcome) = ready!(self.poll_refusal(cx, first)) {
            return Poll::Ready(outcome);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes only when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        match &flushed {
            Poll::Ready(Ok(())) => self.connection.flushed(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.connection.stalled(),
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Ending::NotYet = self.ending {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.ending = Ending::Waiting(0);
            if !self.connection.leaves() {
                return Poll::Ready(Ok(()));
            }
        }
        // Closing with something unread would reset the connection, and the client might lose what
        // it was answered. How the other side ends is of no interest.
        let mut scratch = [0; 4096];
        while let Ending::Waiting(thrown_away) = self.ending
            && thrown_away < THROWN_AWAY_BYTES
        {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                break;
            }
            self.ending = Ending::Waiting(thrown_away + buf.filled().len());
        }
        Poll::Ready(Ok(()))
    }
}

/// What is said instead of hyper's answer to a head that cannot be read, which has no body.
fn in_own_words(answer: &[u8], refuse: Refuse) -> Option<Bytes> {
    let lines = std::str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
    let status = lines.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let response = refuse(match StatusCode::from_u16(status).ok()? {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => {
            ApiError::LongHead { limit: HEAD_BYTES }
        }
        status if status.is_client_error() => ApiError::Unreadable,
        _ => return None,
    });
    let (head, body) = written(response)?;
    let kept = lines.split("\r\n").filter(|line| !line.starts_with("content-length:"));
    let mut whole = kept.collect::<Vec<_>>().join("\r\n");
    whole.push_str(&head);
    let mut whole = whole.into_bytes();
    whole.extend_from_slice(&body);
    Some(whole.into())
}

/// The headers of a small response as they go over the wire after those hyper has, and its body.
fn written(response: Response) -> Option<(String, Bytes)> {
    let (parts, body) = response.into_parts();
    let body = body.collect().now_or_never()?.ok()?.to_bytes();
    let mut head = format!("\r\n{}: nosniff", header::X_CONTENT_TYPE_OPTIONS);
    for (name, value) in &parts.headers {
        if name != header::CONTENT_LENGTH {
            write!(head, "\r\n{name}: {}", value.to_str().ok()?).ok()?;
        }
    }
    write!(head, "\r\ncontent-length: {}\r\n\r\n", body.len()).ok()?;
    Some((head, body))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn a_refusal_keeps_its_status_and_says_why() {
        let answer = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                      content-length: 0\r\ndate: Sat, 31 Jan 2026 12:00:05 GMT\r\n\r\n";
        let refusal = in_own_words(answer.as_bytes(), IntoResponse::into_response).unwrap();
        let refusal = String::from_utf8(refusal.to_vec()).unwrap();
        let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
        assert!(head.contains("\r\nx-content-type-options: nosniff\r\n"), "{head}");
        assert!(head.contains("date: ") && head.contains("application/problem+json"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        assert!(body.contains("16 KiB"), "{body}");
    }

    #[test]
    fn what_is_no_refusal_stays_as_it_is() {
        for answer in
            ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nbody", "", "\r\n\r\n"]
        {
            assert!(in_own_words(answer.as_bytes(), IntoResponse::into_response).is_none());
        }
    }
}
