//! The frame that `docs/frame.md` explains byte by byte, and its writer in Python, hold.

use std::{fs, io::ErrorKind, path::Path, process::Command};

use kubemonitor_frame::{decode, encode};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, QosClass, Row, Tick, UnixMillis};

/// What stands between "```language" and "```" in the document.
fn example(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/frame.md");
    let document = fs::read_to_string(&path).expect("docs/frame.md");
    let (_, rest) = document.split_once(&format!("```{language}\n")).expect("the example");
    let (example, _) = rest.split_once("```").expect("the example's end");
    example.to_owned()
}

/// The bytes of the document's table: what is left of `|`.
fn documented() -> Vec<u8> {
    example("frame")
        .lines()
        .flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace())
        .map(|digits| u8::from_str_radix(digits, 16).expect("two hexadecimal digits"))
        .collect()
}

fn entity(id: &str, kind: EntityKind, values: &[(Metric, u64)]) -> EntityRow {
    let mut row = Row::new(kind);
    for &(metric, value) in values {
        row.set(metric, Some(value));
    }
    EntityRow { id: EntityId::parse(id), parent: None, qos: None, newborn: false, row }
}

/// What the document says its bytes mean.
fn tick() -> Tick {
    let mut uuid_pod = entity(
        "0f9d4c1e-0011-2233-4455-66778899aabb",
        EntityKind::Pod,
        &[(Metric::CpuUsage, 1_000_000_000), (Metric::MemoryWorkingSet, 1_048_576)],
    );
    uuid_pod.qos = Some(QosClass::Burstable);
    let mut container = entity(&"ab".repeat(32), EntityKind::Container, &[(Metric::OomKills, 0)]);
    container.parent = Some(2);
    container.newborn = true;
    Tick {
        node: "lab-v2".parse().expect("a name"),
        instance: 0x0123_4567_89ab_cdef,
        sequence: 300,
        at: UnixMillis(1_700_000_000_000),
        read_delay_us: 1500,
        interval_ms: 5000,
        rows: vec![
            entity(
                "lab-v2",
                EntityKind::Node,
                &[(Metric::CpuUsage, 1_000_000_000), (Metric::Load1, 2500)],
            ),
            uuid_pod,
            entity(
                "00112233445566778899aabbccddeeff",
                EntityKind::Pod,
                &[(Metric::MemoryWorkingSet, 1_048_576)],
            ),
            container,
        ],
    }
}

#[test]
fn the_documented_frame_is_read_as_documented() {
    assert_eq!(decode(&documented()), Ok(tick()));
}

#[test]
fn a_frame_is_written_as_documented() {
    let mut written = Vec::new();
    encode(&tick(), &mut written);
    assert_eq!(written, documented());
}

#[test]
fn the_python_writer_writes_the_documented_frame() {
    let output = match Command::new("python3").arg("-c").arg(example("python")).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: there is no python3");
            return;
        }
        output => output.expect("python3 runs"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, documented());
}
