//! Labels made from labels.

use regex::Regex;

use super::{Function, argument};
use crate::{
    QueryError,
    eval::{Column, Evaluator, merged},
    labels::NAME,
    plan::Expr,
};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    let columns = evaluator.vector(argument(args, 0)?)?;
    let text = |place| evaluator.text(argument(args, place)?);
    let target = text(1)?;
    if target.is_empty() || target.contains('\u{fffd}') {
        let function = function.name();
        let message = format!("invalid destination label name in {function}(): {target}");
        return Err(QueryError::Execution(message));
    }
    let relabelled = if function == Function::LabelReplace {
        let (replacement, source, pattern) = (text(2)?, text(3)?, text(4)?);
        let regex = Regex::new(&format!("^(?s:{pattern})$")).map_err(|error| {
            let message =
                format!("invalid regular expression in label_replace(): {pattern}: {error}");
            QueryError::Execution(message)
        })?;
        columns
            .into_iter()
            .map(|column| {
                let Some(found) = regex.captures(column.labels.get(&source)) else {
                    return column;
                };
                let mut value = String::new();
                found.expand(&replacement, &mut value);
                with(&column, &target, &value)
            })
            .collect()
    } else {
        let separator = text(2)?;
        let sources: Vec<String> = (3..args.len()).map(text).collect::<Result<_, _>>()?;
        let joined = |column: &Column| {
            let values = sources.iter().map(|source| column.labels.get(source));
            values.collect::<Vec<_>>().join(&separator)
        };
        columns.iter().map(|column| with(column, &target, &joined(column))).collect()
    };
    merged(relabelled)
}

/// A column with a label set. A metric's name that is set is one to keep.
fn with(column: &Column, name: &str, value: &str) -> Column {
    let labels = column.labels.with(name, value);
    Column { labels, drops_name: column.drops_name && name != NAME, values: column.values.clone() }
}
