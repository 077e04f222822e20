//! The process that is measured.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
};

use kube::{Client, Config};
use kubemonitor_inventory::Inventory;

const URL: &str = "FOLLOWED_CLUSTER";
/// What marks a report among what the test harness prints.
const MARK: &str = "report:";

/// What the process says of itself.
pub(crate) struct Report {
    pub(crate) nodes: usize,
    pub(crate) pods: usize,
    /// Pods whose workload is known.
    pub(crate) joined: usize,
    /// Resident memory before anything was listed, in KiB.
    pub(crate) rss_kib_before: u64,
    pub(crate) rss_kib: u64,
    /// The most it ever had.
    pub(crate) peak_kib: u64,
    /// CPU time used until now, in hundredths of a second.
    pub(crate) cpu_centiseconds: u64,
}

/// The cluster to follow, if this is the process that is measured.
pub(crate) fn is_wanted() -> Option<String> {
    env::var(URL).ok()
}

/// Follows a cluster and reports: when everything is listed, and then at each line of input.
pub(crate) fn run(url: &str) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let before = memory("VmRSS");
    let _entered = runtime.enter();
    let client = Client::try_from(Config::new(url.parse().unwrap())).unwrap();
    let (inventory, _watchers) = Inventory::following(&client);
    while inventory.ready().is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    report(&inventory, before);
    for _line in std::io::stdin().lines() {
        report(&inventory, before);
    }
}

fn report(inventory: &Inventory, before: u64) {
    // Before this report adds to it.
    let (rss, peak) = (memory("VmRSS"), memory("VmHWM"));
    let pods = inventory.pods();
    let present = pods.iter().filter(|pod| pod.ended_at.is_none()).count();
    let joined = pods.iter().filter(|pod| pod.workload.is_some()).count();
    let nodes = inventory.nodes().len();
    let cpu = cpu_centiseconds();
    println!("\n{MARK} {nodes} {present} {joined} {before} {rss} {peak} {cpu}");
}

/// User and system time of `/proc/self/stat`, whose clock ticks a hundred times a second.
fn cpu_centiseconds() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The handle on that process, which ends when its input does.
pub(crate) struct Follower {
    process: Child,
    output: BufReader<ChildStdout>,
    asked: bool,
}

impl Follower {
    pub(crate) fn start(test: &str, url: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args([test, "--exact", "--include-ignored", "--nocapture"])
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output, asked: false }
    }

    /// The next report. The first comes by itself, once everything is listed.
    pub(crate) fn report(&mut self) -> Report {
        if self.asked {
            self.process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        }
        self.asked = true;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended without a report");
            if let Some(numbers) = line.strip_prefix(MARK) {
                let numbers: Vec<u64> =
                    numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
                let count = |place: usize| usize::try_from(numbers[place]).unwrap();
                return Report {
                    nodes: count(0),
                    pods: count(1),
                    joined: count(2),
                    rss_kib_before: numbers[3],
                    rss_kib: numbers[4],
                    peak_kib: numbers[5],
                    cpu_centiseconds: numbers[6],
                };
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
