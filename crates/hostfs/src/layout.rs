//! What a cgroup is, told from its path alone.
//!
//! Kubernetes' cgroups are found under any prefix (kind, minikube and k3s put one above), made by
//! the cgroupfs driver (`kubepods/burstable/pod<uid>/<id>`) or by systemd
//! (`kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope`). Outside of it, systemd's
//! services and plain containers stand for themselves; what lies inside of those belongs to them.

use kubemonitor_model::{EntityId, QosClass};

/// What a cgroup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing by itself, but something may lie below: the root, slices, folders of a runtime.
    Folder,
    /// LXC's folder, in which each folder is a container.
    LxcFolder,
    /// Kubernetes' folder of pods, or that of one class; pods directly in it have this class.
    Kubepods(QosClass),
    /// A pod.
    Pod {
        /// Its UID; of a static pod perhaps a hash.
        uid: EntityId,
        /// The class whose folder it lies in.
        qos: QosClass,
    },
    /// A container of a pod.
    Container {
        /// Its ID, without the runtime's prefix.
        id: EntityId,
    },
    /// A systemd service, or all that one user runs.
    Service {
        /// The unit's name as systemd has it.
        name: EntityId,
    },
    /// A container that belongs to no pod.
    PlainContainer {
        /// Its ID, or its name where the runtime has no IDs.
        id: EntityId,
    },
    /// Part of a service or plain container, below which there may be a whole Kubernetes node.
    Part,
    /// Of no interest, nor is anything below.
    Hidden,
}

impl Place {
    /// The place of a cgroup given by its path from the hierarchy's root.
    pub fn of(path: &str) -> Self {
        path.split('/')
            .filter(|name| !name.is_empty())
            .fold(Self::Folder, |place, name| place.child(name))
    }

    /// The place of the cgroup called `name` in this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        match self {
            Self::Folder => {
                kubepods(name).or_else(|| outside_kubernetes(name)).unwrap_or(Self::Folder)
            }
            Self::LxcFolder => Self::PlainContainer { id: EntityId::parse(name) },
            Self::Service { .. } | Self::PlainContainer { .. } | Self::Part => {
                kubepods(name).unwrap_or(Self::Part)
            }
            Self::Kubepods(class) => in_kubepods(*class, name).unwrap_or(Self::Hidden),
            Self::Pod { .. } => {
                container_id(name).map_or(Self::Hidden, |id| Self::Container { id })
            }
            Self::Container { .. } | Self::Hidden => Self::Hidden,
        }
    }

    /// Whether it is measured by itself.
    pub fn is_entity(&self) -> bool {
        match self {
            Self::Pod { .. }
            | Self::Container { .. }
            | Self::Service { .. }
            | Self::PlainContainer { .. } => true,
            Self::Folder | Self::LxcFolder | Self::Kubepods(_) | Self::Part | Self::Hidden => false,
        }
    }

    /// Whether anything of interest may lie below.
    pub fn has_children(&self) -> bool {
        !matches!(self, Self::Container { .. } | Self::Hidden)
    }
}

/// `kubepods`, or a slice of systemd's of that name under any parent.
fn kubepods(name: &str) -> Option<Place> {
    if name == "kubepods" {
        return Some(Place::Kubepods(QosClass::Guaranteed));
    }
    slice_of_kubepods(name)
}

/// `burstable`, `besteffort`, `pod<uid>`, or systemd's slices for them.
fn in_kubepods(class: QosClass, name: &str) -> Option<Place> {
    match name {
        "burstable" => Some(Place::Kubepods(QosClass::Burstable)),
        "besteffort" => Some(Place::Kubepods(QosClass::BestEffort)),
        _ => match name.strip_prefix("pod") {
            Some(uid) if is_pod_uid(uid) => {
                Some(Place::Pod { uid: EntityId::parse(uid), qos: class })
            }
            _ => slice_of_kubepods(name),
        },
    }
}

/// `[<parents>-]kubepods[-burstable|-besteffort][-pod<uid>].slice`: systemd's slices carry the
/// names of those above them, joined by dashes, which is why a UID's dashes are underscores here.
fn slice_of_kubepods(name: &str) -> Option<Place> {
    let name = name.strip_suffix(".slice")?;
    let below = match name.strip_prefix("kubepods") {
        Some(below) => below,
        None => name.split_once("-kubepods")?.1,
    };
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

fn outside_kubernetes(name: &str) -> Option<Place> {
    if let Some(id) = container_id(name) {
        return Some(Place::PlainContainer { id });
    }
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return Some(Place::PlainContainer { id: EntityId::parse(name) });
    }
    if matches!(name, "lxc" | "lxc.payload") {
        return Some(Place::LxcFolder);
    }
    // LXC's own helpers, and conmon, which watches over a container from a cgroup of its own.
    if name.starts_with("lxc.monitor") || name.contains("conmon-") {
        return Some(Place::Hidden);
    }
    match name.rsplit_once('.')? {
        (_, "service") => Some(Place::Service { name: EntityId::parse(name) }),
        // One user's sessions and services together.
        (user, "slice") if user.starts_with("user-") => {
            Some(Place::Service { name: EntityId::parse(name) })
        }
        // Containers and virtual machines registered with systemd-machined.
        (machine, "scope") if machine.starts_with("machine-") => {
            Some(Place::PlainContainer { id: EntityId::parse(name) })
        }
        // Sessions, `systemd-run` and PID 1 itself.
        (_, "scope") => Some(Place::Hidden),
        _ => None,
    }
}

/// The ID in `<id>`, `<runtime>-<id>` or `<runtime>-<id>.scope`, which is 64 hexadecimal digits.
/// `crio-conmon-<id>` and `libpod-conmon-<id>` are no containers.
fn container_id(name: &str) -> Option<EntityId> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (runtime, id) = name.rsplit_once('-').unwrap_or(("", name));
    match EntityId::parse(id) {
        id @ EntityId::Digest(_) if !runtime.ends_with("conmon") => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UID: &str = "a96ab411-2bca-47bf-90b4-002d39ce26bb";
    const UID_: &str = "a96ab411_2bca_47bf_90b4_002d39ce26bb";
    const HASH: &str = "bba8a4a63ab4a7b4dc3a1f9a4bbd2d3c";
    const ID: &str = "2a25b1e41af0134e1bcb760035db81549a05c343e264af1954e3f5295d7ba635";

    /// The place of a path in which `UID`, `UID_`, `HASH` and `ID` stand for themselves.
    fn place(path: &str) -> Place {
        let path = path.replace("UID_", UID_).replace("UID", UID);
        Place::of(&path.replace("HASH", HASH).replace("ID", ID))
    }

    fn pod(uid: &str, qos: QosClass) -> Place {
        Place::Pod { uid: EntityId::parse(uid), qos }
    }

    fn container() -> Place {
        Place::Container { id: EntityId::parse(ID) }
    }

    #[test]
    fn pods_are_found_under_both_drivers_and_any_prefix() {
        use QosClass::{BestEffort, Burstable, Guaranteed};
        for (path, uid, qos) in [
            ("/kubepods/podUID", UID, Guaranteed),
            ("/kubepods/burstable/podUID", UID, Burstable),
            ("/kubepods/besteffort/podUID", UID, BestEffort),
            ("/kubepods/burstable/podHASH", HASH, Burstable),
            ("/kubepods/burstable/podmy-own.uid_1", "my-own.uid_1", Burstable),
            ("/kubepods.slice/kubepods-podUID_.slice", UID, Guaranteed),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice",
                UID,
                Burstable,
            ),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUID_.slice",
                UID,
                BestEffort,
            ),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podHASH.slice",
                HASH,
                Burstable,
            ),
            // --cgroup-root
            ("/custom/kubepods/burstable/podUID", UID, Burstable),
            ("/custom.slice/custom-kubepods.slice/custom-kubepods-podUID_.slice", UID, Guaranteed),
            // kind, on hosts of both drivers
            ("/docker/ID/kubelet/kubepods/burstable/podUID", UID, Burstable),
            (
                "/docker/ID/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podUID_.slice",
                UID,
                Burstable,
            ),
            (
                "/system.slice/docker-ID.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUID_.slice",
                UID,
                Guaranteed,
            ),
            // minikube, k3s, and k3s of a user without root's rights
            ("/docker/ID/kubepods/besteffort/podUID", UID, BestEffort),
            ("/system.slice/k3s.service/kubepods/burstable/podUID", UID, Burstable),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/k3s-rootless.service/kubepods/burstable/podUID",
                UID,
                Burstable,
            ),
        ] {
            assert_eq!(place(path), pod(uid, qos), "{path}");
        }
    }

    #[test]
    fn containers_of_pods_are_found_for_all_runtimes() {
        let slice = "/kubepods.slice/kubepods-podUID_.slice";
        for path in [
            "/kubepods/podUID/ID".to_owned(),
            "/kubepods/burstable/podUID/ID".to_owned(),
            "/kubepods/burstable/podUID/crio-ID".to_owned(),
            format!("{slice}/cri-containerd-ID.scope"),
            format!("{slice}/crio-ID.scope"),
            format!("{slice}/docker-ID.scope"),
            format!("{slice}/libpod-ID.scope"),
        ] {
            assert_eq!(place(&path), container(), "{path}");
        }
    }

    #[test]
    fn what_is_no_container_of_a_pod_is_hidden() {
        for path in [
            "/kubepods.slice/kubepods-podUID_.slice/crio-conmon-ID.scope",
            "/kubepods/podUID/crio-conmon-ID",
            "/kubepods/podUID/short",
            "/kubepods/podUID/ID/nested",
            "/kubepods/podUID/ID/kubepods/podUID",
            "/kubepods/other",
            "/kubepods/pod",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod.slice",
        ] {
            assert_eq!(place(path), Place::Hidden, "{path}");
        }
    }

    #[test]
    fn services_and_plain_containers_stand_for_themselves() {
        for (path, name) in [
            ("/system.slice/ssh.service", "ssh.service"),
            ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
            ("/user.slice/user-1000.slice", "user-1000.slice"),
        ] {
            assert_eq!(place(path), Place::Service { name: EntityId::parse(name) }, "{path}");
        }
        for (path, id) in [
            ("/docker/ID", ID),
            ("/system.slice/docker-ID.scope", ID),
            ("/machine.slice/libpod-ID.scope", ID),
            ("/libpod_parent/libpod-ID", ID),
            ("/default/ID", ID),
            ("/lxc/web", "web"),
            ("/lxc.payload.web", "web"),
            ("/machine.slice/machine-debian.scope", "machine-debian.scope"),
        ] {
            assert_eq!(place(path), Place::PlainContainer { id: EntityId::parse(id) }, "{path}");
        }
    }

    #[test]
    fn what_lies_inside_of_them_is_theirs() {
        for path in [
            "/user.slice/user-1000.slice/session-3.scope",
            "/user.slice/user-1000.slice/user@1000.service/app.slice/podman.service",
            "/docker/ID/system.slice/containerd.service",
            "/system.slice/docker.service/ID",
        ] {
            assert_eq!(place(path), Place::Part, "{path}");
        }
    }

    #[test]
    fn the_rest_is_no_entity() {
        for path in
            ["/", "/system.slice", "/kubepods", "/kubepods.slice", "/custom.slice", "/docker"]
        {
            assert!(!place(path).is_entity() && place(path).has_children(), "{path}");
        }
        for path in [
            "/init.scope",
            "/system.slice/run-u12.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/lxc.monitor.web",
        ] {
            assert_eq!(place(path), Place::Hidden, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_container_is_found_wherever_its_cluster_is_put(
            prefix in "(/[a-k]{1,8}(\\.slice|\\.service)?){0,4}",
            uid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}",
            id in "[0-9a-f]{64}",
            runtime in "cri-containerd|crio|docker",
        ) {
            let uid_ = uid.replace('-', "_");
            for pod in [
                format!("{prefix}/kubepods/burstable/pod{uid}"),
                format!("{prefix}/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice"),
            ] {
                let found = Place::of(&pod);
                prop_assert_eq!(&found, &self::pod(&uid, QosClass::Burstable));
                let id = Place::Container { id: EntityId::parse(&id) };
                prop_assert_eq!(&found.child(&format!("{runtime}-{}.scope", &id_text(&id))), &id);
            }
        }

        #[test]
        fn any_path_has_a_place(path in ".{0,200}|(/(kubepods|pod|burstable|[a-f0-9_.-]{0,70}|.{0,9})(\\.slice|\\.scope)?){0,9}") {
            let place = Place::of(&path);
            prop_assert!(place.has_children() || place.child("kubepods") == Place::Hidden);
        }
    }

    fn id_text(place: &Place) -> String {
        match place {
            Place::Container { id } => id.to_string(),
            other => panic!("{other:?} has no ID"),
        }
    }
}
