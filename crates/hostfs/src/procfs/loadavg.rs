//! `/proc/loadavg`: load averages.

use crate::text::{lines, thousandths, words};

/// `/proc/loadavg`, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadAvg {
    /// Over one minute.
    pub one: Option<u64>,
    /// Over five minutes.
    pub five: Option<u64>,
    /// Over fifteen minutes.
    pub fifteen: Option<u64>,
}

/// Reads `/proc/loadavg`.
pub fn parse(text: &[u8]) -> LoadAvg {
    let mut averages = lines(text).next().into_iter().flat_map(words).map(thousandths);
    let mut next = || averages.next().flatten();
    LoadAvg { one: next(), five: next(), fifteen: next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_thousandths() {
        let load = LoadAvg { one: Some(1720), five: Some(1250), fifteen: Some(10_090) };
        assert_eq!(parse(b"1.72 1.25 10.09 1/299 23811\n"), load);
    }
}
