//! Functions of the samples of a range.

use std::cmp::Ordering;

use super::{Function, argument, over_time, quantile};
use crate::{
    QueryError,
    eval::{Column, Evaluator, Window, Windows},
    plan::Expr,
};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    if function == Function::QuantileOverTime {
        return quantile_over_time(evaluator, args);
    }
    let range = argument(args, 0)?;
    let windows = evaluator.windows(range, function.name())?;
    if matches!(function, Function::Rate | Function::Increase) {
        say_what_may_be_no_counter(evaluator, range.at, &windows);
    }
    let columns = if function == Function::PredictLinear {
        let ahead = evaluator.scalar(argument(args, 1)?)?;
        let times: Vec<i64> = evaluator.steps.times().collect();
        evaluator.over(windows, |step, window| {
            let (slope, now) = regression(window, times[step])?;
            Some(slope * ahead[step] + now)
        })?
    } else {
        evaluator.over(windows, |_, window| of(function, window))?
    };
    if function == Function::LastOverTime {
        return Ok(columns);
    }
    evaluator.without_names(columns)
}

fn quantile_over_time(evaluator: &Evaluator<'_>, args: &[Expr]) -> Result<Vec<Column>, QueryError> {
    let rank = argument(args, 0)?;
    let ranks = evaluator.scalar(rank)?;
    let windows = evaluator.windows(argument(args, 1)?, Function::QuantileOverTime.name())?;
    if !windows.series.is_empty() {
        for number in ranks.iter().filter(|number| !(0.0..=1.0).contains(*number)) {
            evaluator.context.notes.warn(rank.at, quantile::outside(*number));
        }
    }
    let columns = evaluator.over(windows, |step, window| {
        Some(quantile::of(ranks[step], &mut window.values.to_vec()))
    })?;
    evaluator.without_names(columns)
}

/// Counters have names that say so. Rates of others are most often a mistake.
fn say_what_may_be_no_counter(evaluator: &Evaluator<'_>, at: usize, windows: &Windows) {
    for series in windows.series.iter().filter(|series| series.values.len() > 1) {
        let name = series.labels.metric();
        let is_counter =
            ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
        if !name.is_empty() && !is_counter {
            let message = format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}"
            );
            evaluator.context.notes.inform(at, message);
        }
    }
}

fn of(function: Function, window: &Window<'_>) -> Option<f64> {
    match function {
        Function::Rate => Some(extrapolated(window, true)? / window.seconds()),
        Function::Increase => extrapolated(window, true),
        Function::Delta => extrapolated(window, false),
        Function::Irate => {
            let [before, last] = last_two(window)?;
            let grown = if last.1 < before.1 { last.1 } else { last.1 - before.1 };
            Some(grown / seconds(last.0 - before.0))
        }
        Function::Idelta => {
            let [before, last] = last_two(window)?;
            Some(last.1 - before.1)
        }
        Function::Deriv => {
            window.ends().and_then(|[first, _]| Some(regression(window, first.0)?.0))
        }
        Function::Changes => Some(count_pairs(window, |one, other| {
            !(one.is_nan() && other.is_nan()) && one.partial_cmp(&other) != Some(Ordering::Equal)
        })),
        Function::Resets => Some(count_pairs(window, |one, other| other < one)),
        _ => over_time::of(function, window.values),
    }
}

#[expect(clippy::cast_precision_loss, reason = "samples of a window fit 53 bits")]
fn count_pairs(window: &Window<'_>, holds: impl Fn(f64, f64) -> bool) -> f64 {
    window.values.windows(2).filter(|pair| holds(pair[0], pair[1])).count() as f64
}

fn last_two(window: &Window<'_>) -> Option<[(i64, f64); 2]> {
    let last = window.values.len().checked_sub(1)?;
    let before = last.checked_sub(1)?;
    Some([before, last].map(|place| (window.times[place], window.values[place])))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// What a value grew by in the window: from the first sample to the last, stretched to the window's ends
/// where samples seem to go on to there. A counter is not followed to below 0.
#[expect(clippy::cast_precision_loss, reason = "samples of a window fit 53 bits")]
fn extrapolated(window: &Window<'_>, is_counter: bool) -> Option<f64> {
    let [first, last] = window.ends()?;
    let mut grown = last.1 - first.1;
    if is_counter {
        let falls = window.values.windows(2).filter(|pair| pair[1] < pair[0]);
        grown = falls.fold(grown, |grown, pair| grown + pair[0]);
    }
    let sampled = seconds(last.0 - first.0);
    let between = sampled / (window.values.len() as f64 - 1.0);
    // A series that ends this close to the window's end is taken to go on to it.
    let close = between * 1.1;
    let reach = |gap: f64| if gap >= close { between / 2.0 } else { gap };
    let mut before = reach(seconds(first.0 - window.start_ms));
    if is_counter && grown > 0.0 && first.1 >= 0.0 {
        before = before.min(sampled * (first.1 / grown));
    }
    let after = reach(seconds(window.end_ms - last.0));
    Some(grown * ((sampled + before + after) / sampled))
}

/// Slope (a second) and value at `at_ms` of the line that fits the samples best; `None` where there are not two.
#[expect(clippy::float_cmp, reason = "values that are equal to the bit make a level line")]
fn regression(window: &Window<'_>, at_ms: i64) -> Option<(f64, f64)> {
    let [first, _] = window.ends()?;
    if window.values.iter().all(|value| *value == first.1) {
        let level = if first.1.is_infinite() { f64::NAN } else { first.1 };
        return Some((if first.1.is_infinite() { f64::NAN } else { 0.0 }, level));
    }
    let [mut n, mut x, mut y, mut xy, mut xx] = [crate::eval::Sum::default(); 5];
    for (time, value) in window.times.iter().zip(window.values) {
        let at = seconds(time - at_ms);
        n.add(1.0);
        x.add(at);
        y.add(*value);
        xy.add(at * value);
        xx.add(at * at);
    }
    let [n, x, y, xy, xx] = [n, x, y, xy, xx].map(crate::eval::Sum::value);
    let covariance = xy - x * y / n;
    let slope = covariance / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}
