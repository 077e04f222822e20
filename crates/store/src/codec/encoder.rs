//! The appending side.

use kubemonitor_model::MAX_COLUMNS;

use super::{
    Coding, IDLE, IRREGULAR, MAX_IDLE, Next, PRESENCE, Point, REGULAR, RESTARTS, TIME,
    bytes::{put_header, put_varint, zigzag},
    coding::Grown,
    different,
};

/// Appends rows to a buffer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoder {
    /// The buffer ends in an idle run.
    idle: bool,
    /// The columns that changed in the last row that had any.
    before: u64,
}

impl Encoder {
    /// Appends `next`, which comes after `last`, and moves `last` there.
    pub(crate) fn append(
        &mut self,
        coding: &Coding,
        step_ms: u32,
        last: &mut Point,
        next: Next<'_>,
        out: &mut Vec<u8>,
    ) {
        let returned = next.present & !last.present;
        let differs = (different(&last.values, next.values) | returned) & next.present;
        let (mut changed, mut grown) = (0_u64, Grown::default());
        let mut expected = [0; MAX_COLUMNS];
        // Of all others nothing is expected but what they are.
        let mut columns = if differs == 0 { 0 } else { differs | coding.expectations.all };
        columns &= next.present;
        while columns != 0 {
            let column = columns.trailing_zeros() as usize;
            let bit = 1 << column;
            columns &= columns - 1;
            let (from, to) = (last.base(returned, column), next.values[column]);
            let mut awaited = from;
            if returned & bit == 0 {
                let growth = coding.expectations.growth(bit, &grown);
                awaited = from.wrapping_add_signed(growth);
                coding.expectations.note(bit, from, to, &mut grown);
            }
            expected[column] = awaited;
            changed |= if to == awaited { 0 } else { bit };
        }
        let late_ms = next.at.since(last.at) - i64::from(step_ms);
        let flag = |raised, flag| if raised { flag } else { 0 };
        let irregular = flag(late_ms != 0, TIME)
            | flag(next.present != last.present, PRESENCE)
            | flag(next.restarted != 0, RESTARTS);

        debug_assert!(
            changed != 0 || differs & !returned == 0,
            "what others follow from follows from none"
        );
        if changed == 0 && irregular == 0 {
            self.append_idle(out);
        } else {
            self.idle = false;
            let form = if irregular == 0 { REGULAR } else { IRREGULAR };
            put_header(out, changed ^ self.before, form);
            if changed != 0 && irregular & PRESENCE == 0 {
                self.before = changed;
            }
            if irregular != 0 {
                out.push(irregular);
                if irregular & TIME != 0 {
                    put_varint(out, zigzag(late_ms));
                }
                if irregular & PRESENCE != 0 {
                    put_varint(out, next.present ^ last.present);
                }
                if irregular & RESTARTS != 0 {
                    put_varint(out, next.restarted);
                }
            }
            while changed != 0 {
                let column = changed.trailing_zeros() as usize;
                changed &= changed - 1;
                coding.encode_delta(column, expected[column], next.values[column], out);
            }
        }
        last.move_to(next, differs);
    }

    fn append_idle(&mut self, out: &mut Vec<u8>) {
        match out.last_mut().filter(|run| self.idle && **run >> 2 < MAX_IDLE) {
            Some(run) => *run += 1 << 2,
            None => out.push(1 << 2 | IDLE),
        }
        self.idle = true;
    }
}
