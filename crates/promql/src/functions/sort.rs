//! The order of an answer.

use std::cmp::Ordering;

use super::{Function, argument};
use crate::{
    QueryError,
    eval::{Column, Evaluator},
    plan::Expr,
};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    at: usize,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    let mut columns = evaluator.vector(argument(args, 0)?)?;
    if evaluator.context.is_range {
        let message =
            "sort is ineffective for range queries since results are always ordered by labels";
        evaluator.context.notes.warn(at, message);
        return Ok(columns);
    }
    let value = |column: &Column| column.values.first().copied().unwrap_or(f64::NAN);
    columns.sort_by(|one, other| {
        let (one, other) = (value(one), value(other));
        match (one.is_nan(), other.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ if function == Function::SortDesc => other.total_cmp(&one),
            _ => one.total_cmp(&other),
        }
    });
    Ok(columns)
}
