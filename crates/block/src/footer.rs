//! What a block holds and where: read first, kept small.

use std::ops::Range;

use kubemonitor_model::{EntityId, EntityKind, UnixMillis};

use crate::{
    Aspect, BlockError, Column, ColumnKey,
    bytes::{Input, put_count, put_varint},
    runs::Runs,
    ticks,
};

/// The format that this program writes and reads.
pub const VERSION: u16 = 1;

const MAGIC: [u8; 6] = *b"KMBLCK";

/// Bytes of the trailer, which ends every block.
pub const TRAILER_BYTES: usize = 16;

const PART: &str = "footer";

/// The end of a block: says that it is one, and where its footer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    footer_length: u32,
    checksum: u32,
}

impl Trailer {
    /// The trailer of a footer.
    ///
    /// # Errors
    /// If the footer is longer than the format can say.
    pub fn of(footer: &[u8]) -> Result<Self, BlockError> {
        let footer_length = u32::try_from(footer.len())
            .map_err(|_| BlockError::TooLarge { what: "a footer of 4 GiB" })?;
        Ok(Self { footer_length, checksum: crc32fast::hash(footer) })
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.footer_length.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&MAGIC);
    }

    /// Reads the last bytes of a block.
    ///
    /// # Errors
    /// If they are no block's, or that of another version.
    pub fn decode(bytes: [u8; TRAILER_BYTES]) -> Result<Self, BlockError> {
        let mut input = Input::new(&bytes);
        let fields = (input.array(), input.array(), input.array(), input.array::<6>());
        let (Some(length), Some(checksum), Some(version), Some(magic)) = fields else {
            return Err(BlockError::NoBlock);
        };
        if magic != MAGIC {
            return Err(BlockError::NoBlock);
        }
        let found = u16::from_le_bytes(version);
        if found != VERSION {
            return Err(BlockError::Version { found, supported: VERSION });
        }
        Ok(Self {
            footer_length: u32::from_le_bytes(length),
            checksum: u32::from_le_bytes(checksum),
        })
    }

    /// Where the footer lies in a block of so many bytes, the trailer included.
    ///
    /// # Errors
    /// If the block is too short for it.
    pub fn footer(self, block_bytes: u64) -> Result<Range<u64>, BlockError> {
        let end = block_bytes.checked_sub(TRAILER_BYTES as u64);
        let range = end.and_then(|end| Some(end.checked_sub(u64::from(self.footer_length))?..end));
        range.ok_or(BlockError::Malformed { part: PART, what: "the block is shorter than it says" })
    }
}

/// Where a column lies in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnPlace {
    /// The first byte.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
    pub(crate) checksum: u32,
}

/// A series of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// What it is.
    pub kind: EntityKind,
    /// Who it is.
    pub id: EntityId,
    /// The ticks, by their number in the block, at which it has rows.
    pub rows: Runs,
    /// What else the writer had to say of it; this crate does not look at it.
    pub attributes: Vec<u8>,
}

/// What a block holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// The times of all rows, ascending.
    pub ticks: Vec<UnixMillis>,
    /// All series, those of one kind together.
    pub series: Vec<Series>,
    /// What else the writer had to say of the block; this crate does not look at it.
    pub attributes: Vec<u8>,
    pub(crate) columns: Vec<(ColumnKey, ColumnPlace)>,
}

impl Footer {
    /// Reads a footer whose place a [`Trailer`] told.
    ///
    /// # Errors
    /// If its checksum does not fit, or it says what cannot be.
    pub fn decode(bytes: &[u8], trailer: Trailer) -> Result<Self, BlockError> {
        if bytes.len() != trailer.footer_length as usize
            || crc32fast::hash(bytes) != trailer.checksum
        {
            return Err(BlockError::Checksum { part: PART });
        }
        let mut input = Input::new(bytes);
        let footer = Self::parse(&mut input).filter(|_| input.is_empty());
        footer.ok_or(BlockError::Malformed { part: PART, what: "it says what cannot be" })
    }

    /// Reads the footer of a block that is in memory as a whole.
    ///
    /// # Errors
    /// If the block is damaged or of another version.
    pub fn of_block(block: &[u8]) -> Result<Self, BlockError> {
        let trailer = Trailer::decode(*block.last_chunk().ok_or(BlockError::NoBlock)?)?;
        let range = trailer.footer(block.len() as u64)?;
        // It is within a slice.
        let range = usize::try_from(range.start).unwrap_or(0)..block.len() - TRAILER_BYTES;
        Self::decode(block.get(range).unwrap_or_default(), trailer)
    }

    fn parse(input: &mut Input<'_>) -> Option<Self> {
        let ticks = ticks::decode(input)?;
        let limit = u32::try_from(ticks.len()).ok()?;
        let length = input.count()?;
        let attributes = input.take(length)?.to_vec();
        let mut series = Vec::new();
        for _ in 0..input.count()? {
            let kind = EntityKind::from_wire(input.byte()?)?;
            let id = decode_id(input)?;
            let mut rows = Runs::default();
            rows.decode(input, limit)?;
            let length = input.count()?;
            series.push(Series { kind, id, rows, attributes: input.take(length)?.to_vec() });
        }
        let (mut columns, mut offset) = (Vec::new(), 0_u64);
        for _ in 0..input.count()? {
            let kind = EntityKind::from_wire(input.byte()?)?;
            let wire_id = u16::try_from(input.varint()?).ok()?;
            let aspect = *Aspect::ALL.get(usize::from(input.byte()?))?;
            let length = input.varint()?;
            let checksum = u32::from_le_bytes(input.array()?);
            let place = ColumnPlace { offset, length, checksum };
            columns.push((ColumnKey { kind, wire_id, aspect }, place));
            offset = offset.checked_add(length)?;
        }
        Some(Self { ticks, series, attributes, columns })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), BlockError> {
        ticks::encode(&self.ticks, out)?;
        put_count(out, self.attributes.len());
        out.extend_from_slice(&self.attributes);
        put_count(out, self.series.len());
        for series in &self.series {
            out.push(series.kind as u8);
            encode_id(&series.id, out);
            series.rows.encode(out);
            put_count(out, series.attributes.len());
            out.extend_from_slice(&series.attributes);
        }
        put_count(out, self.columns.len());
        for (key, place) in &self.columns {
            out.push(key.kind as u8);
            put_varint(out, u64::from(key.wire_id));
            out.push(key.aspect as u8);
            put_varint(out, place.length);
            out.extend_from_slice(&place.checksum.to_le_bytes());
        }
        Ok(())
    }

    /// The series of a kind, in the order of their pages.
    pub fn of_kind(&self, kind: EntityKind) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(move |series| series.kind == kind)
    }

    /// A series, and its place among those of its kind.
    pub fn find(&self, kind: EntityKind, id: &EntityId) -> Option<(usize, &Series)> {
        self.of_kind(kind).enumerate().find(|(_, series)| series.id == *id)
    }

    /// The columns there are.
    pub fn columns(&self) -> impl Iterator<Item = ColumnKey> {
        self.columns.iter().map(|(key, _)| *key)
    }

    /// Where a column lies in the block; `None` where no series has any value of it.
    pub fn place(&self, key: ColumnKey) -> Option<ColumnPlace> {
        self.columns.iter().find(|(found, _)| *found == key).map(|(_, place)| *place)
    }

    /// The column in the bytes that lie at its place.
    ///
    /// # Errors
    /// If its checksum does not fit.
    pub fn column<'a>(&self, key: ColumnKey, bytes: &'a [u8]) -> Result<Column<'a>, BlockError> {
        let part = "column";
        let place = self.place(key).ok_or(BlockError::Malformed { part, what: "there is none" })?;
        if bytes.len() as u64 != place.length || crc32fast::hash(bytes) != place.checksum {
            return Err(BlockError::Checksum { part });
        }
        Column::open(bytes, self.of_kind(key.kind).count())
    }

    /// The column, of a block that is in memory as a whole; `None` where no series has any value of it.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn column_of<'a>(
        &self,
        key: ColumnKey,
        block: &'a [u8],
    ) -> Result<Option<Column<'a>>, BlockError> {
        let Some(ColumnPlace { offset, length, .. }) = self.place(key) else { return Ok(None) };
        let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
        let bytes = range.and_then(|(offset, length)| block.get(offset..)?.get(..length));
        self.column(key, bytes.unwrap_or_default()).map(Some)
    }
}

const UUID: u8 = 0;
const HASH: u8 = 1;
const DIGEST: u8 = 2;
const TEXT: u8 = 3;

fn encode_id(id: &EntityId, out: &mut Vec<u8>) {
    match id {
        EntityId::Uuid(bytes) => {
            out.push(UUID);
            out.extend_from_slice(bytes);
        }
        EntityId::Hash(bytes) => {
            out.push(HASH);
            out.extend_from_slice(bytes);
        }
        EntityId::Digest(bytes) => {
            out.push(DIGEST);
            out.extend_from_slice(bytes);
        }
        EntityId::Text(text) => {
            out.push(TEXT);
            put_count(out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn decode_id(input: &mut Input<'_>) -> Option<EntityId> {
    Some(match input.byte()? {
        UUID => EntityId::Uuid(input.array()?),
        HASH => EntityId::Hash(input.array()?),
        DIGEST => EntityId::Digest(input.array()?),
        TEXT => {
            let length = input.count()?;
            EntityId::Text(std::str::from_utf8(input.take(length)?).ok()?.into())
        }
        _ => return None,
    })
}
