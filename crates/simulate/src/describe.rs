//! How much there is to know in what a fleet sends.

use std::{collections::BTreeMap, fmt, io::Write};

use flate2::{Compression, write::DeflateEncoder};
use kubemonitor_model::{EntityId, EntityKind, EntityRow, MAX_COLUMNS, UnixMillis};
use serde::Serialize;

use crate::{
    Fleet, Shape,
    fleet::{ShapeError, empty_tick},
};

/// How much there is to know in what a fleet sends: a store that takes much less than
/// [`deflated_bytes`](Self::deflated_bytes) a sample has forgotten something, one that takes much more
/// could do better.
#[derive(Clone, Debug, Serialize)]
pub struct Description {
    /// Nodes that were looked at: as many as the fleet has, but no more than eight.
    pub nodes: u32,
    /// Ticks of each.
    pub ticks: u32,
    /// Entities on a node, itself included.
    pub entities_on_a_node: u64,
    /// Values in a row that are present, on average.
    pub samples_in_a_row: f64,
    /// The share of values that differ from the ones before.
    pub changed_samples: f64,
    /// The share of rows in which nothing differs from the ones before.
    pub unchanged_rows: f64,
    /// Bytes of a frame over its values.
    pub frame_bytes: f64,
    /// Bytes a value takes when each column's differences are written one after the other, as
    /// varints, and all that is deflated: an upper bound of the information in it.
    pub deflated_bytes: f64,
}

const MOST_NODES: u32 = 8;

impl Description {
    /// Lets a part of a fleet tick, and looks at what it sends.
    pub fn of(shape: Shape, ticks: u32) -> Result<Self, ShapeError> {
        let shape = Shape { nodes: shape.nodes.min(MOST_NODES), ..shape };
        let mut fleet = Fleet::new(shape)?;
        let (mut tick, mut frame) = (empty_tick(), Vec::new());
        let (mut columns, mut frame_bytes) = (Columns::default(), 0);
        for number in 0..ticks {
            let at = UnixMillis(i64::from(number) * shape.interval.millis().cast_signed());
            for node in fleet.nodes() {
                node.measure(at, &mut tick);
                frame.clear();
                kubemonitor_frame::encode(&tick, &mut frame);
                frame_bytes += frame.len() as u64;
                tick.rows.iter().for_each(|entity| columns.add(entity));
            }
        }
        let ratio = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let Counts { rows, samples, followed_rows, followed_samples, changed, unchanged_rows } =
            columns.counts;
        Ok(Self {
            nodes: shape.nodes,
            ticks,
            entities_on_a_node: shape.entities_on_a_node(),
            samples_in_a_row: ratio(samples, rows),
            changed_samples: ratio(changed, followed_samples),
            unchanged_rows: ratio(unchanged_rows, followed_rows),
            frame_bytes: ratio(frame_bytes, samples),
            deflated_bytes: ratio(columns.deflated_len(), samples),
        })
    }
}

/// All values, by entity and column.
#[derive(Default)]
struct Columns {
    entities: BTreeMap<(EntityKind, EntityId), Entity>,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    rows: u64,
    samples: u64,
    /// Those with one before.
    followed_rows: u64,
    followed_samples: u64,
    changed: u64,
    unchanged_rows: u64,
}

struct Entity {
    last: [u64; MAX_COLUMNS],
    deltas: [Vec<u8>; MAX_COLUMNS],
}

impl Columns {
    fn add(&mut self, entity: &EntityRow) {
        let row = &entity.row;
        let new = || Entity { last: [0; MAX_COLUMNS], deltas: [const { Vec::new() }; MAX_COLUMNS] };
        let mut is_new = false;
        let columns = self.entities.entry((row.kind(), entity.id.clone())).or_insert_with(|| {
            is_new = true;
            new()
        });
        let (mut changed, mut samples) = (0, 0);
        for (place, &value) in row.values().iter().enumerate() {
            if row.column(place).is_some() {
                let delta = value.wrapping_sub(columns.last[place]);
                columns.last[place] = value;
                put_signed(&mut columns.deltas[place], delta.cast_signed());
                changed += u64::from(delta != 0);
                samples += 1;
            }
        }
        let counts = &mut self.counts;
        counts.rows += 1;
        counts.samples += samples;
        if !is_new {
            counts.followed_rows += 1;
            counts.followed_samples += samples;
            counts.changed += changed;
            counts.unchanged_rows += u64::from(changed == 0);
        }
    }

    fn deflated_len(&self) -> u64 {
        let mut deflated = DeflateEncoder::new(Counted(0), Compression::best());
        for deltas in self.entities.values().flat_map(|entity| &entity.deltas) {
            deflated.write_all(deltas).expect("counting does not fail");
        }
        deflated.finish().expect("counting does not fail").0
    }
}

/// Counts what is written to it.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Zigzag LEB128.
fn put_signed(out: &mut Vec<u8>, value: i64) {
    let mut code = (value << 1 ^ value >> 63).cast_unsigned();
    while code >= 0x80 {
        out.push(code.to_le_bytes()[0] | 0x80);
        code >>= 7;
    }
    out.push(code.to_le_bytes()[0]);
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        writeln!(f, "looked at      {} nodes, {} ticks of each", self.nodes, self.ticks)?;
        writeln!(
            f,
            "a tick         {} entities a node, {:.1} samples each",
            self.entities_on_a_node, self.samples_in_a_row
        )?;
        writeln!(f, "changed        {:.1} % of samples", percent(self.changed_samples))?;
        writeln!(f, "unchanged      {:.1} % of rows", percent(self.unchanged_rows))?;
        writeln!(f, "on the wire    {:.2} bytes a sample", self.frame_bytes)?;
        write!(f, "deflated       {:.2} bytes a sample", self.deflated_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idler_fleets_have_less_to_tell() {
        let shape = |idle_percent| Shape { nodes: 2, idle_percent, ..Shape::default() };
        let usual = Description::of(shape(60), 60).unwrap();
        let idle = Description::of(shape(100), 60).unwrap();
        assert_eq!((usual.nodes, usual.entities_on_a_node), (2, 91));
        assert!((20.0..30.0).contains(&usual.samples_in_a_row), "{usual}");
        assert!((0.1..0.3).contains(&usual.changed_samples), "{usual}");
        assert!(idle.changed_samples < usual.changed_samples / 2.0, "{idle}");
        assert!(idle.unchanged_rows > usual.unchanged_rows, "{idle}");
        assert!(idle.deflated_bytes < usual.deflated_bytes, "{idle}");
        assert!(usual.deflated_bytes < usual.frame_bytes, "{usual}");
    }
}
