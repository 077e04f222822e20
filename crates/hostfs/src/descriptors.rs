//! How many files may stay open.
//!
//! Every cgroup takes ten or so, and a process may have 1,024 descriptors at most on many hosts. If
//! cgroups took all of them there would be none for a connection, and in `kubemonitor up` none for
//! clients and data. So files of cgroups get half, and what goes beyond is opened, read and closed at
//! each tick, which costs some microseconds more per file.

use std::{
    fs::File,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors that files of cgroups may take, counted by those that are taken.
#[derive(Debug)]
pub(crate) struct Descriptors {
    most: usize,
    taken: Arc<AtomicUsize>,
    /// Files that could not be kept open since this was asked last.
    refused: AtomicUsize,
    was_short: bool,
}

/// A file that stays open. Once this is dropped there is room for another.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: File,
    taken: Arc<AtomicUsize>,
}

/// What has changed about the descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Some files cannot be kept open any more.
    Short {
        /// Those that can.
        kept: usize,
    },
    /// All can be kept open again.
    Enough,
}

impl Descriptors {
    /// Half of what this process may have, once its limit is raised as far as the system lets it.
    pub(crate) fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            // Where this fails, more files are opened in turns.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        }
        Self::at_most(half_of_limit())
    }

    /// So many.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { most, taken: Arc::default(), refused: AtomicUsize::new(0), was_short: false }
    }

    /// Keeps a file open, or gives it back where no descriptor is left for that.
    pub(crate) fn keep(&self, file: File) -> Result<OpenFile, File> {
        if self.taken.load(Relaxed) >= self.most {
            self.refuse();
            return Err(file);
        }
        self.taken.fetch_add(1, Relaxed);
        Ok(OpenFile { file, taken: Arc::clone(&self.taken) })
    }

    /// Takes note of a file that cannot be kept open.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Follows a limit that was changed from outside (`prlimit`). To be called when all files that are
    /// not kept open are about to ask again.
    pub(crate) fn follow_limit(&mut self) {
        self.most = half_of_limit();
        self.refused.store(0, Relaxed);
    }

    /// What has changed since this was asked last.
    pub(crate) fn take_news(&mut self) -> Option<Supply> {
        let is_short = self.refused.load(Relaxed) > 0;
        if is_short == self.was_short {
            return None;
        }
        self.was_short = is_short;
        let kept = self.taken.load(Relaxed);
        Some(if is_short { Supply::Short { kept } } else { Supply::Enough })
    }

    /// How many are taken, and how many there are.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.taken.load(Relaxed), self.most)
    }
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Relaxed);
    }
}

fn half_of_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit / 2).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_given_than_there_are_and_a_shortage_is_reported_once() {
        let mut descriptors = Descriptors::at_most(2);
        let keep = |descriptors: &Descriptors| descriptors.keep(tempfile::tempfile().unwrap());
        let (one, other) = (keep(&descriptors).unwrap(), keep(&descriptors).unwrap());
        assert_eq!(descriptors.take_news(), None);
        assert!(keep(&descriptors).is_err());
        assert_eq!(descriptors.take_news(), Some(Supply::Short { kept: 2 }));
        assert!(keep(&descriptors).is_err());
        assert_eq!(descriptors.take_news(), None);
        drop((one, other));
        descriptors.follow_limit();
        assert!(keep(&descriptors).is_ok());
        assert_eq!(descriptors.take_news(), Some(Supply::Enough));
    }

    #[test]
    fn a_process_keeps_half_of_its_descriptors_for_other_things() {
        let limit = getrlimit(Resource::Nofile).maximum.expect("a limit");
        let (taken, most) = Descriptors::of_this_process().usage();
        assert_eq!((taken, most as u64), (0, limit / 2));
    }
}
