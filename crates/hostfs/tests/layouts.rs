//! Paths of cgroups as hosts really have them, and what each of them is.

use kubemonitor_hostfs::layout::Place;
use kubemonitor_model::{EntityId, QosClass};
use proptest::prelude::*;

const UID: &str = "a96ab411-2bca-47bf-90b4-002d39ce26bb";
const UID_: &str = "a96ab411_2bca_47bf_90b4_002d39ce26bb";
const HASH: &str = "bba8a4a63ab4a7b4dc3a1f9a4bbd2d3c";
const ID: &str = "2a25b1e41af0134e1bcb760035db81549a05c343e264af1954e3f5295d7ba635";
const NODE: &str = "76d1e3c0a5f64bd2a2b8f8d0c94c11f00c2b39f1e6a7d85b4c3f2e1d0a9b8c7d";

/// A path in which `UID`, `UID_`, `HASH`, `ID` (of a container) and `NODE` (of a container that is a
/// whole Kubernetes node) stand for themselves.
fn filled(path: &str) -> String {
    let path = path.replace("UID_", UID_).replace("UID", UID).replace("HASH", HASH);
    path.replace("NODE", NODE).replace("ID", ID)
}

/// Whose figures the cgroup's are.
fn counts_as(path: &str) -> String {
    match Place::of(&filled(path)) {
        Place::Pod { uid, qos } => format!("pod {uid} {}", qos.as_str()),
        Place::Container { id, pod, qos } => format!("container {id} of {pod} {}", qos.as_str()),
        Place::Service { name: unit } | Place::PlainContainer { id: unit } => {
            format!("unit {unit}")
        }
        Place::Hidden => "nothing".to_owned(),
        _ => "prefix".to_owned(),
    }
}

fn check(table: &[(&str, &str)]) {
    for (path, expected) in table {
        assert_eq!(counts_as(path), filled(expected), "{path}");
    }
}

#[test]
fn pods_under_both_drivers_and_any_prefix() {
    check(&[
        // kubeadm, GKE, EKS, AKS, microk8s, k0s: cgroupfs, then systemd
        ("/kubepods/podUID", "pod UID Guaranteed"),
        ("/kubepods/burstable/podUID", "pod UID Burstable"),
        ("/kubepods/besteffort/podUID", "pod UID BestEffort"),
        ("/kubepods/burstable/podHASH", "pod HASH Burstable"),
        ("/kubepods/burstable/podmy-own.uid_1", "pod my-own.uid_1 Burstable"),
        ("/kubepods.slice/kubepods-podUID_.slice", "pod UID Guaranteed"),
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice",
            "pod UID Burstable",
        ),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podHASH.slice",
            "pod HASH BestEffort",
        ),
        // --cgroup-root
        ("/custom/kubepods/burstable/podUID", "pod UID Burstable"),
        ("/custom.slice/custom-kubepods.slice/custom-kubepods-podUID_.slice", "pod UID Guaranteed"),
        // kind, on hosts of both drivers
        ("/docker/NODE/kubelet/kubepods/burstable/podUID", "pod UID Burstable"),
        (
            "/docker/NODE/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podUID_.slice",
            "pod UID Burstable",
        ),
        (
            "/system.slice/docker-NODE.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUID_.slice",
            "pod UID Guaranteed",
        ),
        // kind and minikube over podman
        (
            "/machine.slice/libpod-NODE.scope/container/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podUID_.slice",
            "pod UID Guaranteed",
        ),
        ("/libpod_parent/libpod-NODE/kubelet/kubepods/podUID", "pod UID Guaranteed"),
        // minikube, k3d, k3s, and k3s of a user without root's rights
        ("/docker/NODE/kubepods/besteffort/podUID", "pod UID BestEffort"),
        ("/system.slice/docker-NODE.scope/kubepods/besteffort/podUID", "pod UID BestEffort"),
        ("/system.slice/k3s.service/kubepods/burstable/podUID", "pod UID Burstable"),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/k3s-rootless.service/kubepods/burstable/podUID",
            "pod UID Burstable",
        ),
        ("/system.slice/k0scontroller.service/kubepods/podUID", "pod UID Guaranteed"),
        // in LXC (Proxmox, LXD), in nspawn, with and without machined
        (
            "/lxc/101/ns/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podUID_.slice",
            "pod UID BestEffort",
        ),
        ("/lxc.payload.k8s/kubepods/burstable/podUID", "pod UID Burstable"),
        ("/lxc/outer/lxc/inner/kubepods/podUID", "pod UID Guaranteed"),
        (
            "/machine.slice/systemd-nspawn@k8s.service/payload/kubepods.slice/kubepods-podUID_.slice",
            "pod UID Guaranteed",
        ),
        ("/machine.slice/machine-k8s.scope/payload/kubepods/burstable/podUID", "pod UID Burstable"),
        // started by hand from a session or with `systemd-run --scope`
        ("/system.slice/run-u12.scope/kubepods/burstable/podUID", "pod UID Burstable"),
    ]);
}

#[test]
fn kubepods_nested_in_kubepods() {
    check(&[
        // Docker Desktop
        ("/kubepods", "prefix"),
        ("/kubepods/kubepods", "prefix"),
        ("/kubepods/kubepods/podUID", "pod UID Guaranteed"),
        ("/kubepods/kubepods/burstable/podUID", "pod UID Burstable"),
        ("/kubepods/kubepods/besteffort/podUID/ID", "container ID of UID BestEffort"),
        ("/docker/NODE/kubepods/kubepods/burstable/podUID/ID", "container ID of UID Burstable"),
        // --cgroup-root=/kubepods with systemd, and roots below it
        ("/kubepods.slice/kubepods-kubepods.slice", "prefix"),
        (
            "/kubepods.slice/kubepods-kubepods.slice/kubepods-kubepods-burstable.slice/kubepods-kubepods-burstable-podUID_.slice/cri-containerd-ID.scope",
            "container ID of UID Burstable",
        ),
        (
            "/kubepods.slice/kubepods-kubepods.slice/kubepods-kubepods-podUID_.slice",
            "pod UID Guaranteed",
        ),
        ("/kubepods/node-1/kubepods/burstable/podUID", "pod UID Burstable"),
        (
            "/kubepods/kubepods/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID_.slice",
            "pod UID Burstable",
        ),
        ("/kubepods/burstable/kubepods/podUID", "pod UID Guaranteed"),
    ]);
}

#[test]
fn containers_of_all_runtimes() {
    let slice = "/kubepods.slice/kubepods-podUID_.slice";
    for path in [
        "/kubepods/podUID/ID".to_owned(),
        "/kubepods/podUID/crio-ID".to_owned(),
        // Kata's sandbox, in which its virtual machine runs
        "/kubepods/podUID/kata_ID".to_owned(),
        format!("{slice}/cri-containerd-ID.scope"),
        format!("{slice}/crio-ID.scope"),
        format!("{slice}/docker-ID.scope"),
        format!("{slice}/libpod-ID.scope"),
        // dockerd and runtimes with cgroupfs, kubelet with systemd
        "/system.slice/docker.service/kubepods-podUID_.slice/ID".to_owned(),
        "/kubepods-podUID_.slice/ID".to_owned(),
        "/system.slice/containerd.service/kubepods-podUID_.slice:cri-containerd:ID".to_owned(),
        "/system.slice/k3s.service/kubepods-podUID_.slice:cri-containerd:ID".to_owned(),
        "/kubepods-podUID_.slice:cri-containerd:ID".to_owned(),
        "/system.slice/crio.service/kubepods-podUID_.slice:crio:ID".to_owned(),
        "/docker/NODE/system.slice/containerd.service/kubelet-kubepods-podUID_.slice:cri-containerd:ID"
            .to_owned(),
        "/podruntime/runtime/kubepods-podUID_.slice:cri-containerd:ID".to_owned(),
        "/podruntime/kubepods-podUID_.slice:cri-containerd:ID".to_owned(),
    ] {
        check(&[(&path, "container ID of UID Guaranteed")]);
    }
    check(&[(
        "/system.slice/containerd.service/kubepods-besteffort-podUID_.slice:cri-containerd:ID",
        "container ID of UID BestEffort",
    )]);
}

#[test]
fn what_is_no_container_of_a_pod() {
    check(&[
        ("/kubepods.slice/kubepods-podUID_.slice/crio-conmon-ID.scope", "nothing"),
        ("/kubepods/podUID/crio-conmon-ID", "nothing"),
        ("/kubepods/podUID/short", "nothing"),
        // crun's and systemd's cgroups inside of a container, a container in a container, and a
        // cluster in a container of a pod: theirs are the figures of that container
        ("/kubepods.slice/kubepods-podUID_.slice/crio-ID.scope/container", "nothing"),
        ("/kubepods/podUID/ID/init.scope", "nothing"),
        ("/kubepods/podUID/ID/libpod_parent/libpod-NODE", "nothing"),
        ("/kubepods/podUID/NODE/kubelet/kubepods/podUID/ID", "nothing"),
        ("/kubepods/other", "prefix"),
        ("/kubepods/pod", "prefix"),
        ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod.slice", "prefix"),
        ("/system.slice/crio.service/kubepods-podUID_.slice:crio-conmon:ID", "prefix"),
        ("/system.slice/containerd.service/kubepods-podUID_.slice:cri-containerd:short", "prefix"),
        ("/system.slice/containerd.service/kubepods-podUID_.slice:cri-containerd", "prefix"),
        ("/system.slice/containerd.service/system.slice:ctr:ID", "prefix"),
    ]);
}

#[test]
fn services_containers_and_machines_outside_of_kubernetes() {
    check(&[
        ("/system.slice/ssh.service", "unit ssh.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", "unit getty@tty1.service"),
        ("/runtime.slice/kubelet.service", "unit kubelet.service"),
        ("/podruntime.slice/kubelet.service", "unit kubelet.service"),
        ("/user.slice/user-1000.slice", "unit user-1000.slice"),
        // Talos, Docker Desktop, IBM: services without systemd
        ("/podruntime/kubelet", "unit podruntime-kubelet"),
        ("/podruntime/runtime", "unit podruntime-runtime"),
        ("/system/runtime", "unit system-runtime"),
        ("/podruntime", "prefix"),
        // Docker, Podman, containerd with `ctr` and nerdctl, over CRI without a pod
        ("/docker/ID", "unit ID"),
        ("/system.slice/docker-ID.scope", "unit ID"),
        ("/machine.slice/libpod-ID.scope", "unit ID"),
        ("/libpod_parent/libpod-ID", "unit ID"),
        ("/default/ID", "unit ID"),
        ("/default/redis", "unit redis"),
        ("/system.slice/nerdctl-ID.scope", "unit ID"),
        ("/k8s.io/ID", "unit ID"),
        // LXC, LXD, Incus, Proxmox
        ("/lxc/web", "unit web"),
        ("/lxc/101", "unit 101"),
        ("/lxc/101/ns", "prefix"),
        ("/lxc.payload.web", "unit web"),
        ("/lxc.payload/web", "unit web"),
        ("/lxc/lxc.monitor.web", "nothing"),
        ("/lxc.monitor.web", "nothing"),
        ("/lxc.monitor/101", "nothing"),
        ("/lxc.pivot", "nothing"),
        // machined, libvirt, Proxmox' virtual machines
        ("/machine.slice/machine-debian.scope", "unit machine-debian.scope"),
        ("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator", "prefix"),
        ("/machine.slice/systemd-nspawn@web.service", "unit systemd-nspawn@web.service"),
        ("/machine.slice/libpod-conmon-ID.scope", "nothing"),
        ("/machine/qemu-1-web.libvirt-qemu", "unit qemu-1-web.libvirt-qemu"),
        ("/qemu.slice", "prefix"),
        ("/qemu.slice/100.scope", "unit 100.scope"),
        // Nomad, on v2 and on v1
        ("/nomad.slice/share.slice/UID.web.scope", "unit UID.web"),
        ("/nomad.slice/UID.web.scope", "unit UID.web"),
        ("/nomad/share/UID.web", "unit UID.web"),
        ("/nomad.slice/share.slice/docker-ID.scope", "unit ID"),
        // What Kata runs outside of its pods, which may have a pod's name below
        ("/kata_overhead", "unit kata_overhead"),
        ("/kata_overhead/ID", "nothing"),
        ("/kata_overhead/kubepods/burstable/podUID/ID", "nothing"),
        ("/system.slice/kata_overhead-ID.scope", "unit kata_overhead-ID.scope"),
    ]);
}

#[test]
fn what_lies_in_a_unit_is_the_units() {
    check(&[
        ("/user.slice/user-1000.slice/session-3.scope", "prefix"),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/podman.service", "prefix"),
        ("/docker/NODE/system.slice/containerd.service", "prefix"),
        ("/docker/NODE/docker/ID", "prefix"),
        ("/system.slice/docker.service/ID", "prefix"),
        ("/system.slice/web.service/libpod-payload-ID", "prefix"),
        ("/lxc/outer/lxc/inner", "prefix"),
    ]);
}

#[test]
fn the_rest_is_nothing_by_itself() {
    check(&[
        ("/", "prefix"),
        ("/system.slice", "prefix"),
        ("/kubepods.slice", "prefix"),
        ("/custom.slice", "prefix"),
        ("/docker", "prefix"),
        ("/init.scope", "prefix"),
        ("/system.slice/run-u12.scope", "prefix"),
        ("/k3s_evac", "prefix"),
    ]);
}

/// Names that cgroups have, and others.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "kubepods",
        "kubepods.slice",
        "burstable",
        "besteffort",
        "podUID",
        "podHASH",
        "kubepods-burstable-podUID_.slice",
        "kubepods-kubepods-podUID_.slice",
        "kubelet",
        "kubelet-kubepods.slice",
        "kubepods-podUID_.slice:cri-containerd:ID",
        "ID",
        "NODE",
        "cri-containerd-ID.scope",
        "crio-ID.scope",
        "crio-conmon-ID.scope",
        "kata_ID",
        "kata_overhead",
        "docker",
        "docker-NODE.scope",
        "system.slice",
        "containerd.service",
        "machine.slice",
        "qemu.slice",
        "100.scope",
        "lxc",
        "lxc.payload.web",
        "lxc.monitor.web",
        "podruntime",
        "system",
        "default",
        "k8s.io",
        "init.scope",
        "container",
        "nomad.slice",
        "UID.web.scope",
        "user-1000.slice",
        "ns",
    ];
    prop_oneof![
        8 => prop::sample::select(known.to_vec()).prop_map(filled),
        1 => "[a-z0-9:._-]{1,12}",
        1 => "\\PC{0,9}".prop_map(|name| name.replace('/', "")),
    ]
}

proptest! {
    #[test]
    fn a_pods_container_lies_in_its_pod_or_bears_its_name(names in prop::collection::vec(name(), 0..9)) {
        let path: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut above = Place::Folder;
        for name in path {
            let place = above.child(name);
            if let Place::Container { id, pod, qos } = &place {
                let in_pod = above == Place::Pod { uid: pod.clone(), qos: *qos };
                let named = name.contains(&pod.to_string().replace('-', "_")) && name.contains(':');
                prop_assert!(in_pod || named, "{names:?}");
                prop_assert!(name.contains(&id.to_string()), "{names:?}");
            }
            // What is inside of a container is that container's.
            if matches!(above, Place::Container { .. }) {
                prop_assert_eq!(&place, &Place::Hidden);
            }
            // In a unit there is no other unit.
            if matches!(above, Place::Service { .. } | Place::PlainContainer { .. } | Place::Part) {
                let is_unit = matches!(place, Place::Service { .. } | Place::PlainContainer { .. });
                prop_assert!(!is_unit, "{names:?}");
            }
            above = place;
        }
    }

    #[test]
    fn a_container_is_found_wherever_its_cluster_is_put(
        prefix in "(/[a-k]{1,8}(\\.slice|\\.service|\\.scope)?|/kubepods|/kubepods\\.slice){0,4}",
        uid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}",
        id in "[0-9a-f]{64}",
        runtime in "cri-containerd|crio|docker",
    ) {
        let uid_ = uid.replace('-', "_");
        let expected = Place::Container {
            id: EntityId::parse(&id),
            pod: EntityId::parse(&uid),
            qos: QosClass::Burstable,
        };
        for path in [
            format!("{prefix}/kubepods/burstable/pod{uid}/{id}"),
            format!("{prefix}/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/{runtime}-{id}.scope"),
            format!("{prefix}/kubepods-burstable-pod{uid_}.slice:{runtime}:{id}"),
        ] {
            prop_assert_eq!(&Place::of(&path), &expected, "{}", path);
        }
    }

    #[test]
    fn any_path_has_a_place(path in ".{0,200}|(/(kubepods|pod|burstable|[a-f0-9_.-]{0,70}|.{0,9})(\\.slice|\\.scope)?){0,9}") {
        let place = Place::of(&path);
        prop_assert!(place.has_children() || place.child("kubepods") == Place::Hidden);
    }
}
