//! Functions of each value by itself.

use super::{Function, argument};
use crate::{
    QueryError,
    absent::{ABSENT, is_present},
    eval::{Column, Evaluator},
    plan::Expr,
};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    args: &[Expr],
) -> Result<Vec<Column>, QueryError> {
    let columns = evaluator.vector(argument(args, 0)?)?;
    let numbers = |place| evaluator.scalar(argument(args, place)?);
    let columns = match function {
        Function::Clamp => {
            let (least, most) = (numbers(1)?, numbers(2)?);
            stepwise(columns, |step, value| {
                if least[step] > most[step] {
                    return ABSENT;
                }
                most_of(least[step], least_of(most[step], value))
            })
        }
        Function::ClampMin => {
            let least = numbers(1)?;
            stepwise(columns, |step, value| most_of(least[step], value))
        }
        Function::ClampMax => {
            let most = numbers(1)?;
            stepwise(columns, |step, value| least_of(most[step], value))
        }
        Function::Round => {
            let nearest =
                if args.len() > 1 { numbers(1)? } else { vec![1.0; evaluator.steps.count] };
            // Dividing by the inverse is what keeps 0.1 from showing in the last digits.
            stepwise(columns, |step, value| {
                let inverse = 1.0 / nearest[step];
                (value * inverse + 0.5).floor() / inverse
            })
        }
        _ => columns.into_iter().map(|column| column.map(|value| of(function, value))).collect(),
    };
    evaluator.without_names(columns)
}

fn stepwise(mut columns: Vec<Column>, of: impl Fn(usize, f64) -> f64) -> Vec<Column> {
    for column in &mut columns {
        for (step, value) in column.values.iter_mut().enumerate() {
            if is_present(*value) {
                *value = of(step, *value);
            }
        }
    }
    columns.retain(Column::has_any);
    columns
}

/// The greater one; NaN if one of them is, unless nothing can be greater than the other.
fn most_of(one: f64, other: f64) -> f64 {
    if one == f64::INFINITY || other == f64::INFINITY {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.max(other)
    }
}

/// The lesser one; NaN if one of them is, unless nothing can be less than the other.
fn least_of(one: f64, other: f64) -> f64 {
    -most_of(-one, -other)
}

fn of(function: Function, value: f64) -> f64 {
    match function {
        Function::Abs => value.abs(),
        Function::Acos => value.acos(),
        Function::Acosh => value.acosh(),
        Function::Asin => value.asin(),
        Function::Asinh => value.asinh(),
        Function::Atan => value.atan(),
        Function::Atanh => value.atanh(),
        Function::Ceil => value.ceil(),
        Function::Cos => value.cos(),
        Function::Cosh => value.cosh(),
        Function::Deg => value * 180.0 / std::f64::consts::PI,
        Function::Exp => value.exp(),
        Function::Floor => value.floor(),
        Function::Ln => value.ln(),
        Function::Log10 => value.log10(),
        Function::Log2 => value.log2(),
        Function::Rad => value * std::f64::consts::PI / 180.0,
        Function::Sgn if value > 0.0 => 1.0,
        Function::Sgn if value < 0.0 => -1.0,
        Function::Sin => value.sin(),
        Function::Sinh => value.sinh(),
        Function::Sqrt => value.sqrt(),
        Function::Tan => value.tan(),
        Function::Tanh => value.tanh(),
        // The sign of 0 and of NaN is what they are.
        _ => value,
    }
}
