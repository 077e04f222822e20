//! How often to sample.

use std::{fmt, str::FromStr, time::Duration};

/// The time between two ticks: from 100 ms to 1 h. Written as seconds (`5`), or with a unit
/// (`500ms`, `1s`, `2m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(Duration);

/// Why a text is no [`Interval`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IntervalError {
    /// Not a number with a unit.
    #[error(
        "`{0}` is no interval: give seconds (`5`), or a number with `ms`, `s` or `m` (`500ms`)"
    )]
    Malformed(String),
    /// Outside what works.
    #[error("the interval `{0}` is out of range: it can be from 100ms to 1h")]
    OutOfRange(String),
}

impl Interval {
    const MIN: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(3600);

    /// The interval as a duration.
    pub fn duration(self) -> Duration {
        self.0
    }

    /// The interval in milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Interval {
    fn default() -> Self {
        Self(Duration::from_secs(5))
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let millis_per_unit = match &text[digits.len()..] {
            "ms" => 1.0,
            "" | "s" => 1000.0,
            "m" => 60_000.0,
            _ => return Err(IntervalError::Malformed(text.to_owned())),
        };
        let number: f64 = digits.parse().map_err(|_| IntervalError::Malformed(text.to_owned()))?;
        let duration = Duration::try_from_secs_f64(number * millis_per_unit / 1000.0)
            .map_err(|_| IntervalError::OutOfRange(text.to_owned()))?;
        if !(Self::MIN..=Self::MAX).contains(&duration) {
            return Err(IntervalError::OutOfRange(text.to_owned()));
        }
        // Whole milliseconds: ticks are aligned to the wall clock by integer arithmetic.
        #[expect(clippy::cast_possible_truncation, reason = "at most one hour")]
        Ok(Self(Duration::from_millis(duration.as_millis() as u64)))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units_are_understood() {
        for (text, millis) in
            [("5", 5000), ("1s", 1000), ("500ms", 500), ("0.5", 500), ("2m", 120_000)]
        {
            assert_eq!(text.parse::<Interval>().map(Interval::millis), Ok(millis));
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_remedy() {
        for text in ["", "s", "five", "5h", "5 s", "NaN", "1e"] {
            let refusal = text.parse::<Interval>();
            assert_eq!(refusal, Err(IntervalError::Malformed(text.to_owned())));
        }
        for text in ["0", "-5", "1ms", "1e9", "61m"] {
            let refusal = text.parse::<Interval>();
            assert_eq!(refusal, Err(IntervalError::OutOfRange(text.to_owned())));
        }
    }
}
