//! From a script's text to its commands.

use super::notation::{self, NotationError, WrittenSeries, number, parse_duration_ms};
use crate::Severity;

/// What is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

#[derive(Debug)]
pub(super) enum Command {
    Clear,
    Load {
        step_ms: i64,
        series: Vec<WrittenSeries>,
        /// Histograms are made from buckets, too.
        makes_histograms: bool,
        /// Times are given at which counters started.
        has_start_times: bool,
    },
    Eval(Box<Eval>),
}

#[derive(Debug)]
pub(super) struct Eval {
    /// Where it stands, from 1.
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) when: When,
    pub(super) expected: Expected,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Instant { at_ms: i64 },
    Range { start_ms: i64, end_ms: i64, step_ms: i64 },
}

#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) fails: Option<Wording>,
    pub(super) annotations: Vec<(Severity, Wording)>,
    pub(super) none_of: Vec<Severity>,
    pub(super) ordered: bool,
    pub(super) text: Option<String>,
    pub(super) number: Option<f64>,
    /// Start and step of the points of ranges.
    pub(super) range_vector: Option<(i64, i64)>,
    pub(super) series: Vec<WrittenSeries>,
}

/// What a message has to be.
#[derive(Clone, Debug)]
pub(super) enum Wording {
    Any,
    Exactly(String),
    Matching(String),
}

impl Wording {
    pub(super) fn fits(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(wanted) => wanted == message,
            Self::Matching(pattern) => {
                regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(message))
            }
        }
    }
}

pub(super) fn parse(script: &str) -> Result<Vec<Command>, ScriptError> {
    let mut lines = script.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let mut commands = Vec::new();
    while let Some((number, line)) = lines.next() {
        let at = |error: NotationError| ScriptError { line: number, what: error.to_string() };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut block = Vec::new();
        if word != "clear" {
            // A comment ends a block, too.
            block.extend(
                lines.by_ref().take_while(|(_, line)| !line.is_empty() && !line.starts_with('#')),
            );
        }
        commands.push(match word {
            "clear" => Command::Clear,
            "load" | "load_with_nhcb" => {
                let step_ms = parse_duration_ms(rest.trim()).map_err(at)?;
                let makes_histograms = word == "load_with_nhcb";
                let has_start_times = block.iter().any(|(_, line)| line.contains("@st"));
                Command::Load {
                    step_ms,
                    series: series(&block)?,
                    makes_histograms,
                    has_start_times,
                }
            }
            _ if word.starts_with("eval") => {
                Command::Eval(Box::new(eval(number, word, rest.trim(), &block)?))
            }
            _ => return Err(ScriptError { line: number, what: format!("{word} is no command") }),
        });
    }
    Ok(commands)
}

fn series(block: &[(usize, &str)]) -> Result<Vec<WrittenSeries>, ScriptError> {
    let written = block.iter().filter(|(_, line)| !line.contains("@st")).map(|(number, line)| {
        notation::series(line)
            .map_err(|error| ScriptError { line: *number, what: error.to_string() })
    });
    written.collect()
}

fn eval(line: usize, word: &str, rest: &str, block: &[(usize, &str)]) -> Result<Eval, ScriptError> {
    let wrong = |what: &str| ScriptError { line, what: what.to_owned() };
    let time = |text: &str| {
        parse_duration_ms(text).map_err(|error| ScriptError { line, what: error.to_string() })
    };
    let mut words = rest.split_whitespace();
    let (when, taken) = match words.next() {
        Some("instant") => {
            let [_, at] = [words.next(), words.next()];
            (When::Instant { at_ms: time(at.unwrap_or_default())? }, 3)
        }
        Some("range") => {
            let mut named = |name: &str| match (words.next(), words.next()) {
                (Some(found), Some(value)) if found == name => time(value),
                _ => Err(wrong("a range has from, to and step")),
            };
            let (start_ms, end_ms) = (named("from")?, named("to")?);
            (When::Range { start_ms, end_ms, step_ms: named("step")? }, 7)
        }
        _ => return Err(wrong("an evaluation is instant or range")),
    };
    let mut query = rest;
    for _ in 0..taken {
        query = query.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    }
    let mut expected = Expected::default();
    match word {
        "eval_fail" => expected.fails = Some(Wording::Any),
        "eval_warn" => expected.annotations.push((Severity::Warning, Wording::Any)),
        "eval_info" => expected.annotations.push((Severity::Info, Wording::Any)),
        "eval_ordered" => expected.ordered = true,
        _ => {}
    }
    for (number, line) in block {
        expect(&mut expected, line)
            .map_err(|error| ScriptError { line: *number, what: error.to_string() })?;
    }
    Ok(Eval { line, query: query.trim().to_owned(), when, expected })
}

fn expect(expected: &mut Expected, line: &str) -> Result<(), NotationError> {
    if let Some(rest) = line.strip_prefix("expect ") {
        let (kind, rest) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        match kind {
            "fail" => expected.fails = Some(wording(rest)),
            "warn" => expected.annotations.push((Severity::Warning, wording(rest))),
            "info" => expected.annotations.push((Severity::Info, wording(rest))),
            "no_warn" => expected.none_of.push(Severity::Warning),
            "no_info" => expected.none_of.push(Severity::Info),
            "ordered" => expected.ordered = true,
            "string" => expected.text = Some(unquoted(rest.trim())),
            "range" => {
                let words: Vec<&str> = rest.split_whitespace().collect();
                if let ["vector", "from", start, "to", _, "step", step] = words[..] {
                    expected.range_vector =
                        Some((parse_duration_ms(start)?, parse_duration_ms(step)?));
                }
            }
            _ => {
                let what = "nothing to expect";
                return Err(NotationError { text: line.to_owned(), what });
            }
        }
    } else if let Some(message) = line.strip_prefix("expected_fail_message ") {
        expected.fails = Some(Wording::Exactly(message.trim().to_owned()));
    } else if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
        expected.fails = Some(Wording::Matching(pattern.trim().to_owned()));
    } else if let Some(value) = number(line) {
        expected.number = Some(value);
    } else {
        expected.series.push(notation::series(line)?);
    }
    Ok(())
}

fn wording(text: &str) -> Wording {
    match text.trim().split_once(':') {
        Some(("msg", message)) => Wording::Exactly(message.trim().to_owned()),
        Some(("regex", pattern)) => Wording::Matching(pattern.trim().to_owned()),
        _ => Wording::Any,
    }
}

/// The text in quotes, with the escapes that scripts use.
fn unquoted(text: &str) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    if text.starts_with('`') {
        return inner.to_owned();
    }
    let (mut out, mut chars) = (String::new(), inner.chars());
    while let Some(next) = chars.next() {
        match next {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}
