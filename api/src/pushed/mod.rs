//! Samples that somebody else's collector pushes as JSON.

mod names;
mod values;

use std::time::Duration;

use kubemonitor_model::UnixMillis;
use serde::Deserialize;
use serde_json::Number;
use utoipa::ToSchema;

pub(crate) use self::names::{Named, agreed, name, required};
use self::names::{either, given};
use crate::{
    errors::ApiError,
    model::{Timestamp, timestamp},
    monitor::{millis, now},
};

/// How far ahead of the server's clock a sample may be. What is ahead is the newest until that time has come:
/// a clock that is off by more is to be set.
const EARLY_LIMIT_MS: i64 = 60_000;

/// A sample of a node, a pod, a namespace or a Deployment, as others' collectors write it. Only the
/// timestamp and the names of what it is about are required; unknown fields are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({
    "timestamp": "2026-01-31T12:00:05.123456", "node": "worker-1", "namespace": "shop",
    "pod": "cart-5f9c6d7b8-x2k4q", "deployment": "cart", "cpu_millicores": 12.5,
    "memory_bytes": 50_593_792, "disk_read_bytes": 73_728, "disk_write_bytes": 1_245_184,
    "network_rx_bytes": 913_408, "network_tx_bytes": 402_112
}))]
pub(crate) struct PushedSample {
    /// RFC 3339; UTC where it has no zone; any fraction of a second.
    timestamp: String,
    /// The node.
    node: Option<String>,
    /// Another name for `node`.
    node_name: Option<String>,
    /// The pod.
    pod: Option<String>,
    /// Another name for `pod`.
    pod_name: Option<String>,
    /// The namespace.
    namespace: Option<String>,
    /// The Deployment; null or empty for none.
    deployment: Option<String>,
    /// CPU in use, in thousandths of a CPU.
    #[schema(value_type = Option<f64>, minimum = 0)]
    cpu_millicores: Option<Number>,
    /// CPU in use, in percent of one CPU. Stands where `cpu_millicores` is not given.
    #[schema(value_type = Option<f64>, minimum = 0)]
    cpu_usage: Option<Number>,
    /// Another name for `cpu_usage`.
    #[schema(value_type = Option<f64>, minimum = 0)]
    cpu_usage_percent: Option<Number>,
    /// CPU time used, in nanoseconds, cumulative.
    #[schema(value_type = Option<u64>)]
    cgroup_cpu_ns: Option<Number>,
    /// Memory in use, in bytes.
    #[schema(value_type = Option<u64>)]
    memory_bytes: Option<Number>,
    /// Another name for `memory_bytes`.
    #[schema(value_type = Option<u64>)]
    memory_used_bytes: Option<Number>,
    /// Bytes read, cumulative.
    #[schema(value_type = Option<u64>)]
    disk_read_bytes: Option<Number>,
    /// Bytes written, cumulative.
    #[schema(value_type = Option<u64>)]
    disk_write_bytes: Option<Number>,
    /// Bytes received, cumulative.
    #[schema(value_type = Option<u64>)]
    network_rx_bytes: Option<Number>,
    /// Bytes sent, cumulative.
    #[schema(value_type = Option<u64>)]
    network_tx_bytes: Option<Number>,
    /// Memory of a node.
    #[schema(inline)]
    memory: Option<PushedMemory>,
    /// Bytes received and sent. Stands where the fields outside are not given.
    #[schema(inline)]
    network: Option<PushedNetwork>,
    /// Bytes read and written. Stands where the fields outside are not given.
    #[schema(inline)]
    disk: Option<PushedDisk>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "others chose the names")]
struct PushedMemory {
    /// Memory there is, in KiB.
    #[schema(value_type = Option<u64>)]
    total_kb: Option<Number>,
    /// Memory in use, in KiB.
    #[schema(value_type = Option<u64>)]
    used_kb: Option<Number>,
    /// Memory nobody uses, in KiB.
    #[schema(value_type = Option<u64>)]
    free_kb: Option<Number>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
struct PushedNetwork {
    /// Bytes received, cumulative.
    #[schema(value_type = Option<u64>)]
    rx_bytes: Option<Number>,
    /// Bytes sent, cumulative.
    #[schema(value_type = Option<u64>)]
    tx_bytes: Option<Number>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
struct PushedDisk {
    /// Bytes read, cumulative.
    #[schema(value_type = Option<u64>)]
    read_bytes: Option<Number>,
    /// Bytes written, cumulative.
    #[schema(value_type = Option<u64>)]
    write_bytes: Option<Number>,
}

impl PushedSample {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map_err(|error| ApiError::Body(error.to_string()))
    }

    /// When it was measured, which is no longer ago than samples are kept.
    pub(crate) fn at(&self, retention: Duration) -> Result<UnixMillis, ApiError> {
        let text = &self.timestamp;
        let refused = |remedy: String| {
            let value = names::shown(text);
            ApiError::Value { field: "timestamp", value, remedy }
        };
        let remedy = || "give it as `2026-01-31T12:00:05Z`".to_owned();
        let at = timestamp::parse(text).ok_or_else(|| refused(remedy()))?;
        let now = now();
        if at.since(now) > EARLY_LIMIT_MS {
            return Err(refused(format!(
                "it is ahead of the server's clock, which shows {}: set the clocks",
                Timestamp(now)
            )));
        }
        let oldest = now.minus(millis(retention));
        if at < oldest {
            let oldest = Timestamp(oldest);
            return Err(refused(format!(
                "samples are kept from {oldest} on: give one of then or later"
            )));
        }
        Ok(at)
    }

    /// The node's name, if given.
    pub(crate) fn node(&self) -> Result<Option<&str>, ApiError> {
        either("node", self.node.as_deref(), "node_name", self.node_name.as_deref())
    }

    /// The pod's name, if given.
    pub(crate) fn pod(&self) -> Result<Option<&str>, ApiError> {
        either("pod", self.pod.as_deref(), "pod_name", self.pod_name.as_deref())
    }

    /// The namespace, if given.
    pub(crate) fn namespace(&self) -> Option<&str> {
        given(self.namespace.as_deref())
    }

    /// The Deployment's name, if given.
    pub(crate) fn deployment(&self) -> Option<&str> {
        given(self.deployment.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(json: &str) -> PushedSample {
        PushedSample::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn names_have_two_spellings_and_empty_means_none() {
        let pushed = sample(
            r#"{"timestamp": "", "node_name": "n", "pod": "p", "pod_name": "p", "deployment": ""}"#,
        );
        assert_eq!(pushed.node().unwrap(), Some("n"));
        assert_eq!(pushed.pod().unwrap(), Some("p"));
        assert_eq!((pushed.deployment(), pushed.namespace()), (None, None));
        let torn = sample(r#"{"timestamp": "", "node": "a", "node_name": "b"}"#);
        assert!(torn.node().is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (json, named) in [
            ("{}", "timestamp"),
            ("[1]", "line 1"),
            (r#"{"timestamp": 5}"#, "string"),
            (r#"{"timestamp": "x", "cpu_millicores": "much"}"#, "number"),
        ] {
            let refusal = PushedSample::read(json.as_bytes()).unwrap_err().to_string();
            assert!(refusal.contains(named), "{refusal}");
        }
    }

    #[test]
    fn a_timestamp_lies_between_the_retention_and_the_servers_clock() {
        let at = |text: &str| {
            let sample = sample(&format!(r#"{{"timestamp": "{text}"}}"#));
            sample.at(Duration::from_secs(3600)).map_err(|refusal| refusal.to_string())
        };
        let ago = |seconds: i64| Timestamp(now().minus(seconds * 1000)).to_string();
        assert!(at(&ago(3500)).is_ok() && at(&ago(-50)).is_ok());
        for (text, why) in [
            ("x", "2026-01-31"),
            ("2999-01-01T00:00:00Z", "set the clocks"),
            (ago(-120).as_str(), "set the clocks"),
            ("0000-01-01T00:00:00Z", "samples are kept from"),
            (ago(3700).as_str(), "samples are kept from"),
            ("x".repeat(5000).as_str(), "2026-01-31"),
        ] {
            let refusal = at(text).unwrap_err();
            assert!(refusal.contains("`timestamp` is `") && refusal.contains(why), "{refusal}");
            assert!(refusal.len() < 500, "{refusal}");
        }
    }
}
