//! Figures in pushed samples, and between what they lie.

use kubemonitor_model::{EntityKind, Metric, Row};
use serde_json::Number;

use super::{PushedMemory, PushedSample};
use crate::errors::ApiError;

/// Bytes and nanoseconds: 8 EiB, which leaves room to add some up.
const MOST: u64 = i64::MAX.unsigned_abs();
/// Ten million CPUs, a hundred times what the largest clusters have.
const MOST_MILLICORES: f64 = 1e10;

impl PushedSample {
    /// What was measured, as a row of this kind.
    pub(crate) fn row(&self, kind: EntityKind) -> Result<Row, ApiError> {
        let mut row = Row::new(kind);
        row.set(Metric::CpuUsageRate, self.cpu_nanocores()?);
        row.set(Metric::CpuUsage, count("cgroup_cpu_ns", self.cgroup_cpu_ns.as_ref())?);
        self.set_memory(&mut row)?;
        self.set_traffic(&mut row)?;
        Ok(row)
    }

    fn cpu_nanocores(&self) -> Result<Option<u64>, ApiError> {
        const MOST_PERCENT: f64 = MOST_MILLICORES / 10.0;
        let millicores = number("cpu_millicores", self.cpu_millicores.as_ref(), MOST_MILLICORES)?;
        let usage = number("cpu_usage", self.cpu_usage.as_ref(), MOST_PERCENT)?;
        let other = number("cpu_usage_percent", self.cpu_usage_percent.as_ref(), MOST_PERCENT)?;
        let percent = usage.or(other);
        let nanocores = millicores.map(|m| m * 1e6).or(percent.map(|percent| percent * 1e7));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked: from 0 to 10^16"
        )]
        Ok(nanocores.map(|nanocores| nanocores.round() as u64))
    }

    fn set_memory(&self, row: &mut Row) -> Result<(), ApiError> {
        let none = PushedMemory::default();
        let memory = self.memory.as_ref().unwrap_or(&none);
        let kib = |field, number: Option<&Number>| {
            Ok::<_, ApiError>(whole(field, number, MOST >> 10)?.map(|kib| kib << 10))
        };
        let used = first_of([
            count("memory_used_bytes", self.memory_used_bytes.as_ref())?,
            count("memory_bytes", self.memory_bytes.as_ref())?,
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
            let flat = count(flat_field, flat.as_ref())?;
            row.set(metric, first_of([flat, count(nested_field, nested)?]));
        }
        Ok(())
    }
}

fn first_of<const N: usize>(values: [Option<u64>; N]) -> Option<u64> {
    values.into_iter().flatten().next()
}

/// Bytes or nanoseconds.
fn count(field: &'static str, value: Option<&Number>) -> Result<Option<u64>, ApiError> {
    whole(field, value, MOST)
}

/// A whole number up to `most`; some write bytes with a decimal point.
fn whole(field: &'static str, value: Option<&Number>, most: u64) -> Result<Option<u64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    if let Some(whole) = value.as_u64() {
        return if whole <= most { Ok(Some(whole)) } else { Err(beyond(field, value, most)) };
    }
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked here")]
        Some(number) if (0.0..=most as f64).contains(&number) => {
            Ok(Some((number.round() as u64).min(most)))
        }
        _ => Err(beyond(field, value, most)),
    }
}

/// A number from 0 to `most`.
fn number(field: &'static str, value: Option<&Number>, most: f64) -> Result<Option<f64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    match value.as_f64() {
        Some(number) if (0.0..=most).contains(&number) => Ok(Some(number)),
        _ => Err(beyond(field, value, most)),
    }
}

fn beyond(field: &'static str, value: &Number, most: impl std::fmt::Display) -> ApiError {
    let remedy = format!("give a number from 0 to {most}");
    ApiError::Value { field, value: value.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(fields: &str) -> PushedSample {
        let json = format!(r#"{{"timestamp": "2026-01-31T12:00:05"{fields}}}"#);
        PushedSample::read(json.as_bytes()).unwrap()
    }

    fn row(kind: EntityKind, fields: &str) -> Row {
        sample(fields).row(kind).unwrap()
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
        let counted = row(EntityKind::Node, r#", "cgroup_cpu_ns": 9223372036854775807"#);
        assert_eq!(counted.get(Metric::CpuUsage), Some(u64::MAX / 2));
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
    fn what_no_machine_has_is_refused_with_the_bounds() {
        for (fields, said) in [
            (r#""disk": {"read_bytes": -1}"#, "`disk.read_bytes` is `-1`: give a number from 0 to"),
            (r#""cpu_millicores": 1e15"#, "from 0 to 10000000000"),
            (r#""cpu_usage": 1e10"#, "from 0 to 1000000000"),
            (r#""cpu_usage_percent": -0.1"#, "`cpu_usage_percent`"),
            (r#""cgroup_cpu_ns": 18446744073709551615"#, "from 0 to 9223372036854775807"),
            (r#""memory_bytes": 18446744073709551616"#, "from 0 to 9223372036854775807"),
            (r#""network_rx_bytes": 1e30"#, "`network_rx_bytes` is `1e"),
            (r#""memory": {"total_kb": 9223372036854775807}"#, "`memory.total_kb`"),
        ] {
            let refusal = sample(&format!(", {fields}")).row(EntityKind::Pod).unwrap_err();
            assert!(refusal.to_string().contains(said), "{refusal}");
        }
    }
}
