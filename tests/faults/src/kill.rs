//! A server that is killed again and again while frames come, and what it has afterwards.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use kubemonitor_model::UnixMillis;

use crate::{
    Server, ServerBuilder,
    ticks::{frame, now, tick},
};

const NODES: [&str; 3] = ["worker-1", "worker-2", "worker-3"];
/// Rounds with one folder: what a start reads grows with each.
const ROUNDS_OF_A_FOLDER: u32 = 40;
const INTERVAL_MS: i64 = 100;

/// What was seen in all rounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Frames that were acknowledged.
    pub acknowledged: u64,
    /// Those of them that had to be there after a kill, and were.
    pub safe: u64,
}

/// A tick that was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    node: &'static str,
    at: UnixMillis,
}

/// Kills a server so many times while it takes frames in, with frames on the disk before they are
/// acknowledged and shortly after in turns, and looks after each kill for all that must be there.
///
/// # Errors
/// If something that was acknowledged is missing, or is there twice.
pub fn rounds(program: &Path, rounds: u32) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut folder = tempfile::tempdir()?;
    // In the past: frames of an outbox come in as fast as they can.
    let mut number = 0;
    let begin = UnixMillis(now().0.div_euclid(INTERVAL_MS) * INTERVAL_MS).minus(20 * 3_600_000);
    for round in 0..rounds {
        if round % ROUNDS_OF_A_FOLDER == 0 {
            folder = tempfile::tempdir()?;
            eprintln!("{round} of {rounds} rounds, {} frames safe", seen.safe);
        }
        let is_always = round % 2 == 0;
        let builder = server(program.to_owned(), folder.path(), is_always);
        let server = builder.start();
        let first = UnixMillis(begin.0 + number * INTERVAL_MS);
        let life = Duration::from_millis(700 + u64::from(round) * 131 % 500);
        let sent = killed_while_sending(server, first, life);
        number += i64::try_from(sent.len())? + 1;
        let again = builder.start();
        for node in NODES {
            let found = found(&again, node, first);
            let times: BTreeSet<i64> = found.iter().copied().collect();
            ensure!(times.len() == found.len(), "round {round}: a tick of {node} is there twice");
            // Where frames are written a moment later, how much later depends on how busy the machine
            // is: then what is there must have no holes.
            let until = if is_always { Some(&i64::MAX) } else { times.last() };
            let is_safe = |at: &i64| until.is_some_and(|until| at <= until);
            let of_node = sent.iter().filter(|sent| sent.node == node).map(|sent| sent.at.0);
            let must: BTreeSet<i64> = of_node.filter(is_safe).collect();
            let missing: Vec<_> = must.difference(&times).collect();
            ensure!(
                missing.is_empty(),
                "round {round}: {} of {} ticks of {node} are missing: {missing:?}\n{}",
                missing.len(),
                must.len(),
                again.log()
            );
            seen.safe += must.len() as u64;
        }
        seen.acknowledged += sent.len() as u64;
        let ready = again.json("/ready");
        let warnings = ready["warnings"].as_array().context("warnings are a list")?;
        let is_damaged = |warning: &serde_json::Value| warning.to_string().contains("damaged");
        ensure!(!warnings.iter().any(is_damaged), "round {round}: {ready}");
        again.kill();
    }
    Ok(seen)
}

fn server(program: PathBuf, folder: &Path, is_always: bool) -> ServerBuilder {
    let fsync = if is_always { "--fsync=always" } else { "--fsync=100ms" };
    ServerBuilder::new(program).data_dir(folder).option("--retention=24h").option(fsync)
}

/// Sends frames of all nodes until the server is killed. Gives what it had acknowledged.
fn killed_while_sending(server: Server, first: UnixMillis, life: Duration) -> Vec<Acknowledged> {
    let (acknowledged, is_over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    thread::scope(|scope| {
        for node in NODES {
            let (acknowledged, is_over, server) = (&acknowledged, &is_over, &server);
            scope.spawn(move || {
                let base = u64::try_from(first.0 / INTERVAL_MS).unwrap_or(0);
                for count in 0_u32.. {
                    let at = UnixMillis(first.0 + i64::from(count) * INTERVAL_MS);
                    let mut tick = tick(node, base + u64::from(count), at, 5);
                    tick.interval_ms = INTERVAL_MS.unsigned_abs();
                    let taken =
                        server.try_frame(&frame(&tick)).is_ok_and(|reply| reply.status == 200);
                    if is_over.load(Ordering::Relaxed) || !taken {
                        return;
                    }
                    let mut acknowledged =
                        acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                    acknowledged.push(Acknowledged { node, at });
                }
            });
        }
        thread::sleep(life);
        is_over.store(true, Ordering::Relaxed);
        server.signal(rustix::process::Signal::KILL);
    });
    server.kill();
    acknowledged.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The times of a node's samples from a moment on.
fn found(server: &Server, node: &str, first: UnixMillis) -> Vec<i64> {
    let seconds = first.0 / 1000;
    let reply = server.get(&format!("/api/nodes/{node}?start={seconds}"));
    if reply.status == 404 {
        return Vec::new();
    }
    let samples = reply.json();
    let samples = samples.as_array().map(Vec::as_slice).unwrap_or_default();
    let times = samples.iter().filter_map(|sample| sample["timestamp"].as_str()?.parse().ok());
    let times = times.map(|time: jiff::Timestamp| time.as_millisecond());
    times.filter(|&time| time >= first.0).collect()
}
