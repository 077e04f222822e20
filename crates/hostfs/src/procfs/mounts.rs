//! `/proc/<pid>/mounts`: the cgroup hierarchies that are mounted.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use crate::text::{lines, words};

/// A controller of cgroup v1 that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Shares, quotas and throttling.
    Cpu,
    /// CPU time used.
    Cpuacct,
    /// Memory.
    Memory,
    /// Disks.
    Blkio,
    /// Numbers of tasks.
    Pids,
}

/// A cgroup hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// cgroup v1, with those of its controllers that are read.
    Legacy(Vec<Controller>),
    /// cgroup v2.
    Unified,
}

/// The cgroup hierarchies of a mount table, each with where it is mounted.
pub fn hierarchies(table: &[u8]) -> impl Iterator<Item = (PathBuf, Hierarchy)> {
    lines(table).filter_map(|line| {
        let mut words = words(line).skip(1);
        let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
        let hierarchy = match kind {
            b"cgroup2" => Hierarchy::Unified,
            b"cgroup" => Hierarchy::Legacy(controllers(options)),
            _ => return None,
        };
        Some((unescape(point), hierarchy))
    })
}

impl Controller {
    /// Its name in mount tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Memory => "memory",
            Self::Blkio => "blkio",
            Self::Pids => "pids",
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"cpu" => Some(Self::Cpu),
            b"cpuacct" => Some(Self::Cpuacct),
            b"memory" => Some(Self::Memory),
            b"blkio" => Some(Self::Blkio),
            b"pids" => Some(Self::Pids),
            _ => None,
        }
    }
}

/// The controllers among names like `rw,cpu,cpuacct`.
pub(crate) fn controllers(names: &[u8]) -> Vec<Controller> {
    names.split(|&byte| byte == b',').filter_map(Controller::of).collect()
}

/// Mount tables write blanks and backslashes as three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| byte == b'\\').and_then(|digits| {
            digits.iter().try_fold(0_u8, |value, digit| {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
                value.checked_mul(8)?.checked_add(digit)
            })
        });
        plain.push(octal.unwrap_or(byte));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_may_be_joined_or_alone_or_named() {
        let table = b"proc /proc proc rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup /mem cgroup rw,memory 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found: Vec<_> = hierarchies(table).collect();
        let expected = [
            (
                "/sys/fs/cgroup/cpu,cpuacct",
                Hierarchy::Legacy(vec![Controller::Cpu, Controller::Cpuacct]),
            ),
            ("/mem", Hierarchy::Legacy(vec![Controller::Memory])),
            ("/sys/fs/cgroup/systemd", Hierarchy::Legacy(Vec::new())),
            ("/sys/fs/cgroup/unified", Hierarchy::Unified),
        ];
        assert_eq!(found, expected.map(|(point, hierarchy)| (PathBuf::from(point), hierarchy)));
    }

    #[test]
    fn octal_escapes_are_undone() {
        for (escaped, plain) in [
            ("a\\040b", "a b"),
            ("\\134", "\\"),
            ("\\9", "\\9"),
            ("\\777", "\\777"),
            ("x\\04", "x\\04"),
        ] {
            assert_eq!(unescape(escaped.as_bytes()), PathBuf::from(plain));
        }
    }
}
