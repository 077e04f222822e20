//! The times of a block's ticks: nearly always one step apart.

use kubemonitor_model::UnixMillis;

use crate::{
    BlockError,
    bytes::{Input, put_count, put_varint, zigzag},
};

/// Ticks that a block may have: a month of 5 s is half of that.
const MOST_TICKS: usize = 1 << 20;

/// ```text
/// ticks := count [first (zigzag ms)] (step (ms) repeats)*
/// ```
pub(crate) fn encode(ticks: &[UnixMillis], out: &mut Vec<u8>) -> Result<(), BlockError> {
    if ticks.len() > MOST_TICKS {
        return Err(BlockError::TooLarge { what: "more than a million ticks" });
    }
    put_count(out, ticks.len());
    let Some(first) = ticks.first() else { return Ok(()) };
    put_varint(out, zigzag(first.0));
    let mut steps = ticks.windows(2).map(|pair| pair[1].since(pair[0])).peekable();
    while let Some(step) = steps.next() {
        let mut repeats = 1;
        while steps.next_if_eq(&step).is_some() {
            repeats += 1;
        }
        let step = u64::try_from(step).ok().filter(|step| *step > 0);
        put_varint(out, step.ok_or(BlockError::TooLarge { what: "ticks out of order" })?);
        put_count(out, repeats);
    }
    Ok(())
}

/// Reads ticks; `None` where they are not written so.
pub(crate) fn decode(input: &mut Input<'_>) -> Option<Vec<UnixMillis>> {
    let count = usize::try_from(input.varint()?).ok().filter(|count| *count <= MOST_TICKS)?;
    let mut ticks = Vec::new();
    if count == 0 {
        return Some(ticks);
    }
    let mut at = input.signed()?;
    ticks.push(UnixMillis(at));
    while ticks.len() < count {
        let step = i64::try_from(input.varint()?).ok().filter(|step| *step > 0)?;
        let repeats = usize::try_from(input.varint()?).ok()?;
        if repeats == 0 || repeats > count - ticks.len() {
            return None;
        }
        for _ in 0..repeats {
            at = at.checked_add(step)?;
            ticks.push(UnixMillis(at));
        }
    }
    Some(ticks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ticks_are_read_back(first in any::<i32>(), gaps in prop::collection::vec(prop_oneof![Just(5000_u32), 1..100_000_u32], 0..50)) {
            let mut at = i64::from(first);
            let ticks: Vec<_> = gaps.iter().map(|&gap| { at += i64::from(gap); UnixMillis(at) }).collect();
            let mut bytes = Vec::new();
            encode(&ticks, &mut bytes).unwrap();
            prop_assert_eq!(decode(&mut Input::new(&bytes)).unwrap(), ticks);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(ticks) = decode(&mut Input::new(&bytes)) {
                prop_assert!(ticks.is_sorted());
            }
        }
    }

    #[test]
    fn an_hour_of_regular_ticks_takes_a_dozen_bytes() {
        let ticks: Vec<_> = (0..720).map(|i| UnixMillis(1_800_000_000_000 + i * 5000)).collect();
        let mut bytes = Vec::new();
        encode(&ticks, &mut bytes).unwrap();
        assert!(bytes.len() <= 13, "{}", bytes.len());
        assert!(encode(&[ticks[1], ticks[0]], &mut bytes).is_err());
    }
}
