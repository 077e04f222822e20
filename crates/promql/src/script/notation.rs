//! How scripts write series and times: `metric{label="value"} 1 2+3x4 _ stale`.

use promql_parser::parser::{self, Expr};

use crate::{Labels, MatchOp, Matcher, absent::ABSENT, labels::NAME, plan};

/// What is no series, or no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is {what}")]
pub struct NotationError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub what: &'static str,
}

/// A point of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Written {
    /// No sample.
    Nothing,
    /// A sample; a stale marker ends the series.
    Float(f64),
    /// A native histogram, whatever is in it.
    Histogram,
}

/// A series as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenSeries {
    pub(super) labels: Labels,
    pub(super) points: Vec<Written>,
}

fn wrong(text: &str, what: &'static str) -> NotationError {
    NotationError { text: text.to_owned(), what }
}

/// Reads a series with float values: a sample or `None` for each step. The stale marker is the value that
/// Prometheus marks stale samples with.
///
/// # Errors
/// If it is no series, or has native histograms.
pub fn parse_series(line: &str) -> Result<(Labels, Vec<Option<f64>>), NotationError> {
    let written = series(line)?;
    let point = |point: &Written| match point {
        Written::Nothing => Ok(None),
        Written::Float(value) => Ok(Some(*value)),
        Written::Histogram => Err(wrong(line, "a native histogram, and samples are floats here")),
    };
    let points = written.points.iter().map(point).collect::<Result<_, _>>()?;
    Ok((written.labels, points))
}

pub(super) fn series(line: &str) -> Result<WrittenSeries, NotationError> {
    let line = line.trim();
    let end = end_of_metric(line);
    let (metric, points) = line.split_at(end);
    Ok(WrittenSeries { labels: labels(metric)?, points: points_of(points)? })
}

/// Where the values begin: behind the braces, or behind the name where there are none.
fn end_of_metric(line: &str) -> usize {
    let bytes = line.as_bytes();
    let name = bytes.iter().take_while(|b| !b.is_ascii_whitespace() && **b != b'{').count();
    let blank = bytes[name..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    // Two braces begin a histogram.
    let is_labels =
        line[name + blank..].starts_with('{') && !line[name + blank..].starts_with("{{");
    if !is_labels {
        return name;
    }
    let (mut quote, mut escaped) = (None, false);
    for (place, byte) in bytes.iter().enumerate().skip(name + blank) {
        match quote {
            Some(open) => {
                if !escaped && *byte == open {
                    quote = None;
                }
                escaped = *byte == b'\\' && !escaped && open != b'`';
            }
            None if b"\"'`".contains(byte) => quote = Some(*byte),
            None if *byte == b'}' => return place + 1,
            None => {}
        }
    }
    line.len()
}

/// Labels written as a selector of equalities.
pub(super) fn labels(metric: &str) -> Result<Labels, NotationError> {
    let metric = metric.trim();
    if metric.is_empty() || metric == "{}" {
        return Ok(Labels::default());
    }
    // A selector has to choose something; labels need not.
    let guarded = match metric.rsplit_once('}') {
        Some((before, "")) => {
            let comma = if before.trim_end().ends_with(['{', ',']) { "" } else { "," };
            format!("{before}{comma}guard=\"1\"}}")
        }
        _ => format!("{metric}{{guard=\"1\"}}"),
    };
    let no_labels = || wrong(metric, "no metric with labels");
    let parsed = parser::parse(&guarded).map_err(|_| no_labels())?;
    let Expr::VectorSelector(selector) = parsed else { return Err(no_labels()) };
    let expr = plan::Expr::parse(&guarded).map_err(|_| no_labels())?;
    let plan::Node::Selector(plan::Selector { matchers, .. }) = expr.node else {
        return Err(no_labels());
    };
    let equal = matchers.iter().filter(|m| m.name != "guard").map(|matcher| match matcher {
        Matcher { name, value, op: MatchOp::Equal } => Ok((name.as_str(), value.as_str())),
        _ => Err(no_labels()),
    });
    let mut pairs = equal.collect::<Result<Vec<_>, _>>()?;
    if let Some(name) = &selector.name {
        pairs.push((NAME, name));
    }
    Ok(Labels::new(pairs))
}

fn points_of(text: &str) -> Result<Vec<Written>, NotationError> {
    let mut points = Vec::new();
    for word in words(text) {
        point(word, &mut points)?;
    }
    Ok(points)
}

/// Words between blanks; what stands in double braces is part of one.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut depth) = (Vec::new(), None, 0_usize);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if byte.is_ascii_whitespace() && depth == 0 {
            if let Some(start) = start.take() {
                words.push(&text[start..place]);
            }
        } else if start.is_none() {
            start = Some(place);
        }
    }
    words.extend(start.map(|start| &text[start..]));
    words
}

fn point(word: &str, points: &mut Vec<Written>) -> Result<(), NotationError> {
    let no_value = || wrong(word, "no value, no `_`, no `stale`, and no expansion such as `1+2x3`");
    let (value, repeats) = match word.rsplit_once('x') {
        Some((value, times)) if !value.is_empty() => {
            (value, Some(times.parse::<usize>().map_err(|_| no_value())?))
        }
        _ => (word, None),
    };
    let count = repeats.map_or(1, |repeats| repeats + 1);
    if value.starts_with("{{") {
        points.extend(std::iter::repeat_n(Written::Histogram, count));
        return Ok(());
    }
    match value {
        "_" => points.extend(std::iter::repeat_n(Written::Nothing, repeats.unwrap_or(1))),
        "stale" => points.push(Written::Float(ABSENT)),
        _ => {
            let (first, step) = expansion(value).ok_or_else(no_value)?;
            let mut next = first;
            for _ in 0..count {
                points.push(Written::Float(next));
                next += step;
            }
        }
    }
    Ok(())
}

/// A value, and what is added for each repetition: `1+2`, `1-2`, `1`.
fn expansion(text: &str) -> Option<(f64, f64)> {
    if let Some(number) = number(text) {
        return Some((number, 0.0));
    }
    let signs = text.char_indices().skip(1).filter(|(_, sign)| matches!(sign, '+' | '-'));
    // A sign may also be that of an exponent, or of the second number.
    signs.into_iter().find_map(|(place, sign)| {
        let (first, rest) = text.split_at(place);
        let step = number(&rest[1..])?;
        Some((number(first)?, if sign == '-' { -step } else { step }))
    })
}

/// A number as PromQL writes it.
pub(super) fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let value = match digits.to_ascii_lowercase().as_str() {
        "inf" => f64::INFINITY,
        "nan" => f64::NAN,
        lower if lower.starts_with("0x") => {
            let whole = u64::from_str_radix(&lower[2..], 16).ok()?;
            whole.to_string().parse().ok()?
        }
        lower if lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            lower.parse().ok()?
        }
        _ => return None,
    };
    Some(sign * value)
}

/// A time as scripts write it: `1h30m`, `15s`, `-5m`, or seconds.
///
/// # Errors
/// If it is none.
pub fn parse_duration_ms(text: &str) -> Result<i64, NotationError> {
    let no_time = || wrong(text, "no time such as 1h30m, 15s or 20");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if let Ok(seconds) = digits.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a test")]
        return Ok(sign * (seconds * 1000.0).round() as i64);
    }
    let (mut rest, mut total) = (digits, 0_i64);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(no_time)?;
        let number: i64 = rest[..end].parse().map_err(|_| no_time())?;
        rest = &rest[end..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let millis = match &rest[..unit] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return Err(no_time()),
        };
        total += number * millis;
        rest = &rest[unit..];
    }
    Ok(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansions_count_their_first_value_too() {
        let (labels, points) = parse_series(r#"m{a="b c"} 5 1+2x2 _ _x2 7x1 1-1x1 stale"#).unwrap();
        assert_eq!(labels.to_string(), r#"{__name__="m", a="b c"}"#);
        let numbers: Vec<_> = points.iter().map(|point| point.map(f64::to_bits)).collect();
        let of = |value: f64| Some(value.to_bits());
        let expected = [
            of(5.0),
            of(1.0),
            of(3.0),
            of(5.0),
            None,
            None,
            None,
            of(7.0),
            of(7.0),
            of(1.0),
            of(0.0),
            of(ABSENT),
        ];
        assert_eq!(numbers, expected);
    }

    #[test]
    fn what_is_no_series_is_refused() {
        for line in ["m 1 2 x", "m{a=~\"b\"} 1", "m{a= 1", "m one"] {
            assert!(parse_series(line).is_err(), "{line}");
        }
        assert!(parse_series("m {{schema:0}}").is_err());
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        for (text, millis) in
            [("1h30m", 5_400_000), ("-5m", -300_000), ("0", 0), ("1.5", 1500), ("10ms", 10)]
        {
            assert_eq!(parse_duration_ms(text), Ok(millis), "{text}");
        }
        assert!(parse_duration_ms("5x").is_err() && parse_duration_ms("h").is_err());
    }
}
