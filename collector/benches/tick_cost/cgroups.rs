//! Pods and containers in real cgroups, which go away again.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Where distributions mount cgroups.
const MOUNT: &str = "/sys/fs/cgroup";

/// Controllers of cgroup v1 that matter, under each name that distributions give their mounts.
const LEGACY: [&str; 6] = ["cpu", "cpuacct", "cpu,cpuacct", "memory", "blkio", "pids"];

/// A kubelet's cgroups: pods of two containers, each with a process in a network of its own.
pub(crate) struct Pods {
    /// A folder that looks like `/sys/fs/cgroup` and shows nothing but these pods.
    pub(crate) view: PathBuf,
    /// Of cgroup v1: the folder with a link to each of the tops.
    _links: Option<TempDir>,
    /// The top in each hierarchy.
    tops: Vec<PathBuf>,
    processes: Vec<Child>,
}

impl Pods {
    /// Makes so many containers.
    pub(crate) fn make(containers: usize) -> anyhow::Result<Self> {
        let name = format!("kubemonitor-tick-cost-{}", std::process::id());
        let mut pods = if Path::new(MOUNT).join("cgroup.controllers").exists() {
            let top = Path::new(MOUNT).join(name);
            Self { view: top.clone(), _links: None, tops: vec![top], processes: Vec::new() }
        } else {
            Self::legacy(&name)?
        };
        for place in 0..containers {
            pods.add_container(place)?;
        }
        Ok(pods)
    }

    /// On a host with cgroup v1.
    fn legacy(name: &str) -> anyhow::Result<Self> {
        let links = tempfile::tempdir()?;
        let mut tops = Vec::new();
        for controller in LEGACY {
            let mount = Path::new(MOUNT).join(controller);
            // Joined controllers are often mounted once and linked under their single names.
            if mount.is_dir() && !mount.is_symlink() {
                let top = mount.join(name);
                symlink(&top, links.path().join(controller))?;
                tops.push(top);
            }
        }
        ensure!(!tops.is_empty(), "found no cgroup hierarchy at {MOUNT}");
        let view = links.path().to_owned();
        Ok(Self { view, _links: Some(links), tops, processes: Vec::new() })
    }

    fn add_container(&mut self, place: usize) -> anyhow::Result<()> {
        let pod = format!("kubepods/burstable/pod00000000-0000-4000-8000-{:012x}", place / 2);
        let path = format!("{pod}/{place:064x}");
        let process = Command::new("unshare")
            .args(["--net", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run unshare (package util-linux)")?;
        let id = process.id();
        self.processes.push(process);
        for top in &self.tops {
            make(top, &path).with_context(|| format!("cannot make {path} in {}", top.display()))?;
            fs::write(top.join(&path).join("cgroup.procs"), id.to_string())?;
        }
        Ok(())
    }
}

/// Makes the cgroup at `path` below `top`, and lets each one above it hand on its controllers.
fn make(top: &Path, path: &str) -> io::Result<()> {
    let mut folder = top.to_owned();
    let parts = path.split('/').map(Some);
    for part in std::iter::once(None).chain(parts) {
        if let Some(part) = part {
            // Absent on v1, and each controller may be absent on v2.
            for controller in ["+cpu", "+memory", "+io", "+pids"] {
                let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
            }
            folder.push(part);
        }
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Drop for Pods {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        for top in &self.tops {
            // The kernel may need a moment after the last process has gone.
            for _ in 0..100 {
                if remove(top).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Removes a cgroup and those in it; their files go along.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
