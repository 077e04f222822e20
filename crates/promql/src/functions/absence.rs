//! What is not there.

use super::{Function, argument};
use crate::{
    Labels, MatchOp, QueryError,
    absent::{ABSENT, is_present},
    eval::{Column, Evaluator},
    labels::NAME,
    plan::{Expr, Node},
};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    let arg = argument(args, 0)?;
    let columns = if function == Function::Absent {
        evaluator.vector(arg)?
    } else {
        let windows = evaluator.windows(arg, function.name())?;
        evaluator.over(windows, |_, _| Some(1.0))?
    };
    let is_there = |step: usize| columns.iter().any(|column| is_present(column.values[step]));
    let value = |step| if is_there(step) { ABSENT } else { 1.0 };
    let values: Vec<f64> = (0..evaluator.steps.count).map(value).collect();
    let absent = Column { labels: labels_of(arg), drops_name: false, values };
    Ok(if absent.has_any() { vec![absent] } else { Vec::new() })
}

/// The labels that what is missing would have, as far as the selector says.
fn labels_of(arg: &Expr) -> Labels {
    let (Node::Selector(selector) | Node::Window { selector, .. }) = &arg.node else {
        return Labels::default();
    };
    let of_name = |name: &str| selector.matchers.iter().filter(|m| m.name == name).count();
    let sure = selector.matchers.iter().filter(|matcher| {
        matches!(matcher.op, MatchOp::Equal) && matcher.name != NAME && of_name(&matcher.name) == 1
    });
    Labels::new(sure.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())))
}
