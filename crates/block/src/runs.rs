//! Sets of positions that mostly follow one another: ticks that a series has rows at, rows that have a
//! value.

use crate::bytes::{Input, put_count};

/// Positions in ascending order, as runs of neighbours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    runs: Vec<(u32, u32)>,
    count: u32,
}

impl Runs {
    /// The positions from 0 up to, and without, `count`.
    pub(crate) fn first(count: u32) -> Self {
        let runs = if count == 0 { Vec::new() } else { vec![(0, count)] };
        Self { runs, count }
    }

    /// Adds a position behind all others.
    pub(crate) fn push(&mut self, position: u32) {
        self.count += 1;
        match self.runs.last_mut() {
            Some((start, length)) if *start + *length == position => *length += 1,
            _ => self.runs.push((position, 1)),
        }
    }

    /// Empties the set and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.count = 0;
    }

    /// How many positions there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The runs: where each starts, and its length.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.runs.iter().map(|&(start, length)| (start as usize, length as usize))
    }

    /// All positions.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.runs().flat_map(|(start, length)| start..start + length)
    }

    /// Cuts runs of places in this set into runs of its positions: those of `places` in order, where a
    /// place is the rank of a position. Each is given as its first position, the rank among `places` of
    /// its first element, and its length.
    pub(crate) fn select(&self, places: &Self, mut visit: impl FnMut(usize, usize, usize)) {
        let mut mine = self.runs().scan(0, |rank, (start, length)| {
            let first = *rank;
            *rank += length;
            Some((first, start, length))
        });
        let mut current = mine.next();
        let mut taken = 0;
        for (mut start, mut length) in places.runs() {
            while length > 0 {
                let Some((rank, position, run)) = current else { return };
                if start >= rank + run {
                    current = mine.next();
                    continue;
                }
                let part = length.min(rank + run - start);
                visit(position + (start - rank), taken, part);
                taken += part;
                start += part;
                length -= part;
            }
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_count(out, self.runs.len());
        let mut end = 0;
        for &(start, length) in &self.runs {
            put_count(out, (start - end) as usize);
            put_count(out, length as usize);
            end = start + length;
        }
    }

    /// Reads positions below `limit` into this set; `None` where they are not written so.
    pub(crate) fn decode(&mut self, input: &mut Input<'_>, limit: u32) -> Option<()> {
        self.clear();
        let (runs, mut end) = (input.count()?, 0_u32);
        for run in 0..runs {
            let gap = u32::try_from(input.varint()?).ok()?;
            let length = u32::try_from(input.varint()?).ok()?;
            let start = end.checked_add(gap)?;
            end = start.checked_add(length)?;
            if length == 0 || end > limit || (run > 0 && gap == 0) {
                return None;
            }
            self.runs.push((start, length));
            self.count += length;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs(positions: &[bool]) -> Runs {
        let mut runs = Runs::default();
        for (position, _) in positions.iter().enumerate().filter(|(_, is_in)| **is_in) {
            runs.push(u32::try_from(position).unwrap());
        }
        runs
    }

    proptest! {
        #[test]
        fn positions_are_read_back(positions in prop::collection::vec(any::<bool>(), 0..60)) {
            let written = runs(&positions);
            let mut bytes = Vec::new();
            written.encode(&mut bytes);
            let mut read = Runs::default();
            let limit = u32::try_from(positions.len()).unwrap();
            prop_assert!(read.decode(&mut Input::new(&bytes), limit).is_some());
            prop_assert_eq!(&read, &written);
            let expected: Vec<usize> = (0..positions.len()).filter(|&p| positions[p]).collect();
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn places_of_positions_are_positions(
            positions in prop::collection::vec(any::<bool>(), 0..60),
            places in prop::collection::vec(any::<bool>(), 60),
        ) {
            let outer = runs(&positions);
            let inner = runs(&places[..outer.len()]);
            let mut found = Vec::new();
            outer.select(&inner, |position, rank, length| {
                assert_eq!(rank, found.len());
                found.extend(position..position + length);
            });
            let all: Vec<usize> = outer.iter().collect();
            prop_assert_eq!(found, inner.iter().map(|place| all[place]).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut read = Runs::default();
            if read.decode(&mut Input::new(&bytes), 1000).is_some() {
                prop_assert!(read.iter().all(|position| position < 1000));
            }
        }
    }
}
