//! Where the cgroup controllers are.
//!
//! cgroup v1 controllers may be mounted alone, joined (`cpu,cpuacct`), and anywhere; v2 is one
//! mount. Hybrid hosts have both, and what counts is where the controllers live: the v2 mount then
//! has none. The mount table tells; where it does not, the folders below the cgroup root do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    HostRoots,
    members::KillCount,
    procfs::mounts::{Controller, Hierarchy, controllers, hierarchies},
    text::words,
};

/// Where the mount table of a host has its cgroups, nearly always.
const USUAL_ROOT: &str = "/sys/fs/cgroup";

/// Where each controller of cgroup v1 is mounted, if it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegacyMounts {
    pub(crate) cpu: Option<PathBuf>,
    pub(crate) cpuacct: Option<PathBuf>,
    pub(crate) memory: Option<PathBuf>,
    pub(crate) blkio: Option<PathBuf>,
    pub(crate) pids: Option<PathBuf>,
}

/// Where the cgroups of a host are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    /// cgroup v1.
    pub(crate) legacy: LegacyMounts,
    /// cgroup v2, where it has controllers.
    pub(crate) unified: Option<PathBuf>,
}

impl Hierarchies {
    /// Finds them. Pid 1's mount table is the host's, also for a collector in a container.
    pub(crate) fn find(roots: &HostRoots) -> Self {
        let mut found = Self::default();
        for table in ["1/mounts", "mounts"] {
            let table = fs::read(roots.proc.join(table)).unwrap_or_default();
            for (point, hierarchy) in hierarchies(&table) {
                found.add(visible(point, &roots.cgroup), hierarchy);
            }
        }
        if found == Self::default() {
            for (point, hierarchy) in laid_out(&roots.cgroup) {
                found.add(point, hierarchy);
            }
        }
        found
    }

    /// The hierarchy in whose folders cgroups are looked for. That of the memory controller comes
    /// first: whatever is worth measuring has memory.
    pub(crate) fn walked(&self) -> Option<&Path> {
        let legacy = &self.legacy;
        let in_order = [&legacy.memory, &self.unified, &legacy.cpuacct, &legacy.cpu, &legacy.pids];
        in_order.into_iter().find_map(Option::as_deref)
    }

    /// The version of those that were found.
    pub(crate) fn version(&self) -> &'static str {
        match (self.legacy.any(), self.unified.is_some()) {
            (true, true) => "v1+v2",
            (true, false) => "v1",
            (false, _) => "v2",
        }
    }

    /// Where kills for want of memory are counted.
    pub(crate) fn kill_count(&self) -> KillCount {
        if self.legacy.memory.is_some() { KillCount::Flat } else { KillCount::Hierarchical }
    }

    /// Takes a hierarchy in, unless its controllers were found before or it is not to be seen.
    fn add(&mut self, point: PathBuf, hierarchy: Hierarchy) {
        match hierarchy {
            Hierarchy::Unified => {
                let controllers = fs::read(point.join("cgroup.controllers")).unwrap_or_default();
                let read = [&b"cpu"[..], b"memory", b"io", b"pids"];
                if self.unified.is_none()
                    && words(controllers.trim_ascii()).any(|name| read.contains(&name))
                {
                    self.unified = Some(point);
                }
            }
            Hierarchy::Legacy(controllers) => {
                if !point.is_dir() {
                    return;
                }
                for controller in controllers {
                    self.legacy.place(controller).get_or_insert_with(|| point.clone());
                }
            }
        }
    }
}

impl LegacyMounts {
    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// The folders of the cgroup at `path` in each of them.
    pub(crate) fn below(&self, path: &Path) -> Self {
        let below = |mount: &Option<PathBuf>| mount.as_ref().map(|mount| folder(mount, path));
        Self {
            cpu: below(&self.cpu),
            cpuacct: below(&self.cpuacct),
            memory: below(&self.memory),
            blkio: below(&self.blkio),
            pids: below(&self.pids),
        }
    }

    fn place(&mut self, controller: Controller) -> &mut Option<PathBuf> {
        match controller {
            Controller::Cpu => &mut self.cpu,
            Controller::Cpuacct => &mut self.cpuacct,
            Controller::Memory => &mut self.memory,
            Controller::Blkio => &mut self.blkio,
            Controller::Pids => &mut self.pids,
        }
    }
}

/// The folder of a cgroup in one hierarchy. A runtime that takes a path of systemd's for a name
/// (`…slice:cri-containerd:<id>`) makes it below its own cgroup, and its service need not have one in
/// every hierarchy: then it is further up.
fn folder(mount: &Path, path: &Path) -> PathBuf {
    let usual = mount.join(path);
    let name = path.file_name().filter(|name| name.as_encoded_bytes().contains(&b':'));
    let Some(name) = name.filter(|_| !usual.is_dir()) else { return usual };
    let above = path.ancestors().skip(2).map(|above| mount.join(above).join(name));
    above.into_iter().find(|folder| folder.is_dir()).unwrap_or(usual)
}

/// The hierarchies that the folders below a cgroup root look like.
fn laid_out(root: &Path) -> Vec<(PathBuf, Hierarchy)> {
    let mut found = vec![(root.to_owned(), Hierarchy::Unified)];
    for folder in fs::read_dir(root).into_iter().flatten().flatten() {
        let controllers = controllers(folder.file_name().as_encoded_bytes());
        if !controllers.is_empty() {
            found.push((folder.path(), Hierarchy::Legacy(controllers)));
        }
    }
    found.push((root.join("unified"), Hierarchy::Unified));
    found
}

/// Where a mount point of the host's table is to be seen from here.
fn visible(point: PathBuf, cgroup_root: &Path) -> PathBuf {
    if point.starts_with(cgroup_root) {
        return point;
    }
    match point.strip_prefix(USUAL_ROOT) {
        Ok(below) if below.as_os_str().is_empty() => cgroup_root.to_owned(),
        Ok(below) => cgroup_root.join(below),
        Err(_) => point,
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A host with this mount table, in which `HERE` stands for its root, and these folders.
    fn host(mounts: &str, folders: &[&str]) -> (TempDir, HostRoots) {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().to_str().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc/mounts"), mounts.replace("HERE", here)).unwrap();
        for folder in folders {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let roots = HostRoots::mounted_at(root.path());
        (root, roots)
    }

    fn unify(root: &TempDir, folder: &str, controllers: &str) {
        fs::create_dir_all(root.path().join(folder)).unwrap();
        fs::write(root.path().join(folder).join("cgroup.controllers"), controllers).unwrap();
    }

    #[test]
    fn controllers_mounted_alone_are_found() {
        let table = "cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0\n\
            cgroup /sys/fs/cgroup/cpuacct cgroup rw,relatime,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n";
        let controllers =
            ["cpu", "cpuacct", "memory", "systemd"].map(|name| format!("sys/fs/cgroup/{name}"));
        let (_root, roots) = host(table, &controllers.each_ref().map(String::as_str));
        let found = Hierarchies::find(&roots);
        let below = |name: &str| Some(roots.cgroup.join(name));
        let expected = LegacyMounts {
            cpu: below("cpu"),
            cpuacct: below("cpuacct"),
            memory: below("memory"),
            ..LegacyMounts::default()
        };
        assert_eq!((&found.legacy, &found.unified), (&expected, &None));
        assert_eq!(found.walked(), expected.memory.as_deref());
    }

    #[test]
    fn joined_controllers_and_odd_places_are_found() {
        let table = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n\
            cgroup HERE/odd\\040place/mem cgroup rw,memory 0 0\n";
        let (root, roots) = host(table, &["sys/fs/cgroup/cpu,cpuacct", "odd place/mem"]);
        let found = Hierarchies::find(&roots).legacy;
        assert_eq!(found.cpu, Some(roots.cgroup.join("cpu,cpuacct")));
        assert_eq!(found.cpuacct, found.cpu);
        assert_eq!(found.memory, Some(root.path().join("odd place/mem")));
        assert_eq!((found.blkio, found.pids), (None, None));
    }

    #[test]
    fn a_unified_host_has_but_one() {
        let table = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate 0 0\n";
        let (root, roots) = host(table, &[]);
        unify(&root, "sys/fs/cgroup", "cpuset cpu io memory pids\n");
        let found = Hierarchies::find(&roots);
        assert_eq!(found.unified, Some(roots.cgroup.clone()));
        assert!(!found.legacy.any());
        assert_eq!(found.walked(), Some(&*roots.cgroup));
    }

    #[test]
    fn on_a_hybrid_host_it_matters_where_the_controllers_are() {
        let table = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n";
        for (controllers, used) in [("", false), ("hugetlb\n", false), ("pids io\n", true)] {
            let (root, roots) = host(table, &["sys/fs/cgroup/memory"]);
            unify(&root, "sys/fs/cgroup/unified", controllers);
            let found = Hierarchies::find(&roots);
            assert_eq!(found.unified.is_some(), used, "{controllers:?}");
            assert_eq!(found.walked(), Some(&*roots.cgroup.join("memory")));
        }
    }

    #[test]
    fn pid_1s_mount_table_goes_before_ones_own() {
        let (root, roots) = host("cgroup HERE/own cgroup rw,memory 0 0\n", &["own", "proc/1"]);
        unify(&root, "sys/fs/cgroup", "");
        fs::create_dir_all(roots.cgroup.join("memory")).unwrap();
        let hosts = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n";
        fs::write(roots.proc.join("1/mounts"), hosts).unwrap();
        assert_eq!(Hierarchies::find(&roots).legacy.memory, Some(roots.cgroup.join("memory")));
    }

    #[test]
    fn without_a_mount_table_the_folders_tell() {
        let (_root, roots) =
            host("", &["sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory", "sys/fs/cgroup/misc"]);
        let found = Hierarchies::find(&roots);
        assert_eq!(found.legacy.cpuacct, Some(roots.cgroup.join("cpu,cpuacct")));
        assert_eq!(found.walked(), Some(&*roots.cgroup.join("memory")));
        let (root, roots) = host("", &[]);
        unify(&root, "sys/fs/cgroup", "cpu memory\n");
        assert_eq!(Hierarchies::find(&roots).walked(), Some(&*roots.cgroup));
    }

    #[test]
    fn a_container_named_by_its_path_is_found_further_up_in_other_hierarchies() {
        let name = "kubepods-pod1.slice:cri-containerd:2";
        let (_root, roots) = host(
            "",
            &[
                &format!("sys/fs/cgroup/memory/system.slice/containerd.service/{name}"),
                &format!("sys/fs/cgroup/cpu/{name}"),
                &format!("sys/fs/cgroup/pids/system.slice/{name}"),
            ],
        );
        let found = Hierarchies::find(&roots).legacy;
        let path = Path::new("system.slice/containerd.service").join(name);
        let folders = found.below(&path);
        let below = |path: &str| Some(roots.cgroup.join(path).join(name));
        assert_eq!(folders.memory, below("memory/system.slice/containerd.service"));
        assert_eq!((folders.cpu, folders.pids), (below("cpu"), below("pids/system.slice")));
        // Any other cgroup is where it is.
        let other = found.below(Path::new("system.slice/ssh.service"));
        assert_eq!(other.cpu, Some(roots.cgroup.join("cpu/system.slice/ssh.service")));
    }

    #[test]
    fn nothing_mounted_is_nothing_found() {
        for table in [
            "",
            "\0\u{fffd}garbage",
            "cgroup\n",
            "cgroup /x cgroup\n",
            "cgroup2 /gone cgroup2 rw\n",
        ] {
            let (_root, roots) = host(table, &[]);
            assert_eq!(Hierarchies::find(&roots), Hierarchies::default(), "{table}");
        }
    }
}
