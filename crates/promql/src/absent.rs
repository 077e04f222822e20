//! Absent values inside columns.
//!
//! A column has a value for each step. Where there is none stands the bit pattern that Prometheus marks stale
//! samples with: a signalling NaN, which no arithmetic makes (its results are quiet) and which samples
//! therefore have only where a series ended.

/// The bits of a stale marker.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// Stands where a column has no value, and where a series ended.
pub(crate) const ABSENT: f64 = f64::from_bits(STALE_BITS);

/// Whether there is no value.
#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// Whether there is a value, which may be NaN.
#[inline]
pub(crate) fn is_present(value: f64) -> bool {
    !is_absent(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_nan_is_a_value() {
        assert!(is_present(f64::NAN) && is_present(f64::NAN + ABSENT) && is_absent(ABSENT));
    }
}
