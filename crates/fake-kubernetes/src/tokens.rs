//! Tokens of service accounts, and what a `TokenReview` says of them.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A token that kubelet would give a pod.
#[derive(Clone, Debug)]
pub struct PodToken {
    /// The namespace of account and pod.
    pub namespace: String,
    /// The service account.
    pub account: String,
    /// Whom it is meant for.
    pub audience: String,
    /// The pod's name and UID; `None` for a token that is bound to no pod.
    pub pod: Option<(String, String)>,
    /// The pod's node, as Kubernetes 1.30 and later name it.
    pub node: Option<String>,
    /// When it ends.
    pub expires: SystemTime,
}

impl PodToken {
    fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.account)
    }

    /// As Kubernetes writes it, but for the signature; `serial` tells apart what is equal otherwise.
    fn written(&self, serial: usize) -> String {
        let seconds = self.expires.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = json!({
            "aud": [self.audience], "exp": seconds, "iss": "https://kubernetes.default.svc",
            "jti": serial.to_string(), "sub": self.user(),
        });
        let encoded = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let header = encoded(&json!({"alg": "RS256", "kid": "fake"}));
        format!("{header}.{}.{}", encoded(&claims), URL_SAFE_NO_PAD.encode([0; 32]))
    }

    fn status(&self, audiences: &Value) -> Value {
        if self.expires <= SystemTime::now() {
            return refused("[invalid bearer token, service account token has expired]");
        }
        let wanted = audiences.as_array().into_iter().flatten();
        if !wanted.clone().any(|audience| *audience == self.audience) {
            return refused("[invalid bearer token, token audiences are invalid]");
        }
        let mut extra = json!({});
        let mut say = |key: &str, value: &str| {
            extra[format!("authentication.kubernetes.io/{key}")] = json!([value]);
        };
        if let Some((name, uid)) = &self.pod {
            say("pod-name", name);
            say("pod-uid", uid);
        }
        if let Some(node) = &self.node {
            say("node-name", node);
        }
        json!({
            "authenticated": true, "audiences": [self.audience],
            "user": {
                "username": self.user(), "uid": "5f1f0d3c-0000-4000-8000-000000000001",
                "groups": ["system:serviceaccounts", "system:authenticated"], "extra": extra,
            },
        })
    }
}

fn refused(why: &str) -> Value {
    json!({"authenticated": false, "error": why})
}

/// Tokens that were given out.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: HashMap<String, PodToken>,
    issued: usize,
}

impl Tokens {
    pub(crate) fn issue(&mut self, token: PodToken) -> String {
        self.issued += 1;
        let written = token.written(self.issued);
        self.known.insert(written.clone(), token);
        written
    }

    pub(crate) fn revoke(&mut self, written: &str) {
        self.known.remove(written);
    }

    /// The status of a review; `None` for what was never given out.
    pub(crate) fn review(&self, spec: &Value) -> Option<Value> {
        Some(self.known.get(spec["token"].as_str()?)?.status(&spec["audiences"]))
    }
}
