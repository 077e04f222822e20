//! What the values of a range come to.

use super::Function;
use crate::eval::{Mean, Sum, Variance};

/// What the values, of which there is at least one, come to.
#[expect(clippy::cast_precision_loss, reason = "samples of a window fit 53 bits")]
pub(super) fn of(function: Function, values: &[f64]) -> Option<f64> {
    let (first, last) = (*values.first()?, *values.last()?);
    let values = values.iter().copied();
    Some(match function {
        Function::AvgOverTime => {
            let mut mean = Mean::default();
            values.for_each(|value| mean.add(value));
            mean.value()
        }
        Function::SumOverTime => {
            let mut sum = Sum::default();
            values.for_each(|value| sum.add(value));
            sum.value()
        }
        Function::MinOverTime => {
            values.fold(first, |least, v| if v < least || least.is_nan() { v } else { least })
        }
        Function::MaxOverTime => {
            values.fold(first, |most, v| if v > most || most.is_nan() { v } else { most })
        }
        Function::CountOverTime => values.len() as f64,
        Function::StddevOverTime | Function::StdvarOverTime => {
            let mut variance = Variance::default();
            values.for_each(|value| variance.add(value));
            let variance = variance.value();
            if function == Function::StddevOverTime { variance.sqrt() } else { variance }
        }
        Function::PresentOverTime => 1.0,
        _ => last,
    })
}
