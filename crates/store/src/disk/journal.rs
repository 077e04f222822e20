//! What the journal says of each tick: enough to take it in again.
//!
//! A node's frames resemble each other: the same identities, and most values as they were. An entry
//! is compressed with the frame before it at hand, which makes it a third as long. Every 32nd is on
//! its own, and so is the first one after a block, so that what is lost with an entry is little and
//! what a block does not have never depends on what it has.

use std::cell::RefCell;

use kubemonitor_frame::Decoder;
use kubemonitor_model::{Tick, UnixMillis};
use lz4_flex::block::{
    compress_into_with_dict, decompress_size_prepended_with_dict, get_maximum_output_size,
};

use super::DiskError;

/// A record of the journal.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    /// The server's clock when it came.
    pub(crate) now: UnixMillis,
    /// What came. A push is a tick of one row.
    pub(crate) tick: &'a Tick,
    /// What it came in; `None` when it was pushed by somebody else's collector.
    pub(crate) frame: Option<&'a [u8]>,
}

/// Entries from one that is on its own to the next.
const CHAIN: u8 = 32;

/// The frame that a node's next entry is written against.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    frame: Vec<u8>,
    /// Entries since one that was on its own; 0 when the next one is to be.
    length: u8,
}

impl Chain {
    /// The next entry is on its own.
    pub(crate) fn begin_anew(&mut self) {
        self.length = 0;
    }

    /// Everything of an entry but its sequence, which is given when it is queued. `frame` is the
    /// tick as it came.
    pub(crate) fn encode(&mut self, tick: &Tick, frame: &[u8], now: UnixMillis) -> Vec<u8> {
        let dictionary = if self.length == 0 { &[][..] } else { &self.frame };
        let entry = PACKED.with_borrow_mut(|packed| {
            entry(tick, now, false, self.length, pack(frame, dictionary, packed))
        });
        self.length = (self.length + 1) % CHAIN;
        self.frame.clear();
        self.frame.reserve_exact(frame.len());
        self.frame.extend_from_slice(frame);
        entry
    }

    /// Memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.frame.capacity()
    }
}

/// The entry of what somebody pushed; it is on its own.
pub(crate) fn encode_pushed(tick: &Tick, now: UnixMillis) -> Vec<u8> {
    let mut frame = Vec::new();
    kubemonitor_frame::encode(tick, &mut frame);
    PACKED.with_borrow_mut(|packed| entry(tick, now, true, 0, pack(&frame, &[], packed)))
}

thread_local! {
    /// Where entries are made before it is known how long they are.
    static PACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A frame compressed with a dictionary at hand, its length before it.
fn pack<'a>(frame: &[u8], dictionary: &[u8], packed: &'a mut Vec<u8>) -> &'a [u8] {
    const PREFIX: usize = 4;
    let most = PREFIX + get_maximum_output_size(frame.len());
    if packed.len() < most {
        packed.resize(most, 0);
    }
    let length = u32::try_from(frame.len()).expect("a frame of 4 GiB fits no request");
    packed[..PREFIX].copy_from_slice(&length.to_le_bytes());
    let written = compress_into_with_dict(frame, &mut packed[PREFIX..], dictionary)
        .expect("there is room for the longest output there can be");
    &packed[..PREFIX + written]
}

fn entry(tick: &Tick, now: UnixMillis, pushed: bool, length: u8, packed: &[u8]) -> Vec<u8> {
    let name = tick.node.as_str().as_bytes();
    let mut entry = Vec::with_capacity(8 + 8 + 3 + name.len() + packed.len());
    entry.extend_from_slice(&[0; 8]);
    entry.extend_from_slice(&now.0.to_le_bytes());
    entry.push(u8::from(pushed));
    entry.push(length);
    // Names of nodes have at most 253 bytes.
    entry.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    entry.extend_from_slice(name);
    entry.extend_from_slice(packed);
    entry
}

/// Writes the sequence into an encoded entry.
pub(crate) fn number(entry: &mut [u8], sequence: u64) {
    entry[..8].copy_from_slice(&sequence.to_le_bytes());
}

/// An entry as it was found, not understood yet.
#[derive(Debug)]
pub(crate) struct Found(Vec<u8>);

/// Understands a node's entries, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Unchain {
    decoder: Decoder,
    /// The last frame that was understood.
    frame: Vec<u8>,
    /// The chain's length at the next entry; 0 when one was missing.
    next: u8,
    /// The last entry that was understood.
    last: u64,
}

impl Found {
    pub(crate) fn new(record: Vec<u8>) -> Self {
        Self(record)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The node that an entry is of, and its sequence, which counts all entries.
pub(crate) fn entry_head(record: &[u8]) -> Result<(&str, u64), DiskError> {
    let (sequence, .., node, _) = head(record).ok_or_else(|| broken("too short"))?;
    Ok((node, sequence))
}

impl Unchain {
    /// What an entry says; `None` when it was written twice. Entries after a missing one cannot be
    /// understood until one is on its own.
    pub(crate) fn decode(&mut self, found: &Found) -> Result<Option<Entry<'_>>, DiskError> {
        let (sequence, now, pushed, length, _, packed) =
            head(&found.0).ok_or_else(|| broken("too short"))?;
        if sequence <= self.last {
            return Ok(None);
        }
        if pushed {
            let tick = self.decoder.decode(&unpacked(packed, &[])?);
            let tick = tick.map_err(|e| broken(&e.to_string()))?;
            return Ok(Some(Entry { now, tick, frame: None }));
        }
        let expected = std::mem::take(&mut self.next);
        let frame = match length {
            0 => unpacked(packed, &[])?,
            _ if length == expected => unpacked(packed, &self.frame)?,
            _ => return Err(broken("the one before it is missing")),
        };
        let tick = self.decoder.decode(&frame).map_err(|e| broken(&e.to_string()))?;
        self.next = (length + 1) % CHAIN;
        self.frame = frame;
        self.last = sequence;
        Ok(Some(Entry { now, tick, frame: Some(&self.frame) }))
    }
}

/// A frame that was packed with a dictionary at hand.
fn unpacked(packed: &[u8], dictionary: &[u8]) -> Result<Vec<u8>, DiskError> {
    decompress_size_prepended_with_dict(packed, dictionary).map_err(|e| broken(&e.to_string()))
}

type Head<'a> = (u64, UnixMillis, bool, u8, &'a str, &'a [u8]);

/// Sequence, clock, origin, place in the chain, node, and the rest.
fn head(record: &[u8]) -> Option<Head<'_>> {
    let (sequence, rest) = record.split_first_chunk()?;
    let (now, rest) = rest.split_first_chunk()?;
    let (&[pushed, chained, name_length], rest) = rest.split_first_chunk()?;
    let (name, packed) = rest.split_at_checked(usize::from(name_length))?;
    let now = UnixMillis(i64::from_le_bytes(*now));
    let name = std::str::from_utf8(name).ok()?;
    Some((u64::from_le_bytes(*sequence), now, pushed == 1, chained, name, packed))
}

fn broken(what: &str) -> DiskError {
    DiskError::Decode(format!("a journal entry: {what}"))
}

#[cfg(test)]
mod tests {
    use kubemonitor_model::{EntityId, EntityKind, EntityRow, Metric, Row};

    use super::*;

    fn tick(number: u64) -> Tick {
        let row = |pod: u64| {
            let mut row = Row::new(EntityKind::Pod);
            row.set(Metric::CpuUsage, Some(number * 1_000_003 * (pod % 3)));
            row.set(Metric::MemoryUsage, Some(pod << 20));
            // As random as identities are: nothing that a frame could be shortened by on its own.
            let mixed = u128::from(pod + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let id = EntityId::Uuid(mixed.to_be_bytes());
            EntityRow { id, parent: None, qos: None, newborn: false, row }
        };
        Tick {
            node: "node-1".parse().unwrap(),
            instance: 1,
            sequence: number,
            at: UnixMillis(number.cast_signed() * 5000),
            read_delay_us: 0,
            interval_ms: 5000,
            rows: (0..30).map(row).collect(),
        }
    }

    fn found(chain: &mut Chain, number: u64) -> Found {
        let mut frame = Vec::new();
        kubemonitor_frame::encode(&tick(number), &mut frame);
        let mut entry = chain.encode(&tick(number), &frame, UnixMillis(7));
        super::number(&mut entry, number);
        Found::new(entry)
    }

    #[test]
    fn a_chain_is_understood_and_much_shorter_than_its_frames() {
        let (mut chain, mut unchain) = (Chain::default(), Unchain::default());
        let mut lengths = Vec::new();
        for number in 1..100 {
            let found = found(&mut chain, number);
            lengths.push(found.len());
            let entry = unchain.decode(&found).unwrap().unwrap();
            assert_eq!((entry.now, entry.tick), (UnixMillis(7), &tick(number)));
            assert_eq!(unchain.decode(&found).unwrap(), None, "twice is once");
        }
        assert!(lengths[1] * 2 < lengths[0], "{lengths:?}");
    }

    #[test]
    fn after_a_missing_entry_the_next_one_on_its_own_is_understood() {
        let (mut chain, mut unchain) = (Chain::default(), Unchain::default());
        let found: Vec<_> = (1..71).map(|number| found(&mut chain, number)).collect();
        let missing = 5;
        let understood: Vec<usize> =
            (0..70).filter(|&i| i != missing && unchain.decode(&found[i]).is_ok()).collect();
        assert_eq!(understood, (0..missing).chain(usize::from(CHAIN)..70).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_pushed_stands_between_the_entries_of_a_chain() {
        let (mut chain, mut unchain) = (Chain::default(), Unchain::default());
        let (one, two) = (found(&mut chain, 1), found(&mut chain, 2));
        let mut pushed = encode_pushed(&tick(9), UnixMillis(7));
        super::number(&mut pushed, 1 << 40);
        let pushed = Found::new(pushed);
        assert!(unchain.decode(&one).is_ok());
        assert_eq!(unchain.decode(&pushed).unwrap().unwrap().frame, None);
        let entry = unchain.decode(&two).unwrap().unwrap();
        assert_eq!(entry.tick, &tick(2));
        assert_eq!(&kubemonitor_frame::decode(entry.frame.unwrap()).unwrap(), entry.tick);
    }
}
