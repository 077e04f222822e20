//! The reading side.

use kubemonitor_model::{EntityKind, UnixMillis};

use super::{
    Coding, FORM, IDLE, IRREGULAR, PRESENCE, Point, REGULAR, RESTARTS, TIME,
    bytes::{Input, unzigzag},
    coding::Grown,
};

/// Reads rows back, in order.
pub(crate) struct Decoder<'a> {
    coding: &'static Coding,
    step_ms: u32,
    idle_left: u8,
    /// The columns that changed in the last row that had any.
    before: u64,
    input: Input<'a>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(kind: EntityKind, step_ms: u32, bytes: &'a [u8]) -> Self {
        Self { coding: Coding::of(kind), step_ms, idle_left: 0, before: 0, input: Input(bytes) }
    }

    /// Moves `point` to the next row; `None` after the last one (or where bytes are broken).
    pub(crate) fn advance(&mut self, point: &mut Point) -> Option<()> {
        if self.idle_left == 0 {
            if self.input.0.is_empty() {
                return None;
            }
            let first = self.input.byte()?;
            match first & FORM {
                IDLE => self.idle_left = first >> 2,
                REGULAR | IRREGULAR => {
                    let changed = self.input.columns(first)? ^ self.before;
                    return self.changed_row(point, changed, first & FORM == IRREGULAR);
                }
                _ => return None,
            }
        }
        self.idle_left = self.idle_left.checked_sub(1)?;
        point.at = after(point.at, self.step_ms, 0);
        point.restarted = 0;
        Some(())
    }

    fn changed_row(&mut self, point: &mut Point, changed: u64, irregular: bool) -> Option<()> {
        let (mut late_ms, mut returned, mut came_or_went) = (0, 0, false);
        point.restarted = 0;
        if irregular {
            let flags = self.input.byte()?;
            if flags & TIME != 0 {
                late_ms = unzigzag(self.input.varint()?);
            }
            if flags & PRESENCE != 0 {
                came_or_went = true;
                let present = point.present ^ self.input.varint()?;
                returned = present & !point.present;
                point.present = present;
            }
            if flags & RESTARTS != 0 {
                point.restarted = self.input.varint()?;
            }
        }
        if changed != 0 && !came_or_went {
            self.before = changed;
        }
        point.clear(returned & !changed);
        let expectations = &self.coding.expectations;
        let mut grown = Grown::default();
        let mut columns = changed | (expectations.all & point.present & !returned);
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            let bit = 1 << column;
            columns &= columns - 1;
            let from = point.base(returned, column);
            let mut value = from;
            if returned & bit == 0 {
                value = from.wrapping_add_signed(expectations.growth(bit, &grown));
            }
            if changed & bit != 0 {
                value = self.coding.decode_delta(column, value, &mut self.input)?;
            }
            if returned & bit == 0 {
                expectations.note(bit, from, value, &mut grown);
            }
            *point.values.get_mut(column)? = value;
        }
        point.at = after(point.at, self.step_ms, late_ms);
        Some(())
    }
}

fn after(at: UnixMillis, step_ms: u32, late_ms: i64) -> UnixMillis {
    UnixMillis(at.0.saturating_add(i64::from(step_ms)).saturating_add(late_ms))
}
