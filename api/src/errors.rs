//! What can go wrong with a request, and how it is said: `application/problem+json` (RFC 9457).

use std::{borrow::Cow, sync::Arc};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kubemonitor_store::IngestError;
use serde::Serialize;
use utoipa::ToSchema;

/// The content type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How long a collector that was turned away waits before it sends again, in seconds.
const RETRY_AFTER: &str = "2";

/// Why a request was refused. Each variant is one kind of problem.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// A query parameter that does not exist, or whose value cannot be used.
    #[error("`{parameter}={value}` cannot be used: {remedy}")]
    Parameter {
        /// Its name.
        parameter: Cow<'static, str>,
        /// What was given.
        value: String,
        /// What can be given instead.
        remedy: Cow<'static, str>,
    },
    /// A part of the path that cannot be read as a name.
    #[error("the path cannot be read: {0}")]
    Path(String),
    /// A JSON body that cannot be used.
    #[error("the body cannot be used: {0}")]
    Body(String),
    /// A field of a JSON body whose value cannot be used.
    #[error("`{field}` is `{value}`: {remedy}")]
    Value {
        /// The field.
        field: &'static str,
        /// What was given, or the beginning of it.
        value: String,
        /// What can be given instead.
        remedy: String,
    },
    /// Another sample of that time is held.
    #[error(
        "there is another sample of `{name}` of that time, and later ones: the newest sample alone can be sent anew"
    )]
    Superseded {
        /// Of what.
        name: String,
    },
    /// The path names one thing and the body another.
    #[error("the path says {field} `{path}` and the body `{body}`: make both the same")]
    Disagreement {
        /// The field of the body.
        field: &'static str,
        /// What the path has.
        path: String,
        /// What the body has.
        body: String,
    },
    /// A frame that cannot be decoded.
    #[error("the frame cannot be read: {0}")]
    Frame(#[from] kubemonitor_frame::FrameError),
    /// A frame or sample that can never be taken in.
    #[error("{0}")]
    Refused(String),
    /// A frame whose time has not come yet.
    #[error("{0}")]
    FrameTime(String),
    /// Another collector sends for the frame's node.
    #[error("{0}")]
    NodeConflict(String),
    /// A write without a token.
    #[error("writing needs a token (`Authorization: Bearer …`): {0}")]
    NoToken(&'static str),
    /// A write with a token that Kubernetes does not confirm.
    #[error("the token is not valid: {0}")]
    InvalidToken(Arc<str>),
    /// A write with somebody else's token.
    #[error("the token opens nothing here: {0}")]
    WrongToken(String),
    /// A frame of a node that its sender is not on.
    #[error(
        "the frame is of node `{node}`, and the token of a pod on node `{own}`: a collector sends the \
         figures of its own node only"
    )]
    OtherNode {
        /// The frame's.
        node: String,
        /// The sender's.
        own: String,
    },
    /// A write with a token that nobody can check now.
    #[error("the Kubernetes API cannot be asked whose the token is: {0}; send again later")]
    Unverified(Arc<str>),
    /// Nothing of that name is known, or nothing of it is retained.
    #[error("no {kind} `{name}` is known here")]
    UnknownEntity {
        /// What was asked for: `node`, `pod`, ….
        kind: &'static str,
        /// The name it was asked for by.
        name: String,
    },
    /// No such path.
    #[error("there is no `{0}` here; /docs lists what there is")]
    UnknownPath(String),
    /// The path is there, but not with this method.
    #[error("`{path}` does not answer to {method}; the header `Allow` lists what it answers to")]
    Method {
        /// What was asked with.
        method: String,
        /// What was asked for.
        path: String,
    },
    /// A pod's name that several namespaces have.
    #[error("several namespaces have a pod `{name}`: choose one with `?namespace=`")]
    AmbiguousPod {
        /// The pod's name.
        name: String,
        /// The namespaces that have it.
        namespaces: Vec<String>,
    },
    /// A head that is no HTTP.
    #[error("the request cannot be read: it is no HTTP/1.1")]
    Unreadable,
    /// A head that is larger than any that is needed.
    #[error("the request's head is larger than {} KiB, or has too many headers", limit >> 10)]
    LongHead {
        /// In bytes.
        limit: usize,
    },
    /// The header `Host` is missing, doubled or none.
    #[error("{0}")]
    Host(&'static str),
    /// A name by which this server may not be asked.
    #[error(
        "this server does not answer as `{0}`: ask it by its own name or address, or start it with \
         `--allowed-hosts {0}`"
    )]
    ForeignHost(String),
    /// The body came too slowly.
    #[error("the body comes too slowly: send it within {0} s, and a second more for each 100 KiB")]
    Slow(u64),
    /// The body is larger than this path takes.
    #[error("the body is larger than {limit} bytes, the most this path takes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The body is of a type this path does not take.
    #[error("the body is `{given}`; this path takes {taken}")]
    WrongType {
        /// The header's value.
        given: String,
        /// What would have been right.
        taken: &'static str,
    },
    /// Ingest is over its limit.
    #[error("{0}; send again later")]
    Busy(String),
    /// The server cannot serve yet.
    #[error("not ready: {}", missing.join(", "))]
    NotReady {
        /// What it waits for.
        missing: Vec<String>,
    },
    /// A handler panicked.
    #[error("the server failed on this request; its log says where")]
    Internal,
}

impl ApiError {
    /// A parameter's value that cannot be used.
    pub(crate) fn parameter(
        parameter: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (parameter, value, remedy) = (parameter.into(), value.into(), remedy.into());
        Self::Parameter { parameter, value, remedy }
    }

    /// Nothing of that name.
    pub(crate) fn unknown(kind: &'static str, name: impl Into<String>) -> Self {
        Self::UnknownEntity { kind, name: name.into() }
    }

    /// The status, and the last part of the problem's type.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Parameter { .. } => (StatusCode::BAD_REQUEST, "bad-parameter"),
            Self::Path(_) => (StatusCode::BAD_REQUEST, "bad-path"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "bad-body"),
            Self::Value { .. } => (StatusCode::BAD_REQUEST, "bad-value"),
            Self::Superseded { .. } => (StatusCode::CONFLICT, "superseded-sample"),
            Self::Disagreement { .. } => (StatusCode::BAD_REQUEST, "path-and-body-disagree"),
            Self::Frame(_) => (StatusCode::BAD_REQUEST, "bad-frame"),
            Self::Refused(_) => (StatusCode::BAD_REQUEST, "refused-sample"),
            Self::NoToken(_) => (StatusCode::UNAUTHORIZED, "no-token"),
            Self::InvalidToken(_) => (StatusCode::UNAUTHORIZED, "invalid-token"),
            Self::WrongToken(_) => (StatusCode::FORBIDDEN, "wrong-token"),
            Self::OtherNode { .. } => (StatusCode::FORBIDDEN, "other-node"),
            Self::Unverified(_) => (StatusCode::SERVICE_UNAVAILABLE, "unverified-token"),
            Self::FrameTime(_) => (StatusCode::TOO_EARLY, "frame-time"),
            Self::NodeConflict(_) => (StatusCode::CONFLICT, "node-conflict"),
            Self::UnknownEntity { .. } => (StatusCode::NOT_FOUND, "unknown-entity"),
            Self::UnknownPath(_) => (StatusCode::NOT_FOUND, "unknown-path"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "unreadable-request"),
            Self::LongHead { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large")
            }
            Self::Host(_) => (StatusCode::BAD_REQUEST, "bad-host"),
            Self::ForeignHost(_) => (StatusCode::MISDIRECTED_REQUEST, "foreign-host"),
            Self::Slow(_) => (StatusCode::REQUEST_TIMEOUT, "slow-body"),
            Self::AmbiguousPod { .. } => (StatusCode::CONFLICT, "ambiguous-pod-name"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            Self::WrongType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong-content-type"),
            Self::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "over-the-limit"),
            Self::NotReady { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not-ready"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

/// A problem as RFC 9457 has it, with what was wrong as members of their own.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(example = json!(ApiError::parameter("window", "soon", "give whole seconds, 1 or more").to_problem()))]
pub(crate) struct Problem {
    /// What kind of problem it is: the same for every occurrence.
    #[serde(rename = "type")]
    kind: String,
    /// The kind, in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and the remedy.
    detail: String,
    /// The query parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// The field of the body at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// The value at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// What can be given instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// The namespaces that have a pod of the name asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespaces: Option<Vec<String>>,
    /// What the server waits for before it is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
}

impl ApiError {
    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// The problem as it is written.
    pub(crate) fn to_problem(&self) -> Problem {
        let (status, kind) = self.kind();
        let mut problem = Problem {
            kind: format!("urn:kubemonitor:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.to_string(),
            ..Problem::default()
        };
        match self {
            Self::Parameter { parameter, value, remedy } => {
                problem.parameter = Some(parameter.clone().into_owned());
                problem.value = Some(value.clone());
                problem.remedy = Some(remedy.clone().into_owned());
            }
            Self::Value { field, value, remedy } => {
                problem.field = Some(field);
                problem.value = Some(value.clone());
                problem.remedy = Some(remedy.clone());
            }
            Self::Disagreement { field, body, .. } => {
                problem.field = Some(field);
                problem.value = Some(body.clone());
            }
            Self::AmbiguousPod { namespaces, .. } => problem.namespaces = Some(namespaces.clone()),
            Self::NotReady { missing } => problem.missing = Some(missing.clone()),
            _ => {}
        }
        problem
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::TooManySeries { .. } | IngestError::NoMemory => {
                Self::Busy(error.to_string())
            }
            IngestError::TooEarly { .. } => Self::FrameTime(error.to_string()),
            IngestError::Conflict { .. } => Self::NodeConflict(error.to_string()),
            IngestError::TooLate { .. } | IngestError::TimeTaken { .. } => {
                Self::Refused(error.to_string())
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, _) = self.kind();
        let body = serde_json::to_vec(&self.to_problem()).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let extra = match status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_EARLY => Some((header::RETRY_AFTER, RETRY_AFTER)),
            _ => None,
        };
        if let Some((name, value)) = extra {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_parameter_names_itself_its_value_and_the_remedy() {
        let problem = ApiError::parameter("window", "soon", "give whole seconds").to_problem();
        let json = serde_json::to_value(problem).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:kubemonitor:problem:bad-parameter",
                "title": "Bad Request",
                "status": 400,
                "detail": "`window=soon` cannot be used: give whole seconds",
                "parameter": "window",
                "value": "soon",
                "remedy": "give whole seconds",
            })
        );
    }

    #[test]
    fn whoever_was_turned_away_is_told_when_to_return() {
        let response = ApiError::Busy("64 MiB of frames are in flight".into()).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], RETRY_AFTER);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    }
}
