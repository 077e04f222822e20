//! How a pod is, in the words of `kubectl get pods`: whether it is ready, and what keeps it from it.

use std::borrow::Cow;

use super::{
    claims::is_sidecar,
    wire::{ContainerStatus, Pod, PodCondition, Terminated},
};

/// Whether the pod can serve; `None` before kubelet has said.
pub(super) fn ready(pod: &Pod) -> Option<bool> {
    let ready = condition(pod, "Ready")?;
    Some(ready.status == "True")
}

/// What `kubectl get pods` shows in its column `STATUS`, and `Unschedulable` where the scheduler
/// says so; `None` where that is no more than the phase.
pub(super) fn reason(pod: &Pod) -> Option<Cow<'_, str>> {
    let phase = pod.status.phase.as_deref().unwrap_or_default();
    let said = pod.status.reason.as_deref().filter(|reason| !reason.is_empty());
    if pod.metadata.deletion_timestamp.is_some() {
        // Its node has not been heard of, so nobody knows how far it has come.
        let is_lost = said == Some("NodeLost");
        if is_lost {
            return Some("Unknown".into());
        }
        if !matches!(phase, "Succeeded" | "Failed") {
            return Some("Terminating".into());
        }
    }
    let reason = containers(pod).or_else(|| said.map(Cow::Borrowed)).or_else(|| unscheduled(pod));
    reason.filter(|reason| reason != phase)
}

/// Why it has no node, where the scheduler has said.
fn unscheduled(pod: &Pod) -> Option<Cow<'_, str>> {
    let scheduled = condition(pod, "PodScheduled").filter(|c| c.status != "True")?;
    scheduled.reason.as_deref().map(Cow::Borrowed)
}

fn containers(pod: &Pod) -> Option<Cow<'_, str>> {
    let starting = starting(pod);
    let is_initialized = || condition(pod, "Initialized").is_some_and(|c| c.status == "True");
    if starting.is_some() && !is_initialized() {
        return starting;
    }
    running(pod).or(starting)
}

/// What the first init container that has not done its part is at.
fn starting(pod: &Pod) -> Option<Cow<'_, str>> {
    let specified = &pod.spec.init_containers;
    for (place, status) in pod.status.init_container_statuses.iter().enumerate() {
        let is_sidecar = specified.iter().any(|c| c.name == status.name && is_sidecar(c));
        let state = &status.state;
        match (&state.terminated, state.waiting.as_ref()) {
            (Some(ended), _) if ended.exit_code == 0 => {}
            _ if is_sidecar && status.started == Some(true) => {}
            (Some(ended), _) => return Some(format!("Init:{}", how(ended)).into()),
            (None, Some(waiting)) if waiting.is_told() => {
                return Some(format!("Init:{}", waiting.reason).into());
            }
            _ => return Some(format!("Init:{place}/{}", specified.len()).into()),
        }
    }
    None
}

/// What the first app container that does not run is at.
fn running(pod: &Pod) -> Option<Cow<'_, str>> {
    let statuses = &pod.status.container_statuses;
    let reason = statuses.iter().find_map(at)?;
    let runs = |status: &ContainerStatus| status.ready && status.state.running.is_some();
    if reason == "Completed" && statuses.iter().any(runs) {
        return (ready(pod) != Some(true)).then_some("NotReady".into());
    }
    Some(reason)
}

fn at(status: &ContainerStatus) -> Option<Cow<'_, str>> {
    let state = &status.state;
    let waiting = state.waiting.as_ref().filter(|waiting| !waiting.reason.is_empty());
    match (waiting, &state.terminated) {
        (Some(waiting), _) => Some(waiting.reason.as_str().into()),
        (None, Some(ended)) => Some(how(ended)),
        (None, None) => None,
    }
}

/// How a container ended.
fn how(ended: &Terminated) -> Cow<'_, str> {
    match (&ended.reason, ended.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.as_str().into(),
        (_, 0) => format!("ExitCode:{}", ended.exit_code).into(),
        (_, signal) => format!("Signal:{signal}").into(),
    }
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.conditions.iter().find(|condition| condition.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a pod with this specification and this status.
    fn said(spec: &str, status: &str) -> (Option<bool>, Option<String>) {
        described("", spec, status)
    }

    fn described(metadata: &str, spec: &str, status: &str) -> (Option<bool>, Option<String>) {
        let json = format!(
            r#"{{"metadata": {{"name": "p", "namespace": "n", "uid": "u" {metadata}}},
                 "spec": {{{spec}}}, "status": {{{status}}}}}"#
        );
        let pod: Pod = serde_json::from_str(&json).unwrap();
        (ready(&pod), reason(&pod).map(Cow::into_owned))
    }

    const APP: &str = r#""containers": [{"name": "app"}]"#;
    const READY: &str = r#""conditions": [{"type": "Ready", "status": "True"}]"#;
    const NOT_READY: &str = r#""conditions": [{"type": "Ready", "status": "False"}]"#;

    fn app(phase: &str, state: &str, conditions: &str) -> (Option<bool>, Option<String>) {
        let status = format!(
            r#""phase": "{phase}", {conditions},
               "containerStatuses": [{{"name": "app", "ready": false, "state": {state}}}]"#
        );
        said(APP, &status)
    }

    #[test]
    fn a_container_that_does_not_run_says_why() {
        for (phase, state, reason) in [
            ("Pending", r#"{"waiting": {"reason": "ImagePullBackOff"}}"#, "ImagePullBackOff"),
            ("Pending", r#"{"waiting": {"reason": "ContainerCreating"}}"#, "ContainerCreating"),
            ("Running", r#"{"waiting": {"reason": "CrashLoopBackOff"}}"#, "CrashLoopBackOff"),
            ("Running", r#"{"terminated": {"reason": "OOMKilled", "exitCode": 137}}"#, "OOMKilled"),
            ("Failed", r#"{"terminated": {"reason": "Error", "exitCode": 1}}"#, "Error"),
            ("Succeeded", r#"{"terminated": {"reason": "Completed", "exitCode": 0}}"#, "Completed"),
            ("Failed", r#"{"terminated": {"exitCode": 3}}"#, "ExitCode:3"),
            ("Failed", r#"{"terminated": {"exitCode": 0, "signal": 9}}"#, "Signal:9"),
        ] {
            let expected = (Some(false), Some(reason.to_owned()));
            assert_eq!(app(phase, state, NOT_READY), expected, "{state}");
        }
    }

    #[test]
    fn of_a_pod_that_runs_there_is_nothing_to_say() {
        assert_eq!(app("Running", r#"{"running": {}}"#, READY), (Some(true), None));
        assert_eq!(app("Running", r#"{"running": {}}"#, NOT_READY), (Some(false), None));
        assert_eq!(said(APP, r#""phase": "Pending""#), (None, None));
    }

    #[test]
    fn one_of_two_containers_that_is_done_does_not_make_the_pod_so() {
        let status = |conditions| {
            format!(
                r#""phase": "Running", {conditions}, "containerStatuses": [
                    {{"name": "a", "state": {{"terminated": {{"reason": "Completed", "exitCode": 0}}}}}},
                    {{"name": "b", "ready": true, "state": {{"running": {{}}}}}}]"#
            )
        };
        assert_eq!(said(APP, &status(READY)), (Some(true), None));
        assert_eq!(said(APP, &status(NOT_READY)), (Some(false), Some("NotReady".to_owned())));
    }

    #[test]
    fn a_pod_without_a_node_says_why() {
        let status = r#""phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]"#;
        assert_eq!(said(APP, status), (None, Some("Unschedulable".to_owned())));
        let gated = status.replace("Unschedulable", "SchedulingGated");
        assert_eq!(said(APP, &gated), (None, Some("SchedulingGated".to_owned())));
    }

    #[test]
    fn init_containers_are_told_by_how_far_they_are() {
        let spec = r#""initContainers": [{"name": "one"}, {"name": "two"}]"#;
        let done = r#"{"name": "one", "state": {"terminated": {"exitCode": 0}}}"#;
        for (two, reason) in [
            (r#"{"running": {}}"#, "Init:1/2"),
            (r#"{"waiting": {"reason": "PodInitializing"}}"#, "Init:1/2"),
            (r#"{"waiting": {"reason": "ImagePullBackOff"}}"#, "Init:ImagePullBackOff"),
            (r#"{"terminated": {"exitCode": 1, "reason": "Error"}}"#, "Init:Error"),
            (r#"{"terminated": {"exitCode": 2}}"#, "Init:ExitCode:2"),
        ] {
            let status = format!(
                r#""phase": "Pending",
                   "initContainerStatuses": [{done}, {{"name": "two", "state": {two}}}],
                   "containerStatuses": [
                     {{"name": "app", "state": {{"waiting": {{"reason": "PodInitializing"}}}}}}]"#
            );
            assert_eq!(said(spec, &status), (None, Some(reason.to_owned())), "{two}");
        }
    }

    #[test]
    fn a_sidecar_that_has_started_holds_nothing_up() {
        let spec = r#""initContainers": [{"name": "proxy", "restartPolicy": "Always"}]"#;
        let status = r#""phase": "Running", "initContainerStatuses": [
            {"name": "proxy", "started": true, "ready": true, "state": {"running": {}}}]"#;
        assert_eq!(said(spec, status), (None, None));
    }

    #[test]
    fn what_is_being_deleted_or_was_evicted_says_so() {
        let deleted = r#", "deletionTimestamp": "2026-11-23T19:28:23Z""#;
        let of = |status| described(deleted, APP, status).1;
        assert_eq!(of(r#""phase": "Running""#).as_deref(), Some("Terminating"));
        assert_eq!(of(r#""phase": "Running", "reason": "NodeLost""#).as_deref(), Some("Unknown"));
        assert_eq!(of(r#""phase": "Succeeded""#), None);
        let evicted = said(APP, r#""phase": "Failed", "reason": "Evicted""#);
        assert_eq!(evicted, (None, Some("Evicted".to_owned())));
    }
}
