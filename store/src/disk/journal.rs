//! What the journal says of each tick: enough to take it in again.

use kubemonitor_model::{Tick, UnixMillis};

use super::DiskError;

/// A record of the journal.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// Counts all entries; blocks say up to which one they reach.
    pub(crate) sequence: u64,
    /// The server's clock when it came.
    pub(crate) now: UnixMillis,
    /// Whether it was pushed by somebody else's collector.
    pub(crate) pushed: bool,
    /// What came. A push is a tick of one row.
    pub(crate) tick: Tick,
}

const FIXED: usize = 8 + 8 + 1;

/// Everything of an entry but its sequence, which is given when it is queued.
pub(crate) fn encode(tick: &Tick, pushed: bool, now: UnixMillis) -> Vec<u8> {
    let mut frame = Vec::with_capacity(8 << 10);
    kubemonitor_frame::encode(tick, &mut frame);
    let mut entry = vec![0; 8];
    entry.extend_from_slice(&now.0.to_le_bytes());
    entry.push(u8::from(pushed));
    entry.extend_from_slice(&lz4_flex::block::compress_prepend_size(&frame));
    entry
}

/// Writes the sequence into an encoded entry.
pub(crate) fn number(entry: &mut [u8], sequence: u64) {
    entry[..8].copy_from_slice(&sequence.to_le_bytes());
}

/// An entry read back.
pub(crate) fn decode(entry: &[u8]) -> Result<Entry, DiskError> {
    let broken = |what: &str| DiskError::Decode(format!("a journal entry: {what}"));
    let (fixed, packed) = entry.split_first_chunk::<FIXED>().ok_or_else(|| broken("too short"))?;
    let (sequence, rest) = fixed.split_first_chunk::<8>().ok_or_else(|| broken("too short"))?;
    let (now, pushed) = rest.split_first_chunk::<8>().ok_or_else(|| broken("too short"))?;
    let frame =
        lz4_flex::block::decompress_size_prepended(packed).map_err(|e| broken(&e.to_string()))?;
    let tick = kubemonitor_frame::decode(&frame).map_err(|e| broken(&e.to_string()))?;
    Ok(Entry {
        sequence: u64::from_le_bytes(*sequence),
        now: UnixMillis(i64::from_le_bytes(*now)),
        pushed: pushed == [1],
        tick,
    })
}
