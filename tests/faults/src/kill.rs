//! A server that is killed again and again while frames come, and what it has afterwards.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
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
    when: Instant,
}

/// Kills a server so many times while it takes frames in, with frames on the disk before they are
/// acknowledged and shortly after (every 100 ms) in turns, and looks after each kill for all that must be
/// there. Where they come to the disk shortly after, that is what was acknowledged `committed` before the
/// kill or earlier, on a machine that has time for the server; and whatever the machine does, what is there
/// has no holes.
///
/// # Errors
/// If something that was acknowledged is missing, or is there twice.
pub fn rounds(program: &Path, rounds: u32, committed: Option<Duration>) -> anyhow::Result<Seen> {
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
        let (killed_at, sent) = killed_while_sending(server, first, life);
        let is_committed = |sent: &Acknowledged| {
            let waited = killed_at.saturating_duration_since(sent.when);
            is_always || committed.is_some_and(|committed| waited > committed)
        };
        number += i64::try_from(sent.len())? + 1;
        let again = builder.start();
        for node in NODES {
            let found = found(&again, node, first);
            let times: BTreeSet<i64> = found.iter().copied().collect();
            ensure!(times.len() == found.len(), "round {round}: a tick of {node} is there twice");
            let last = times.last().copied().unwrap_or(i64::MIN);
            let of_node = sent.iter().filter(|sent| sent.node == node);
            let safe = of_node.filter(|sent| is_committed(sent) || sent.at.0 <= last);
            let must: BTreeSet<i64> = safe.map(|sent| sent.at.0).collect();
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

/// Sends frames of all nodes until the server is killed. Gives when that was, and what it had
/// acknowledged.
fn killed_while_sending(
    server: Server,
    first: UnixMillis,
    life: Duration,
) -> (Instant, Vec<Acknowledged>) {
    let (acknowledged, is_over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let killed_at = thread::scope(|scope| {
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
                    let when = Instant::now();
                    let mut acknowledged =
                        acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
                    acknowledged.push(Acknowledged { node, at, when });
                }
            });
        }
        thread::sleep(life);
        is_over.store(true, Ordering::Relaxed);
        let killed_at = Instant::now();
        server.signal(rustix::process::Signal::KILL);
        killed_at
    });
    server.kill();
    let acknowledged = acknowledged.into_inner().unwrap_or_else(PoisonError::into_inner);
    (killed_at, acknowledged)
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
