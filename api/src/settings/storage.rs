//! How much is kept, for how long, and where.

use std::{path::PathBuf, str::FromStr, time::Duration};

use kubemonitor_inventory::quantity;
use kubemonitor_store::{DiskSettings, Fsync, Settings as Limits};

use crate::MemoryLimit;

/// How much is kept, for how long, and where, as it was typed.
#[derive(Clone, Debug, clap::Args)]
pub struct StorageArgs {
    /// How long samples are kept as they were measured: a number with s, m, h or d
    #[arg(long, env = "RETENTION", default_value = "1h", value_name = "TIME")]
    #[arg(hide_env_values = true)]
    retention: Retention,

    /// Keep what is measured on disk too, in this folder: it is there again after a restart
    #[arg(long, env = "DATA_DIR", value_name = "DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,

    /// With a data directory: how long minutes are kept
    #[arg(long = "retention-1m", env = "RETENTION_1M", default_value = "24h", value_name = "TIME")]
    #[arg(hide_env_values = true)]
    retention_minutes: Retention,

    /// With a data directory: how long quarters of an hour are kept
    #[arg(
        long = "retention-15m",
        env = "RETENTION_15M",
        default_value = "30d",
        value_name = "TIME"
    )]
    #[arg(hide_env_values = true)]
    retention_quarters: Retention,

    /// With a data directory: its oldest files go when all take more than this (`20Gi`, `500M`)
    #[arg(long, env = "DATA_MAX_BYTES", value_name = "BYTES", value_parser = max_bytes)]
    #[arg(hide_env_values = true)]
    data_max_bytes: Option<u64>,

    /// With a data directory: `always` has a frame on the disk before it is acknowledged, a time
    /// (100ms to 1s) has all of that time there together
    #[arg(long, env = "FSYNC", default_value = "500ms", value_name = "always|TIME")]
    #[arg(value_parser = fsync, hide_env_values = true)]
    fsync: Fsync,

    /// How many entities (nodes, pods, containers, units) may be held
    #[arg(long, env = "MAX_SERIES", default_value_t = 2_000_000, value_name = "COUNT")]
    #[arg(hide_env_values = true)]
    max_series: usize,

    /// How much memory the process may take (`400Mi`), or `off`. Near it no new entities are taken,
    /// beyond it the oldest samples leave. Without it, four fifths of what the process's cgroup may
    /// use, or half of the machine's where none has a limit
    #[arg(long, env = "MEMORY_LIMIT", value_name = "BYTES|off", hide_env_values = true)]
    memory_limit: Option<MemoryLimit>,
}

/// How much is kept, for how long, and where.
#[derive(Clone, Debug, Default)]
pub struct Storage {
    /// How much memory the process may take.
    pub memory: MemoryLimit,
    /// Limits of memory and time.
    pub limits: Limits,
    /// Where the store is kept beside memory, if anywhere.
    pub disk: Option<DiskSettings>,
}

impl Storage {
    /// How far back an answer can reach.
    pub(crate) fn reach(&self) -> Duration {
        let Limits { retention, retention_minutes, retention_quarters, .. } = self.limits;
        match self.disk {
            Some(_) => retention.max(retention_minutes).max(retention_quarters),
            None => retention,
        }
    }
}

impl StorageArgs {
    /// What was typed, as the store wants it.
    pub fn storage(self) -> Storage {
        let limits = Limits {
            retention: self.retention.0,
            retention_minutes: self.retention_minutes.0,
            retention_quarters: self.retention_quarters.0,
            max_series: self.max_series,
            ..Limits::default()
        };
        let disk = self.data_dir.map(|folder| DiskSettings {
            folder,
            fsync: self.fsync,
            max_bytes: self.data_max_bytes,
        });
        Storage { memory: self.memory_limit.unwrap_or_default(), limits, disk }
    }
}

/// How long something is kept, as it was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Retention(Duration);

impl Retention {
    /// Below, rates over a slow collector's interval would have no two samples.
    const MIN: Duration = Duration::from_secs(60);
    const MAX: Duration = Duration::from_secs(365 * 86_400);
}

impl FromStr for Retention {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds_per_unit = match &text[digits.len()..] {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        };
        let retention = digits
            .parse::<u64>()
            .ok()
            .zip(seconds_per_unit)
            .map(|(number, unit)| Duration::from_secs(number.saturating_mul(unit)))
            .ok_or("give a whole number with s, m, h or d, such as `90m`")?;
        if (Self::MIN..=Self::MAX).contains(&retention) {
            Ok(Self(retention))
        } else {
            Err("it can be from 1m to 365d".to_owned())
        }
    }
}

/// Nothing at all could be kept in 0 bytes.
fn max_bytes(text: &str) -> Result<u64, String> {
    match quantity::bytes(text).map_err(|error| error.to_string())? {
        0 => Err("nothing could be kept in 0 bytes: leave it out for no limit".to_owned()),
        bytes => Ok(bytes),
    }
}

/// What is acknowledged is on the disk a second later, so nothing slower is offered.
fn fsync(text: &str) -> Result<Fsync, &'static str> {
    const REMEDY: &str = "give `always`, or a time from 100ms to 1s";
    if text == "always" {
        return Ok(Fsync::Always);
    }
    let interval: kubemonitor_model::Interval = text.parse().map_err(|_| REMEDY)?;
    if interval.millis() > 1000 {
        return Err(REMEDY);
    }
    Ok(Fsync::Every(interval.duration()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        storage: StorageArgs,
    }

    fn storage(flags: &[&str]) -> Result<Storage, clap::Error> {
        let typed = Typed::try_parse_from(["server"].iter().chain(flags))?;
        Ok(typed.storage.storage())
    }

    #[test]
    fn retention_has_a_unit_and_bounds() {
        for (text, seconds) in [("1h", 3600), ("90m", 5400), ("2d", 172_800), ("60", 60)] {
            assert_eq!(text.parse(), Ok(Retention(Duration::from_secs(seconds))));
        }
        for text in ["", "h", "1.5h", "-1h", "1w", "59s", "366d", "99999999999999999999d"] {
            assert!(text.parse::<Retention>().is_err(), "{text}");
        }
    }

    #[test]
    fn without_a_data_directory_answers_reach_as_far_as_memory() {
        let storage = storage(&["--retention=2h"]).unwrap();
        assert!(storage.disk.is_none());
        assert_eq!(storage.reach(), Duration::from_secs(7200));
    }

    #[test]
    fn a_data_directory_brings_longer_history() {
        let storage = storage(&["--data-dir=/var/lib/k", "--data-max-bytes=20Gi"]).unwrap();
        assert_eq!(storage.reach(), Duration::from_secs(30 * 86_400));
        let disk = storage.disk.unwrap();
        assert_eq!(disk.max_bytes, Some(20 << 30));
        assert_eq!(disk.fsync, Fsync::Every(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_acknowledged_is_on_disk_within_a_second_at_most() {
        let fsync = |text: &str| fsync(text).ok();
        assert_eq!(fsync("always"), Some(Fsync::Always));
        assert_eq!(fsync("1s"), Some(Fsync::Every(Duration::from_secs(1))));
        for text in ["never", "2s", "0", "5", ""] {
            assert_eq!(fsync(text), None, "{text}");
        }
    }

    #[test]
    fn a_limit_of_nothing_is_refused_with_the_way_to_have_none() {
        let refusal = storage(&["--data-max-bytes=0"]).unwrap_err().to_string();
        assert!(refusal.contains("leave it out for no limit"), "{refusal}");
    }

    #[test]
    fn memory_is_limited_by_the_surroundings_unless_told_otherwise() {
        let memory = |flags: &[&str]| storage(flags).unwrap().memory;
        assert_eq!(memory(&[]), MemoryLimit::Surroundings);
        assert_eq!(memory(&["--memory-limit=1Gi"]), MemoryLimit::Bytes(1 << 30));
        assert_eq!(memory(&["--memory-limit=off"]), MemoryLimit::Off);
        let refusal = storage(&["--memory-limit=1Mi"]).unwrap_err().to_string();
        assert!(refusal.contains("--memory-limit") && refusal.contains("32Mi"), "{refusal}");
    }

    #[test]
    fn a_wrong_size_names_the_flag_and_the_remedy() {
        let refusal = storage(&["--data-max-bytes=lots"]).unwrap_err().to_string();
        assert!(refusal.contains("--data-max-bytes") && refusal.contains("Gi"), "{refusal}");
    }
}
