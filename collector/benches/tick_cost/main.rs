//! What a tick costs on a node with 20 and with 220 containers: CPU time, reads, bytes, memory.
//!
//! Makes real cgroups in a kubepods layout, and removes them afterwards. Needs root:
//!
//! `cargo bench -p kubemonitor-collector --bench tick_cost`

mod cgroups;
#[path = "../../tests/server/mod.rs"]
mod server;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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
const TICKS: u32 = 300;
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
    for containers in [20, 220] {
        let pods = Pods::make(containers)?;
        let roots = HostRoots { cgroup: pods.view.clone(), ..HostRoots::default() };
        println!("{containers} containers in {} pods", containers / 2);
        measure_sampling(&roots)?;
        tokio::task::yield_now().await;
        measure_process(&roots).await?;
    }
    Ok(())
}

/// Samples, and reads the same files without looking at what they say, in turns.
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
    for tick in 0..WARM_UP {
        sampler.sample(UnixMillis(i64::from(tick)));
    }
    let bare = open_kernel_files()?
        .into_iter()
        .filter(|path| !before.contains(path))
        .map(|path| File::open(&path).with_context(|| format!("cannot open {}", path.display())))
        .collect::<anyhow::Result<Vec<File>>>()?;
    let mut buffer = vec![0; 64 << 10];

    let (mut sample, mut encoding, mut reading) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut entities, mut bytes_read) = (0, 0);
    sampler.take_cost();
    for tick in 0..TICKS {
        let mut mark = cpu_time();
        let tick = sampler.sample(UnixMillis(i64::from(tick)));
        sample += lap(&mut mark);
        frame.clear();
        encode(tick, &mut frame);
        encoding += lap(&mut mark);
        for file in &bare {
            bytes_read += file.read_at(&mut buffer, 0)?;
        }
        reading += lap(&mut mark);
        entities = tick.rows.len();
    }
    let files = sampler.take_cost().files / u64::from(TICKS);
    println!(
        "  a tick has      {entities} entities, {files} files read, {} bytes a frame",
        frame.len()
    );
    println!("  sampling        {:6.0} us CPU a tick", micros(sample));
    println!("  encoding        {:6.0} us CPU a tick", micros(encoding));
    println!(
        "  bare pread      {:6.0} us CPU for the same {} files, {} bytes; sampling and encoding take {:.2} times that",
        micros(reading),
        bare.len(),
        bytes_read / TICKS as usize,
        (sample + encoding).as_secs_f64() / reading.as_secs_f64(),
    );
    Ok(())
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
        .spawn()?;
    let process = Process(child);
    server.takes(WARM_UP as usize).await;
    let (cpu, ticks) = (process.cpu_time()?, server.taken().len());
    tokio::time::sleep(WATCHED).await;
    let cpu = process.cpu_time()?.saturating_sub(cpu);
    let ticks = server.taken().len() - ticks;
    println!(
        "  whole process   {:6.0} us CPU a tick (each sent and acknowledged, {ticks} of them), peak RSS {:.1} MiB",
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

/// CPU time of this thread since `mark`, which moves on.
fn lap(mark: &mut Duration) -> Duration {
    let now = cpu_time();
    now.saturating_sub(std::mem::replace(mark, now))
}

/// Per tick, in microseconds.
fn micros(total: Duration) -> f64 {
    total.as_secs_f64() * 1e6 / f64::from(TICKS)
}
