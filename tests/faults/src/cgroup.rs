//! A cgroup with little memory, of v1 or v2 as the machine has it, for root.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// A cgroup whose processes may use so much memory. It is removed when this is dropped.
#[derive(Debug)]
pub struct MemoryCgroup {
    folder: PathBuf,
}

/// Cgroups made by this process.
static MADE: AtomicU32 = AtomicU32::new(0);

impl MemoryCgroup {
    /// Makes one below the root of what is mounted.
    ///
    /// # Errors
    /// If this is not for us: not root, no cgroups, or no memory controller.
    pub fn new(limit_bytes: u64) -> io::Result<Self> {
        let (v1, v2) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("kubemonitor-faults-{}-{number}", std::process::id());
        let is_v1 = v1.join("memory.limit_in_bytes").exists();
        let folder = if is_v1 { v1 } else { v2 }.join(name);
        fs::create_dir(&folder)?;
        let cgroup = Self { folder };
        let file = if is_v1 { "memory.limit_in_bytes" } else { "memory.max" };
        fs::write(cgroup.folder.join(file), limit_bytes.to_string())?;
        Ok(cgroup)
    }

    /// Where processes are put into it.
    pub(crate) fn procs(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // What was killed takes a moment to leave.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
