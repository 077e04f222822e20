//! Every tick survives the way over the wire, and no part of one passes for a whole.

use std::collections::HashSet;

use kubemonitor_frame::{Decoder, Problem, decode, encode};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, QosClass, Row, Tick, UnixMillis};
use proptest::{collection::vec, option, prelude::*, sample::select};

fn row(kind: EntityKind) -> impl Strategy<Value = Row> {
    // Shifted, so that numbers of every length come about as often.
    let value = (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift);
    vec(option::of(value), kind.metrics().len()).prop_map(move |values| {
        let mut row = Row::new(kind);
        for (column, value) in values.into_iter().enumerate() {
            row.set_column(column, value);
        }
        row
    })
}

fn id() -> impl Strategy<Value = EntityId> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(EntityId::Uuid),
        any::<[u8; 16]>().prop_map(EntityId::Hash),
        any::<[u8; 32]>().prop_map(EntityId::Digest),
        ".{1,40}".prop_map(|text| EntityId::parse(&text)),
    ]
}

fn entities(kind: EntityKind, most: usize) -> impl Strategy<Value = Vec<EntityRow>> {
    let entity = (id(), any::<bool>(), row(kind)).prop_map(|(id, newborn, row)| EntityRow {
        id,
        parent: None,
        qos: None,
        newborn,
        row,
    });
    vec(entity, 0..=most).prop_map(|mut entities| {
        let mut seen = HashSet::new();
        entities.retain(|entity| seen.insert(entity.id.clone()));
        entities
    })
}

fn pods() -> impl Strategy<Value = Vec<EntityRow>> {
    let qos = select(vec![
        None,
        Some(QosClass::Guaranteed),
        Some(QosClass::Burstable),
        Some(QosClass::BestEffort),
    ]);
    (entities(EntityKind::Pod, 6), vec(qos, 6)).prop_map(|(mut pods, classes)| {
        for (pod, class) in pods.iter_mut().zip(classes) {
            pod.qos = class;
        }
        pods
    })
}

fn tick() -> impl Strategy<Value = Tick> {
    let prologue =
        ("[!-.0-~]{1,253}", any::<u64>(), any::<i64>(), any::<u64>(), any::<i64>(), any::<u64>());
    let node = option::of((any::<bool>(), row(EntityKind::Node)));
    let containers = (entities(EntityKind::Container, 12), vec(any::<u32>(), 12));
    let others = (
        entities(EntityKind::Unit, 4),
        entities(EntityKind::Namespace, 2),
        entities(EntityKind::Workload, 2),
    );
    (prologue, node, pods(), containers, others).prop_map(
        |(prologue, node, pods, (mut containers, parents), (units, namespaces, workloads))| {
            let (name, instance, at, sequence, read_delay_us, interval_ms) = prologue;
            let id = EntityId::parse(&name);
            let node: Vec<EntityRow> = node
                .map(|(newborn, row)| EntityRow { id, parent: None, qos: None, newborn, row })
                .into_iter()
                .collect();
            let count = |rows: &[EntityRow]| u32::try_from(rows.len()).expect("few");
            for (container, parent) in containers.iter_mut().zip(parents) {
                container.parent =
                    parent.checked_rem(count(&pods)).map(|place| count(&node) + place);
            }
            Tick {
                node: name.parse().expect("a name"),
                instance,
                sequence,
                at: UnixMillis(at),
                read_delay_us,
                interval_ms,
                rows: [node, pods, containers, units, namespaces, workloads].concat(),
            }
        },
    )
}

fn encoded(tick: &Tick) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(tick, &mut frame);
    frame
}

proptest! {
    #[test]
    fn a_tick_comes_back_as_it_was(tick in tick()) {
        prop_assert_eq!(decode(&encoded(&tick)), Ok(tick));
    }

    #[test]
    fn frames_read_into_the_same_memory_leave_nothing_in_the_next(
        ticks in vec((tick(), option::weighted(0.3, any::<(usize, u8)>())), 1..6)
    ) {
        let mut decoder = Decoder::default();
        for (tick, damage) in ticks {
            let mut frame = encoded(&tick);
            if let Some((at, byte)) = damage {
                let at = at % frame.len();
                frame[at] = byte;
            }
            prop_assert_eq!(decoder.decode(&frame).cloned(), decode(&frame));
        }
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in vec(any::<u8>(), 0..400)) {
        let framed = [b"KMF\x02\x01n", &bytes[..]].concat();
        let _ = decode(&bytes);
        let _ = decode(&framed);
    }

    #[test]
    fn a_damaged_frame_gets_an_answer(tick in tick(), at in any::<usize>(), byte in any::<u8>()) {
        let mut frame = encoded(&tick);
        let at = at % frame.len();
        frame[at] = byte;
        if let Ok(tick) = decode(&frame) {
            prop_assert_eq!(decode(&encoded(&tick)), Ok(tick));
        }
    }
}

proptest! {
    // Each case is cut at every byte.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_part_of_a_frame_is_a_frame(tick in tick()) {
        let frame = encoded(&tick);
        for len in 0..frame.len() {
            let error = decode(&frame[..len]).expect_err("a refusal");
            prop_assert!(
                matches!(error.problem, Problem::Truncated | Problem::NotAFrame),
                "{} bytes of {}: {}", len, frame.len(), error,
            );
            prop_assert!(error.offset <= len);
        }
    }
}

/// Rows in another order than the frame's: each container still leads to its own pod.
#[test]
fn containers_between_their_pods_keep_their_parents() {
    let entity = |kind, byte: u8, parent| EntityRow {
        id: EntityId::Hash([byte; 16]),
        parent,
        qos: None,
        newborn: false,
        row: Row::new(kind),
    };
    let tick = Tick {
        node: "n".parse().expect("a name"),
        instance: 1,
        sequence: 1,
        at: UnixMillis(0),
        read_delay_us: 0,
        interval_ms: 1000,
        rows: vec![
            entity(EntityKind::Pod, 1, None),
            entity(EntityKind::Container, 10, Some(0)),
            entity(EntityKind::Pod, 2, None),
            entity(EntityKind::Container, 20, Some(2)),
        ],
    };
    let back = decode(&encoded(&tick)).expect("a frame");
    let parents: Vec<(EntityId, EntityId)> = back
        .rows
        .iter()
        .filter_map(|row| Some((row.id.clone(), back.rows[row.parent? as usize].id.clone())))
        .collect();
    let hash = |byte| EntityId::Hash([byte; 16]);
    assert_eq!(parents, [(hash(10), hash(1)), (hash(20), hash(2))]);
}
