//! Samples of all the shapes that queries meet: counters that start anew, gauges with NaN and infinity, gaps,
//! series that end, histograms.

use std::fmt::Write;

use kubemonitor_promql::{Labels, MemoryStorage};

/// The first sample (Unix ms), off every round time, so that no range ends at a sample.
const FIRST_MS: i64 = 1_700_000_003_100;
const STEP_MS: i64 = 15_000;
const COUNT: i64 = 480;

/// Times at which questions are asked: in the middle, and near the end. Neither these nor multiples of 15 s
/// after them are at the steps of any subquery.
pub(crate) const MOMENTS_MS: [i64; 2] = [1_700_003_601_000, 1_700_006_901_000];

type Sample = (i64, f64);

/// A metric: its name, its type, its series.
type Metric = (&'static str, &'static str, Vec<(Labels, Vec<Sample>)>);

/// The samples by their metric.
fn all() -> Vec<Metric> {
    let mut random = Random(7);
    let labels = |pairs: &[(&str, &str)]| Labels::new(pairs.iter().copied());
    let mut requests = Vec::new();
    let mut memory = Vec::new();
    let mut limits = Vec::new();
    for (number, pod) in ["web-0", "web-1", "db-0", "job-x"].into_iter().enumerate() {
        let namespace = if number < 2 { "shop" } else { "store" };
        for code in ["200", "500"] {
            let mut value = 1000.0 * f64::from(random.below(50) + 10);
            let samples = series(|place| {
                // A counter that starts anew now and then, and one series with gaps.
                value += f64::from(random.below(40));
                if random.below(90) == 0 {
                    value = f64::from(random.below(5));
                }
                (pod != "web-1" || place % 50 < 44).then_some(value)
            });
            let all = [("namespace", namespace), ("pod", pod), ("code", code)];
            requests.push((labels(&all), samples));
        }
        let mut bytes = 4096.0 * 5000.0;
        let samples = series(|place| {
            bytes += 4096.0 * (f64::from(random.below(200)) - 100.0);
            // One series ends in the middle.
            (pod != "job-x" || place < 300).then_some(bytes)
        });
        memory.push((labels(&[("namespace", namespace), ("pod", pod)]), samples));
        if pod != "db-0" {
            let limit = 4096.0 * 8000.0;
            limits
                .push((labels(&[("namespace", namespace), ("pod", pod)]), series(|_| Some(limit))));
        }
    }
    let odd = |number: u32, place: i64| match (number, place % 7) {
        (0, 3) => f64::NAN,
        (1, 4) => f64::INFINITY,
        (2, 5) => f64::NEG_INFINITY,
        (3, _) => 0.0,
        _ => f64::from(u32::try_from(place % 11).unwrap_or(0)) - 5.5,
    };
    let odd = (0..4).map(|number| {
        let labels = labels(&[("kind", ["nan", "inf", "neg", "zero"][number as usize])]);
        (labels, series(|place| Some(odd(number, place))))
    });
    let mut buckets = Vec::new();
    for pod in ["web-0", "web-1"] {
        let mut counts = [0.0; 5];
        let mut columns: Vec<Vec<Sample>> = vec![Vec::new(); 5];
        for place in 0..COUNT {
            for _ in 0..random.below(9) {
                let bucket = random.below(5) as usize;
                counts[bucket..].iter_mut().for_each(|count| *count += 1.0);
            }
            for (column, count) in columns.iter_mut().zip(counts) {
                column.push((FIRST_MS + place * STEP_MS, count));
            }
        }
        for (bound, samples) in ["0.1", "0.5", "1", "5", "+Inf"].into_iter().zip(columns) {
            buckets.push((labels(&[("pod", pod), ("le", bound)]), samples));
        }
    }
    vec![
        ("requests_total", "counter", requests),
        ("memory_bytes", "gauge", memory),
        ("limit_bytes", "gauge", limits),
        ("odd", "gauge", odd.collect()),
        ("latency_bucket", "gauge", buckets),
    ]
}

fn series(mut value: impl FnMut(i64) -> Option<f64>) -> Vec<Sample> {
    let sample = |place| Some((FIRST_MS + place * STEP_MS, value(place)?));
    (0..COUNT).filter_map(sample).collect()
}

/// The samples as this engine reads them.
pub(crate) fn storage() -> MemoryStorage {
    let mut storage = MemoryStorage::default();
    for (metric, _, series) in all() {
        for (labels, samples) in series {
            let pairs = labels.iter().chain([("__name__", metric)]);
            let labels = Labels::new(pairs);
            for (at_ms, value) in samples {
                storage.add(&labels, at_ms, value);
            }
        }
    }
    storage
}

/// The samples as `promtool` reads them.
pub(crate) fn open_metrics() -> String {
    let mut text = String::new();
    for (metric, kind, series) in all() {
        let family = metric.trim_end_matches("_total");
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE {family} {kind}");
        for (labels, samples) in series {
            let pairs: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            for (at_ms, value) in samples {
                let value = match value {
                    value if value.is_nan() => "NaN".to_owned(),
                    value if value.is_infinite() => {
                        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
                    }
                    value => value.to_string(),
                };
                let (seconds, millis) = (at_ms / 1000, at_ms % 1000);
                let _ =
                    writeln!(text, "{metric}{{{}}} {value} {seconds}.{millis:03}", pairs.join(","));
            }
        }
    }
    text.push_str("# EOF\n");
    text
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(limit)).unwrap_or(0)
    }
}
