//! Parts of dates and times, in UTC.

use super::{Function, argument};
use crate::{
    Labels, QueryError,
    eval::{Column, Evaluator},
    plan::Expr,
};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    let columns = if args.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds fit 53 bits")]
        let values = evaluator.steps.times().map(|at_ms| at_ms as f64 / 1000.0).collect();
        vec![Column { labels: Labels::default(), drops_name: false, values }]
    } else {
        evaluator.vector(argument(args, 0)?)?
    };
    let parts = columns.into_iter().map(|column| column.map(|seconds| part(function, seconds)));
    evaluator.without_names(parts.collect())
}

const DAY_S: i64 = 86_400;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "what no date can be saturates; parts are small"
)]
fn part(function: Function, seconds: f64) -> f64 {
    if seconds.is_nan() {
        return f64::NAN;
    }
    let seconds = seconds as i64;
    let (day, second) = (seconds.div_euclid(DAY_S), seconds.rem_euclid(DAY_S));
    let (year, month, day_of_month) = date(day);
    let part = match function {
        Function::Hour => second / 3600,
        Function::Minute => second % 3600 / 60,
        Function::DayOfMonth => day_of_month,
        // The epoch began on a Thursday.
        Function::DayOfWeek => (day + 4).rem_euclid(7),
        Function::DayOfYear => day - first_day(year, 1) + 1,
        Function::DaysInMonth => {
            let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            first_day(next.0, next.1) - first_day(year, month)
        }
        Function::Month => month,
        _ => year,
    };
    part as f64
}

/// Year, month and day of the month of a day since 1970-01-01, by the proleptic Gregorian calendar.
///
/// Years are counted from March on: leap days then come last, and 400 years have 146,097 days.
fn date(day: i64) -> (i64, i64, i64) {
    let from_march_0 = day + 719_468;
    let (era, day_of_era) = (from_march_0.div_euclid(146_097), from_march_0.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day_of_month)
}

/// The day since 1970-01-01 on which a month begins.
fn first_day(year: i64, month: i64) -> i64 {
    let (year, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5;
    era * 146_097 + 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, function, wanted) in [
            (951_782_400.0, Function::DayOfMonth, 29.0),
            (951_782_400.0, Function::DaysInMonth, 29.0),
            (951_782_400.0, Function::DayOfYear, 60.0),
            (951_782_400.0, Function::DayOfWeek, 2.0),
            (951_868_799.0, Function::Hour, 23.0),
            (951_868_799.0, Function::Minute, 59.0),
            (-1.0, Function::Year, 1969.0),
            (-1.0, Function::Month, 12.0),
            (4_102_444_800.0, Function::Year, 2100.0),
        ] {
            assert!((part(function, seconds) - wanted).abs() < 1e-9, "{function:?} {seconds}");
        }
    }

    #[test]
    fn every_day_is_in_the_month_that_it_is_counted_from() {
        for day in -800_000..800_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(first_day(year, month) + of_month - 1, day);
        }
    }
}
