//! The service of one connection: what holds for every request, whatever it asks, and what the table
//! has to know of requests and answers.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, header},
};
use futures::future::BoxFuture;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tower::ServiceExt;

use super::{connection::Connection, listener::Speech};
use crate::peer::Peer;

/// What compressing an answer takes, as measured.
const PACKING_BYTES: usize = 320 << 10;

/// The addresses at both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// Who connected.
    pub(super) peer: Peer,
    /// What it connected to, if that can be known.
    pub(super) reached: Option<IpAddr>,
}

/// The service of one connection.
pub(super) struct Attended {
    pub(super) router: Router,
    pub(super) speech: Speech,
    pub(super) connection: Arc<Connection>,
    pub(super) ends: Ends,
}

impl hyper::service::Service<Request<Incoming>> for Attended {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let connection = Arc::clone(&self.connection);
        connection.asked(head_bytes(&request), !request.body().is_end_stream());
        let checked = self.speech.hosts.check(&request, self.ends.reached);
        let refused = checked.err().map(self.speech.refuse);
        let mut request = request
            .map(|body| Body::new(Question { body, connection: Arc::clone(&self.connection) }));
        request.extensions_mut().insert(self.ends.peer);
        let answering = match refused {
            Some(refusal) => Err(refusal),
            None => Ok(self.router.clone().oneshot(request)),
        };
        Box::pin(async move {
            let mut response = match answering {
                Ok(answering) => answering.await.unwrap_or_else(|never| match never {}),
                Err(refusal) => refusal,
            };
            let nosniff = HeaderValue::from_static("nosniff");
            response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
            let is_packed = response.headers().contains_key(header::CONTENT_ENCODING);
            connection.answered(if is_packed { PACKING_BYTES } else { 0 });
            Ok(response.map(|body| Answer { body, connection }))
        })
    }
}

/// About how long the head was.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let headers = request.headers().iter();
    let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let uri = request.uri();
    let uri = uri.path().len()
        + uri.query().map_or(0, |query| query.len() + 1)
        + uri.authority().map_or(0, |authority| authority.as_str().len() + "http://".len());
    request.method().as_str().len() + uri + " HTTP/1.1\r\n\r\n ".len() + headers
}

/// A request's body.
struct Question {
    body: Incoming,
    connection: Arc<Connection>,
}

impl HttpBody for Question {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.connection.received(frame.data_ref().map_or(0, Bytes::len));
                if self.body.is_end_stream() {
                    self.connection.received_all();
                }
            }
            Some(Err(_)) => {}
            None => self.connection.received_all(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body.
pub(super) struct Answer {
    body: Body,
    connection: Arc<Connection>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.connection.made(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.made_all();
    }
}
