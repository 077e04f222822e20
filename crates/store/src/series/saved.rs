//! What of a series goes to the disk, and comes back.

use std::sync::Arc;

use super::Series;
use crate::{
    chunk::Chunks,
    clock::ReadTimes,
    codec::Point,
    disk::{Bodies, StoredChunk, StoredSeries},
    rollup::{Rolled, Roller},
    sample::{Counted, Rates, TimeRange},
};

impl Series {
    /// Closes its chunk, and gives what no block on disk has yet, if anything.
    pub(crate) fn close(&mut self) -> Option<StoredSeries> {
        let chunks = self.chunks.close();
        (!chunks.is_empty()).then(|| self.stored(chunks))
    }

    /// What [`Series::close`] gave is in the node's block of this number, so far into its bodies.
    /// Gives where the next series' chunks are.
    pub(crate) fn leave(&mut self, block: u32, at: u32) -> u32 {
        self.chunks.leave(block, at)
    }

    /// The block of this number will never be on the disk.
    pub(crate) fn stay(&mut self, block: u32) {
        self.chunks.stay(block);
    }

    /// The block of this number is on the disk.
    pub(crate) fn shelve(&mut self, block: u32, bodies: &Arc<Bodies>) {
        self.chunks.shelve(block, bodies);
    }

    /// Its rows in a range, rolled; `None` when there are none.
    pub(crate) fn rolled(&self, range: TimeRange, step_ms: i64) -> Option<StoredSeries> {
        let Rolled { means, lows, highs } = self.roll(range, step_ms);
        let packed = |rows: Vec<Point>| {
            let mut chunks = Chunks::default();
            let mut last = Point::origin(self.kind, self.first_at, 0);
            for row in &rows {
                let step_ms = u32::try_from(step_ms).unwrap_or(u32::MAX);
                chunks.append(self.kind, step_ms, &mut last, row.as_next());
            }
            chunks.close()
        };
        (!means.is_empty()).then(|| StoredSeries {
            lows: packed(lows),
            highs: packed(highs),
            ..self.stored(packed(means))
        })
    }

    /// Its rows in a range, rolled.
    pub(crate) fn roll(&self, range: TimeRange, step_ms: i64) -> Rolled {
        let mut roller = Roller::new(self.kind, step_ms);
        self.chunks.read(self.kind, range.from, range.to, |point| {
            if range.contains(point.at) {
                roller.add(point);
            }
        });
        roller.finish()
    }

    fn stored(&self, chunks: Vec<StoredChunk>) -> StoredSeries {
        StoredSeries {
            kind: self.kind,
            id: self.id.clone(),
            parent: self.parent.clone(),
            qos: self.qos,
            first_at: self.first_at,
            birth_step_ms: self.birth_step_ms,
            heard_at: self.heard_at,
            pushed: self.pushed,
            ever_present: self.ever_present,
            restarts: self.restarts.clone(),
            chunks,
            lows: Vec::new(),
            highs: Vec::new(),
        }
    }

    /// A series read back from disk; its rows come with [`Series::restore`].
    pub(crate) fn restored(stored: &StoredSeries) -> Self {
        Self {
            kind: stored.kind,
            id: stored.id.clone(),
            parent: stored.parent.clone(),
            qos: stored.qos,
            first_at: stored.first_at,
            heard_at: stored.heard_at,
            pushed: stored.pushed,
            live: false,
            ever_present: 0,
            groups: Vec::new(),
            birth_step_ms: stored.birth_step_ms,
            last: Point::origin(stored.kind, stored.first_at, 0),
            rates: Rates::default(),
            restarts: Vec::new(),
            chunks: Chunks::default(),
        }
    }

    /// Takes the rows of a later block in; they stay on the disk, so far into the bodies. Gives where
    /// the next series' are.
    pub(crate) fn restore(&mut self, stored: StoredSeries, bodies: &Arc<Bodies>, at: u32) -> u32 {
        self.heard_at = stored.heard_at;
        self.pushed = stored.pushed;
        self.ever_present |= stored.ever_present;
        self.restarts = stored.restarts;
        self.chunks.restore_shelved(&stored.chunks, bodies, at)
    }

    /// After all blocks: finds the newest row and its rates.
    pub(crate) fn settle(&mut self, read_times: &ReadTimes) {
        let Some(last_at) = self.chunks.last() else { return };
        let (before, last) = self.neighbours(last_at);
        let Some(last) = last else { return };
        self.rates = match &before {
            Some(before) => {
                let elapsed_us = read_times.elapsed_us(before.at, last.at);
                let from = Counted::at(self.kind, before);
                Rates::between(&from, &Counted::at(self.kind, &last), elapsed_us)
            }
            None => self.first_rates(&last),
        };
        self.last = last;
    }
}
