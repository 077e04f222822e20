//! Any sequence of jumps of the server's and its collectors' clocks, of outages and restarts.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use kubemonitor_model::{EntityKind, Metric, Row, Tick, UnixMillis};
use kubemonitor_store::{Clocks, IngestError, SeenTime, Settings, Store, SweepTime, TimeRange};
use proptest::prelude::*;

use crate::support::{START, STEP, pod, tick_of};

const NODES: [&str; 2] = ["node-1", "node-2"];
/// How far off the server's clock may be believed to be for ticks to be where they belong.
const CLOSE_MS: i64 = 10_000;

#[derive(Clone, Debug)]
enum Event {
    /// The server's clock is off by so much from here on.
    Server(i64),
    /// A collector's clock is.
    Collector(usize, i64),
    /// All of them are.
    All(i64),
    /// A collector is started anew, and was away for so many ticks.
    Restart(usize, i64),
    /// The server is away for so many ticks.
    Outage(i64),
    /// So many ticks pass.
    Ticks(i64),
}

fn off() -> impl Strategy<Value = i64> {
    let steps = prop_oneof![
        3 => Just(0i64),
        3 => -3i64..4,
        3 => -130i64..131,
        2 => prop_oneof![Just(-720i64), Just(720), Just(1440), Just(40 * 17_280), Just(-40 * 17_280)],
    ];
    steps.prop_map(|steps| steps * STEP)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => off().prop_map(Event::Server),
        2 => (0..NODES.len(), off()).prop_map(|(of, off)| Event::Collector(of, off)),
        2 => off().prop_map(Event::All),
        1 => (0..NODES.len(), 0i64..5).prop_map(|(of, ticks)| Event::Restart(of, ticks)),
        1 => (1i64..40).prop_map(Event::Outage),
        5 => prop_oneof![4 => 1i64..30, 1 => 100i64..200].prop_map(Event::Ticks),
    ]
}

/// A collector, with what the server has not taken yet.
#[derive(Default)]
struct Collector {
    off_ms: i64,
    instance: u64,
    sequence: u64,
    away: i64,
    outbox: Vec<Tick>,
    /// What was acknowledged, and whether the server's clock was close to right then.
    acknowledged: BTreeMap<i64, bool>,
}

/// A world with one true time, which is that of the steady clock.
struct World {
    store: Store,
    time: SeenTime,
    /// The tick that is due.
    number: i64,
    server_off_ms: i64,
    server_away: i64,
    /// The server once believed a time that was not true.
    was_wrong: bool,
    collectors: [Collector; 2],
}

fn true_time(number: i64) -> UnixMillis {
    UnixMillis(START + number * STEP)
}

impl World {
    fn new() -> Self {
        let retention = Duration::from_secs(400 * 86_400);
        let store = Store::new(Settings { retention, ..Settings::default() });
        let time = SeenTime::begin(Clocks { wall: true_time(0), steady_ms: 0 });
        let collectors = Default::default();
        Self {
            store,
            time,
            number: 0,
            server_off_ms: 0,
            server_away: 0,
            was_wrong: false,
            collectors,
        }
    }

    fn clocks(&self) -> Clocks {
        let steady_ms = self.number * STEP + 40;
        Clocks { wall: UnixMillis(START + steady_ms + self.server_off_ms), steady_ms }
    }

    /// How far the server is from the true time.
    fn error_ms(&mut self) -> i64 {
        let clocks = self.clocks();
        self.time.now(clocks).0 - START - clocks.steady_ms
    }

    fn tick(&mut self) -> Result<(), TestCaseError> {
        let number = self.number;
        let is_close = self.error_ms().abs() <= CLOSE_MS;
        self.was_wrong |= !is_close;
        let clocks = self.clocks();
        let now = self.time.now(clocks);
        let passed = self.time.for_retention(clocks);
        let is_away = self.server_away > 0;
        self.server_away -= i64::from(is_away);
        for (node, collector) in NODES.iter().zip(&mut self.collectors) {
            if collector.away > 0 {
                collector.away -= 1;
                continue;
            }
            let mut row = Row::new(EntityKind::Pod);
            row.set(Metric::MemoryWorkingSet, Some(number.unsigned_abs() * 4096));
            row.set(Metric::CpuUsage, Some(number.unsigned_abs() * 1_000_000_000));
            collector.sequence += 1;
            let at = UnixMillis(true_time(number).0 + collector.off_ms);
            let (instance, sequence) = (collector.instance, collector.sequence);
            collector.outbox.push(Tick {
                at,
                instance,
                sequence,
                ..tick_of(node, number, [(1, row)])
            });
            if is_away {
                continue;
            }
            for tick in std::mem::take(&mut collector.outbox) {
                let measured = tick.rows[0].row.get(Metric::MemoryWorkingSet).unwrap() / 4096;
                match self.store.ingest(&tick, now) {
                    Ok(receipt) => {
                        prop_assert!(!receipt.duplicate && receipt.samples > 0, "{:?}", receipt);
                        collector.acknowledged.insert(measured.cast_signed(), is_close);
                        self.time.heard(tick.at, clocks);
                        prop_assert!(self.store.ingest(&tick, now).unwrap().duplicate);
                    }
                    // To be sent again.
                    Err(IngestError::TooEarly { .. } | IngestError::Conflict { .. }) => {
                        collector.outbox.push(tick);
                    }
                    // Never right.
                    Err(IngestError::TooLate { .. } | IngestError::TimeTaken { .. }) => {}
                    Err(error) => prop_assert!(false, "{}", error),
                }
            }
        }
        if number % 2 == 0 && !is_away {
            self.store.sweep(SweepTime { now, passed });
        }
        self.number += 1;
        Ok(())
    }

    /// What a node's samples were measured as, in the order they are held, and when the last one is.
    fn held(&self, node: &str) -> (Vec<i64>, Option<UnixMillis>) {
        let look = |view: &kubemonitor_store::NodeView<'_>| {
            view.find(EntityKind::Pod, &pod(1)).map(|series| series.window(TimeRange::ALL))
        };
        let samples = self.store.node(&node.parse().unwrap(), look).flatten().unwrap_or_default();
        let measured = |row: &Row| row.get(Metric::MemoryWorkingSet).unwrap() / 4096;
        let last = samples.last().map(|sample| sample.at);
        (samples.iter().map(|sample| measured(&sample.row).cast_signed()).collect(), last)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_acknowledged_is_lost_and_the_newest_is_right_soon_after(
        events in prop::collection::vec(event(), 1..25),
    ) {
        let mut world = World::new();
        for _ in 0..10 {
            world.tick()?;
        }
        for event in events {
            match event {
                Event::Server(off_ms) => world.server_off_ms = off_ms,
                Event::Collector(of, off_ms) => world.collectors[of].off_ms = off_ms,
                Event::All(off_ms) => {
                    world.server_off_ms = off_ms;
                    world.collectors.iter_mut().for_each(|collector| collector.off_ms = off_ms);
                }
                Event::Restart(of, away) => {
                    let collector = &mut world.collectors[of];
                    // Its outbox is in memory alone.
                    collector.outbox.clear();
                    (collector.instance, collector.sequence) = (collector.instance + 1, 0);
                    collector.away = away;
                }
                Event::Outage(ticks) => world.server_away += ticks,
                Event::Ticks(ticks) => {
                    for _ in 0..ticks {
                        world.tick()?;
                    }
                }
            }
        }
        // All clocks are right again, and all are there.
        world.server_off_ms = 0;
        world.server_away = 0;
        for collector in &mut world.collectors {
            (collector.off_ms, collector.away) = (0, 0);
        }
        // A clock that was wrong for so long that it was believed is doubted for as long again.
        world.tick()?;
        let waits = if world.error_ms() == 0 { 4 } else { 130 };
        for _ in 0..waits {
            world.tick()?;
        }
        prop_assert_eq!(world.error_ms(), 0);
        for (node, collector) in NODES.iter().zip(&world.collectors) {
            let (held, last) = world.held(node);
            let mut sorted = held.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), held.len(), "{}: something is there twice", node);
            for (measured, is_close) in &collector.acknowledged {
                prop_assert!(
                    !is_close || sorted.binary_search(measured).is_ok(),
                    "{}: {} was acknowledged and is gone: {:?}", node, measured, held
                );
            }
            let newest = held.last().copied().unwrap_or_default();
            prop_assert!(newest >= world.number - 3, "{}: {} of {}", node, newest, world.number);
            let off_ms = last.unwrap().since(true_time(newest));
            // What was taken in under a wrong time is caught up with bit by bit.
            let is_close = off_ms.abs() <= 2 * STEP + CLOSE_MS;
            prop_assert!(world.was_wrong || is_close, "{}: {} ms off", node, off_ms);
        }
    }
}
