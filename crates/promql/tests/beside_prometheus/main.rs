//! This engine and a real Prometheus get equal samples and queries, and have to give equal answers to 1e-12.
//!
//! It needs Debian's package `prometheus` and says so where that is missing. Version 2 of Prometheus counts
//! samples at both ends of a range, version 3 and this engine at the later end only: no sample lies at the end
//! of any range that is asked for.

mod peer;
mod queries;
mod samples;

use std::sync::atomic::AtomicBool;

use kubemonitor_promql::{Answer, Engine, Labels, QueryError, Series, Value};
use peer::Prometheus;
use serde_json::Value as Json;

/// How far two numbers may be apart, as a part of them.
const CLOSE: f64 = 1e-12;

/// An answer as labels with times (Unix s) and values, sorted unless order matters.
type Rows = Vec<(String, Vec<(f64, f64)>)>;

fn rows(answer: &Answer) -> Rows {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
    let seconds = |at_ms: i64| at_ms as f64 / 1000.0;
    match &answer.value {
        Value::Scalar(point) => vec![(String::new(), vec![(seconds(point.at_ms), point.value)])],
        Value::Text(text) => vec![(text.clone(), Vec::new())],
        Value::Vector(vector) => vector
            .iter()
            .map(|(labels, point)| (labels.to_string(), vec![(seconds(point.at_ms), point.value)]))
            .collect(),
        Value::Matrix(all) => all
            .iter()
            .map(|Series { labels, points }| {
                let points = points.iter().map(|point| (seconds(point.at_ms), point.value));
                (labels.to_string(), points.collect())
            })
            .collect(),
    }
}

fn rows_of_peer(data: &Json) -> Rows {
    let point = |pair: &Json| {
        let number = |text: &str| match text {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            text => text.parse().expect("a number"),
        };
        (pair[0].as_f64().expect("a time"), number(pair[1].as_str().expect("a value")))
    };
    let labels = |series: &Json| {
        let all = series["metric"].as_object().expect("labels");
        Labels::new(all.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))))
            .to_string()
    };
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar") => vec![(String::new(), vec![point(result)])],
        Some("string") => vec![(result[1].as_str().expect("a text").to_owned(), Vec::new())],
        Some("vector") => {
            let series = result.as_array().expect("series").iter();
            series.map(|series| (labels(series), vec![point(&series["value"])])).collect()
        }
        _ => {
            let series = result.as_array().expect("series").iter();
            let points = |series: &Json| {
                series["values"].as_array().expect("points").iter().map(point).collect()
            };
            series.map(|series| (labels(series), points(series))).collect()
        }
    }
}

#[expect(clippy::float_cmp, reason = "infinite numbers are equal or not")]
fn is_close(one: f64, other: f64) -> bool {
    one == other
        || (one.is_nan() && other.is_nan())
        || (one - other).abs() <= CLOSE * one.abs().max(other.abs()).max(1e-3)
}

fn difference(
    query: &str,
    ours: &Result<Answer, QueryError>,
    theirs: &Result<Json, String>,
) -> Option<String> {
    let (ours, theirs) = match (ours, theirs) {
        (Err(_), Err(_)) => return None,
        (Ok(ours), Ok(theirs)) => (rows(ours), rows_of_peer(theirs)),
        (ours, theirs) => {
            return Some(format!("{query}\n  ours: {ours:?}\n  Prometheus: {theirs:?}"));
        }
    };
    let (mut ours, mut theirs) = (ours, theirs);
    if !query.starts_with("sort") {
        ours.sort_by(|one, other| one.0.cmp(&other.0));
        theirs.sort_by(|one, other| one.0.cmp(&other.0));
    }
    let is_same =
        ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|(ours, theirs)| {
                ours.0 == theirs.0
                    && ours.1.len() == theirs.1.len()
                    && ours.1.iter().zip(&theirs.1).all(|(ours, theirs)| {
                        is_close(ours.0, theirs.0) && is_close(ours.1, theirs.1)
                    })
            });
    (!is_same).then(|| format!("{query}\n  ours:       {ours:?}\n  Prometheus: {theirs:?}"))
}

#[test]
fn answers_are_those_of_prometheus() {
    let Some(peer) = Prometheus::start(&samples::open_metrics()) else {
        eprintln!("skipped: prometheus and promtool are not here; apt-get install prometheus");
        return;
    };
    let (storage, engine, never) = (samples::storage(), Engine::default(), AtomicBool::new(false));
    let (mut differences, mut asked) = (Vec::new(), 0);
    for query in queries::all() {
        for at_ms in samples::MOMENTS_MS {
            let ours = engine.instant(&storage, &query, at_ms, &never);
            differences.extend(difference(&query, &ours, &peer.instant(&query, at_ms)));
            asked += 1;
        }
        for step_ms in [15_000, 75_000] {
            let range = (samples::MOMENTS_MS[0], samples::MOMENTS_MS[1]);
            let ours = engine.range(&storage, &query, range, step_ms, &never);
            differences.extend(difference(&query, &ours, &peer.range(&query, range, step_ms)));
            asked += 1;
        }
    }
    assert!(asked > 1200, "{asked} questions only");
    let count = differences.len();
    differences.truncate(10);
    assert!(count == 0, "{count} of {asked} answers differ:\n{}", differences.join("\n"));
}
