//! The rates that the store makes of a collector's ticks, however the collector's clock is set.

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, NodeName, Row, Tick};
use kubemonitor_store::{IngestError, Sample, Settings, Store, TimeRange};
use proptest::prelude::*;

use super::*;
use crate::clock::SteadyClock;

const NODE: &str = "worker-1";
const POD: &str = "0f9d4c1e-0011-2233-4455-66778899aabb";
/// When the machine booted, in milliseconds of true time.
const BOOT: i64 = 1_700_000_000_000;

/// A node with one pod that uses 500 millicores, and a collector on it whose clock is set at times.
struct FakeNode {
    ticks: Ticks,
    clock: SteadyClock,
    instance: u64,
    sequence: u64,
    /// How far ahead of the true time the wall clock is.
    ahead_ms: i64,
    /// True time since boot, in microseconds.
    since_boot_us: u64,
    store: Store,
    /// Ticks that the store has not taken, oldest first.
    outbox: Vec<Tick>,
}

impl FakeNode {
    fn boot() -> Self {
        let (ahead_ms, since_boot_us) = (0, 30_000_000);
        let now = Self::moment(ahead_ms, since_boot_us);
        Self {
            ticks: Ticks::every(Interval::default(), now),
            clock: SteadyClock::start(now.wall, now.since_boot, None),
            instance: 0,
            sequence: 0,
            ahead_ms,
            since_boot_us,
            store: Store::new(Settings::default()),
            outbox: Vec::new(),
        }
    }

    fn moment(ahead_ms: i64, since_boot_us: u64) -> Now {
        let since_boot = i64::try_from(since_boot_us).expect("not that long");
        Now {
            wall: UnixMicros((BOOT + ahead_ms) * 1000 + since_boot),
            since_boot: Duration::from_micros(since_boot_us),
        }
    }

    fn now(&self) -> Now {
        Self::moment(self.ahead_ms, self.since_boot_us)
    }

    /// Another process takes over.
    fn restart(&mut self) {
        let now = self.now();
        self.ticks = Ticks::every(Interval::default(), now);
        self.clock = SteadyClock::start(now.wall, now.since_boot, None);
        self.instance += 1;
        self.sequence = 0;
    }

    /// Sleeps until a tick is due, takes it, and puts it into the store. `late_us` after it was due,
    /// and the pod is read `throttled_us` after that.
    fn tick(&mut self, late_us: u64, throttled_us: u64) {
        let at = loop {
            match self.ticks.poll(self.now()) {
                Due::Now(at) => break at,
                Due::In(wait) => {
                    self.since_boot_us += u64::try_from(wait.as_micros()).expect("not that long");
                }
            }
        };
        self.since_boot_us += late_us;
        let read_delay_us = self.clock.at(Duration::from_micros(self.since_boot_us)).since(at);
        self.since_boot_us += throttled_us;
        self.ticks.taken(Duration::from_micros(self.since_boot_us));
        let mut row = Row::new(EntityKind::Pod);
        row.set(Metric::CpuUsage, Some(self.since_boot_us * 500));
        let offset = crate::sampling::read_offset_us(
            Duration::from_micros(throttled_us),
            Interval::default(),
        );
        row.set(Metric::ReadOffset, offset);
        // The network is read at once after the tick.
        let received = (self.since_boot_us - throttled_us) / 2;
        row.set(Metric::NetworkRxBytes, Some(received));
        let (id, newborn) = (EntityId::parse(POD), false);
        self.sequence += 1;
        self.outbox.push(Tick {
            node: NODE.parse().expect("a name"),
            instance: u64::from(self.clock.id()) << 32 | self.instance,
            sequence: self.sequence,
            at,
            read_delay_us,
            interval_ms: 5000,
            rows: vec![EntityRow { id, parent: None, qos: None, newborn, row }],
        });
        self.send();
    }

    /// Brings the outbox to the store, whose clock is right, as the sender does: what can be taken later
    /// is kept.
    fn send(&mut self) {
        let now = UnixMillis(self.true_ms());
        let mut is_there = true;
        self.outbox.retain(|tick| {
            let refusal = if is_there { self.store.ingest(tick, now).err() } else { None };
            match refusal {
                Some(IngestError::Conflict { .. }) => is_there = false,
                Some(IngestError::TooEarly { .. }) => return true,
                _ => {}
            }
            !is_there
        });
    }

    fn true_ms(&self) -> i64 {
        BOOT + i64::try_from(self.since_boot_us / 1000).expect("not that long")
    }

    fn samples(&self) -> Vec<Sample> {
        let node: NodeName = NODE.parse().expect("a name");
        let samples = self.store.node(&node, |view| {
            let pod = view.find(EntityKind::Pod, &EntityId::parse(POD))?;
            let mut samples = pod.window(TimeRange::ALL);
            samples.push(pod.latest());
            Some(samples)
        });
        samples.flatten().unwrap_or_default()
    }

    /// The rates there are, in millicores.
    fn millicores(&self) -> Vec<f64> {
        let rates = self.samples().into_iter().map(|sample| sample.rates);
        rates.filter_map(|rates| rates.per_second(Metric::CpuUsage)).map(|ns| ns / 1e6).collect()
    }

    fn wrong(&self) -> Vec<f64> {
        let rates = self.samples().into_iter().map(|sample| sample.rates);
        // 500,000 bytes per second are as many as 500 millicores' microseconds.
        let received = rates.filter_map(|rates| rates.per_second(Metric::NetworkRxBytes));
        let all = self.millicores().into_iter().chain(received.map(|bytes| bytes / 1000.0));
        all.filter(|rate| (rate - 500.0).abs() > 5.0).collect()
    }
}

#[test]
fn a_clock_that_is_set_leaves_the_rates_as_they_are() {
    for set_by_ms in [3_000, 300_000, -3_000, -300_000] {
        let mut node = FakeNode::boot();
        for number in 0..40 {
            node.ahead_ms += if number == 20 { set_by_ms } else { 0 };
            node.tick(400, 0);
        }
        assert_eq!(node.wrong(), [0.0; 0], "set by {set_by_ms} ms");
        let rates = node.millicores().len();
        assert!(rates >= 20, "{rates} rates, set by {set_by_ms} ms");
        if set_by_ms > 0 {
            assert_eq!(rates, 40, "one for each tick but the first, and the newest");
        }
    }
}

#[test]
fn a_collector_that_is_throttled_shows_a_steady_rate() {
    let mut node = FakeNode::boot();
    for throttled_ms in [0, 900, 0, 300, 1_000, 50, 0, 700] {
        node.tick(0, throttled_ms * 1000);
    }
    assert_eq!((node.wrong(), node.millicores().len()), (vec![], 8));
}

#[test]
fn a_collector_that_is_restarted_leaves_no_gap_but_where_the_clock_was_set_meanwhile() {
    let mut node = FakeNode::boot();
    (0..5).for_each(|_| node.tick(0, 0));
    node.restart();
    (0..5).for_each(|_| node.tick(0, 0));
    assert_eq!((node.wrong(), node.millicores().len()), (vec![], 10));
    node.ahead_ms += 60_000;
    node.restart();
    (0..5).for_each(|_| node.tick(0, 0));
    assert_eq!((node.wrong(), node.millicores().len()), (vec![], 14), "one is not known");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rates_are_true_or_none_however_the_clock_is_set(
        events in prop::collection::vec(
            (
                prop_oneof![
                    8 => Just(0i64),
                    2 => -20_000i64..20_000,
                    2 => -700_000i64..700_000,
                    1 => -90_000_000i64..90_000_000,
                ],
                prop_oneof![3 => Just(0u64), 1 => 0u64..2_000_000],
                prop_oneof![3 => Just(0u64), 1 => 0u64..1_000_000],
                prop::bool::weighted(0.05),
            ),
            1..60,
        )
    ) {
        let mut node = FakeNode::boot();
        for (set_by_ms, late_us, throttled_us, restarts) in events {
            node.ahead_ms += set_by_ms;
            if restarts {
                node.restart();
            }
            let before = node.sequence;
            node.tick(late_us, throttled_us);
            prop_assert_eq!(node.sequence, before + 1);
            prop_assert_eq!(node.wrong(), Vec::<f64>::new());
        }
    }
}
