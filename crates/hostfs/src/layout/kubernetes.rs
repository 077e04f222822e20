//! The names that kubelet and the runtimes of its containers give to cgroups.

use kubemonitor_model::{EntityId, QosClass};

use super::Place;

/// `kubepods`, a slice of systemd's of that name under any parent, or a container whose name tells
/// its pod.
pub(super) fn place(name: &str) -> Option<Place> {
    if name == "kubepods" {
        return Some(Place::Kubepods(QosClass::Guaranteed));
    }
    slice(name).or_else(|| container_named_with_pod(name))
}

/// `burstable`, `besteffort`, `pod<uid>`, systemd's slices for them, or `kubepods` once more, as
/// where `--cgroup-root` is itself called so.
pub(super) fn in_kubepods(class: QosClass, name: &str) -> Option<Place> {
    match name {
        "burstable" => Some(Place::Kubepods(QosClass::Burstable)),
        "besteffort" => Some(Place::Kubepods(QosClass::BestEffort)),
        _ => match name.strip_prefix("pod") {
            Some(uid) if is_pod_uid(uid) => {
                Some(Place::Pod { uid: EntityId::parse(uid), qos: class })
            }
            _ => place(name),
        },
    }
}

/// What lies in a pod: its containers, and what is none.
pub(super) fn in_pod(uid: &EntityId, qos: QosClass, name: &str) -> Place {
    container_id(name).map_or(Place::Hidden, |id| Place::Container { id, pod: uid.clone(), qos })
}

/// The ID in `<id>`, `<runtime>-<id>`, `<runtime>-<id>.scope` and Kata's `kata_<id>`, which is 64
/// hexadecimal digits. `crio-conmon-<id>` and `libpod-conmon-<id>` are no containers.
pub(super) fn container_id(name: &str) -> Option<EntityId> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (runtime, id) = match name.strip_prefix("kata_") {
        Some(id) => ("kata", id),
        None => name.rsplit_once('-').unwrap_or(("", name)),
    };
    digest(id).filter(|_| !is_monitor(runtime))
}

/// `<slice of a pod>:<runtime>:<id>`. Kubelet, which uses the systemd driver, tells the runtime to
/// have systemd make the scope `<runtime>-<id>` in the pod's slice; a runtime with the cgroupfs driver
/// takes all of it for a name, and makes that below its own cgroup.
fn container_named_with_pod(name: &str) -> Option<Place> {
    let (pod, container) = name.split_once(':')?;
    let (runtime, id) = container.split_once(':')?;
    match slice(pod)? {
        Place::Pod { uid, qos } if !is_monitor(runtime) => {
            Some(Place::Container { id: digest(id)?, pod: uid, qos })
        }
        _ => None,
    }
}

fn digest(id: &str) -> Option<EntityId> {
    Some(EntityId::parse(id)).filter(|id| matches!(id, EntityId::Digest(_)))
}

/// conmon watches over a container from a cgroup of its own.
fn is_monitor(runtime: &str) -> bool {
    runtime.ends_with("conmon")
}

/// `[<parents>-]kubepods[-burstable|-besteffort][-pod<uid>].slice`: systemd's slices carry the
/// names of those above them, joined by dashes, which is why a UID's dashes are underscores here.
/// One of the parents may be called `kubepods` as well.
fn slice(name: &str) -> Option<Place> {
    let name = name.strip_suffix(".slice")?;
    name.match_indices("kubepods")
        .filter(|(start, _)| *start == 0 || name.as_bytes()[start - 1] == b'-')
        .find_map(|(start, word)| below_kubepods(&name[start + word.len()..]))
}

/// What the part of a slice's name after `kubepods` says.
fn below_kubepods(below: &str) -> Option<Place> {
    let (qos, below) = if let Some(below) = below.strip_prefix("-burstable") {
        (QosClass::Burstable, below)
    } else if let Some(below) = below.strip_prefix("-besteffort") {
        (QosClass::BestEffort, below)
    } else {
        (QosClass::Guaranteed, below)
    };
    if below.is_empty() {
        return Some(Place::Kubepods(qos));
    }
    let uid = below.strip_prefix("-pod")?.replace('_', "-");
    is_pod_uid(&uid).then(|| Place::Pod { uid: EntityId::parse(&uid), qos })
}

/// UUIDs, hashes, and what else somebody may have given a static pod for a UID.
fn is_pod_uid(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(allowed)
}
