//! How much memory the process may take.

use std::fs;

use kubemonitor_inventory::quantity;

use super::cgroup;

/// How much memory the process may take, as it was typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryLimit {
    /// Four fifths of what its cgroup may use; half of the machine's where no cgroup has a limit.
    #[default]
    Surroundings,
    /// So many bytes.
    Bytes(u64),
    /// As much as there is.
    Off,
}

/// Below, the process itself would hardly fit.
const LEAST_BYTES: u64 = 32 << 20;

impl std::str::FromStr for MemoryLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        match quantity::bytes(text) {
            Ok(bytes) if bytes >= LEAST_BYTES => Ok(Self::Bytes(bytes)),
            _ => Err("give 32Mi or more, such as `400Mi`, or `off`".to_owned()),
        }
    }
}

impl MemoryLimit {
    /// In bytes; `None` for no limit.
    pub(crate) fn bytes(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::Surroundings => {
                let machine = machine_bytes();
                chosen(cgroup::limit(), machine)
            }
        }
    }
}

/// What is left for the kernel's part of a cgroup's memory, such as sockets' buffers, and for what is
/// taken between two looks, is a fifth. A machine without a limit is somebody else's too.
fn chosen(cgroup: Option<u64>, machine: Option<u64>) -> Option<u64> {
    let of_cgroup = cgroup.filter(|&limit| machine.is_none_or(|machine| limit < machine));
    match of_cgroup {
        Some(limit) => Some(limit / 5 * 4),
        None => machine.map(|machine| machine / 2),
    }
}

fn machine_bytes() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bytes_or_off() {
        assert_eq!("400Mi".parse(), Ok(MemoryLimit::Bytes(400 << 20)));
        assert_eq!("off".parse(), Ok(MemoryLimit::Off));
        for text in ["", "0", "1Mi", "lots", "-1"] {
            let refusal = text.parse::<MemoryLimit>().unwrap_err();
            assert!(refusal.contains("400Mi"), "{refusal}");
        }
    }

    #[test]
    fn surroundings_leave_room_for_the_kernel_and_for_others() {
        const GIB: u64 = 1 << 30;
        assert_eq!(chosen(Some(GIB), Some(8 * GIB)), Some(GIB / 5 * 4));
        assert_eq!(chosen(None, Some(8 * GIB)), Some(4 * GIB));
        // What v1 says where there is no limit.
        assert_eq!(chosen(Some(0x7fff_ffff_ffff_f000), Some(8 * GIB)), Some(4 * GIB));
        assert_eq!(chosen(None, None), None);
    }
}
