//! Real cgroups, made under the machine's own and removed again.

use std::{
    cell::RefCell,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, id},
};

use kubemonitor_hostfs::{
    HostRoots,
    procfs::mounts::{Hierarchy, hierarchies},
};
use tempfile::TempDir;

/// A folder of cgroups of our own in each hierarchy, and a `/proc` whose mount table has only these,
/// so that a host opened there sees nothing else of the machine's.
pub(crate) struct RealCgroups {
    proc: TempDir,
    tops: Vec<(PathBuf, Hierarchy)>,
    children: RefCell<Vec<Child>>,
}

impl RealCgroups {
    /// Makes the folders; an error where this user may not.
    pub(crate) fn make(name: &str) -> io::Result<Self> {
        let mut cgroups =
            Self { proc: tempfile::tempdir()?, tops: Vec::new(), children: RefCell::default() };
        let mut table = String::new();
        for (mount, hierarchy) in hierarchies(&fs::read("/proc/mounts")?) {
            let top = mount.join(format!("kubemonitor-{name}-{}", id()));
            let (kind, options) = match &hierarchy {
                Hierarchy::Unified => ("cgroup2", "rw".to_owned()),
                Hierarchy::Legacy(controllers) if controllers.is_empty() => continue,
                Hierarchy::Legacy(controllers) => (
                    "cgroup",
                    format!("{controllers:?}").to_lowercase().replace(['[', ']', ' '], ""),
                ),
            };
            fs::create_dir(&top)?;
            table += &["cgroup", &top.to_string_lossy(), kind, &options, "0 0\n"].join(" ");
            cgroups.tops.push((top, hierarchy));
            cgroups.enable(Path::new(""));
        }
        for file in
            ["stat", "meminfo", "net", "diskstats", "loadavg", "vmstat", "uptime", "pressure"]
        {
            symlink(Path::new("/proc").join(file), cgroups.proc.path().join(file))?;
        }
        fs::write(cgroups.proc.path().join("mounts"), table)?;
        Ok(cgroups)
    }

    /// Where a host sees only these.
    pub(crate) fn roots(&self) -> HostRoots {
        HostRoots {
            proc: self.proc.path().to_owned(),
            cgroup: "/sys/fs/cgroup".into(),
            sys: Some("/sys".into()),
        }
    }

    /// Makes a cgroup, and those above it.
    pub(crate) fn add(&self, path: &str) {
        for (top, _) in &self.tops {
            fs::create_dir_all(top.join(path)).expect("may make cgroups");
        }
        for above in Path::new(path).ancestors().skip(1) {
            self.enable(above);
        }
    }

    /// Removes a cgroup, and those below it.
    pub(crate) fn remove(&self, path: &str) {
        for (top, _) in &self.tops {
            remove_tree(&top.join(path));
        }
    }

    /// Starts a process in a cgroup; its number.
    pub(crate) fn start(&self, path: &str, program: &str, arguments: &[&str]) -> u32 {
        let child = Command::new(program).args(arguments).spawn().expect("the program starts");
        let pid = child.id().to_string();
        symlink(Path::new("/proc").join(&pid), self.proc.path().join(&pid)).expect("a new pid");
        self.children.borrow_mut().push(child);
        for (top, _) in &self.tops {
            fs::write(top.join(path).join("cgroup.procs"), &pid).expect("may move processes");
        }
        pid.parse().expect("a number")
    }

    /// Ends all processes.
    pub(crate) fn stop_all(&self) {
        for mut child in self.children.borrow_mut().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_file(self.proc.path().join(child.id().to_string()));
        }
    }

    /// Lets the cgroups below one of version 2 have controllers.
    fn enable(&self, path: &Path) {
        for (top, hierarchy) in &self.tops {
            if *hierarchy == Hierarchy::Unified {
                for controller in ["+cpu", "+memory", "+io", "+pids"] {
                    let _ = fs::write(top.join(path).join("cgroup.subtree_control"), controller);
                }
            }
        }
    }
}

impl Drop for RealCgroups {
    fn drop(&mut self) {
        self.stop_all();
        self.remove("");
    }
}

/// Cgroups are removed from the bottom up, and their files go with them. Just after its last process
/// ended, one may still be busy.
fn remove_tree(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    for _ in 0..100 {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            _ => return,
        }
    }
}
