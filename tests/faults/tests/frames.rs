//! Frames as large as nodes can make them.

use kubemonitor_faults::{
    ServerBuilder,
    ticks::{frame, now, tick},
};
use kubemonitor_frame::{MAX_ENTITIES, MAX_FRAME_BYTES};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, Row};

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");

/// The frame of a node with so many pods and units, each unit with all the values there are.
fn node_of(pods: u32, units: usize) -> Vec<u8> {
    let mut tick = tick("worker-1", 1, now(), pods);
    for unit in 0..units {
        let mut row = Row::new(EntityKind::Unit);
        for column in 0..EntityKind::Unit.metrics().len() {
            row.set_column(column, Some(1 << 32));
        }
        let id = EntityId::parse(&format!("unit-{unit}.service"));
        tick.rows.push(EntityRow { id, parent: None, qos: None, newborn: false, row });
    }
    frame(&tick)
}

#[test]
fn a_node_with_thousands_of_units_and_a_thousand_pods_is_taken_whole() {
    let server = ServerBuilder::new(SERVER).start();
    let (pods, units) = (1000, 10_000);
    let frame = node_of(pods, units);
    assert!((1 << 20..MAX_FRAME_BYTES).contains(&frame.len()), "{} bytes", frame.len());
    let reply = server.frame(&frame);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let node = server.json("/api/nodes/worker-1");
    let newest = node.get(0).unwrap_or(&node);
    assert_eq!(newest["pod_count"], pods, "{node}");
    let listed = server.json("/api/nodes/worker-1/pods?limit=2000");
    assert_eq!(listed.as_array().map(Vec::len), Some(pods as usize));
}

#[test]
fn a_frame_beyond_the_limits_is_refused_and_the_server_goes_on() {
    let server = ServerBuilder::new(SERVER).start();
    let too_long = vec![0; MAX_FRAME_BYTES + 1];
    assert_eq!(server.frame(&too_long).status, 413);
    let mut too_many = tick("worker-1", 1, now(), 0);
    let row = |unit| EntityRow {
        id: EntityId::parse(&format!("{unit}")),
        parent: None,
        qos: None,
        newborn: false,
        row: Row::new(EntityKind::Unit),
    };
    too_many.rows.extend((0..MAX_ENTITIES).map(row));
    let reply = server.frame(&frame(&too_many));
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(server.frame(&node_of(1, 1)).status, 200);
}
