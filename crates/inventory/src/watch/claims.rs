//! What a pod as a whole requests and may use, as `kubectl describe node` and the scheduler sum it.

use super::wire::{Amounts, Container, PodSpec, Requirements};
use crate::{Resources, quantity};

/// Whether this init container goes on beside the app.
pub(super) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// An amount the API gave. It checks quantities itself, so one that cannot be read is as good as
/// absent.
pub(super) fn resources(amounts: &Amounts) -> Resources {
    let cpu = amounts.cpu.as_deref().and_then(|text| quantity::millicores(text).ok());
    let memory = amounts.memory.as_deref().and_then(|text| quantity::bytes(text).ok());
    Resources { cpu_millicores: cpu, memory_bytes: memory }
}

pub(super) fn requests(spec: &PodSpec) -> Resources {
    let containers = together(spec, |requirements| &requirements.requests);
    let pod = either(resources(&spec.resources.requests), containers);
    plus(pod, resources(&spec.overhead))
}

pub(super) fn limits(spec: &PodSpec) -> Resources {
    let containers = together(spec, |requirements| &requirements.limits);
    let pod = either(resources(&spec.resources.limits), containers);
    // Overhead raises a limit, but makes none.
    let overhead = resources(&spec.overhead);
    Resources {
        cpu_millicores: pod.cpu_millicores.and(sum(pod.cpu_millicores, overhead.cpu_millicores)),
        memory_bytes: pod.memory_bytes.and(sum(pod.memory_bytes, overhead.memory_bytes)),
    }
}

/// The most that containers need at one time: app containers and sidecars together, or an init
/// container while it runs beside the sidecars started before it.
fn together(spec: &PodSpec, of: impl Fn(&Requirements) -> &Amounts) -> Resources {
    let amounts = |container: &Container| resources(of(&container.resources));
    let mut sidecars = Resources::default();
    let mut starting = Resources::default();
    for container in &spec.init_containers {
        let beside = plus(sidecars, amounts(container));
        if is_sidecar(container) {
            sidecars = beside;
        }
        starting = larger(starting, beside);
    }
    let running = spec.containers.iter().map(amounts).fold(sidecars, plus);
    larger(running, starting)
}

fn plus(a: Resources, b: Resources) -> Resources {
    each(a, b, sum)
}

fn larger(a: Resources, b: Resources) -> Resources {
    each(a, b, Option::max)
}

fn either(a: Resources, b: Resources) -> Resources {
    each(a, b, Option::or)
}

fn each(
    a: Resources,
    b: Resources,
    join: impl Fn(Option<u64>, Option<u64>) -> Option<u64>,
) -> Resources {
    Resources {
        cpu_millicores: join(a.cpu_millicores, b.cpu_millicores),
        memory_bytes: join(a.memory_bytes, b.memory_bytes),
    }
}

/// Absent only when both are.
fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests and limits of CPU, in millicores, of a pod whose specification is this.
    fn cpu(spec: &str) -> (Option<u64>, Option<u64>) {
        let spec: PodSpec = serde_json::from_str(spec).unwrap();
        (requests(&spec).cpu_millicores, limits(&spec).cpu_millicores)
    }

    #[test]
    fn nothing_said_is_nothing_claimed() {
        assert_eq!(cpu(r#"{"containers": [{}], "initContainers": [{}]}"#), (None, None));
    }

    #[test]
    fn containers_add_up_and_one_without_a_limit_adds_none() {
        let spec = r#"{"containers": [
            {"resources": {"requests": {"cpu": "20m"}, "limits": {"cpu": "200m"}}},
            {"resources": {"requests": {"cpu": "5m"}}}
        ]}"#;
        assert_eq!(cpu(spec), (Some(25), Some(200)));
    }

    #[test]
    fn an_init_container_counts_when_it_needs_more_than_the_app() {
        let spec = r#"{
            "initContainers": [{"resources": {"requests": {"cpu": "1"}}}],
            "containers": [{"resources": {"requests": {"cpu": "300m"}}}]
        }"#;
        assert_eq!(cpu(spec), (Some(1000), None));
    }

    #[test]
    fn sidecars_stay_beside_the_app_and_beside_later_init_containers() {
        let spec = |init: u64| {
            format!(
                r#"{{
                    "initContainers": [
                        {{"resources": {{"requests": {{"cpu": "{init}m"}}}}}},
                        {{"restartPolicy": "Always", "resources": {{"requests": {{"cpu": "100m"}}}}}},
                        {{"resources": {{"requests": {{"cpu": "{init}m"}}}}}}
                    ],
                    "containers": [{{"resources": {{"requests": {{"cpu": "300m"}}}}}}]
                }}"#
            )
        };
        assert_eq!(cpu(&spec(50)).0, Some(400));
        assert_eq!(cpu(&spec(900)).0, Some(1000));
    }

    #[test]
    fn overhead_adds_to_requests_and_to_limits_that_exist() {
        let spec = |limits: &str| {
            format!(
                r#"{{
                    "overhead": {{"cpu": "50m"}},
                    "containers": [{{"resources": {{"requests": {{"cpu": "1"}}, "limits": {limits}}}}}]
                }}"#
            )
        };
        assert_eq!(cpu(&spec("{}")), (Some(1050), None));
        assert_eq!(cpu(&spec(r#"{"cpu": "2"}"#)), (Some(1050), Some(2050)));
    }

    #[test]
    fn what_is_said_of_the_pod_as_a_whole_stands_above_its_containers() {
        let spec = r#"{
            "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}},
            "containers": [{"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}}]
        }"#;
        assert_eq!(cpu(spec), (Some(2000), Some(4000)));
    }
}
