//! Cgroups of the machine's own kernel. Needs the right to make them, which root has.

#[cfg(test)]
mod cgroups;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use cgroups::RealCgroups;
use kubemonitor_hostfs::{EntityReading, Host, procfs::net_dev::NetworkCounters};

const POD: &str = "kubepods/burstable/pod0f9d4c1e-1111-2222-3333-444455556666";

fn container(digit: char) -> String {
    format!("{POD}/{}", digit.to_string().repeat(64))
}

/// Cgroups to play with; says so where there are none to be had.
fn real_cgroups(name: &str) -> Option<RealCgroups> {
    RealCgroups::make(name)
        .inspect_err(|error| eprintln!("skipped: cannot make cgroups here: {error}"))
        .ok()
}

fn entities(host: &mut Host) -> Vec<EntityReading> {
    host.read().entities().cloned().collect()
}

#[test]
fn a_busy_process_shows_in_its_container_and_pod() {
    let Some(cgroups) = real_cgroups("busy") else { return };
    cgroups.add(&container('a'));
    // Takes its memory once it is in there: what it had before stays with those who had it then.
    let busy = "sleep 0.2; x=$(head -c 4000000 /dev/zero | tr '\\0' x); while :; do :; done";
    cgroups.start(&container('a'), "sh", &["-c", busy]);
    let mut host = Host::open(cgroups.roots()).unwrap();
    thread::sleep(Duration::from_millis(400));
    let before = entities(&mut host);
    let since = Instant::now();
    thread::sleep(Duration::from_millis(500));
    let after = entities(&mut host);
    let elapsed = since.elapsed().as_secs_f64();
    assert_eq!(after.len(), 2);
    for (before, after) in before.iter().zip(&after) {
        let used = after.cgroup.cpu_usage_ns.unwrap() - before.cgroup.cpu_usage_ns.unwrap();
        // Others may want the CPU as well, but not all of it.
        let share = used as f64 / 1e9 / elapsed;
        assert!((0.1..1.1).contains(&share), "{share} of a CPU");
        assert_eq!(after.cgroup.pids, Some(1));
        assert!(after.cgroup.memory_working_set.unwrap() > 4_000_000);
        assert!(!after.newborn);
    }
}

#[test]
fn a_pod_is_found_at_the_tick_after_it_was_made() {
    let Some(cgroups) = real_cgroups("newborn") else { return };
    cgroups.add("kubepods/burstable");
    let mut host = Host::open(cgroups.roots()).unwrap();
    assert_eq!(entities(&mut host), []);
    cgroups.add(&container('a'));
    cgroups.start(&container('a'), "sleep", &["60"]);
    let found = entities(&mut host);
    assert_eq!(found.iter().map(|one| one.newborn).collect::<Vec<_>>(), [true, true]);
    assert!(found.iter().all(|one| one.cgroup.cpu_usage_ns.is_some()));
    assert!(entities(&mut host).iter().all(|one| !one.newborn));
    cgroups.stop_all();
    cgroups.remove(POD);
    assert_eq!(entities(&mut host), []);
}

#[test]
fn nothing_is_told_of_a_pod_and_a_container_before_a_process_has_been_in_them() {
    let Some(cgroups) = real_cgroups("start") else { return };
    cgroups.add(&container('a'));
    cgroups.add(&container('b'));
    let mut host = Host::open(cgroups.roots()).unwrap();
    assert_eq!(entities(&mut host), []);
    // In a cgroup below the container's, as crun has it.
    let inside = container('b') + "/container";
    cgroups.add(&inside);
    cgroups.start(&inside, "sleep", &["60"]);
    let found = entities(&mut host);
    let told: Vec<_> = found.iter().map(|one| (one.newborn, one.cgroup.pids)).collect();
    assert_eq!(told, [(true, Some(1)); 2], "its counters were 0 at the tick before");
    assert_eq!(found[1].id.to_string(), "b".repeat(64));
    assert!(entities(&mut host).iter().all(|one| !one.newborn));
}

#[test]
fn a_pod_without_processes_is_left_out_after_a_while_wherever_they_were() {
    let Some(cgroups) = real_cgroups("empty") else { return };
    // A container may have cgroups of its own inside.
    let inside = container('a') + "/inside";
    cgroups.add(&inside);
    cgroups.start(&inside, "sleep", &["60"]);
    let mut host = Host::open(cgroups.roots()).unwrap();
    let began = Instant::now();
    let mut count_at =
        |seconds| host.read_at(began + Duration::from_secs(seconds)).entities().len();
    assert_eq!([0, 20, 40, 90].map(&mut count_at), [2, 2, 2, 2]);
    cgroups.stop_all();
    assert_eq!([100, 114, 115, 120, 180].map(&mut count_at), [2, 2, 0, 0, 0]);
    cgroups.add(&container('b'));
    assert_eq!(count_at(185), 1, "another container comes, and has not started");
    cgroups.start(&container('b'), "sleep", &["60"]);
    assert_eq!([190, 250].map(&mut count_at), [2, 2]);
    cgroups.stop_all();
    cgroups.remove(POD);
    assert_eq!(count_at(255), 0);
}

#[test]
fn a_container_made_anew_under_its_old_name_is_another_one() {
    let Some(cgroups) = real_cgroups("anew") else { return };
    cgroups.add(&container('a'));
    cgroups.start(&container('a'), "sh", &["-c", "while :; do :; done"]);
    let mut host = Host::open(cgroups.roots()).unwrap();
    thread::sleep(Duration::from_millis(100));
    let old = entities(&mut host)[1].cgroup.cpu_usage_ns.unwrap();
    cgroups.stop_all();
    cgroups.remove(&container('a'));
    cgroups.add(&container('a'));
    cgroups.start(&container('a'), "sleep", &["60"]);
    let anew = &entities(&mut host)[1];
    assert!(anew.newborn);
    assert!(anew.cgroup.cpu_usage_ns.unwrap() < old);
}

#[test]
fn cgroups_that_come_and_go_all_the_time_are_no_error() {
    let Some(cgroups) = real_cgroups("churn") else { return };
    cgroups.add("kubepods/burstable");
    let mut host = Host::open(cgroups.roots()).unwrap();
    let done = AtomicBool::new(false);
    let (mut ticks, mut seen) = (0, 0);
    // Only the thread that makes them has the cgroups.
    let cgroups = thread::scope(|scope| {
        let maker = scope.spawn(|| {
            let cgroups = cgroups;
            while !done.load(Ordering::Relaxed) {
                cgroups.add(&container('a'));
                cgroups.add(&container('b'));
                cgroups.start(&container('a'), "sleep", &["60"]);
                cgroups.stop_all();
                cgroups.remove(POD);
            }
            cgroups
        });
        let until = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < until {
            let found = entities(&mut host);
            seen += found.len();
            ticks += 1;
            // Each container has its pod before it, whatever went in the meantime.
            for one in found.iter().filter(|one| one.qos.is_none()) {
                assert!(found[one.parent.unwrap()].qos.is_some());
            }
        }
        done.store(true, Ordering::Relaxed);
        maker.join().unwrap()
    });
    assert!(ticks > 10 && seen > 0, "{seen} seen in {ticks} ticks");
    assert_eq!(entities(&mut host), []);
    cgroups.add(&container('c'));
    cgroups.start(&container('c'), "sleep", &["60"]);
    assert_eq!(entities(&mut host).len(), 2);
}

#[test]
fn a_pod_has_the_network_of_its_own_namespace_and_not_the_nodes() {
    let Some(cgroups) = real_cgroups("network") else { return };
    let on_host = "kubepods/poda96ab411-2bca-47bf-90b4-002d39ce26bb";
    let sandbox = format!("{on_host}/{}", "b".repeat(64));
    cgroups.add(&container('a'));
    cgroups.add(&sandbox);
    cgroups.start(&container('a'), "unshare", &["--net", "sleep", "60"]);
    cgroups.start(&sandbox, "sleep", &["60"]);
    thread::sleep(Duration::from_millis(300));
    let mut host = Host::open(cgroups.roots()).unwrap();
    let networks: Vec<_> = entities(&mut host).into_iter().map(|one| one.network).collect();
    assert_eq!(networks, [Some(NetworkCounters::default()), None, None, None]);
}

/// Has a network namespace of its own, or that of another process.
const ALONE: &[&str] = &["--net", "sleep", "60"];

#[test]
fn a_network_is_found_through_any_process_below_the_cgroup() {
    let Some(cgroups) = real_cgroups("below") else { return };
    let uid = |number: usize| format!("0f9d4c1e-1111-2222-3333-44445555666{number}");
    // crun's, systemd's in a container, a container's without a pod, LXC's and Podman's.
    let places = [
        format!("kubepods/pod{}/crio-{}.scope/container", uid(0), "a".repeat(64)),
        format!("kubepods/pod{}/{}/system.slice/web.service", uid(1), "b".repeat(64)),
        format!("machine.slice/libpod-{}.scope/container", "c".repeat(64)),
        "lxc/web/init.scope".to_owned(),
        format!("docker/{}/init", "d".repeat(64)),
    ];
    for place in &places {
        cgroups.add(place);
        cgroups.start(place, "unshare", ALONE);
    }
    // Beside the container, and in the node's namespace.
    let monitor = format!("kubepods/pod{}/crio-conmon-{}.scope", uid(0), "a".repeat(64));
    cgroups.add(&monitor);
    cgroups.start(&monitor, "sleep", &["60"]);
    thread::sleep(Duration::from_millis(300));
    let mut host = Host::open(cgroups.roots()).unwrap();
    let found = entities(&mut host);
    let with: Vec<_> =
        found.iter().filter(|one| one.network.is_some()).map(|one| one.id.to_string()).collect();
    assert_eq!(with, ["d".repeat(64), uid(0), uid(1), "web".to_owned(), "c".repeat(64)]);
    assert_eq!(found.len(), 7, "each pod with its container");
}

#[test]
fn what_several_share_is_the_traffic_of_one() {
    let Some(cgroups) = real_cgroups("shared") else { return };
    let [first, second, other] =
        ['a', 'b', 'c'].map(|digit| format!("docker/{}", digit.to_string().repeat(64)));
    for cgroup in [&second, &first, &other] {
        cgroups.add(cgroup);
    }
    cgroups.start(&other, "unshare", ALONE);
    let holder = cgroups.start(&second, "unshare", ALONE);
    thread::sleep(Duration::from_millis(300));
    let net = format!("--net=/proc/{holder}/ns/net");
    cgroups.start(&first, "nsenter", &[&net, "sleep", "60"]);
    thread::sleep(Duration::from_millis(300));
    let mut host = Host::open(cgroups.roots()).unwrap();
    let has = |host: &mut Host| -> Vec<bool> {
        entities(host).iter().map(|one| one.network.is_some()).collect()
    };
    // The second was made before the first.
    assert_eq!(has(&mut host), [false, true, true]);
    assert_eq!(has(&mut host), [false, true, true]);
}

#[test]
fn a_pod_whose_runtime_uses_another_driver_is_the_sum_of_its_containers() {
    let Some(cgroups) = real_cgroups("mixed") else { return };
    let pod = "kubepods-burstable-pod0f9d4c1e_1111_2222_3333_444455556666.slice";
    let runtime = "system.slice/containerd.service";
    let container =
        |digit: char| format!("{runtime}/{pod}:cri-containerd:{}", digit.to_string().repeat(64));
    cgroups.add(&format!("kubepods.slice/kubepods-burstable.slice/{pod}"));
    cgroups.add(&container('a'));
    cgroups.add(&container('b'));
    let mut host = Host::open(cgroups.roots()).unwrap();
    assert_eq!(entities(&mut host).len(), 1, "nothing has started but the runtime");
    let work = "x=0; while [ $x -lt 20000 ]; do x=$((x+1)); done; exec sleep 60";
    for digit in ['a', 'b'] {
        cgroups.start(&container(digit), "sh", &["-c", work]);
    }
    let until = Instant::now() + Duration::from_secs(60);
    let mut last = 0;
    let cpu = |one: &EntityReading| one.cgroup.cpu_usage_ns.unwrap();
    loop {
        let found = entities(&mut host);
        let [pod, a, b, _runtime] = &found[..] else { panic!("{found:?}") };
        assert_eq!((cpu(pod), pod.cgroup.pids), (cpu(a) + cpu(b), Some(2)));
        let memory = |one: &EntityReading| one.cgroup.memory_working_set.unwrap();
        assert_eq!(memory(pod), memory(a) + memory(b));
        let done = cpu(pod) == last && last > 10_000_000;
        last = cpu(pod);
        if done {
            break;
        }
        assert!(Instant::now() < until, "{last} ns used");
        thread::sleep(Duration::from_millis(50));
    }
    cgroups.stop_all();
    let stopped = cpu(&entities(&mut host)[0]);
    assert!(stopped >= last);
    cgroups.remove(&container('a'));
    let without = entities(&mut host);
    assert_eq!((without.len(), cpu(&without[0])), (3, stopped), "what it used stays used");
}

#[test]
fn pods_on_the_network_of_a_node_that_is_a_container_have_none_of_their_own() {
    let Some(cgroups) = real_cgroups("kind") else { return };
    let node = format!("docker/{}", "d".repeat(64));
    let init = format!("{node}/init.scope");
    let pod = |number: usize| {
        let uid = format!("0f9d4c1e-1111-2222-3333-44445555666{number}");
        format!("{node}/kubelet/kubepods/pod{uid}/{}", number.to_string().repeat(64))
    };
    let places = [&init, &pod(0), &pod(1)];
    for place in places {
        cgroups.add(place);
    }
    let holder = cgroups.start(&init, "unshare", ALONE);
    cgroups.start(&pod(1), "unshare", ALONE);
    thread::sleep(Duration::from_millis(300));
    let net = format!("--net=/proc/{holder}/ns/net");
    cgroups.start(&pod(0), "nsenter", &[&net, "sleep", "60"]);
    thread::sleep(Duration::from_millis(300));
    let mut host = Host::open(cgroups.roots()).unwrap();
    let found = entities(&mut host);
    let has: Vec<bool> = found.iter().map(|one| one.network.is_some()).collect();
    // The node, then each pod with its container.
    assert_eq!(has, [true, false, false, true, false]);
    let [node, rest @ ..] = &found[..] else { panic!("no node") };
    assert_eq!(node.cgroup.pids, Some(1), "without its pods");
    assert!(rest.iter().all(|one| one.cgroup.pids == Some(1)));
}
