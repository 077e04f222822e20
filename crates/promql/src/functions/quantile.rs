//! Quantiles of values.

/// What is said of a rank that is none.
pub(crate) fn outside(rank: f64) -> String {
    format!("quantile value should be between 0 and 1, got {}", shown(rank))
}

fn shown(number: f64) -> String {
    if number.is_infinite() {
        if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        number.to_string()
    }
}

/// The quantile of values, which this sorts, NaN first. Between two values it is interpolated.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a slice"
)]
pub(crate) fn of(rank: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || rank.is_nan() {
        return f64::NAN;
    }
    if rank < 0.0 {
        return f64::NEG_INFINITY;
    }
    if rank > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|one, other| match (one.is_nan(), other.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        _ => one.total_cmp(other),
    });
    let place = rank * (values.len() as f64 - 1.0);
    let lower = place.floor().max(0.0) as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = place - place.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_values_it_is_interpolated() {
        assert!((of(0.5, &mut [4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-15);
        assert!(of(0.5, &mut []).is_nan() && of(f64::NAN, &mut [1.0]).is_nan());
        assert!(of(-1.0, &mut [1.0]) < 0.0 && of(2.0, &mut [1.0]).is_infinite());
        assert_eq!(outside(f64::INFINITY), "quantile value should be between 0 and 1, got +Inf");
    }
}
