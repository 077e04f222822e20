//! A server that is killed and started again.

use std::{thread, time::Duration};

use kubemonitor_faults::{
    ServerBuilder,
    ticks::{frame, now, tick},
};

const SERVER: &str = env!("CARGO_BIN_EXE_kubemonitor-faults");

#[test]
fn a_killed_server_has_what_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerBuilder::new(SERVER).data_dir(folder.path());
    let first = server.start();
    let reply = first.frame(&frame(&tick("worker-1", 1, now(), 2)));
    assert_eq!(reply.status, 200, "{}", reply.text());
    // Twice the interval at which the journal is synced by default.
    thread::sleep(Duration::from_secs(1));
    first.kill();
    let again = server.start();
    let samples = again.json("/api/nodes/worker-1?window=60");
    assert_eq!(samples.as_array().map(Vec::len), Some(1), "{samples}");
}
