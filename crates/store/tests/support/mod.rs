//! Ticks of pods, by their numbers, and copies of folders.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{fs, path::Path};

use kubemonitor_model::{EntityId, EntityRow, Row, Tick, UnixMillis};

/// Milliseconds from one tick to the next.
pub(crate) const STEP: i64 = 5000;
/// When tick 0 is.
pub(crate) const START: i64 = 1_700_000_000_000;

/// When the tick of this number is.
pub(crate) fn at(number: i64) -> UnixMillis {
    UnixMillis(START + number * STEP)
}

/// Who the pod of this number is.
pub(crate) fn pod(number: usize) -> EntityId {
    EntityId::parse(&format!("00000000-0000-0000-0000-{number:012}"))
}

/// A node's tick of these pods, read without delay.
pub(crate) fn tick_of(
    node: &str,
    number: i64,
    rows: impl IntoIterator<Item = (usize, Row)>,
) -> Tick {
    let rows = rows.into_iter().map(|(of, row)| EntityRow {
        id: pod(of),
        parent: None,
        qos: None,
        newborn: false,
        row,
    });
    Tick {
        node: node.parse().unwrap(),
        instance: 1,
        sequence: number.unsigned_abs(),
        at: at(number),
        read_delay_us: 0,
        interval_ms: STEP.unsigned_abs(),
        rows: rows.collect(),
    }
}

/// Copies a folder and all within to one that is there.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
