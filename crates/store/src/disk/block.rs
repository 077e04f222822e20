//! What a node's block holds on disk: the chunks that were closed together, and who they are of.

use kubemonitor_model::{EntityId, EntityKind, QosClass, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{DiskError, unpacked};
use crate::clock::ReadTime;

/// Closed chunks of all entities of one node, and all that is needed to go on from there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Block {
    #[serde(skip)]
    pub(crate) node: String,
    /// What the journal has up to here is in this block or in earlier ones.
    pub(crate) sequence: u64,
    pub(crate) newest_tick: Option<UnixMillis>,
    /// The collector's instance and its frame's number at the newest tick.
    pub(crate) newest_frame: Option<(u64, u64)>,
    /// Rows after this that earlier blocks have are from clocks that were wrong.
    pub(crate) wrong_after: Option<UnixMillis>,
    pub(crate) interval_ms: u32,
    pub(crate) heard_at: UnixMillis,
    /// When its ticks were truly read; of rolled rows, the last tick of each bucket.
    pub(crate) read_times: Vec<ReadTime>,
    pub(crate) series: Vec<StoredSeries>,
}

/// One entity in a block.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredSeries {
    pub(crate) kind: EntityKind,
    pub(crate) id: EntityId,
    pub(crate) parent: Option<EntityId>,
    pub(crate) qos: Option<QosClass>,
    pub(crate) first_at: UnixMillis,
    pub(crate) birth_step_ms: u32,
    pub(crate) heard_at: UnixMillis,
    pub(crate) pushed: bool,
    /// Columns that any of its rows has had.
    pub(crate) ever_present: u64,
    pub(crate) restarts: Vec<Restart>,
    pub(crate) chunks: Vec<StoredChunk>,
    /// Of rolled rows: gauges at their lowest, in the same buckets. Counters are absent.
    pub(crate) lows: Vec<StoredChunk>,
    /// Of rolled rows: gauges at their highest.
    pub(crate) highs: Vec<StoredChunk>,
}

/// A counter that started anew: from here on `added` makes up for what it had counted before.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Restart {
    pub(crate) at: UnixMillis,
    pub(crate) column: u8,
    pub(crate) added: u64,
}

/// A chunk in a block. Columns are those of the catalogue's wire ids in the log's format version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredChunk {
    pub(crate) first: UnixMillis,
    pub(crate) last: UnixMillis,
    pub(crate) step_ms: u32,
    pub(crate) rows: u16,
    pub(crate) length: u32,
    pub(crate) checksum: u32,
    /// Behind the head of the block, in the order of the chunks in there.
    #[serde(skip)]
    pub(crate) bytes: Vec<u8>,
}

/// Blocks of another version are of another program; what they hold cannot be read by this one.
const VERSION: u8 = 6;

/// Bytes before the head: version, the head's length, its checksum.
pub(crate) const PREFIX: usize = 9;

/// A block as a record:
///
/// ```text
/// record := version (1) length of the head (u32 LE) crc32 of the head (u32 LE) head bodies
/// head   := length of the node's name (1) the name rest
/// rest   := the block in postcard, compressed, without the node and the bytes of its chunks
/// bodies := the bytes of its chunks, one after the other
/// ```
#[derive(Debug)]
pub(crate) struct EncodedBlock {
    pub(crate) record: Vec<u8>,
    /// Where in the record the bodies begin.
    pub(crate) bodies_at: u32,
}

impl Block {
    /// The block as a record.
    pub(crate) fn encode(&self) -> Result<EncodedBlock, DiskError> {
        let plain = postcard::to_stdvec(self).map_err(|e| DiskError::Encode(e.to_string()))?;
        // Names of nodes have at most 253 bytes.
        let name = self.node.as_bytes();
        let mut head = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
        head.extend_from_slice(name);
        head.extend_from_slice(&lz4_flex::block::compress_prepend_size(&plain));
        let too_long = |_| DiskError::Length { length: head.len() };
        let mut record = vec![VERSION];
        record.extend_from_slice(&u32::try_from(head.len()).map_err(too_long)?.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
        record.extend_from_slice(&head);
        let bodies_at = u32::try_from(record.len()).map_err(too_long)?;
        for chunk in self.series.iter().flat_map(StoredSeries::all_chunks) {
            record.extend_from_slice(&chunk.bytes);
        }
        Ok(EncodedBlock { record, bodies_at })
    }

    /// The block of a record.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, DiskError> {
        let length = head_length(record)?;
        let (head, mut bodies) = record
            .split_at_checked(PREFIX + length)
            .ok_or_else(|| DiskError::Decode("a block that ends early".to_owned()))?;
        let mut block = Self::decode_head(head)?;
        for chunk in block.series.iter_mut().flat_map(StoredSeries::all_chunks_mut) {
            let (body, rest) = bodies
                .split_at_checked(chunk.length as usize)
                .filter(|(body, _)| crc32fast::hash(body) == chunk.checksum)
                .ok_or_else(|| DiskError::Decode("a broken block".to_owned()))?;
            chunk.bytes = body.to_vec();
            bodies = rest;
        }
        Ok(block)
    }

    /// The block of a record of which only the head was read: its chunks have no bytes.
    pub(crate) fn decode_head(record: &[u8]) -> Result<Self, DiskError> {
        let broken = || DiskError::Decode("a block with a broken head".to_owned());
        let length = head_length(record)?;
        let checksum = record.get(5..PREFIX).and_then(|c| c.try_into().ok()).ok_or_else(broken)?;
        let head = record.get(PREFIX..PREFIX + length).ok_or_else(broken)?;
        if crc32fast::hash(head) != u32::from_le_bytes(checksum) {
            return Err(broken());
        }
        let (node, rest) = name_and_rest(head).ok_or_else(broken)?;
        let plain = unpacked(rest, &[])?;
        let block: Self =
            postcard::from_bytes(&plain).map_err(|e| DiskError::Decode(e.to_string()))?;
        Ok(Self { node: node.to_owned(), ..block })
    }
}

#[cfg(fuzzing)]
impl Block {
    /// The block of a head that is not compressed, each of whose chunks has the same few bytes.
    pub(crate) fn of_plain_head(plain: &[u8]) -> Result<Self, DiskError> {
        let mut block: Self =
            postcard::from_bytes(plain).map_err(|e| DiskError::Decode(e.to_string()))?;
        let bytes = &plain[..plain.len().min(200)];
        for chunk in block.series.iter_mut().flat_map(StoredSeries::all_chunks_mut) {
            chunk.bytes = bytes.to_vec();
        }
        Ok(block)
    }
}

/// The node's name, as a record's first bytes tell; whether they are whole is not known.
pub(crate) fn node_of(record: &[u8]) -> Result<&str, DiskError> {
    let head = record.get(PREFIX..).and_then(name_and_rest);
    Ok(head.ok_or_else(|| DiskError::Decode("a block without a node".to_owned()))?.0)
}

fn name_and_rest(head: &[u8]) -> Option<(&str, &[u8])> {
    let (&length, rest) = head.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(length))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

/// The length of a record's head, the prefix left out.
pub(crate) fn head_length(record: &[u8]) -> Result<usize, DiskError> {
    match record.split_first() {
        Some((&VERSION, rest)) => rest
            .first_chunk()
            .map(|length| u32::from_le_bytes(*length) as usize)
            .ok_or_else(|| DiskError::Decode("a block that ends early".to_owned())),
        _ => Err(DiskError::Decode("a block of another version".to_owned())),
    }
}

impl StoredSeries {
    fn all_chunks(&self) -> impl Iterator<Item = &StoredChunk> {
        self.chunks.iter().chain(&self.lows).chain(&self.highs)
    }

    fn all_chunks_mut(&mut self) -> impl Iterator<Item = &mut StoredChunk> {
        self.chunks.iter_mut().chain(&mut self.lows).chain(&mut self.highs)
    }
}
