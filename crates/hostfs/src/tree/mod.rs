//! Which cgroups there are: told when one comes or goes, without looking at all of them each time.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
};

use self::watch::Watch;
use crate::layout::Place;

mod watch;

/// No real tree comes near this; it bounds what a hostile one can make us do.
const DEEPEST: usize = 24;

/// A cgroup of interest that has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is, from the root of its hierarchy.
    pub(crate) path: PathBuf,
    /// Its identity while it lives: one that is made anew under the same name has another, greater
    /// one.
    pub(crate) inode: u64,
    /// What it is.
    pub(crate) place: Place,
    /// It was made since the tree was looked at before.
    pub(crate) newborn: bool,
}

/// What is otherwise than before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Cgroups that have come.
    pub(crate) found: Vec<Found>,
    /// Cgroups that have gone, and with each all that was below.
    pub(crate) gone: Vec<PathBuf>,
}

/// The cgroups of one hierarchy in which something of interest may appear.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    folders: BTreeMap<PathBuf, Folder>,
    watch: Watch,
}

#[derive(Debug)]
struct Folder {
    place: Place,
    children: BTreeMap<String, Child>,
    /// Nothing tells when something happens in here, so it is looked at each time.
    unwatched: bool,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    inode: u64,
    /// It was said to be gone. If it is found all the same, it is not new.
    disowned: bool,
}

/// What is known of the age of cgroups that are found.
#[derive(Clone, Copy, Debug)]
enum Age {
    /// They were made since the tree was looked at before.
    Newborn,
    /// Perhaps they were there before.
    Unknown,
}

impl Tree {
    /// A tree of which nothing is known yet; [`rescan`](Self::rescan) finds what is there.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, folders: BTreeMap::new(), watch: Watch::new() }
    }

    /// Where the cgroup at `path` is in the file system.
    pub(crate) fn locate(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// Looks where something has happened.
    pub(crate) fn poll(&mut self) -> Changes {
        let mut changes = Changes::default();
        let happened = self.watch.take();
        if happened.lost {
            for path in self.folder_paths() {
                self.scan(&path, Age::Newborn, &mut changes);
            }
        } else {
            for path in happened.folders.into_iter().chain(self.unwatched()) {
                self.scan(&path, Age::Newborn, &mut changes);
            }
        }
        changes
    }

    /// Looks everywhere, should something have been missed.
    pub(crate) fn rescan(&mut self) -> Changes {
        // First what is known to have happened, since it tells what is new.
        let mut changes = self.poll();
        if self.folders.is_empty() {
            self.enter(Path::new(""), Place::Folder, Age::Unknown, &mut changes);
        } else {
            for path in self.folder_paths() {
                self.scan(&path, Age::Unknown, &mut changes);
            }
        }
        changes
    }

    /// Takes note that the cgroup at `path` could not be read any more: it has gone, or has been
    /// made anew.
    pub(crate) fn disown(&mut self, path: &Path) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if let Some(folder) = self.folders.get_mut(parent)
            && let Some(child) = name.to_str().and_then(|name| folder.children.get_mut(name))
        {
            child.disowned = true;
            self.watch.mark(parent);
        }
    }

    fn folder_paths(&self) -> Vec<PathBuf> {
        self.folders.keys().cloned().collect()
    }

    fn unwatched(&self) -> Vec<PathBuf> {
        let unwatched = self.folders.iter().filter(|(_, folder)| folder.unwatched);
        unwatched.map(|(path, _)| path.clone()).collect()
    }

    /// Begins to look after a folder.
    fn enter(&mut self, path: &Path, place: Place, age: Age, changes: &mut Changes) {
        // Watched before it is looked at, so that nothing slips between.
        let watched = self.watch.add(&self.root.join(path), path);
        let folder = Folder { place, children: BTreeMap::new(), unwatched: !watched };
        self.folders.insert(path.to_owned(), folder);
        self.scan(path, age, changes);
    }

    /// Compares a folder with what was in it.
    fn scan(&mut self, path: &Path, age: Age, changes: &mut Changes) {
        let Some(folder) = self.folders.get_mut(path) else { return };
        // A folder that has gone is found missing in the one above.
        let Ok(present) = subfolders(&self.root.join(path)) else { return };
        let before = std::mem::take(&mut folder.children);
        let place = folder.place.clone();
        for (name, child) in &before {
            if child.disowned || present.get(name) != Some(&child.inode) {
                self.leave(&path.join(name), changes);
            }
        }
        for (name, &inode) in &present {
            let known = before.get(name).filter(|child| child.inode == inode);
            if known.is_some_and(|child| !child.disowned) {
                continue;
            }
            let age = if known.is_some() { Age::Unknown } else { age };
            self.meet(&path.join(name), inode, place.child(name), age, changes);
        }
        if let Some(folder) = self.folders.get_mut(path) {
            let children = present.into_iter();
            folder.children =
                children.map(|(name, inode)| (name, Child { inode, disowned: false })).collect();
        }
    }

    fn meet(&mut self, path: &Path, inode: u64, place: Place, age: Age, changes: &mut Changes) {
        if place.is_entity() {
            let newborn = matches!(age, Age::Newborn);
            let place = place.clone();
            changes.found.push(Found { path: path.to_owned(), inode, place, newborn });
        }
        if place.has_children() && path.components().count() < DEEPEST {
            self.enter(path, place, age, changes);
        }
    }

    /// Forgets a cgroup and all below.
    fn leave(&mut self, path: &Path, changes: &mut Changes) {
        changes.gone.push(path.to_owned());
        changes.found.retain(|found| !found.path.starts_with(path));
        let below = self.folders.range(path.to_owned()..);
        let below: Vec<PathBuf> = below
            .map(|(folder, _)| folder)
            .take_while(|folder| folder.starts_with(path))
            .cloned()
            .collect();
        for folder in below {
            self.folders.remove(&folder);
            self.watch.remove(&folder);
        }
    }
}

/// The folders in a folder, with their inodes. The directory itself tells both: no file is touched.
pub(crate) fn subfolders(path: &Path) -> io::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            found.insert(name, entry.ino());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const POD: &str = "kubepods/burstable/pod0f9d4c1e-1111-2222-3333-444455556666";
    const OTHER: &str = "kubepods/poda96ab411-2bca-47bf-90b4-002d39ce26bb";

    fn container(pod: &str, digit: char) -> String {
        format!("{pod}/{}", digit.to_string().repeat(64))
    }

    /// A tree over these folders, looked at once.
    fn tree(folders: &[&str]) -> (TempDir, Tree, Changes) {
        let root = tempfile::tempdir().unwrap();
        for folder in folders {
            make(&root, folder);
        }
        let mut tree = Tree::new(root.path().to_owned());
        let changes = tree.rescan();
        (root, tree, changes)
    }

    fn make(root: &TempDir, folder: &str) {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }

    fn remove(root: &TempDir, folder: &str) {
        fs::remove_dir_all(root.path().join(folder)).unwrap();
    }

    /// Which were found, and whether they were new.
    fn found(changes: &Changes) -> Vec<(&str, bool)> {
        changes.found.iter().map(|found| (found.path.to_str().unwrap(), found.newborn)).collect()
    }

    #[test]
    fn what_is_there_at_first_is_not_new() {
        let (_root, _tree, changes) = tree(&[&container(POD, 'a'), OTHER, "kubepods/misc"]);
        let container = container(POD, 'a');
        assert_eq!(found(&changes), [(POD, false), (&*container, false), (OTHER, false)]);
    }

    #[test]
    fn a_pod_made_since_is_new_with_all_its_containers() {
        let (root, mut tree, _) = tree(&["kubepods/burstable"]);
        assert_eq!(tree.poll(), Changes::default());
        make(&root, &container(POD, 'a'));
        assert_eq!(found(&tree.poll()), [(POD, true), (&*container(POD, 'a'), true)]);
        make(&root, &container(POD, 'b'));
        assert_eq!(found(&tree.poll()), [(&*container(POD, 'b'), true)]);
        assert_eq!(tree.poll(), Changes::default());
    }

    #[test]
    fn a_whole_cluster_may_appear_below_anything() {
        let (root, mut tree, _) = tree(&["system.slice/docker.service"]);
        let nested = format!("docker/{}/kubelet/{POD}", "c".repeat(64));
        make(&root, &nested);
        let changes = tree.poll();
        let docker = format!("docker/{}", "c".repeat(64));
        assert_eq!(found(&changes), [(&*docker, true), (&*nested, true)]);
    }

    #[test]
    fn what_is_removed_has_gone_with_all_below() {
        let (root, mut tree, _) = tree(&[&container(POD, 'a'), OTHER]);
        remove(&root, POD);
        assert_eq!(tree.poll().gone, [Path::new(POD)]);
        remove(&root, "kubepods");
        assert_eq!(tree.poll().gone, [Path::new("kubepods")]);
        make(&root, POD);
        assert_eq!(found(&tree.poll()), [(POD, true)]);
    }

    #[test]
    fn what_comes_and_goes_between_two_looks_never_was() {
        let (root, mut tree, _) = tree(&["kubepods/burstable"]);
        make(&root, POD);
        remove(&root, POD);
        assert_eq!(tree.poll(), Changes::default());
        assert_eq!(tree.rescan(), Changes::default());
    }

    #[test]
    fn a_cgroup_that_could_not_be_read_but_is_there_is_found_again_and_not_new() {
        let (_root, mut tree, _) = tree(&[POD]);
        tree.disown(Path::new(POD));
        let changes = tree.poll();
        assert_eq!(changes.gone, [Path::new(POD)]);
        assert_eq!(found(&changes), [(POD, false)]);
        assert_eq!(tree.poll(), Changes::default());
    }

    #[test]
    fn a_folder_that_nothing_watches_is_looked_at_each_time() {
        let (root, mut tree, _) = tree(&["kubepods/burstable"]);
        tree.watch = Watch::without_inotify();
        for folder in tree.folders.values_mut() {
            folder.unwatched = true;
        }
        make(&root, POD);
        assert_eq!(found(&tree.poll()), [(POD, true)]);
        make(&root, &container(POD, 'a'));
        assert_eq!(found(&tree.poll()), [(&*container(POD, 'a'), true)]);
        remove(&root, POD);
        assert_eq!(tree.poll().gone, [Path::new(POD)]);
    }

    #[test]
    fn a_rescan_finds_what_went_unnoticed_without_calling_it_new() {
        let (root, mut tree, _) = tree(&["kubepods/burstable"]);
        tree.watch = Watch::without_inotify();
        make(&root, POD);
        assert_eq!(tree.poll(), Changes::default());
        assert_eq!(found(&tree.rescan()), [(POD, false)]);
    }

    #[test]
    fn names_that_are_no_text_and_endless_depth_do_no_harm() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let (root, mut tree, _) = tree(&["kubepods"]);
        fs::create_dir(root.path().join(OsStr::from_bytes(b"kubepods/pod\xff"))).unwrap();
        make(&root, &"deep/".repeat(3 * DEEPEST));
        assert_eq!(tree.poll(), Changes::default());
        assert!(tree.folders.len() <= 2 + DEEPEST);
    }
}
