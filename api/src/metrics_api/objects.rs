//! The objects of the API, as they are written.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use kubemonitor_inventory::Labels;
use kubemonitor_model::UnixMillis;
use serde::{Serialize, Serializer};

use super::{GROUP, VERSION};

/// A kind of object of this API.
pub(super) trait Kind: Serialize + Send + 'static {
    /// Its name.
    const KIND: &'static str;
    /// Its list's name.
    const LIST_KIND: &'static str;

    /// Who it is about.
    fn metadata(&self) -> &ObjectMeta;

    /// What it all used.
    fn usage(&self) -> Usage;

    /// Over which time.
    fn window(&self) -> Window;
}

/// Who an object is about.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectMeta {
    pub(super) name: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<Arc<str>>,
    /// Of the object, which is made when it is asked for; not of whom it is about.
    pub(super) creation_timestamp: Time,
    #[serde(skip_serializing_if = "Labels::is_empty", serialize_with = "labels")]
    pub(super) labels: Labels,
}

/// What a node used.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NodeMetrics {
    pub(super) metadata: ObjectMeta,
    /// The end of the window.
    pub(super) timestamp: Time,
    pub(super) window: Window,
    pub(super) usage: Usage,
}

/// What the containers of a pod used.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PodMetrics {
    pub(super) metadata: ObjectMeta,
    /// The end of the window.
    pub(super) timestamp: Time,
    /// One for all containers.
    pub(super) window: Window,
    pub(super) containers: Vec<ContainerMetrics>,
}

/// What a container used.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ContainerMetrics {
    pub(super) name: Arc<str>,
    pub(super) usage: Usage,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    /// The mean over the window.
    pub(super) cpu: Cpu,
    /// The working set at the end of the window.
    pub(super) memory: Memory,
}

/// Billionths of a CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpu(pub(super) u64);

/// Bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory(pub(super) u64);

/// True microseconds over which CPU was averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Window(pub(super) u64);

/// A moment, as Kubernetes writes it: in whole seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) UnixMillis);

/// An object that says of which kind it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Typed<T: Serialize> {
    kind: &'static str,
    api_version: String,
    #[serde(flatten)]
    object: T,
}

/// A list of objects that say nothing of their kind.
#[derive(Serialize)]
pub(super) struct List<T> {
    metadata: ListMeta,
    items: Vec<T>,
}

/// Of a list that is always whole, and whose version nobody can watch from.
#[derive(Serialize)]
struct ListMeta {}

impl Kind for NodeMetrics {
    const KIND: &'static str = "NodeMetrics";
    const LIST_KIND: &'static str = "NodeMetricsList";

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn window(&self) -> Window {
        self.window
    }
}

impl Kind for PodMetrics {
    const KIND: &'static str = "PodMetrics";
    const LIST_KIND: &'static str = "PodMetricsList";

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn usage(&self) -> Usage {
        self.containers.iter().fold(Usage::default(), |sum, container| Usage {
            cpu: Cpu(sum.cpu.0 + container.usage.cpu.0),
            memory: Memory(sum.memory.0 + container.usage.memory.0),
        })
    }

    fn window(&self) -> Window {
        self.window
    }
}

/// An object with its kind.
pub(super) fn one<T: Kind>(object: T) -> Typed<T> {
    Typed { kind: T::KIND, api_version: api_version(), object }
}

/// Objects with the kind of their list.
pub(super) fn list<T: Kind>(items: Vec<T>) -> Typed<List<T>> {
    let object = List { metadata: ListMeta {}, items };
    Typed { kind: T::LIST_KIND, api_version: api_version(), object }
}

fn api_version() -> String {
    format!("{GROUP}/{VERSION}")
}

fn labels<S: Serializer>(labels: &Labels, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter())
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}n", self.0)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole pages, but where somebody else measured.
        if self.0.is_multiple_of(1024) {
            write!(f, "{}Ki", self.0 / 1024)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl fmt::Display for Window {
    /// As Go writes a duration of less than a minute, in milliseconds at the finest; it reads longer
    /// ones of this form too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0 + 500) / 1000;
        let (seconds, thousandths) = (millis / 1000, millis % 1000);
        let fraction = format!(".{thousandths:03}");
        write!(f, "{seconds}{}s", fraction.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A moment beyond what a date can say is nobody's measurement.
        let moment = Timestamp::from_second(self.0.0.div_euclid(1000)).unwrap_or_default();
        write!(f, "{moment}")
    }
}

macro_rules! written_as_text {
    ($($kind:ty),*) => {$(
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}

written_as_text!(Cpu, Memory, Window, Time);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(Cpu(12_345_678).to_string(), "12345678n");
        assert_eq!(Memory(45_219 << 10).to_string(), "45219Ki");
        assert_eq!(
            (Memory(0).to_string(), Memory(1000).to_string()),
            ("0Ki".into(), "1000".into())
        );
    }

    #[test]
    fn windows_are_durations_of_go() {
        for (micros, text) in [
            (15_000_000, "15s"),
            (15_000_213, "15s"),
            (14_999_500, "15s"),
            (15_042_000, "15.042s"),
            (5_100_000, "5.1s"),
            (500_000, "0.5s"),
            (90_000_000, "90s"),
        ] {
            assert_eq!(Window(micros).to_string(), text);
        }
    }

    #[test]
    fn moments_are_whole_seconds() {
        let moment = Time(UnixMillis(1_796_083_205_500));
        assert_eq!(moment.to_string(), "2026-12-01T00:00:05Z");
    }

    #[test]
    fn an_object_is_written_as_kubernetes_reads_it() {
        let at = Time(UnixMillis(0));
        let usage = Usage { cpu: Cpu(7), memory: Memory(2048) };
        let metadata = ObjectMeta {
            name: "web-1".into(),
            namespace: Some("shop".into()),
            creation_timestamp: at,
            labels: [("app", "web")].into_iter().collect(),
        };
        let containers = vec![ContainerMetrics { name: "app".into(), usage }];
        let pod = PodMetrics { metadata, timestamp: at, window: Window(15_000_000), containers };
        let object = json!({
            "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"},
                         "creationTimestamp": "1970-01-01T00:00:00Z"},
            "timestamp": "1970-01-01T00:00:00Z", "window": "15s",
            "containers": [{"name": "app", "usage": {"cpu": "7n", "memory": "2Ki"}}],
        });
        let mut typed = object.clone();
        typed["kind"] = "PodMetrics".into();
        typed["apiVersion"] = "metrics.k8s.io/v1beta1".into();
        assert_eq!(json!(one(pod.clone())), typed);
        let list = json!({"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1",
                          "metadata": {}, "items": [object]});
        assert_eq!(json!(super::list(vec![pod])), list);
    }
}
