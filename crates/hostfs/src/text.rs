//! Numbers out of the kernel's text files, straight from the bytes.
//!
//! The kernel ends every line with a newline. Where the newline is missing the text was cut, and a
//! cut number is a wrong number: such a line does not count. A number that does not fit 64 bits is
//! not known.

/// The lines that are whole.
#[inline]
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text).map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

/// Whether the end of a file is missing. Of a file that lists devices, what is missing is not less.
#[inline]
pub(crate) fn is_cut(text: &[u8]) -> bool {
    text.last().is_some_and(|&end| end != b'\n')
}

/// The words of a line.
#[inline]
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b' ' || byte == b'\t').filter(|word| !word.is_empty())
}

/// The first word of a line, and what follows it.
#[inline]
pub(crate) fn first_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    (end > 0).then(|| line.split_at(end))
}

/// The lines of a file of `key value` lines. A value that is no number is `None`.
#[inline]
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], Option<u64>)> {
    lines(text).filter_map(|line| {
        let (key, value) = split_once(line, b' ')?;
        Some((key, number(value)))
    })
}

/// The number that is all a file holds.
#[inline]
pub(crate) fn sole_number(text: &[u8]) -> Option<u64> {
    number(lines(text).next()?)
}

/// A decimal number without a sign.
#[inline]
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A number like `1.72` in thousandths. Digits beyond the third place are cut off.
pub(crate) fn thousandths(decimal: &[u8]) -> Option<u64> {
    let (whole, fraction) = split_once(decimal, b'.').unwrap_or((decimal, b"0"));
    number(fraction)?;
    let places = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(3);
    let fraction = places.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    number(whole)?.checked_mul(1000)?.checked_add(fraction)
}

/// What stands before and after the first `separator`.
#[inline]
pub(crate) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_its_newline_does_not_count() {
        assert_eq!(lines(b"one\ntwo\nthr").collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(sole_number(b"123\n"), Some(123));
        assert_eq!(sole_number(b"12"), None);
    }

    #[test]
    fn only_digits_that_fit_are_a_number() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for text in ["", "-1", "+1", "1 ", "0x1", "18446744073709551616", "max"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn decimals_become_thousandths() {
        for (text, expected) in [
            ("1.72", Some(1720)),
            ("0.05", Some(50)),
            ("7", Some(7000)),
            ("1.23456", Some(1234)),
            ("1.", None),
            (".5", None),
            ("-1.0", None),
            ("1.x", None),
            ("18446744073709551.615", Some(u64::MAX)),
            ("18446744073709551.616", None),
        ] {
            assert_eq!(thousandths(text.as_bytes()), expected, "{text}");
        }
    }
}
