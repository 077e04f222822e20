//! Ticks that are filled again and again.

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Row, Tick, UnixMillis};

use super::identity::node_name;

/// A tick without anything in it, for [`Node::measure`](super::Node::measure) to fill.
pub fn empty_tick() -> Tick {
    Tick {
        node: node_name(0),
        instance: 0,
        sequence: 0,
        at: UnixMillis(0),
        read_delay_us: 0,
        interval_ms: 0,
        rows: Vec::new(),
    }
}

/// Rows of a tick, filled anew in the room that earlier ones took.
pub(super) struct Rows<'a> {
    rows: &'a mut Vec<EntityRow>,
    filled: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn refill(rows: &'a mut Vec<EntityRow>) -> Self {
        Self { rows, filled: 0 }
    }

    /// How many there are, and so the place of the next one.
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// The next row, with nothing in it.
    pub(super) fn next(&mut self, kind: EntityKind, id: EntityId) -> &mut EntityRow {
        if self.filled == self.rows.len() {
            let row = Row::new(kind);
            self.rows.push(EntityRow { id, parent: None, qos: None, newborn: false, row });
        } else {
            let entity = &mut self.rows[self.filled];
            entity.id = id;
            (entity.parent, entity.qos, entity.newborn) = (None, None, false);
            entity.row.reset(kind);
        }
        self.filled += 1;
        &mut self.rows[self.filled - 1]
    }

    /// No more rows come.
    pub(super) fn finish(self) {
        self.rows.truncate(self.filled);
    }
}
