//! What the journal says of each tick: enough to take it in again.
//!
//! A node's frames resemble each other: the same identities, and most values as they were. An entry
//! is compressed with the frame before it at hand, which makes it a third as long. Every 12th is on
//! its own, and so is the first one after a block: a damaged entry costs a minute of its node at most,
//! and what a block does not have never depends on what it has.

use std::cell::RefCell;

use kubemonitor_frame::Decoder;
use kubemonitor_model::{Tick, UnixMillis};
use lz4_flex::block::{compress_into_with_dict, get_maximum_output_size};

use super::{DiskError, unpacked};

/// A record of the journal.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    /// The server's clock when it came.
    pub(crate) now: UnixMillis,
    /// What came. A push is a tick of one row.
    pub(crate) tick: &'a Tick,
    /// When it was measured: the tick's own time, or what was put in its place.
    pub(crate) at: UnixMillis,
    /// What it came in; `None` when it was pushed by somebody else's collector.
    pub(crate) frame: Option<&'a [u8]>,
}

/// Entries from one that is on its own to the next. Of simulated nodes of 30 pods, the journal takes
/// 8 % more than with 32 of them, and 16 % more with 8. Written against one frame for all twelve, so
/// that a damaged entry would cost itself alone, it takes 41 % more.
const CHAIN: u8 = 12;

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
    /// tick as it came, `at` where the tick stands.
    pub(crate) fn encode(
        &mut self,
        tick: &Tick,
        at: UnixMillis,
        frame: &[u8],
        now: UnixMillis,
    ) -> Vec<u8> {
        let dictionary = if self.length == 0 { &[][..] } else { &self.frame };
        let before = (self.length > 0).then(|| crc32fast::hash(dictionary));
        let at = Some(at).filter(|&at| at != tick.at);
        let entry = PACKED.with_borrow_mut(|packed| {
            let about = About { now, at, before, is_pushed: false, node: tick.node.as_str() };
            about.entry(pack(frame, dictionary, packed))
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
    let node = tick.node.as_str();
    let about = About { now, at: None, before: None, is_pushed: true, node };
    PACKED.with_borrow_mut(|packed| about.entry(pack(&frame, &[], packed)))
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

/// What an entry says beside the frame.
///
/// ```text
/// entry := sequence (8) now (8) flags (1) [at (8)] [crc32 of the frame before (4)] length of the name (1) name frame
/// ```
#[derive(Clone, Copy, Debug)]
struct About<'a> {
    /// The server's clock when it came.
    now: UnixMillis,
    /// What was put in the place of the tick's own time.
    at: Option<UnixMillis>,
    /// The checksum of the frame before, which it was compressed with.
    before: Option<u32>,
    is_pushed: bool,
    node: &'a str,
}

const IS_PUSHED: u8 = 1;
const HAS_TIME: u8 = 2;
const HAS_BEFORE: u8 = 4;

impl<'a> About<'a> {
    /// The entry, without its sequence.
    fn entry(self, packed: &[u8]) -> Vec<u8> {
        let name = self.node.as_bytes();
        let mut entry = Vec::with_capacity(8 + 8 + 1 + 8 + 4 + 1 + name.len() + packed.len());
        entry.extend_from_slice(&[0; 8]);
        entry.extend_from_slice(&self.now.0.to_le_bytes());
        let flag = |raised, flag| if raised { flag } else { 0 };
        entry.push(
            flag(self.is_pushed, IS_PUSHED)
                | flag(self.at.is_some(), HAS_TIME)
                | flag(self.before.is_some(), HAS_BEFORE),
        );
        if let Some(at) = self.at {
            entry.extend_from_slice(&at.0.to_le_bytes());
        }
        if let Some(before) = self.before {
            entry.extend_from_slice(&before.to_le_bytes());
        }
        // Names of nodes have at most 253 bytes.
        entry.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        entry.extend_from_slice(name);
        entry.extend_from_slice(packed);
        entry
    }

    /// The sequence, what is said, and the frame.
    fn parse(record: &'a [u8]) -> Option<(u64, Self, &'a [u8])> {
        let (sequence, rest) = record.split_first_chunk()?;
        let (now, rest) = rest.split_first_chunk()?;
        let (&flags, rest) = rest.split_first()?;
        let moment = |bytes: &[u8; 8]| UnixMillis(i64::from_le_bytes(*bytes));
        let (at, rest) = if flags & HAS_TIME != 0 {
            let (at, rest) = rest.split_first_chunk()?;
            (Some(moment(at)), rest)
        } else {
            (None, rest)
        };
        let (before, rest) = if flags & HAS_BEFORE != 0 {
            let (before, rest) = rest.split_first_chunk()?;
            (Some(u32::from_le_bytes(*before)), rest)
        } else {
            (None, rest)
        };
        let (&length, rest) = rest.split_first()?;
        let (name, packed) = rest.split_at_checked(usize::from(length))?;
        let node = std::str::from_utf8(name).ok()?;
        let is_pushed = flags & IS_PUSHED != 0;
        let about = Self { now: moment(now), at, before, is_pushed, node };
        Some((u64::from_le_bytes(*sequence), about, packed))
    }
}

/// Writes the sequence into an encoded entry.
pub(crate) fn number(entry: &mut [u8], sequence: u64) {
    entry[..8].copy_from_slice(&sequence.to_le_bytes());
}

/// An entry as it was found, not understood yet.
#[derive(Debug)]
pub(crate) struct Found(Vec<u8>);

/// Reads a node's entries, one after the other.
#[derive(Debug, Default)]
pub(crate) struct EntryReader {
    decoder: Decoder,
    /// The last frame that was read.
    frame: Vec<u8>,
    /// The last entry that was read.
    last: u64,
}

impl Found {
    pub(crate) fn new(record: Vec<u8>) -> Self {
        Self(record)
    }
}

/// The node that an entry is of, and its sequence, which counts all entries.
pub(crate) fn entry_head(record: &[u8]) -> Result<(&str, u64), DiskError> {
    let (sequence, about, _) = About::parse(record).ok_or_else(|| broken("too short"))?;
    Ok((about.node, sequence))
}

impl EntryReader {
    /// What an entry says; `None` when it was written twice. Entries after a missing one cannot be
    /// read until one is on its own.
    pub(crate) fn decode(&mut self, found: &Found) -> Result<Option<Entry<'_>>, DiskError> {
        let (sequence, about, packed) =
            About::parse(&found.0).ok_or_else(|| broken("too short"))?;
        if sequence <= self.last {
            return Ok(None);
        }
        let frame = match about.before {
            None => unpacked(packed, &[])?,
            Some(before) if before == crc32fast::hash(&self.frame) => {
                unpacked(packed, &self.frame)?
            }
            Some(_) => return Err(broken("the one before it is missing")),
        };
        let tick = self.decoder.decode(&frame).map_err(|e| broken(&e.to_string()))?;
        let (at, now) = (about.at.unwrap_or(tick.at), about.now);
        self.last = sequence;
        if about.is_pushed {
            return Ok(Some(Entry { now, tick, at, frame: None }));
        }
        self.frame = frame;
        Ok(Some(Entry { now, tick, at, frame: Some(&self.frame) }))
    }
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
        let tick = tick(number);
        let mut entry = chain.encode(&tick, tick.at, &frame, UnixMillis(7));
        super::number(&mut entry, number);
        Found::new(entry)
    }

    #[test]
    fn a_chain_is_understood_and_much_shorter_than_its_frames() {
        let (mut chain, mut reader) = (Chain::default(), EntryReader::default());
        let mut lengths = Vec::new();
        for number in 1..100 {
            let found = found(&mut chain, number);
            lengths.push(found.0.len());
            let entry = reader.decode(&found).unwrap().unwrap();
            let tick = tick(number);
            assert_eq!((entry.now, entry.at, entry.tick), (UnixMillis(7), tick.at, &tick));
            assert_eq!(reader.decode(&found).unwrap(), None, "twice is once");
        }
        assert!(lengths[1] * 2 < lengths[0], "{lengths:?}");
    }

    #[test]
    fn a_missing_entry_costs_what_follows_up_to_one_on_its_own() {
        let each = usize::from(CHAIN);
        let count = 3 * each;
        for missing in 0..count {
            let (mut chain, mut reader) = (Chain::default(), EntryReader::default());
            let found: Vec<_> =
                (1..=count as u64).map(|number| found(&mut chain, number)).collect();
            let others = (0..count).filter(|&place| place != missing);
            let lost = others.filter(|&place| reader.decode(&found[place]).is_err()).count();
            assert_eq!(lost, each - 1 - missing % each, "without {missing}");
        }
    }

    #[test]
    fn a_time_that_was_put_in_place_of_the_ticks_own_is_read_back() {
        let (mut chain, mut reader) = (Chain::default(), EntryReader::default());
        for number in 1..5 {
            let (tick, mut frame) = (tick(number), Vec::new());
            kubemonitor_frame::encode(&tick, &mut frame);
            let mut entry = chain.encode(&tick, UnixMillis(4711), &frame, UnixMillis(7));
            super::number(&mut entry, number);
            let entry = Found::new(entry);
            let entry = reader.decode(&entry).unwrap().unwrap();
            assert_eq!((entry.at, entry.tick), (UnixMillis(4711), &tick));
        }
    }

    #[test]
    fn what_was_pushed_stands_between_the_entries_of_a_chain() {
        let (mut chain, mut reader) = (Chain::default(), EntryReader::default());
        let (one, three) = (found(&mut chain, 1), found(&mut chain, 3));
        let mut pushed = encode_pushed(&tick(9), UnixMillis(7));
        super::number(&mut pushed, 2);
        let pushed = Found::new(pushed);
        assert!(reader.decode(&one).is_ok());
        assert_eq!(reader.decode(&pushed).unwrap().unwrap().frame, None);
        let entry = reader.decode(&three).unwrap().unwrap();
        assert_eq!(entry.tick, &tick(3));
        assert_eq!(&kubemonitor_frame::decode(entry.frame.unwrap()).unwrap(), entry.tick);
    }
}
