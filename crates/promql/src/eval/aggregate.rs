//! Series put together.

use std::cmp::Ordering;

use super::{Column, Evaluator, Mean, Sum, Variance, column::merged, grouping::Groups};
use crate::{
    QueryError,
    absent::{ABSENT, is_absent, is_present},
    functions::quantile,
    plan::{Aggregation, Expr, Grouping},
};

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &self,
        at: usize,
        op: Aggregation,
        inner: &Expr,
        parameter: Option<&Expr>,
        grouping: &Grouping,
    ) -> Result<Vec<Column>, QueryError> {
        let number = || match parameter {
            Some(parameter) => self.scalar(parameter),
            None => Err(QueryError::Execution("the aggregation lacks its parameter".to_owned())),
        };
        let place = parameter.map_or(at, |parameter| parameter.at);
        match op {
            Aggregation::Topk | Aggregation::Bottomk => {
                let counts = number()?;
                let columns = self.vector(inner)?;
                chosen(op, &counts, columns, grouping)
            }
            Aggregation::CountValues => {
                let label = match parameter {
                    Some(parameter) => self.text(parameter)?,
                    None => String::new(),
                };
                self.counted_values(&label, &self.vector(inner)?, grouping)
            }
            Aggregation::Quantile => {
                let ranks = number()?;
                for rank in ranks.iter().filter(|rank| !(0.0..=1.0).contains(*rank)) {
                    self.context.notes.warn(place, quantile::outside(*rank));
                }
                let mut sorted = Vec::new();
                self.folded(&self.vector(inner)?, grouping, |step, values| {
                    sorted.clear();
                    sorted.extend(values);
                    (!sorted.is_empty()).then(|| quantile::of(ranks[step], &mut sorted))
                })
            }
            _ => {
                let columns = self.vector(inner)?;
                let folded = self.folded(&columns, grouping, |_, values| fold(op, values));
                self.used_up(&columns);
                folded
            }
        }
    }

    /// What `fold` makes of the values that a group has at each step.
    fn folded(
        &self,
        columns: &[Column],
        grouping: &Grouping,
        mut fold: impl FnMut(usize, &mut dyn Iterator<Item = f64>) -> Option<f64>,
    ) -> Result<Vec<Column>, QueryError> {
        let mut groups = Groups::default();
        let members = groups.sorted(columns, |labels| grouping.of(labels));
        let mut folded = Vec::with_capacity(members.len());
        for (labels, members) in groups.into_labels().into_iter().zip(members) {
            let mut values = self.empty_values()?;
            for (step, into) in values.iter_mut().enumerate() {
                let present = members.iter().map(|column| column.values[step]);
                if let Some(value) = fold(step, &mut present.filter(|value| is_present(*value))) {
                    *into = value;
                }
            }
            let drops_name = members.iter().any(|column| column.drops_name);
            folded.push(Column { labels, drops_name, values });
        }
        Ok(folded)
    }

    /// How many series of each group have each value, which becomes a label.
    fn counted_values(
        &self,
        label: &str,
        columns: &[Column],
        grouping: &Grouping,
    ) -> Result<Vec<Column>, QueryError> {
        if label.is_empty() || label.contains('\u{fffd}') {
            return Err(QueryError::Execution(format!("invalid label name {label:?}")));
        }
        let (mut groups, mut counted): (_, Vec<Column>) = (Groups::default(), Vec::new());
        for column in columns {
            let group = match grouping {
                Grouping::Without(_) => grouping.of(&column.labels.with(label, "")),
                Grouping::By(_) => grouping.of(&column.labels),
            };
            for (step, value) in column.values.iter().enumerate().filter(|(_, v)| is_present(**v)) {
                let labels = group.with(label, &decimal(*value));
                let number = groups.number(labels.clone());
                if number == counted.len() {
                    let values = self.empty_values()?;
                    counted.push(Column { labels, drops_name: column.drops_name, values });
                }
                let into = &mut counted[number].values[step];
                *into = if is_absent(*into) { 1.0 } else { *into + 1.0 };
            }
        }
        merged(counted)
    }
}

/// The series with the highest or lowest values of each group.
fn chosen(
    op: Aggregation,
    counts: &[f64],
    columns: Vec<Column>,
    grouping: &Grouping,
) -> Result<Vec<Column>, QueryError> {
    if counts.iter().any(|count| count.is_nan()) {
        return Err(QueryError::Execution("Parameter value is NaN".to_owned()));
    }
    if let Some(count) = counts.iter().find(|count| count.abs() >= 9.2e18) {
        let message = format!("Scalar value {count} overflows int64");
        return Err(QueryError::Execution(message));
    }
    let mut groups = Groups::default();
    let numbers: Vec<usize> =
        columns.iter().map(|column| groups.number(grouping.of(&column.labels))).collect();
    let mut members = vec![Vec::new(); groups.into_labels().len()];
    for (column, group) in numbers.into_iter().enumerate() {
        members[group].push(column);
    }
    let order = |one: f64, other: f64| match (one.is_nan(), other.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if op == Aggregation::Topk => other.total_cmp(&one),
        _ => one.total_cmp(&other),
    };
    let mut kept: Vec<Vec<f64>> =
        columns.iter().map(|column| vec![ABSENT; column.values.len()]).collect();
    let mut by_rank = Vec::new();
    let mut ranked: Vec<usize> = Vec::new();
    for members in &members {
        for (step, count) in counts.iter().enumerate() {
            by_rank.clear();
            let present = members.iter().map(|column| (columns[*column].values[step], *column));
            by_rank.extend(present.filter(|(value, _)| is_present(*value)));
            by_rank.sort_by(|one, other| order(one.0, other.0));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let count = if *count < 1.0 { 0 } else { *count as usize };
            for &(value, column) in by_rank.iter().take(count) {
                kept[column][step] = value;
                ranked.push(column);
            }
        }
    }
    // Of one step, the order is that of rank; of several there is none to keep.
    let mut is_taken = vec![false; columns.len()];
    ranked.retain(|column| !std::mem::replace(&mut is_taken[*column], true));
    let mut columns: Vec<Option<Column>> = columns.into_iter().map(Some).collect();
    let chosen = ranked.into_iter().filter_map(|place| {
        let column = columns[place].take()?;
        Some(Column { values: std::mem::take(&mut kept[place]), ..column })
    });
    Ok(chosen.collect())
}

/// A value as a label shows it: in full, without an exponent.
fn decimal(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of series fits 53 bits")]
fn fold(op: Aggregation, values: &mut dyn Iterator<Item = f64>) -> Option<f64> {
    let first = values.next()?;
    let all = std::iter::once(first).chain(values);
    Some(match op {
        Aggregation::Sum => {
            let mut sum = Sum::default();
            all.for_each(|value| sum.add(value));
            sum.value()
        }
        Aggregation::Avg => {
            let mut mean = Mean::default();
            all.for_each(|value| mean.add(value));
            mean.value()
        }
        Aggregation::Min => {
            all.fold(first, |least, v| if v < least || least.is_nan() { v } else { least })
        }
        Aggregation::Max => {
            all.fold(first, |most, v| if v > most || most.is_nan() { v } else { most })
        }
        Aggregation::Count => all.count() as f64,
        Aggregation::Stddev | Aggregation::Stdvar => {
            let mut variance = Variance::default();
            all.for_each(|value| variance.add(value));
            let variance = variance.value();
            if op == Aggregation::Stddev { variance.sqrt() } else { variance }
        }
        _ => 1.0,
    })
}
