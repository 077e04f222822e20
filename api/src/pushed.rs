//! Samples that somebody else's collector pushes as JSON.

use kubemonitor_model::{EntityKind, Metric, NodeName, Row, UnixMillis};
use serde::Deserialize;
use serde_json::Number;
use utoipa::ToSchema;

use crate::{
    errors::ApiError,
    model::{Timestamp, timestamp},
    monitor::now,
};

/// How far ahead of the server's clock a sample may be: what clocks differ by where nobody sets them.
const EARLY_LIMIT_MS: i64 = 600_000;

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

    /// When it was measured.
    pub(crate) fn at(&self) -> Result<UnixMillis, ApiError> {
        let text = &self.timestamp;
        let at = timestamp::parse(text).ok_or_else(|| {
            ApiError::Body(format!("`timestamp` is `{text}`: give it as `2026-01-31T12:00:05Z`"))
        })?;
        let now = now();
        if at.since(now) > EARLY_LIMIT_MS {
            return Err(ApiError::Refused(format!(
                "the timestamp {text} is ahead of the server's clock, which shows {}: set the clocks",
                Timestamp(now)
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

    /// What was measured, as a row of this kind.
    pub(crate) fn row(&self, kind: EntityKind) -> Result<Row, ApiError> {
        let mut row = Row::new(kind);
        row.set(Metric::CpuUsageRate, self.cpu_nanocores()?);
        row.set(Metric::CpuUsage, integer("cgroup_cpu_ns", self.cgroup_cpu_ns.as_ref())?);
        self.set_memory(&mut row)?;
        self.set_traffic(&mut row)?;
        Ok(row)
    }

    fn cpu_nanocores(&self) -> Result<Option<u64>, ApiError> {
        let millicores = number("cpu_millicores", self.cpu_millicores.as_ref())?;
        let percent = match number("cpu_usage", self.cpu_usage.as_ref())? {
            Some(percent) => Some(percent),
            None => number("cpu_usage_percent", self.cpu_usage_percent.as_ref())?,
        };
        let nanocores = millicores.map(|m| m * 1e6).or(percent.map(|percent| percent * 1e7));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked: >= 0"
        )]
        Ok(nanocores.map(|nanocores| nanocores.round() as u64))
    }

    fn set_memory(&self, row: &mut Row) -> Result<(), ApiError> {
        let none = PushedMemory::default();
        let memory = self.memory.as_ref().unwrap_or(&none);
        let kib = |field, number: Option<&Number>| {
            Ok::<_, ApiError>(integer(field, number)?.map(|kib| kib.saturating_mul(1024)))
        };
        let used = first_of([
            integer("memory_used_bytes", self.memory_used_bytes.as_ref())?,
            integer("memory_bytes", self.memory_bytes.as_ref())?,
            kib("memory.used_kb", memory.used_kb.as_ref())?,
        ]);
        let total = kib("memory.total_kb", memory.total_kb.as_ref())?;
        row.set(Metric::MemoryWorkingSet, used);
        row.set(Metric::MemoryTotal, total);
        row.set(Metric::MemoryFree, kib("memory.free_kb", memory.free_kb.as_ref())?);
        let available = total.zip(used).map(|(total, used)| total.saturating_sub(used));
        row.set(Metric::MemoryAvailable, available);
        Ok(())
    }

    fn set_traffic(&self, row: &mut Row) -> Result<(), ApiError> {
        let disk = self.disk.as_ref();
        let network = self.network.as_ref();
        let fields = [
            (
                Metric::DiskReadBytes,
                ("disk_read_bytes", &self.disk_read_bytes),
                ("disk.read_bytes", disk.and_then(|disk| disk.read_bytes.as_ref())),
            ),
            (
                Metric::DiskWriteBytes,
                ("disk_write_bytes", &self.disk_write_bytes),
                ("disk.write_bytes", disk.and_then(|disk| disk.write_bytes.as_ref())),
            ),
            (
                Metric::NetworkRxBytes,
                ("network_rx_bytes", &self.network_rx_bytes),
                ("network.rx_bytes", network.and_then(|network| network.rx_bytes.as_ref())),
            ),
            (
                Metric::NetworkTxBytes,
                ("network_tx_bytes", &self.network_tx_bytes),
                ("network.tx_bytes", network.and_then(|network| network.tx_bytes.as_ref())),
            ),
        ];
        for (metric, (flat_field, flat), (nested_field, nested)) in fields {
            let flat = integer(flat_field, flat.as_ref())?;
            row.set(metric, first_of([flat, integer(nested_field, nested)?]));
        }
        Ok(())
    }
}

/// The name that path and body both have.
pub(crate) fn agreed(
    field: &'static str,
    path: &str,
    body: Option<&str>,
) -> Result<NodeName, ApiError> {
    match body {
        None => Err(missing(field)),
        Some(body) if body != path => {
            Err(ApiError::Disagreement { field, path: path.to_owned(), body: body.to_owned() })
        }
        Some(body) => name(field, body),
    }
}

/// A name that can be looked up: what holds for names of nodes holds for all that are pushed.
pub(crate) fn name(field: &str, text: &str) -> Result<NodeName, ApiError> {
    text.parse().map_err(|_| {
        ApiError::Body(format!(
            "`{field}` is `{text}`: a name is 1 to 253 printable ASCII characters without `/`"
        ))
    })
}

/// A name that has to be given.
pub(crate) fn required<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str, ApiError> {
    value.ok_or_else(|| missing(field))
}

fn missing(field: &str) -> ApiError {
    ApiError::Body(format!("`{field}` is missing"))
}

/// The empty text is how some write that there is none.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The value of a field that has two names.
fn either<'a>(
    field: &'static str,
    value: Option<&'a str>,
    other_field: &'static str,
    other: Option<&'a str>,
) -> Result<Option<&'a str>, ApiError> {
    match (given(value), given(other)) {
        (Some(value), Some(other)) if value != other => Err(ApiError::Body(format!(
            "`{field}` is `{value}` and `{other_field}` is `{other}`: give one of them"
        ))),
        (value, other) => Ok(value.or(other)),
    }
}

fn first_of<const N: usize>(values: [Option<u64>; N]) -> Option<u64> {
    values.into_iter().flatten().next()
}

/// A number that is not negative.
fn number(field: &str, value: Option<&Number>) -> Result<Option<f64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    match value.as_f64() {
        Some(number) if number >= 0.0 => Ok(Some(number)),
        _ => Err(negative(field, value)),
    }
}

/// The same in whole: some write bytes with a decimal point.
fn integer(field: &str, value: Option<&Number>) -> Result<Option<u64>, ApiError> {
    match value.map(Number::as_u64) {
        Some(Some(integer)) => Ok(Some(integer)),
        _ =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked: >= 0"
            )]
            Ok(number(field, value)?.map(|number| number.round() as u64))
        }
    }
}

fn negative(field: &str, value: &Number) -> ApiError {
    ApiError::Body(format!("`{field}` is {value}: give a number of 0 or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(json: &str) -> PushedSample {
        PushedSample::read(json.as_bytes()).unwrap()
    }

    fn row(kind: EntityKind, fields: &str) -> Row {
        sample(&format!(r#"{{"timestamp": "2026-01-31T12:00:05"{fields}}}"#)).row(kind).unwrap()
    }

    #[test]
    fn cpu_comes_as_millicores_percent_or_nanoseconds() {
        for (fields, nanocores) in [
            (r#", "cpu_millicores": 12.5"#, Some(12_500_000)),
            (r#", "cpu_usage": 50"#, Some(500_000_000)),
            (r#", "cpu_usage_percent": 12.5"#, Some(125_000_000)),
            (r#", "cpu_usage": 50, "cpu_millicores": 0"#, Some(0)),
            (r#", "cpu_millicores": null"#, None),
            ("", None),
        ] {
            let row = row(EntityKind::Pod, fields);
            assert_eq!(row.get(Metric::CpuUsageRate), nanocores, "{fields}");
        }
        let counted = row(EntityKind::Node, r#", "cgroup_cpu_ns": 18446744073709551615"#);
        assert_eq!(counted.get(Metric::CpuUsage), Some(u64::MAX));
    }

    #[test]
    fn memory_of_a_node_comes_in_kib_too() {
        let fields = r#", "memory": {"total_kb": 8, "used_kb": 3, "free_kb": 1, "other": []}"#;
        let node = row(EntityKind::Node, fields);
        assert_eq!(node.get(Metric::MemoryTotal), Some(8192));
        assert_eq!(node.get(Metric::MemoryAvailable), Some(5120));
        assert_eq!(node.get(Metric::MemoryWorkingSet), Some(3072));
        assert_eq!(node.get(Metric::MemoryFree), Some(1024));
        let pod = row(EntityKind::Pod, r#", "memory_bytes": 5e3, "memory": {"used_kb": 3}"#);
        assert_eq!(pod.get(Metric::MemoryWorkingSet), Some(5000));
        let used = row(EntityKind::Pod, r#", "memory_bytes": 1, "memory_used_bytes": 2"#);
        assert_eq!(used.get(Metric::MemoryWorkingSet), Some(2));
    }

    #[test]
    fn traffic_comes_flat_or_in_objects() {
        let fields = r#", "disk_read_bytes": 1, "disk": {"read_bytes": 9, "write_bytes": 2},
            "network": {"rx_bytes": 3}, "network_tx_bytes": 4"#;
        let row = row(EntityKind::Namespace, fields);
        let traffic = [
            Metric::DiskReadBytes,
            Metric::DiskWriteBytes,
            Metric::NetworkRxBytes,
            Metric::NetworkTxBytes,
        ];
        assert_eq!(traffic.map(|metric| row.get(metric)), [Some(1), Some(2), Some(3), Some(4)]);
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
        let negative = sample(r#"{"timestamp": "x", "disk": {"read_bytes": -1}}"#);
        let refusal = negative.row(EntityKind::Pod).unwrap_err().to_string();
        assert!(refusal.contains("`disk.read_bytes` is -1"), "{refusal}");
        assert!(negative.at().unwrap_err().to_string().contains("`timestamp` is `x`"));
        assert!(sample(r#"{"timestamp": "2999-01-01T00:00:00Z"}"#).at().is_err());
    }

    #[test]
    fn path_and_body_have_to_agree() {
        assert!(agreed("pod", "p", Some("p")).is_ok());
        let torn = agreed("pod", "p", Some("q")).unwrap_err();
        assert!(matches!(torn, ApiError::Disagreement { field: "pod", .. }));
        assert!(agreed("pod", "p", None).unwrap_err().to_string().contains("`pod` is missing"));
        assert!(agreed("pod", "a/b", Some("a/b")).is_err());
    }
}
