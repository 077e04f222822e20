//! `kubemonitor up` as users run it, on this machine's own data.

#![expect(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "this test looks at the whole machine, not only at its own cgroups")]
#[path = "../../../crates/hostfs/tests/real_cgroups/cgroups.rs"]
mod cgroups;
mod running;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use cgroups::RealCgroups;
use running::{Running, up};
use serde_json::Value;

const UID: &str = "5a0c64a2-90f3-4b0e-8d53-0d7c1c6e2b11";

/// The value of a line of `/proc/meminfo`, in bytes.
fn meminfo(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

#[test]
fn this_hosts_figures_are_those_of_its_proc() {
    let running = Running::start(&["--interval=200ms"]);
    let node = running.eventually("/api/nodes", |nodes| nodes[0]["cpu_millicores"].is_number());
    let node = &node[0];
    assert_eq!(node["memory_total_bytes"], meminfo("MemTotal"));
    let available = node["memory_available_bytes"].as_f64().unwrap();
    let by_hand = meminfo("MemAvailable") as f64;
    // Others of this machine allocate meanwhile.
    assert!((available / by_hand - 1.0).abs() < 0.1, "{available} and {by_hand}");
    let cpus = fs::read_to_string("/proc/stat").unwrap();
    let cpus = cpus.lines().filter(|line| line.starts_with("cpu")).count() - 1;
    assert_eq!(node["cpu_capacity_millicores"], 1000 * cpus);
    let percent = node["cpu_usage_percent"].as_f64().unwrap();
    assert!((0.0..=101.0).contains(&percent), "{percent}");
    assert_eq!(node["stale"], false);
}

#[test]
fn a_process_in_a_kubepods_cgroup_is_a_pod_at_work() {
    let Ok(cgroups) = RealCgroups::make("up") else {
        eprintln!("skipped: cannot make cgroups here");
        return;
    };
    let running = Running::start(&["--interval=500ms"]);
    let pod = format!("kubepods/burstable/pod{UID}");
    let container = format!("{pod}/{}", "c".repeat(64));
    cgroups.add(&container);
    cgroups.start(&container, "sh", &["-c", "while :; do :; done"]);

    let path = format!("/api/pods/{UID}");
    let found = running.eventually(&path, |pod| {
        // A busy loop, which shares the CPUs with whatever else runs here.
        pod[0]["cpu_millicores"].as_f64().is_some_and(|millicores| millicores > 50.0)
    });
    let found = &found[0];
    assert_eq!(found["qos_class"], "Burstable");
    assert_eq!(found["container_count"], 1);
    assert!(found["memory_used_bytes"].as_u64().unwrap() > 0);
    let listed = running.json("/api/pods");
    assert!(listed.as_array().unwrap().iter().any(|listed| listed["uid"] == UID), "{listed}");

    cgroups.stop_all();
    cgroups.remove(&pod);
    running.eventually("/api/pods", |pods| {
        pods.as_array().unwrap().iter().all(|pod| pod["uid"] != UID)
    });
    let past = running.json(&format!("{path}?window=60"));
    assert!(!past.as_array().unwrap().is_empty(), "what is gone is still told of: {past}");
}

#[test]
fn it_says_where_it_is_and_ends_well_when_told() {
    let running = Running::start(&[]);
    let port = running.address.port();
    for part in ["measures", "/docs", &format!("http://localhost:{port}/"), "Ctrl-C"] {
        assert!(running.said.contains(part), "{part} is not in:\n{}", running.said);
    }
    let (status, errors) = running.terminate();
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}

#[test]
fn a_port_in_use_is_said_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = up(&["--port", &port]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains(&format!("port {port}")) && errors.contains("in use"), "{errors}");
    assert!(output.stdout.is_empty(), "nothing is promised before it listens");
}

#[test]
fn a_wrong_option_ends_with_2_and_names_itself() {
    for options in [
        ["--interval", "5h"],
        ["--fsync", "never"],
        ["--retention", "1w"],
        ["--address", "localhost"],
    ] {
        let output = up(&options).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(options.iter().all(|option| errors.contains(option)), "{errors}");
    }
}

#[test]
fn with_a_data_directory_a_killed_process_loses_a_second_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--interval=200ms", "--data-dir", folder.path().to_str().unwrap()];
    let running = Running::start(&options);
    let node = running.eventually("/api/nodes", |nodes| nodes[0]["cpu_millicores"].is_number());
    let path = format!("/api/nodes/{}?window=60", node[0]["node_name"].as_str().unwrap());
    running.eventually(&path, |samples| samples.as_array().unwrap().len() > 5);
    std::thread::sleep(Duration::from_secs(1));
    let last = running.json(&path);
    std::thread::sleep(Duration::from_secs(1));
    running.kill();

    let again = Running::start(&options);
    let back = again.json(&path);
    let of_before: Vec<&Value> = last.as_array().unwrap().iter().map(|s| &s["timestamp"]).collect();
    let found = back.as_array().unwrap();
    for timestamp in of_before {
        assert!(
            found.iter().any(|sample| sample["timestamp"] == *timestamp),
            "{timestamp} is lost"
        );
    }
}

#[test]
fn a_wrong_value_of_a_variable_is_blamed_on_the_variable() {
    let output = up(&[]).env("RETENTION", "bogus").output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(
        errors.contains("'bogus' for 'RETENTION") && errors.contains("such as `90m`"),
        "{errors}"
    );
}

/// `kubemonitor simulate` with these options.
fn simulate(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubemonitor"));
    command.arg("simulate").args(options).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn simulate_ends_with_2_after_options_that_cannot_work() {
    for options in [&["--nodes=0"][..], &["--pods=100000"], &["--token-file=/nowhere/token"]] {
        let output = simulate(options).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {errors}");
        assert!(errors.contains("--"), "{errors}");
    }
}

#[test]
fn simulate_says_at_once_that_nobody_listens_and_what_it_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("--server=http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut simulate = simulate(&[&server]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(simulate.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let is_running = matches!(simulate.try_wait(), Ok(None));
    simulate.kill().unwrap();
    simulate.wait().unwrap();
    assert!(line.contains("nothing answers at 127.0.0.1") && line.contains("trying for"), "{line}");
    assert!(is_running, "it goes on trying");
}
