//! Bytes that are no frame are refused, each with its reason and place; none does harm.

use kubemonitor_frame::{FrameError, MAX_ENTITIES, MAX_FRAME_BYTES, Problem, decode};
use kubemonitor_model::{EntityId, EntityKind, Metric};

/// Everything before the sections, of a node named `n`.
const PROLOGUE: [u8; 25] = [
    b'K', b'M', b'F', 2, 1, b'n', // magic, version, name
    7, 0, 0, 0, 0, 0, 0, 0, // instance
    9, 0, 0, 0, 0, 0, 0, 0, // at
    1, 2, 3, // sequence, read delay, interval
];

fn frame(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = PROLOGUE.to_vec();
    bytes.push(u8::try_from(sections.len()).expect("few sections"));
    for (kind, body) in sections {
        bytes.push(*kind);
        bytes.extend(u32::try_from(body.len()).expect("short").to_le_bytes());
        bytes.extend(*body);
    }
    bytes
}

/// Where the body of the first section begins.
const BODY: usize = PROLOGUE.len() + 1 + 5;

fn refusal(bytes: &[u8]) -> FrameError {
    decode(bytes).expect_err("a refusal")
}

fn in_first_section(kind: EntityKind, body: &[u8]) -> (usize, Problem) {
    let FrameError { offset, problem } = refusal(&frame(&[(kind as u8, body)]));
    (offset - BODY, problem)
}

/// A pod's row without columns: UUID of that byte.
fn pod(byte: u8) -> Vec<u8> {
    [&[0][..], &[byte; 16]].concat()
}

#[test]
fn what_is_no_frame_or_no_frame_of_this_version_says_so() {
    assert_eq!(refusal(b""), FrameError { offset: 0, problem: Problem::NotAFrame });
    assert_eq!(refusal(b"{\"node\":1}").problem, Problem::NotAFrame);
    let mut future = frame(&[]);
    future[3] = 3;
    assert_eq!(refusal(&future), FrameError { offset: 3, problem: Problem::UnknownVersion(3) });
}

#[test]
fn a_frame_without_entities_is_a_frame() {
    let tick = decode(&frame(&[])).expect("a frame");
    assert_eq!((tick.node.as_str(), tick.rows.len()), ("n", 0));
    assert_eq!((tick.sequence, tick.read_delay_us, tick.interval_ms), (1, 1, 3));
}

#[test]
fn more_bytes_than_the_frame_has_are_refused() {
    let whole = frame(&[(1, &[0])]);
    let long = [&whole[..], &[0, 0]].concat();
    assert_eq!(refusal(&long), FrameError { offset: whole.len(), problem: Problem::Trailing(2) });
    let huge = vec![b'K'; MAX_FRAME_BYTES + 1];
    assert_eq!(refusal(&huge).problem, Problem::FrameTooLong(MAX_FRAME_BYTES + 1));
}

#[test]
fn names_that_cannot_name_are_refused() {
    let mut name = frame(&[]);
    name[5] = b'/';
    let error = refusal(&name);
    assert!(matches!(error.problem, Problem::NodeName(_)), "{error}");
    name[5] = 0xff;
    assert_eq!(refusal(&name), FrameError { offset: 4, problem: Problem::NotUtf8 });
    name[4] = 0;
    assert_eq!(refusal(&name), FrameError { offset: 4, problem: Problem::TextLength(0) });
}

#[test]
fn sections_ascend_so_that_no_kind_comes_twice() {
    let pods = [&[0][..], &pod(1)].concat();
    for order in [[1, 1], [2, 1]] {
        let error = refusal(&frame(&[(order[0], &[0]), (order[1], &pods)]));
        assert_eq!(error.problem, Problem::SectionOrder(order[1]));
    }
}

#[test]
fn what_the_future_adds_is_passed_over() {
    // Columns: cpu_usage_ns, one of the future, one that pods do not have (load1_thousandths).
    let body = [&[3, 1, 0xff, 0x7f, 50][..], &pod(1), &[0b111, 5, 6, 7]].concat();
    let tick = decode(&frame(&[(1, &body), (200, b"whatever")])).expect("a frame");
    let [pod] = &tick.rows[..] else { panic!("one row, not {:?}", tick.rows) };
    assert_eq!((pod.row.get(Metric::CpuUsage), pod.row.present()), (Some(5), 1));
}

#[test]
fn columns_are_few_and_each_comes_once() {
    let refused = in_first_section(EntityKind::Pod, &[2, 1, 1]);
    assert_eq!(refused, (2, Problem::ColumnTwice(Metric::CpuUsage)));
    let refused = in_first_section(EntityKind::Pod, &[0x81, 0x02]);
    assert_eq!(refused, (0, Problem::TooManyColumns(257)));
    let refused = in_first_section(EntityKind::Pod, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(refused, (0, Problem::TooManyColumns(u64::from(u32::MAX))));
}

#[test]
fn presence_beyond_the_columns_is_refused() {
    let body = [&[1, 1][..], &pod(1), &[0b11, 0, 0]].concat();
    let refused = in_first_section(EntityKind::Pod, &body);
    assert_eq!(refused, (2 + 17, Problem::PresenceBits));
}

#[test]
fn a_head_says_only_what_suits_its_kind() {
    for (kind, head) in [
        (EntityKind::Pod, 0b1000_0000),
        (EntityKind::Pod, 0b0010_0000),
        (EntityKind::Container, 0b0000_0100),
        (EntityKind::Node, 0b0000_1100),
    ] {
        let refused = in_first_section(kind, &[0, head]);
        assert_eq!(refused, (1, Problem::Head { head, kind }));
    }
}

#[test]
fn a_container_without_its_pod_is_refused() {
    let container = [&[0, 0x22][..], &[7; 32], &[1]].concat();
    let pods = [&[0][..], &pod(1)].concat();
    let error = refusal(&frame(&[(1, &pods), (2, &container)]));
    assert_eq!(error.problem, Problem::NoSuchPod(1));
    let refused = in_first_section(EntityKind::Container, &container);
    assert_eq!(refused, (2 + 32, Problem::NoSuchPod(1)));
}

#[test]
fn an_entity_comes_once_however_it_is_written() {
    let twice = [&[0][..], &pod(1), &pod(2), &pod(1)].concat();
    let (_, problem) = in_first_section(EntityKind::Pod, &twice);
    let id = EntityId::Uuid([1; 16]);
    assert_eq!(problem, Problem::EntityTwice { kind: EntityKind::Pod, id });

    let id = EntityId::Hash([0xab; 16]);
    let as_text = [&[0, 1][..], &[0xab; 16], &[3, 32], "ab".repeat(16).as_bytes()].concat();
    let (_, problem) = in_first_section(EntityKind::Pod, &as_text);
    assert_eq!(problem, Problem::EntityTwice { kind: EntityKind::Pod, id });
}

#[test]
fn a_frame_has_its_own_node_and_no_other() {
    assert!(decode(&frame(&[(0, &[0, 3, 1, b'n'])])).is_ok());
    let refused = in_first_section(EntityKind::Node, &[0, 3, 1, b'm']);
    assert_eq!(refused, (0, Problem::OtherNode(EntityId::Text("m".into()))));
}

#[test]
fn entities_are_bounded() {
    let units = |count: usize| {
        let one = |i| [&[3, 5][..], format!("{i:05}").as_bytes()].concat();
        [&[0][..], &(0..count).flat_map(one).collect::<Vec<u8>>()].concat()
    };
    let most = decode(&frame(&[(3, &units(MAX_ENTITIES))])).expect("a frame");
    assert_eq!(most.rows.len(), MAX_ENTITIES);
    let error = refusal(&frame(&[(3, &units(MAX_ENTITIES + 1))]));
    assert_eq!(error.problem, Problem::TooManyEntities);
}

#[test]
fn a_section_cannot_claim_more_than_the_frame_has() {
    let mut bytes = frame(&[(1, &[0])]);
    bytes[BODY - 4..BODY].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(refusal(&bytes), FrameError { offset: BODY, problem: Problem::Truncated });
}

#[test]
fn refusals_read_well() {
    let mut bytes = frame(&[]);
    bytes[3] = 9;
    assert_eq!(
        refusal(&bytes).to_string(),
        "byte 3 of the frame: version 9 of the format is not known here, only version 2: \
         upgrade the server"
    );
}
