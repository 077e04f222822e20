//! What a tick costs on a node with 20 and with 220 containers: CPU time, reads, bytes, memory.
//!
//! Makes real cgroups in a kubepods layout, and removes them afterwards. Needs root:
//!
//! `cargo bench -p kubemonitor-collector --bench tick_cost [-- <containers>...]`

mod cgroups;
#[path = "../../tests/server/mod.rs"]
mod server;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use kubemonitor_collector::{HostSampler, Settings};
use kubemonitor_frame::encode;
use kubemonitor_hostfs::HostRoots;
use kubemonitor_model::UnixMillis;
use rustix::time::{ClockId, clock_gettime};

use crate::{cgroups::Pods, server::Server};

const WARM_UP: u32 = 20;
/// How often the process under test ticks, and for how long it is watched.
const INTERVAL: &str = "100ms";
const WATCHED: Duration = Duration::from_secs(20);

fn main() -> anyhow::Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "cgroups are made by root: run this as root");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            // Whatever was made goes away as its future is dropped.
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
            done = measure_all() => done,
        }
    })
}

async fn measure_all() -> anyhow::Result<()> {
    // Cargo adds options of its own.
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    for containers in if asked.is_empty() { vec![20, 220] } else { asked } {
        let pods = Pods::make(containers)?;
        let roots = HostRoots { cgroup: pods.view.clone(), ..HostRoots::default() };
        println!("{containers} containers in {} pods", containers / 2);
        measure_sampling(&roots)?;
        tokio::task::yield_now().await;
        measure_process(&roots).await?;
    }
    Ok(())
}

/// Samples, and reads the same files without looking at what they say.
fn measure_sampling(roots: &HostRoots) -> anyhow::Result<()> {
    let settings = Settings {
        server: "http://localhost".parse()?,
        node: "bench".parse()?,
        interval: "1s".parse()?,
        host: roots.clone(),
        token_file: None,
        ca_file: None,
    };
    let before = open_kernel_files()?;
    let mut sampler = HostSampler::open(&settings)?;
    let mut frame = Vec::new();
    for _ in 0..WARM_UP {
        sample(&mut sampler, &mut frame);
    }
    let bare = open_kernel_files()?
        .into_iter()
        .filter(|path| !before.contains(path))
        .map(|path| File::open(&path).with_context(|| format!("cannot open {}", path.display())))
        .collect::<anyhow::Result<Vec<File>>>()?;
    sampler.take_cost();
    let entities = sample(&mut sampler, &mut frame);
    let cost = sampler.take_cost();
    println!(
        "  a tick has {entities} entities, {} reads of files, {} bytes in them, {} bytes in its frame",
        cost.files,
        cost.bytes,
        frame.len(),
    );

    for (when, pause, ticks) in
        [("in a row", Duration::ZERO, 300), ("100 ms apart", Duration::from_millis(100), 100)]
    {
        let sampling = cpu_per_turn(ticks, pause, || {
            sample(&mut sampler, &mut frame);
        });
        let mut buffer = vec![0; 64 << 10];
        let reading = cpu_per_turn(ticks, pause, || {
            for file in &bare {
                // Only what it costs matters here, and a file that fails costs as well.
                let _ = file.read_at(&mut buffer, 0);
            }
        });
        println!(
            "  {when:<14} {sampling:6.0} us CPU for sampling and encoding a tick, {reading:6.0} us for bare \
             preads of its {} files: {:.2} times as much",
            bare.len(),
            sampling / reading,
        );
    }
    Ok(())
}

/// Samples and encodes one tick; tells how many entities it has.
fn sample(sampler: &mut HostSampler, frame: &mut Vec<u8>) -> usize {
    let tick = sampler.sample(UnixMillis(0));
    frame.clear();
    encode(tick, frame);
    tick.rows.len()
}

/// Microseconds of CPU time that `work` takes this thread, on average over so many turns.
fn cpu_per_turn(turns: u32, pause: Duration, mut work: impl FnMut()) -> f64 {
    let mut spent = Duration::ZERO;
    for _ in 0..turns {
        thread::sleep(pause);
        let begun = cpu_time();
        work();
        spent += cpu_time().saturating_sub(begun);
    }
    spent.as_secs_f64() * 1e6 / f64::from(turns)
}

/// Runs the binary against a server, and asks the kernel what it took.
async fn measure_process(roots: &HostRoots) -> anyhow::Result<()> {
    let server = Server::start([]).await;
    let child = Command::new(env!("CARGO_BIN_EXE_kubemonitor-collector"))
        .env_clear()
        .args(["--server", &server.url(), "--interval", INTERVAL, "--node", "bench"])
        .arg("--cgroup")
        .arg(&roots.cgroup)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let process = Process(child);
    server.takes(WARM_UP as usize).await;
    let (cpu, ticks) = (process.cpu_time()?, server.taken().len());
    tokio::time::sleep(WATCHED).await;
    let cpu = process.cpu_time()?.saturating_sub(cpu);
    let ticks = server.taken().len() - ticks;
    println!(
        "  whole process  {:6.0} us CPU for a tick, its sending included, every {INTERVAL}; peak RSS {:.1} MiB",
        cpu.as_secs_f64() * 1e6 / ticks as f64,
        process.peak_rss_kib()? as f64 / 1024.0,
    );
    Ok(())
}

/// A process that ends when this does.
struct Process(Child);

impl Process {
    /// The CPU time of its threads so far.
    fn cpu_time(&self) -> anyhow::Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanos: u64 = text.split(' ').next().unwrap_or_default().parse()?;
            sum += nanos;
        }
        Ok(Duration::from_nanos(sum))
    }

    fn peak_rss_kib(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
        Ok(kib.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The files of /proc and of cgroups that this process has open.
fn open_kernel_files() -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let Ok(path) = fs::read_link(entry?.path()) else { continue };
        let kernels = ["/proc", "/sys/fs/cgroup"].iter().any(|root| path.starts_with(root));
        if kernels && Path::new(&path).is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
