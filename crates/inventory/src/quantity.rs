//! Kubernetes quantities (`100m`, `64Mi`, `1e3`) as integers, rounded up as Kubernetes rounds them.
//!
//! ```
//! use kubemonitor_inventory::quantity;
//!
//! assert_eq!(quantity::millicores("0.1"), Ok(100));
//! assert_eq!(quantity::bytes("64Mi"), Ok(64 << 20));
//! ```

/// Why a text is no amount of CPU or memory.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuantityError {
    /// Not a number with a suffix that Kubernetes knows.
    #[error(
        "`{0}` is no quantity: give a decimal number, perhaps with one of the suffixes \
         n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent (`1e3`)"
    )]
    Malformed(String),
    /// Below zero.
    #[error("the quantity `{0}` is negative: an amount of CPU or memory is 0 or more")]
    Negative(String),
    /// Beyond what Kubernetes itself can count.
    #[error("the quantity `{0}` is too large: Kubernetes counts to 2^63-1")]
    TooLarge(String),
}

/// Thousandths of a CPU.
pub fn millicores(text: &str) -> Result<u64, QuantityError> {
    scaled(text, 3)
}

/// Bytes.
pub fn bytes(text: &str) -> Result<u64, QuantityError> {
    scaled(text, 0)
}

/// More powers of ten than these only tell "too large" or "rounds up to one".
const EXPONENT_MAX: i32 = 38;

/// The quantity times ten to the power of `scale`, rounded up.
fn scaled(text: &str, scale: i32) -> Result<u64, QuantityError> {
    let malformed = || QuantityError::Malformed(text.to_owned());
    let too_large = || QuantityError::TooLarge(text.to_owned());
    if text.starts_with('-') {
        return Err(QuantityError::Negative(text.to_owned()));
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(malformed());
    }
    let (unit, power) = unit(suffix).ok_or_else(malformed)?;

    let digits = [whole, fraction.trim_end_matches('0')];
    let mantissa = mantissa(digits.concat().trim_start_matches('0')).ok_or_else(too_large)?;
    let units = mantissa.checked_mul(unit).ok_or_else(too_large)?;
    let decimals = i32::try_from(digits[1].len()).map_err(|_| malformed())?;
    let exponent = power.saturating_add(scale).saturating_sub(decimals);
    let value = times_ten_to(units, exponent).ok_or_else(too_large)?;
    u64::try_from(value).ok().filter(|&value| i64::try_from(value).is_ok()).ok_or_else(too_large)
}

/// What a suffix multiplies by: a factor and a power of ten.
fn unit(suffix: &str) -> Option<(u128, i32)> {
    let binary = |power: u32| (1 << (10 * power), 0);
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

/// The digits as a number; `None` when they are too many to be counted.
fn mantissa(digits: &str) -> Option<u128> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

/// `None` when it cannot be counted.
fn times_ten_to(units: u128, exponent: i32) -> Option<u128> {
    if units == 0 {
        return Some(0);
    }
    let power = 10_u128.pow(exponent.abs().min(EXPONENT_MAX).unsigned_abs());
    if exponent > EXPONENT_MAX {
        None
    } else if exponent >= 0 {
        units.checked_mul(power)
    } else {
        Some(units.div_ceil(power))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_understood_as_kubernetes_does() {
        for (text, millis, whole) in [
            ("0", 0, 0),
            ("100m", 100, 1),
            ("0.1", 100, 1),
            ("1", 1000, 1),
            ("+2", 2000, 2),
            ("1.5", 1500, 2),
            (".5", 500, 1),
            ("5.", 5000, 5),
            ("0.0001", 1, 1),
            ("1500u", 2, 1),
            ("1n", 1, 1),
            ("187654321n", 188, 1),
            ("1e3", 1_000_000, 1000),
            ("1E3", 1_000_000, 1000),
            ("1.25e+1", 12_500, 13),
            ("5e-1", 500, 1),
            ("1e-400", 1, 1),
            ("0e400", 0, 0),
            ("2k", 2_000_000, 2000),
            ("1M", 1_000_000_000, 1_000_000),
            ("1500M", 1_500_000_000_000, 1_500_000_000),
            ("1G", 1_000_000_000_000, 1_000_000_000),
            ("64Mi", 67_108_864_000, 64 << 20),
            ("512Ki", 524_288_000, 512 << 10),
            ("0.5Gi", 536_870_912_000, 1 << 29),
            ("128974848000m", 128_974_848_000, 128_974_848),
        ] {
            assert_eq!((millicores(text), bytes(text)), (Ok(millis), Ok(whole)), "{text}");
        }
        assert_eq!(bytes("1E"), Ok(1_000_000_000_000_000_000));
        assert_eq!(bytes("7Ei"), Ok(7 << 60));
        assert_eq!(bytes("0.000000000000000000000000000000000001"), Ok(1));
        assert_eq!(bytes("1.0000000000000000000000000000000000000000000000000"), Ok(1));
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_the_remedy() {
        for text in [
            "", ".", "m", "Ki", "1.2.3", "1 Gi", " 1", "1kb", "1ki", "1K", "1e", "1e3Ki", "0x10",
            "1,5", "NaN", "e3", "++1", "+-1", "1Mi2", "٣",
        ] {
            assert_eq!(bytes(text), Err(QuantityError::Malformed(text.to_owned())));
        }
        for text in ["-1", "-100m", "-"] {
            assert_eq!(bytes(text), Err(QuantityError::Negative(text.to_owned())));
        }
        let nines = "9".repeat(60);
        for text in ["8Ei", "9223372036854775808", "1e19", "1e400", "99999999E", nines.as_str()] {
            assert_eq!(bytes(text), Err(QuantityError::TooLarge(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9.+eEkKMGTPinum-]{0,50}|.{0,30}") {
            let _ = (millicores(&text), bytes(&text));
        }

        #[test]
        fn millicores_are_the_same_in_every_notation(value in 0_u64..1 << 40) {
            let (whole, millis) = (value / 1000, value % 1000);
            for text in [
                format!("{value}m"),
                format!("{whole}.{millis:03}"),
                format!("{value}e-3"),
                format!("{value}000u"),
            ] {
                prop_assert_eq!(millicores(&text), Ok(value));
            }
        }

        #[test]
        fn a_fraction_of_a_byte_counts_as_one(whole in 0_u64..1 << 40, fraction in 1_u64..1000) {
            prop_assert_eq!(bytes(&format!("{whole}.{fraction:03}")), Ok(whole + 1));
        }
    }
}
