//! A frame written by hand, as `docs/frame.md` explains it: what other languages must write.

use kubemonitor_frame::{decode, encode};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, QosClass, Row, Tick, UnixMillis};

/// The example of `docs/frame.md`, line by line.
#[rustfmt::skip]
const GOLDEN: &[u8] = &[
    b'K', b'M', b'F',                                // magic
    1,                                               // version
    6, b'l', b'a', b'b', b'-', b'v', b'2',           // node name
    0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,  // instance 0x0123456789abcdef
    0x00, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0x00, 0x00,  // at 1700000000000 ms
    0xac, 0x02,                                      // sequence 300
    0xdc, 0x0b,                                      // read delay 1500 us
    0x88, 0x27,                                      // interval 5000 ms
    3,                                               // three sections
    // --- the node
    0, 19, 0, 0, 0,                                  // kind 0, 19 bytes
    2, 1, 50,                                        // columns: cpu_usage_ns, load1_thousandths
    0x03, 6, b'l', b'a', b'b', b'-', b'v', b'2',     // head: text; identity
    0b11,                                            // both columns present
    0x80, 0x94, 0xeb, 0xdc, 0x03,                    // cpu_usage_ns 1000000000
    0xc4, 0x13,                                      // load1_thousandths 2500
    // --- the pods
    1, 50, 0, 0, 0,                                  // kind 1, 50 bytes
    2, 1, 3,                                         // columns: cpu_usage_ns, memory_working_set_bytes
    0x08,                                            // head: UUID, Burstable
    0x0f, 0x9d, 0x4c, 0x1e, 0x00, 0x11, 0x22, 0x33,
    0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,  // 0f9d4c1e-0011-2233-4455-66778899aabb
    0b11,                                            // both columns present
    0x80, 0x94, 0xeb, 0xdc, 0x03,                    // cpu_usage_ns 1000000000
    0x80, 0x80, 0x40,                                // memory_working_set_bytes 1048576
    0x01,                                            // head: hash, QoS unknown
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,  // 00112233445566778899aabbccddeeff
    0b10,                                            // cpu_usage_ns absent
    0x80, 0x80, 0x40,                                // memory_working_set_bytes 1048576
    // --- the containers
    2, 38, 0, 0, 0,                                  // kind 2, 38 bytes
    1, 27,                                           // column: oom_kills
    0x32,                                            // head: digest, newborn, has a parent
    0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
    0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
    0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,
    0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab,  // container ID
    1,                                               // parent: the second pod
    0b1,                                             // present
    0,                                               // oom_kills 0
];

fn row(kind: EntityKind, values: &[(Metric, u64)]) -> Row {
    let mut row = Row::new(kind);
    for &(metric, value) in values {
        row.set(metric, Some(value));
    }
    row
}

fn tick() -> Tick {
    Tick {
        node: "lab-v2".parse().expect("a name"),
        instance: 0x0123_4567_89ab_cdef,
        sequence: 300,
        at: UnixMillis(1_700_000_000_000),
        read_delay_us: 1500,
        interval_ms: 5000,
        rows: vec![
            EntityRow {
                id: EntityId::parse("lab-v2"),
                parent: None,
                qos: None,
                newborn: false,
                row: row(
                    EntityKind::Node,
                    &[(Metric::CpuUsage, 1_000_000_000), (Metric::Load1, 2500)],
                ),
            },
            EntityRow {
                id: EntityId::parse("0f9d4c1e-0011-2233-4455-66778899aabb"),
                parent: None,
                qos: Some(QosClass::Burstable),
                newborn: false,
                row: row(
                    EntityKind::Pod,
                    &[(Metric::CpuUsage, 1_000_000_000), (Metric::MemoryWorkingSet, 1_048_576)],
                ),
            },
            EntityRow {
                id: EntityId::parse("00112233445566778899aabbccddeeff"),
                parent: None,
                qos: None,
                newborn: false,
                row: row(EntityKind::Pod, &[(Metric::MemoryWorkingSet, 1_048_576)]),
            },
            EntityRow {
                id: EntityId::parse(&"ab".repeat(32)),
                parent: Some(2),
                qos: None,
                newborn: true,
                row: row(EntityKind::Container, &[(Metric::OomKills, 0)]),
            },
        ],
    }
}

#[test]
fn the_documented_frame_is_read_as_documented() {
    assert_eq!(decode(GOLDEN), Ok(tick()));
}

#[test]
fn a_frame_is_written_as_documented() {
    let mut written = Vec::new();
    encode(&tick(), &mut written);
    assert_eq!(written, GOLDEN);
}
