//! A wall clock that a test may set for one process, by Debian's libfaketime.

use std::{fs, path::Path};

use crate::ServerBuilder;

/// What stands before the system's clock in a process.
#[derive(Debug)]
pub struct WallClock {
    control: tempfile::NamedTempFile,
}

impl WallClock {
    const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

    /// A clock that is right; `None`, which is said, where libfaketime is not there.
    ///
    /// # Panics
    /// If no temporary file can be made.
    pub fn new() -> Option<Self> {
        if !Path::new(Self::LIBRARY).exists() {
            eprintln!("skipped: {} is not there (Debian's package faketime)", Self::LIBRARY);
            return None;
        }
        let clock = Self { control: tempfile::NamedTempFile::new().expect("a temporary file") };
        clock.set(0);
        Some(clock)
    }

    /// Has it so many seconds ahead of the system's clock from now on.
    ///
    /// # Panics
    /// If its file cannot be written to.
    pub fn set(&self, ahead_s: i64) {
        fs::write(self.control.path(), format!("{ahead_s:+}\n")).expect("the file is ours");
    }

    /// A server that goes by it. Its monotonic clock stays the system's.
    #[must_use]
    pub fn of(&self, server: ServerBuilder) -> ServerBuilder {
        server
            .variable("LD_PRELOAD", Self::LIBRARY)
            .variable("FAKETIME_TIMESTAMP_FILE", self.control.path().display().to_string())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .variable("DONT_FAKE_MONOTONIC", "1")
    }
}
