//! The processes of a cgroup, in itself and in all below it.
//!
//! A container's own cgroup often has none: crun puts them into `container`, systemd in a container
//! into `init.scope` and services, a Kubernetes node in a container has a whole tree.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use crate::{
    file::Scratch,
    layout::{Place, is_helper},
    text::{lines, number},
    tree::subfolders,
};

/// So many cgroups are looked at below one before it is given up for this tick.
const MOST_FOLDERS: usize = 256;

/// Whether the kernel lists no process in this cgroup and below. What cannot be asked may have some.
pub(crate) fn none_in(folder: &Path, scratch: &mut Scratch) -> bool {
    let mut waiting = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = waiting.pop() {
        looked_at += 1;
        let processes = scratch.read_path(&folder.join("cgroup.procs"));
        let is_empty = processes.is_some_and(|processes| processes.trim_ascii().is_empty());
        let Ok(below) = subfolders(&folder) else { return false };
        if !is_empty || looked_at + waiting.len() + below.len() > MOST_FOLDERS {
            return false;
        }
        waiting.extend(below.keys().map(|name| folder.join(name)));
    }
    true
}

/// The processes listed in one cgroup. Those of another PID namespace are 0.
pub(crate) fn listed<'s>(
    scratch: &'s mut Scratch,
    folder: &Path,
) -> impl Iterator<Item = u64> + use<'s> {
    let text = scratch.read_path(&folder.join("cgroup.procs")).unwrap_or_default();
    lines(text).filter_map(number).filter(|&pid| pid > 0)
}

/// The cgroups in which the processes of an entity may be: its own, then those below, level by level,
/// the older ones first, since a container's first process makes the first of them. Left out are what
/// other entities have there, and those who watch over a container from the host's namespaces.
pub(crate) struct Folders {
    waiting: VecDeque<(PathBuf, Place)>,
    looked_at: usize,
}

impl Folders {
    /// Those of the entity at `folder`, which is this `place`.
    pub(crate) fn of(folder: &Path, place: &Place) -> Self {
        Self { waiting: VecDeque::from([(folder.to_owned(), place.clone())]), looked_at: 0 }
    }

    fn descend(&mut self, folder: &Path, place: &Place) {
        let Ok(below) = subfolders(folder) else { return };
        let mut below: Vec<(u64, String)> =
            below.into_iter().map(|(name, inode)| (inode, name)).collect();
        below.sort_unstable();
        for (_, name) in below {
            let inside = match place {
                // Whatever it is called, it is the container's.
                Place::Container { .. } => place.clone(),
                _ => place.child(&name),
            };
            let is_others = matches!(place, Place::Pod { .. })
                || (!matches!(inside, Place::Part | Place::Container { .. }));
            if !is_others && !watches_over(&name) {
                self.waiting.push_back((folder.join(name), inside));
            }
        }
    }
}

impl Iterator for Folders {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        let (folder, place) = self.waiting.pop_front()?;
        self.looked_at += 1;
        if self.looked_at + self.waiting.len() < MOST_FOLDERS {
            self.descend(&folder, &place);
        }
        Some(folder)
    }
}

/// `supervisor` is where systemd-nspawn itself is, `runtime` is conmon's in a split cgroup.
fn watches_over(name: &str) -> bool {
    is_helper(name) || matches!(name, "supervisor" | "runtime")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::descriptors::Descriptors;

    const POD: &str = "kubepods/pod0f9d4c1e-1111-2222-3333-444455556666";

    fn made(folders: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (folder, processes) in folders {
            fs::create_dir_all(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join("cgroup.procs"), processes).unwrap();
        }
        root
    }

    fn is_empty(root: &TempDir) -> bool {
        none_in(root.path(), &mut Scratch::new(Descriptors::at_most(9)))
    }

    #[test]
    fn a_process_anywhere_below_is_one() {
        assert!(is_empty(&made(&[("", ""), ("a", "\n"), ("a/b", "")])));
        assert!(!is_empty(&made(&[("", ""), ("a", ""), ("a/b", "7\n")])));
        assert!(!is_empty(&made(&[("", "0\n")])), "of another PID namespace");
    }

    #[test]
    fn what_cannot_be_asked_may_have_processes() {
        let root = made(&[("", ""), ("a", "")]);
        fs::remove_file(root.path().join("a/cgroup.procs")).unwrap();
        assert!(!is_empty(&root));
        let many: Vec<String> = (0..MOST_FOLDERS).map(|number| number.to_string()).collect();
        let mut many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, "")).collect();
        many.push(("", ""));
        assert!(!is_empty(&made(&many)));
    }

    /// The folders, below the one of `entity`, in which its processes are looked for.
    fn folders(entity: &str, below: &[&str]) -> Vec<String> {
        let all: Vec<String> = below.iter().map(|folder| format!("{entity}/{folder}")).collect();
        let root = made(&all.iter().map(|folder| (&**folder, "")).collect::<Vec<_>>());
        let top = root.path().join(entity);
        let mut found: Vec<String> = Folders::of(&top, &Place::of(entity))
            .map(|folder| folder.strip_prefix(&top).unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(found.remove(0), "");
        found.sort();
        found
    }

    #[test]
    fn the_cgroups_inside_of_an_entity_are_its_own_and_no_other_entitys() {
        let container = format!("{POD}/{}", "a".repeat(64));
        assert_eq!(
            folders(&container, &["container", "init.scope", "system.slice/x.service"]),
            ["container", "init.scope", "system.slice", "system.slice/x.service"]
        );
        assert_eq!(folders(&container, &["supervisor", "payload"]), ["payload"]);
        let node = format!("docker/{}", "d".repeat(64));
        assert_eq!(
            folders(&node, &["init.scope", &container, "kubelet/kubepods/podx"]),
            ["init.scope", "kubelet"]
        );
        // A pod's containers are asked themselves, and the monitors beside them never.
        let monitor = format!("crio-conmon-{}.scope", "a".repeat(64));
        assert_eq!(folders(POD, &[&"a".repeat(64), &monitor]), [""; 0]);
    }

    #[test]
    fn upper_and_older_cgroups_come_first() {
        let root = made(&[("", "")]);
        for folder in ["z", "z/below", "a"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let place = Place::of("lxc/web");
        let found: Vec<PathBuf> = Folders::of(root.path(), &place).collect();
        let depths: Vec<usize> = found.iter().map(|folder| folder.components().count()).collect();
        assert!(depths.is_sorted(), "{found:?}");
        assert_eq!(found.len(), 4);
    }
}
