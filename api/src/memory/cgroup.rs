//! How much memory the cgroup of this process may use: what a container's limit becomes.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where cgroup v1 says how much may be used, and v2.
const LIMIT_FILES: [&str; 2] = ["memory.limit_in_bytes", "memory.max"];

/// The least that this process's cgroup or one above it allows, in bytes; `None` where none of them
/// has a limit.
pub(super) fn limit() -> Option<u64> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let folders = folders(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
    folders.iter().filter_map(|folder| limit_of(folder)).min()
}

fn limit_of(folder: &Path) -> Option<u64> {
    let read = |file: &&str| fs::read_to_string(folder.join(file)).ok();
    // Where there is none, v2 says `max`, and v1 a number that no machine has.
    LIMIT_FILES.iter().filter_map(read).find_map(|text| text.trim().parse().ok())
}

/// The folders of the process's cgroups that may limit memory, and of those above them, as far as
/// they are mounted here.
fn folders(cgroup: &str, mountinfo: &str) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for Membership { path, is_v1 } in cgroup.lines().filter_map(membership) {
        for Mount { root, point } in mountinfo.lines().filter_map(|line| mount(line, is_v1)) {
            // In a namespace of its own, a container sees its cgroup's path as `/`, and without one
            // what is mounted is the folder of the path that it sees.
            let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
            let below = below.strip_prefix("/").unwrap_or(below);
            let own: PathBuf = Path::new(point).components().chain(below.components()).collect();
            let above = own.ancestors().take_while(|folder| folder.starts_with(point));
            folders.extend(above.map(Path::to_owned));
        }
    }
    folders
}

struct Membership<'a> {
    path: &'a str,
    is_v1: bool,
}

/// A line of `/proc/self/cgroup`: `4:memory:/path` of v1, `0::/path` of v2.
fn membership(line: &str) -> Option<Membership<'_>> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let is_v1 = controllers.split(',').any(|controller| controller == "memory");
    let is_v2 = number == "0" && controllers.is_empty();
    (is_v1 || is_v2).then_some(Membership { path, is_v1 })
}

struct Mount<'a> {
    root: &'a str,
    point: &'a str,
}

/// A line of `/proc/self/mountinfo`, if it is of cgroup v2, or of v1's memory controller.
fn mount(line: &str, v1: bool) -> Option<Mount<'_>> {
    let (mount, system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    let mut system = system.split(' ');
    let (kind, options) = (system.next()?, system.nth(1)?);
    let is_meant = if v1 {
        kind == "cgroup" && options.split(',').any(|option| option == "memory")
    } else {
        kind == "cgroup2"
    };
    is_meant.then_some(Mount { root, point })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cgroup: &str, mountinfo: &str) -> Vec<String> {
        folders(cgroup, mountinfo).iter().map(|folder| folder.display().to_string()).collect()
    }

    #[test]
    fn a_container_on_v1_finds_what_is_mounted_for_it() {
        let cgroup = "5:cpu,cpuacct:/kubepods/pod1/c1\n4:memory:/kubepods/pod1/c1\n0::/system\n";
        let mountinfo = "\
            31 30 0:26 /kubepods/pod1/c1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n\
            32 30 0:27 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro,nosuid master:9 - cgroup cgroup rw,memory\n";
        assert_eq!(found(cgroup, mountinfo), ["/sys/fs/cgroup/memory"]);
    }

    #[test]
    fn a_container_on_v2_has_a_namespace_of_its_own() {
        let mountinfo = "30 29 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw,nsdelegate\n";
        assert_eq!(found("0::/\n", mountinfo), ["/sys/fs/cgroup"]);
        let hidden = "30 29 0:26 /../../.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(found("0::/\n", hidden), ["/sys/fs/cgroup"]);
    }

    #[test]
    fn a_service_is_limited_by_the_slices_above_it_too() {
        let mountinfo = "30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            found("0::/system.slice/monitor.service\n", mountinfo),
            [
                "/sys/fs/cgroup/system.slice/monitor.service",
                "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup"
            ]
        );
    }

    #[test]
    fn limits_are_numbers_and_their_absence_is_a_word() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(limit_of(folder.path()), None);
        fs::write(folder.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(limit_of(folder.path()), None);
        fs::write(folder.path().join("memory.max"), "536870912\n").unwrap();
        assert_eq!(limit_of(folder.path()), Some(512 << 20));
    }
}
