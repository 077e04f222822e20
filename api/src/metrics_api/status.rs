//! Why a question was not answered, as Kubernetes says it: a `metav1.Status`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::GROUP;
use crate::errors::ApiError;

/// How long who was turned away waits before asking again, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody known asks.
    #[error(
        "this API has to be asked through Kubernetes' own, or with a client certificate or a bearer \
         token that Kubernetes knows"
    )]
    Unauthenticated,
    /// Somebody known, who may not.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such object, or it has no figures yet.
    #[error("{kind}.{GROUP} \"{name}\" not found")]
    NotFound {
        /// `nodemetrics` or `podmetrics`.
        kind: &'static str,
        /// Its name, of a pod after its namespace and a slash.
        name: String,
    },
    /// No such path.
    #[error("the server could not find the requested resource")]
    UnknownPath,
    /// A parameter that cannot be read.
    #[error("{0}")]
    BadRequest(String),
    /// Anything but a read.
    #[error("the resource metrics API can only be read, with get and list")]
    MethodNotAllowed,
    /// An answer in a form there is none in.
    #[error("only these media types can be had: application/json, also as=Table of meta.k8s.io/v1")]
    NotAcceptable,
    /// Too much is under way.
    #[error("{0}; ask again later")]
    Busy(String),
    /// An answer now would leave out what is not known yet.
    #[error("not ready: {0}")]
    NotReady(String),
    /// The Kubernetes API cannot say who asks, or what they may.
    #[error("the Kubernetes API cannot be asked {question}: {reason}")]
    NoVerdict {
        /// What was to be asked.
        question: &'static str,
        /// Why that did not work.
        reason: String,
    },
    /// A request that cannot be read, or that was not meant for this server.
    #[error("{message}")]
    Malformed {
        /// What is wrong.
        message: String,
        /// What it is called.
        status: StatusCode,
    },
    /// The server failed.
    #[error("the server failed on this request; its log says where")]
    Internal,
}

impl Refusal {
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::NotFound { .. } | Self::UnknownPath => (StatusCode::NOT_FOUND, "NotFound"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "NotAcceptable"),
            Self::Busy(_) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Self::NotReady(_) | Self::NoVerdict { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
            }
            Self::Malformed { status, .. } => (*status, "BadRequest"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        }
    }

    fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::NotFound { kind, name } => json!({"name": name, "group": GROUP, "kind": kind}),
            Self::Busy(_) => json!({"retryAfterSeconds": RETRY_AFTER_SECONDS}),
            _ => json!({}),
        };
        let Value::Object(details) = details else { return Map::new() };
        details
    }
}

/// The budgets of the other API hold for this one too.
impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Busy(why) => Self::Busy(why),
            ApiError::Internal => Self::Internal,
            other => Self::Malformed { message: other.to_string(), status: other.status() },
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, reason) = self.kind();
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.to_string(), "reason": reason, "details": self.details(),
            "code": code.as_u16(),
        });
        let mut response = (code, axum::Json(status)).into_response();
        let extra = match code {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer".to_owned())),
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "GET, HEAD".to_owned())),
            StatusCode::TOO_MANY_REQUESTS => {
                Some((header::RETRY_AFTER, RETRY_AFTER_SECONDS.to_string()))
            }
            _ => None,
        };
        let extra =
            extra.and_then(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
        response.headers_mut().extend(extra);
        response
    }
}
