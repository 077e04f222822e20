//! What a node's block holds on disk: the chunks that were closed together, and who they are of.

use kubemonitor_model::{EntityId, EntityKind, QosClass, UnixMillis};
use serde::{Deserialize, Serialize};

use super::DiskError;

/// Closed chunks of all entities of one node, and all that is needed to go on from there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Block {
    pub(crate) node: String,
    /// What the journal has up to here is in this block or in earlier ones.
    pub(crate) sequence: u64,
    pub(crate) newest_tick: Option<UnixMillis>,
    /// The collector's instance and its frame's number at the newest tick.
    pub(crate) newest_frame: (u64, u64),
    /// Rows after this that earlier blocks have are from a clock that was wrong.
    pub(crate) wrong_after: Option<UnixMillis>,
    pub(crate) interval_ms: u32,
    pub(crate) heard_at: UnixMillis,
    /// Ticks and how many microseconds after each one was read.
    pub(crate) read_times: Vec<(UnixMillis, u32)>,
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
    pub(crate) restarts: Vec<Restart>,
    pub(crate) chunks: Vec<StoredChunk>,
    /// Of rolled rows: gauges at their lowest, in the same buckets. Counters are absent.
    pub(crate) lows: Vec<StoredChunk>,
    /// The same at their highest.
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
    #[serde(with = "serde_bytes")]
    pub(crate) bytes: Vec<u8>,
}

/// Blocks of another version are of another program; what they hold cannot be read by this one.
const VERSION: u8 = 2;

impl Block {
    /// The block as a record.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, DiskError> {
        let plain = postcard::to_stdvec(self).map_err(|e| DiskError::Encode(e.to_string()))?;
        let mut record = vec![VERSION];
        record.extend_from_slice(&lz4_flex::block::compress_prepend_size(&plain));
        Ok(record)
    }

    /// The block of a record.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, DiskError> {
        let Some((&VERSION, packed)) = record.split_first() else {
            return Err(DiskError::Decode("a block of another version".to_owned()));
        };
        let plain = lz4_flex::block::decompress_size_prepended(packed)
            .map_err(|e| DiskError::Decode(e.to_string()))?;
        postcard::from_bytes(&plain).map_err(|e| DiskError::Decode(e.to_string()))
    }
}
