//! Classic histograms: series of cumulative counts, one a bucket, with the bound in the label `le`.

use super::{Function, argument, quantile};
use crate::{
    Labels, QueryError,
    absent::is_present,
    eval::{Column, Evaluator},
    plan::Expr,
};

const BOUND: &str = "le";

/// Counts that fall by less than this part of themselves do so because of rounding.
const ROUNDING: f64 = 1e-12;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The highest value that is counted.
    bound: f64,
    /// How many are not above it.
    count: f64,
}

/// The series of one histogram.
struct Histogram<'a> {
    labels: Labels,
    name: String,
    drops_name: bool,
    buckets: Vec<(f64, &'a Column)>,
}

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    let numbers = args.len() - 1;
    let parameters: Vec<Vec<f64>> =
        args[..numbers].iter().map(|arg| evaluator.scalar(arg)).collect::<Result<_, _>>()?;
    let source = argument(args, numbers)?;
    let columns = evaluator.vector(source)?;
    let histograms = histograms(evaluator, source.at, &columns);
    if function == Function::HistogramQuantile {
        for rank in parameters[0].iter().filter(|rank| !(0.0..=1.0).contains(*rank)) {
            evaluator.context.notes.warn(args[0].at, quantile::outside(*rank));
        }
    }
    let mut answers = Vec::with_capacity(histograms.len());
    let mut buckets = Vec::new();
    for histogram in histograms {
        let mut values = evaluator.empty_values()?;
        for (step, into) in values.iter_mut().enumerate() {
            buckets.clear();
            let at_step =
                histogram.buckets.iter().map(|(bound, column)| (*bound, column.values[step]));
            let present = at_step.filter(|(_, count)| is_present(*count));
            buckets.extend(present.map(|(bound, count)| Bucket { bound, count }));
            if buckets.is_empty() {
                continue;
            }
            let (value, is_fixed) = if function == Function::HistogramQuantile {
                quantile_of(parameters[0][step], &mut buckets)
            } else {
                fraction_of(parameters[0][step], parameters[1][step], &mut buckets)
            };
            *into = value;
            if is_fixed && function == Function::HistogramQuantile {
                say_that_it_was_fixed(evaluator, source.at, &histogram.name);
            }
        }
        let Histogram { labels, drops_name, .. } = histogram;
        answers.push(Column { labels, drops_name, values });
    }
    evaluator.without_names(answers)
}

fn say_that_it_was_fixed(evaluator: &Evaluator<'_>, at: usize, name: &str) {
    let name = if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") };
    let message = format!(
        "input to histogram_quantile needed to be fixed for monotonicity (see \
         https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){name}"
    );
    evaluator.context.notes.inform(at, message);
}

/// The columns by the histogram that they are buckets of. What has no bound is none, and said.
fn histograms<'a>(
    evaluator: &Evaluator<'_>,
    at: usize,
    columns: &'a [Column],
) -> Vec<Histogram<'a>> {
    let mut histograms: Vec<Histogram<'a>> = Vec::new();
    let mut places = hashbrown::HashMap::<Labels, usize, rustc_hash::FxBuildHasher>::default();
    for column in columns {
        let text = column.labels.get(BOUND);
        let Some(bound) = bound(text) else {
            let name = column.labels.metric();
            let of =
                if name.is_empty() { String::new() } else { format!(" for metric name {name:?}") };
            let message =
                format!("bucket label \"le\" is missing or has a malformed value of {text:?}{of}");
            evaluator.context.notes.warn(at, message);
            continue;
        };
        let key = column.labels.filtered(|name| name != BOUND);
        let place = *places.entry(key.clone()).or_insert(histograms.len());
        if place == histograms.len() {
            histograms.push(Histogram {
                labels: key,
                name: column.labels.metric().to_owned(),
                drops_name: column.drops_name,
                buckets: Vec::new(),
            });
        }
        histograms[place].buckets.push((bound, column));
    }
    histograms
}

/// A bound as it is written in the label.
fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" | "+inf" | "inf" => Some(f64::INFINITY),
        "-Inf" | "-inf" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

/// Sorts buckets, puts those of one bound together, and makes counts grow with the bound. Says whether they
/// had not; `None` where there is no bucket for everything, or nothing is in it.
fn prepared(buckets: &mut Vec<Bucket>) -> Option<bool> {
    buckets.sort_by(|one, other| one.bound.total_cmp(&other.bound));
    if buckets.last()?.bound < f64::INFINITY {
        return None;
    }
    buckets.dedup_by(|later, first| {
        let is_same = later.bound.to_bits() == first.bound.to_bits();
        if is_same {
            first.count += later.count;
        }
        is_same
    });
    let (mut highest, mut is_fixed) = (f64::NEG_INFINITY, false);
    for (place, bucket) in buckets.iter_mut().enumerate() {
        if place == 0 || bucket.count > highest {
            highest = bucket.count;
        } else if bucket.count < highest {
            is_fixed |=
                (highest - bucket.count).abs() > ROUNDING * highest.abs().max(bucket.count.abs());
            bucket.count = highest;
        }
    }
    Some(is_fixed)
}

/// The quantile, interpolated within its bucket; and whether the counts had to be fixed.
fn quantile_of(rank: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    if rank.is_nan() {
        return (f64::NAN, false);
    }
    if rank < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if rank > 1.0 {
        return (f64::INFINITY, false);
    }
    let Some(is_fixed) = prepared(buckets) else { return (f64::NAN, false) };
    let observations = buckets[buckets.len() - 1].count;
    if buckets.len() < 2 || observations == 0.0 || observations.is_nan() {
        return (f64::NAN, is_fixed);
    }
    let wanted = rank * observations;
    let last = buckets.len() - 1;
    let place = buckets[..last].partition_point(|bucket| bucket.count < wanted);
    if place == last {
        return (buckets[last - 1].bound, is_fixed);
    }
    if place == 0 && buckets[0].bound <= 0.0 {
        return (buckets[0].bound, is_fixed);
    }
    let below = if place == 0 { Bucket { bound: 0.0, count: 0.0 } } else { buckets[place - 1] };
    let within = (wanted - below.count) / (buckets[place].count - below.count);
    (below.bound + (buckets[place].bound - below.bound) * within, is_fixed)
}

/// The part of the observations between two values; and whether the counts had to be fixed.
fn fraction_of(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> (f64, bool) {
    let Some(is_fixed) = prepared(buckets) else { return (f64::NAN, false) };
    let observations = buckets[buckets.len() - 1].count;
    if observations == 0.0 || observations.is_nan() || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, is_fixed);
    }
    if lower >= upper {
        return (0.0, is_fixed);
    }
    let (below, above) = (rank_of(lower, buckets), rank_of(upper, buckets));
    ((above - below) / observations, is_fixed)
}

/// How many observations are not above a value, interpolated within its bucket.
fn rank_of(value: f64, buckets: &[Bucket]) -> f64 {
    let observations = buckets[buckets.len() - 1].count;
    if value == f64::INFINITY {
        return observations;
    }
    let place = buckets.partition_point(|bucket| bucket.bound <= value);
    let (lower, count) = match place.checked_sub(1) {
        Some(before) => (buckets[before].bound, buckets[before].count),
        None if buckets[0].bound > 0.0 => (0.0, 0.0),
        // Nothing is interpolated in a bucket that reaches down for ever.
        None if value == f64::NEG_INFINITY => return 0.0,
        None => return buckets[0].count,
    };
    let bucket = buckets[place];
    if bucket.bound.is_infinite() || value <= lower {
        return count;
    }
    count + (bucket.count - count) * (value - lower) / (bucket.bound - lower)
}
