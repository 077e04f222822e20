//! Running a script.

use std::{cell::Cell, fmt, sync::atomic::AtomicBool};

use super::{
    check,
    notation::{Written, WrittenSeries},
    parse::{self, Command, Eval, ScriptError, When},
};
use crate::{
    Answer, Engine, Labels, MemoryStorage, QueryError, Samples, Selection, Series, Storage,
    StorageError, Value, labels::NAME,
};

const HISTOGRAMS: &str = "native histograms";
const EXPERIMENTAL: &str = "experimental syntax";

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cases that are right.
    pub passed: usize,
    /// Cases that are wrong.
    pub failures: Vec<Failure>,
    /// Cases that were passed over: how many, and why.
    pub skipped: Vec<(&'static str, usize)>,
}

/// A case that is wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where it stands, from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// What was expected and what was found.
    pub problem: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped: usize = self.skipped.iter().map(|(_, count)| count).sum();
        write!(f, "passed {}, failed {}, skipped {skipped}", self.passed, self.failures.len())?;
        let reasons: Vec<String> =
            self.skipped.iter().map(|(why, count)| format!("{count} {why}")).collect();
        if reasons.is_empty() { Ok(()) } else { write!(f, " ({})", reasons.join(", ")) }
    }
}

impl Report {
    fn skip(&mut self, why: &'static str) {
        match self.skipped.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += 1,
            None => self.skipped.push((why, 1)),
        }
    }
}

/// Runs a script on an engine.
///
/// # Errors
/// If it is no script.
pub fn run(engine: &Engine, script: &str) -> Result<Report, ScriptError> {
    let mut loaded = Loaded::default();
    let mut report = Report::default();
    for command in parse::parse(script)? {
        match command {
            Command::Clear => loaded = Loaded::default(),
            Command::Load { step_ms, series, makes_histograms, has_start_times } => {
                for series in &series {
                    loaded.load(series, step_ms);
                    if makes_histograms && !series.labels.get("le").is_empty() {
                        loaded.load_histogram(series, step_ms);
                    }
                    if has_start_times {
                        loaded.start_times.add(&series.labels, 0, 0.0);
                    }
                }
            }
            Command::Eval(eval) => match outcome(engine, &loaded, &eval) {
                Outcome::Passed => report.passed += 1,
                Outcome::Skipped(why) => report.skip(why),
                Outcome::Failed(problem) => {
                    let Eval { line, query, .. } = *eval;
                    report.failures.push(Failure { line, query, problem });
                }
            },
        }
    }
    Ok(report)
}

/// Samples of a script. Histograms are known by their place alone.
#[derive(Default)]
struct Loaded {
    floats: MemoryStorage,
    histograms: MemoryStorage,
    /// Series whose counters have start times.
    start_times: MemoryStorage,
    touched_histograms: Cell<bool>,
    touched_start_times: Cell<bool>,
}

impl Loaded {
    fn load(&mut self, series: &WrittenSeries, step_ms: i64) {
        for (step, point) in (0..).zip(&series.points) {
            match point {
                Written::Nothing => {}
                Written::Float(value) => self.floats.add(&series.labels, step * step_ms, *value),
                Written::Histogram => self.histograms.add(&series.labels, step * step_ms, 0.0),
            }
        }
    }

    /// Notes the histogram of which a series is a bucket.
    fn load_histogram(&mut self, series: &WrittenSeries, step_ms: i64) {
        let name = series.labels.metric();
        let name = name.strip_suffix("_bucket").unwrap_or(name);
        let labels = series.labels.with("le", "").with(NAME, name);
        for (step, _) in (0..).zip(&series.points) {
            self.histograms.add(&labels, step * step_ms, 0.0);
        }
    }
}

impl Storage for Loaded {
    fn select(&self, selection: &Selection<'_>) -> Result<Vec<Samples>, StorageError> {
        if !self.histograms.select(selection)?.is_empty() {
            self.touched_histograms.set(true);
        }
        let always = Selection { after_ms: i64::MIN, until_ms: i64::MAX, ..*selection };
        if !self.start_times.select(&always)?.is_empty() {
            self.touched_start_times.set(true);
        }
        self.floats.select(selection)
    }
}

enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

fn outcome(engine: &Engine, loaded: &Loaded, eval: &Eval) -> Outcome {
    loaded.touched_histograms.set(false);
    loaded.touched_start_times.set(false);
    let answer = ask(engine, loaded, eval);
    let histograms = eval.expected.series.iter().flat_map(|series| &series.points);
    if loaded.touched_histograms.get() || histograms.into_iter().any(|p| *p == Written::Histogram) {
        return Outcome::Skipped(HISTOGRAMS);
    }
    if loaded.touched_start_times.get() {
        return Outcome::Skipped(EXPERIMENTAL);
    }
    match (answer, &eval.expected.fails) {
        (Err(QueryError::Unsupported { what, why }), _) => {
            let is_histogram = why.contains("histogram") || what.contains("histogram");
            Outcome::Skipped(if is_histogram { HISTOGRAMS } else { EXPERIMENTAL })
        }
        // Operators that cut histograms.
        (Err(QueryError::Parse(_)), _)
            if eval.query.contains(">/") || eval.query.contains("</") =>
        {
            Outcome::Skipped(HISTOGRAMS)
        }
        (Err(QueryError::Parse(_)), _) if is_experimental(&eval.query) => {
            Outcome::Skipped(EXPERIMENTAL)
        }
        (Err(error), Some(wording)) => {
            let message = error.to_string();
            if wording.fits(&message) || matches!(error, QueryError::Parse(_)) {
                Outcome::Passed
            } else {
                Outcome::Failed(format!("expected it to fail with {wording:?}, found {message:?}"))
            }
        }
        (Err(error), None) => Outcome::Failed(error.to_string()),
        (Ok(answer), Some(_)) => {
            Outcome::Failed(format!("expected it to fail, found {:?}", answer.value))
        }
        (Ok(answer), None) => match check::problem(eval, &answer) {
            Some(problem) => Outcome::Failed(problem),
            None => match differs_over_a_range(engine, loaded, eval, &answer) {
                Some(problem) => Outcome::Failed(problem),
                None => Outcome::Passed,
            },
        },
    }
}

/// Whether a query that the parser refuses has syntax that is experimental in Prometheus.
fn is_experimental(query: &str) -> bool {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let has_word = words.into_iter().any(|word| {
        matches!(word, "anchored" | "smoothed" | "fill" | "fill_left" | "fill_right" | "info")
    });
    // Durations that are computed.
    let after = |sign: &str| {
        query.split(sign).skip(1).any(|rest| {
            let rest = rest.split([']', ')']).next().unwrap_or_default();
            rest.contains(['+', '*', '/', '^', '%', '('])
                || rest.trim_start_matches('-').contains('-')
        })
    };
    has_word || after("[") || after("offset")
}

fn ask(engine: &Engine, loaded: &Loaded, eval: &Eval) -> Result<Answer, QueryError> {
    let never = AtomicBool::new(false);
    match eval.when {
        When::Instant { at_ms } => engine.instant(loaded, &eval.query, at_ms, &never),
        When::Range { start_ms, end_ms, step_ms } => {
            engine.range(loaded, &eval.query, (start_ms, end_ms), step_ms, &never)
        }
    }
}

/// A vector at one time has to be what a range query has at that time, too.
fn differs_over_a_range(
    engine: &Engine,
    loaded: &Loaded,
    eval: &Eval,
    answer: &Answer,
) -> Option<String> {
    const AROUND_MS: i64 = 60_000;
    let When::Instant { at_ms } = eval.when else { return None };
    let Value::Vector(vector) = &answer.value else { return None };
    let uses_ends = eval.query.contains("start()") || eval.query.contains("end()");
    if eval.expected.ordered || uses_ends {
        return None;
    }
    let (never, around) = (AtomicBool::new(false), (at_ms - AROUND_MS, at_ms + AROUND_MS));
    // Data at other steps may make it fail, as in Prometheus.
    let over = engine.range(loaded, &eval.query, around, AROUND_MS, &never).ok()?;
    let Value::Matrix(all) = over.value else { return None };
    let mut found: Vec<(&Labels, f64)> = Vec::new();
    for Series { labels, points } in &all {
        found.extend(points.iter().filter(|p| p.at_ms == at_ms).map(|p| (labels, p.value)));
    }
    let mut wanted: Vec<_> = vector.iter().map(|(labels, point)| (labels, point.value)).collect();
    wanted.sort_by(|one, other| one.0.cmp(other.0));
    let is_same = wanted.len() == found.len()
        && wanted.iter().zip(&found).all(|(wanted, found)| {
            wanted.0 == found.0
                && (wanted.1.to_bits() == found.1.to_bits()
                    || wanted.1.is_nan() == found.1.is_nan()
                        && (wanted.1.is_nan()
                            || (wanted.1 - found.1).abs() <= 1e-9 * wanted.1.abs()))
        });
    (!is_same).then(|| format!("over a range it is {found:?}, at once {wanted:?}"))
}
