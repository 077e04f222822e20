//! Being told in which folders something has come or gone.
//!
//! The kernel's cgroup file systems report folders that are made and removed through inotify, since
//! they are made and removed by ordinary system calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Where something has happened since this was asked last.
#[derive(Debug, Default)]
pub(super) struct Happened {
    /// In these folders.
    pub(super) folders: BTreeSet<PathBuf>,
    /// And perhaps elsewhere: the kernel had to drop reports.
    pub(super) lost: bool,
}

/// Watches folders.
#[derive(Debug)]
pub(super) struct Watch {
    /// Absent where the user has no more of them left.
    inotify: Option<OwnedFd>,
    paths: BTreeMap<i32, PathBuf>,
    /// What is to be looked at, whether or not the kernel reports it.
    marked: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok();
        Self { inotify, paths: BTreeMap::new(), marked: BTreeSet::new() }
    }

    /// As it is where the user may have no inotify instance.
    #[cfg(test)]
    pub(super) fn without_inotify() -> Self {
        Self { inotify: None, ..Self::new() }
    }

    /// Watches the folder at `location`, to be reported as `path`; whether that works.
    pub(super) fn add(&mut self, location: &Path, path: &Path) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let events =
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ONLYDIR;
        match inotify::add_watch(inotify, location, events) {
            Ok(watch) => {
                self.paths.insert(watch, path.to_owned());
                true
            }
            Err(_) => false,
        }
    }

    /// Stops watching; a folder that has gone is watched no more by itself.
    pub(super) fn remove(&mut self, path: &Path) {
        let watches: Vec<i32> = self
            .paths
            .iter()
            .filter(|(_, watched)| *watched == path)
            .map(|(&watch, _)| watch)
            .collect();
        for watch in watches {
            self.paths.remove(&watch);
            if let Some(inotify) = &self.inotify {
                // Fails where the kernel has done so already.
                let _ = inotify::remove_watch(inotify, watch);
            }
        }
    }

    /// Has a folder looked at next time.
    pub(super) fn mark(&mut self, path: &Path) {
        self.marked.insert(path.to_owned());
    }

    /// Where something has happened since this was asked last.
    pub(super) fn take(&mut self) -> Happened {
        let mut happened = Happened { folders: std::mem::take(&mut self.marked), lost: false };
        let Some(inotify) = &self.inotify else { return happened };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reports = Reader::new(inotify, &mut buffer);
        // Ends when there are no more reports, or none can be had.
        while let Ok(report) = reports.next() {
            if report.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                happened.lost = true;
            } else if report.events().contains(ReadFlags::ISDIR)
                && let Some(path) = self.paths.get(&report.wd())
            {
                happened.folders.insert(path.clone());
            }
        }
        happened
    }
}
