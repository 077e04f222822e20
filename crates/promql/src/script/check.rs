//! Whether an answer is the expected one.

use super::{
    notation::{Written, WrittenSeries},
    parse::{Eval, Expected, When},
};
use crate::{Answer, Labels, Point, Series, Severity, Value};

/// How far two numbers may be apart, as a part of them.
const CLOSE: f64 = 1e-6;

/// What is wrong with an answer, if anything.
pub(super) fn problem(eval: &Eval, answer: &Answer) -> Option<String> {
    annotations(&eval.expected, answer).or_else(|| match eval.when {
        When::Instant { at_ms } => at_once(&eval.expected, &answer.value, at_ms),
        When::Range { start_ms, step_ms, .. } => {
            over_time(&eval.expected.series, &answer.value, start_ms, step_ms)
        }
    })
}

fn annotations(expected: &Expected, answer: &Answer) -> Option<String> {
    for severity in [Severity::Warning, Severity::Info] {
        let found: Vec<String> = answer
            .annotations
            .iter()
            .filter(|annotation| annotation.severity == severity)
            .map(ToString::to_string)
            .collect();
        let wanted: Vec<_> = expected.annotations.iter().filter(|(s, _)| *s == severity).collect();
        if expected.none_of.contains(&severity) && !found.is_empty() {
            return Some(format!("expected no {severity:?}, found {found:?}"));
        }
        if let Some((_, missing)) =
            wanted.iter().find(|(_, wording)| !found.iter().any(|message| wording.fits(message)))
        {
            return Some(format!("expected {severity:?} {missing:?}, found {found:?}"));
        }
        let unwanted = |message: &&String| !wanted.iter().any(|(_, wording)| wording.fits(message));
        if !wanted.is_empty()
            && let Some(message) = found.iter().find(unwanted)
        {
            return Some(format!("unexpected {severity:?} {message:?}"));
        }
    }
    None
}

fn at_once(expected: &Expected, value: &Value, at_ms: i64) -> Option<String> {
    match value {
        Value::Scalar(point) => {
            let wanted = expected.number?;
            (!is_close(wanted, point.value))
                .then(|| format!("expected {wanted}, found {}", point.value))
        }
        Value::Text(text) => {
            let wanted = expected.text.as_ref()?;
            (wanted != text).then(|| format!("expected {wanted:?}, found {text:?}"))
        }
        Value::Matrix(_) => match expected.range_vector {
            Some((start_ms, step_ms)) => over_time(&expected.series, value, start_ms, step_ms),
            None => Some("found a range where a vector was expected".to_owned()),
        },
        Value::Vector(found) => {
            let series = |(labels, point): &(Labels, Point)| Series {
                labels: labels.clone(),
                points: vec![Point { at_ms, ..*point }],
            };
            let found: Vec<Series> = found.iter().map(series).collect();
            if let Some(problem) = different(&expected.series, &found, at_ms, 1) {
                return Some(problem);
            }
            let order = found.iter().map(|series| &series.labels);
            let wanted = expected.series.iter().map(|series| &series.labels);
            (expected.ordered && !order.eq(wanted)).then(|| {
                let order: Vec<String> =
                    found.iter().map(|series| series.labels.to_string()).collect();
                format!("the order is {}", order.join(" "))
            })
        }
    }
}

fn over_time(
    expected: &[WrittenSeries],
    value: &Value,
    start_ms: i64,
    step_ms: i64,
) -> Option<String> {
    match value {
        Value::Matrix(found) => different(expected, found, start_ms, step_ms),
        other => Some(format!("expected series over time, found {other:?}")),
    }
}

fn different(
    expected: &[WrittenSeries],
    found: &[Series],
    start_ms: i64,
    step_ms: i64,
) -> Option<String> {
    for series in found {
        if !expected.iter().any(|wanted| wanted.labels == series.labels) {
            return Some(format!("unexpected {} with {}", series.labels, shown(&series.points)));
        }
    }
    for wanted in expected {
        let points: Vec<Point> = (0..)
            .zip(&wanted.points)
            .filter_map(|(step, point): (i64, _)| match point {
                Written::Float(value) => {
                    Some(Point { at_ms: start_ms + step * step_ms, value: *value })
                }
                Written::Nothing | Written::Histogram => None,
            })
            .collect();
        if points.is_empty() {
            continue;
        }
        let Some(series) = found.iter().find(|series| series.labels == wanted.labels) else {
            return Some(format!("missing {} with {}", wanted.labels, shown(&points)));
        };
        let is_same = points.len() == series.points.len()
            && points.iter().zip(&series.points).all(|(wanted, found)| {
                wanted.at_ms == found.at_ms && is_close(wanted.value, found.value)
            });
        if !is_same {
            let (wanted, found) = (shown(&points), shown(&series.points));
            return Some(format!("{}: expected {wanted}, found {found}", series.labels));
        }
    }
    None
}

fn shown(points: &[Point]) -> String {
    let point = |point: &Point| format!("{}@{}", point.value, point.at_ms / 1000);
    points.iter().map(point).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::float_cmp, reason = "equal numbers are close, infinite ones too")]
fn is_close(wanted: f64, found: f64) -> bool {
    if wanted.is_nan() || found.is_nan() {
        return wanted.is_nan() && found.is_nan();
    }
    let difference = (wanted - found).abs();
    wanted == found
        || difference <= f64::MIN_POSITIVE
        || difference / (wanted.abs() + found.abs()).min(f64::MAX) < CLOSE
}
