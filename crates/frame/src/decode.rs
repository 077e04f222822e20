//! Bytes to ticks, whoever wrote them.

use std::ops::Range;

use hashbrown::HashSet;
use kubemonitor_model::{
    EntityId, EntityKind, EntityRow, Metric, NodeName, QosClass, Row, Tick, UnixMillis,
};

use crate::{
    FrameError, MAGIC, MAX_ENTITIES, MAX_FRAME_BYTES, MAX_SECTION_COLUMNS, Problem, VERSION,
    cursor::Cursor, head,
};

/// The tick a frame carries.
///
/// Survives any bytes: memory is taken for what is there and never for what a count claims, and
/// stays below 12 MiB. Kinds and metrics this build does not know are passed over.
pub fn decode(bytes: &[u8]) -> Result<Tick, FrameError> {
    read(bytes, Vec::new())
}

/// Reads frames one after the other into the same memory: a tick is large, and whoever reads a
/// thousand a second spends a tenth of the time on giving back and taking anew what it was in.
#[derive(Debug, Default)]
pub struct Decoder {
    last: Option<Tick>,
}

/// Rows whose memory is kept for the next tick: as many as the largest nodes have.
const KEPT_ROWS: usize = 1024;

impl Decoder {
    /// The tick a frame carries, as from [`decode`].
    pub fn decode(&mut self, bytes: &[u8]) -> Result<&Tick, FrameError> {
        let mut rows = self.last.take().map(|tick| tick.rows).unwrap_or_default();
        rows.clear();
        rows.shrink_to(KEPT_ROWS);
        Ok(self.last.insert(read(bytes, rows)?))
    }
}

/// Reads a frame; its rows go into `rows`, which are none.
fn read(bytes: &[u8], rows: Vec<EntityRow>) -> Result<Tick, FrameError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(Problem::FrameTooLong(bytes.len()).at(MAX_FRAME_BYTES));
    }
    let mut cursor = Cursor::new(bytes);
    let mut tick = prologue(&mut cursor)?;
    let mut sections = Sections { rows, pods: 0..0 };
    let mut previous_kind = None;
    for _ in 0..cursor.byte()? {
        let start = cursor.offset();
        let number = cursor.byte()?;
        if previous_kind.is_some_and(|previous| number <= previous) {
            return Err(Problem::SectionOrder(number).at(start));
        }
        previous_kind = Some(number);
        let len = u32::from_le_bytes(cursor.array()?);
        let mut section = cursor.split(usize::try_from(len).unwrap_or(usize::MAX))?;
        if let Some(kind) = EntityKind::from_wire(number) {
            sections.read(&mut section, kind, &tick.node)?;
        }
    }
    if cursor.left() > 0 {
        return Err(cursor.error(Problem::Trailing(cursor.left())));
    }
    tick.rows = sections.rows;
    Ok(tick)
}

/// All that comes before the sections.
fn prologue(cursor: &mut Cursor<'_>) -> Result<Tick, FrameError> {
    if !cursor.array().is_ok_and(|magic| magic == MAGIC) {
        return Err(Problem::NotAFrame.at(0));
    }
    let version = cursor.byte()?;
    if version != VERSION {
        return Err(Problem::UnknownVersion(version).at(MAGIC.len()));
    }
    let name_at = cursor.offset();
    let node: NodeName =
        cursor.text()?.parse().map_err(|error| Problem::NodeName(error).at(name_at))?;
    Ok(Tick {
        node,
        instance: u64::from_le_bytes(cursor.array()?),
        at: UnixMillis(i64::from_le_bytes(cursor.array()?)),
        sequence: cursor.number()?,
        read_delay_us: cursor.signed()?,
        interval_ms: cursor.number()?,
        rows: Vec::new(),
    })
}

/// Rows that memory is taken for before they were read.
const USUAL_ENTITIES: usize = 128;

/// The rows read so far, and which of them are the pods.
struct Sections {
    rows: Vec<EntityRow>,
    pods: Range<usize>,
}

impl Sections {
    fn read(
        &mut self,
        section: &mut Cursor<'_>,
        kind: EntityKind,
        node: &NodeName,
    ) -> Result<(), FrameError> {
        let start = section.offset();
        let first_row = self.rows.len();
        let columns = Columns::read(section, kind)?;
        // As many as the bytes have room for, and no more than there are in most frames.
        let usual = USUAL_ENTITIES.saturating_sub(first_row);
        self.rows.reserve((section.left() / columns.least_bytes()).min(usual));
        while section.left() > 0 {
            if self.rows.len() == MAX_ENTITIES {
                return Err(section.error(Problem::TooManyEntities));
            }
            let entity = self.entity(section, kind, &columns)?;
            self.rows.push(entity);
        }

        let rows = &self.rows[first_row..];
        let mut seen = HashSet::with_capacity(rows.len());
        for EntityRow { id, .. } in rows {
            if !seen.insert(id) {
                return Err(Problem::EntityTwice { kind, id: id.clone() }.at(start));
            }
        }
        match kind {
            EntityKind::Pod => self.pods = first_row..self.rows.len(),
            EntityKind::Node => {
                let own = EntityId::parse(node.as_str());
                if let Some(other) = rows.iter().find(|entity| entity.id != own) {
                    return Err(Problem::OtherNode(other.id.clone()).at(start));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn entity(
        &self,
        section: &mut Cursor<'_>,
        kind: EntityKind,
        columns: &Columns,
    ) -> Result<EntityRow, FrameError> {
        let start = section.offset();
        let first = section.byte()?;
        let fits = first & head::RESERVED == 0
            && (first & head::QOS == 0 || kind == EntityKind::Pod)
            && (first & head::HAS_PARENT == 0 || kind == EntityKind::Container);
        if !fits {
            return Err(Problem::Head { head: first, kind }.at(start));
        }
        let id = match first & head::FORM {
            head::UUID => EntityId::Uuid(section.array()?),
            head::HASH => EntityId::Hash(section.array()?),
            head::DIGEST => EntityId::Digest(section.array()?),
            // A text that has one of the compact forms means the same entity.
            _ => EntityId::parse(section.text()?),
        };
        let parent = match first & head::HAS_PARENT {
            0 => None,
            _ => Some(self.pod(section)?),
        };
        Ok(EntityRow {
            id,
            parent,
            qos: QosClass::from_wire((first & head::QOS) >> head::QOS_SHIFT),
            newborn: first & head::NEWBORN != 0,
            row: columns.row(section, kind)?,
        })
    }

    /// The row of the pod whose place among the pods comes next.
    fn pod(&self, section: &mut Cursor<'_>) -> Result<u32, FrameError> {
        let start = section.offset();
        let place = section.number()?;
        usize::try_from(place)
            .ok()
            .and_then(|place| self.pods.clone().nth(place))
            .and_then(|row| u32::try_from(row).ok())
            .ok_or(Problem::NoSuchPod(place).at(start))
    }
}

/// The columns of a section: for each, its place in rows of the kind, if the kind has it here.
struct Columns {
    places: [Option<u8>; MAX_SECTION_COLUMNS],
    len: usize,
}

impl Columns {
    /// The fewest bytes an entity takes with an identity of some length and all columns present.
    fn least_bytes(&self) -> usize {
        17 + self.len + self.len.div_ceil(8)
    }

    fn read(section: &mut Cursor<'_>, kind: EntityKind) -> Result<Self, FrameError> {
        let start = section.offset();
        let count = section.number()?;
        let len = usize::try_from(count)
            .ok()
            .filter(|&len| len <= MAX_SECTION_COLUMNS)
            .ok_or(Problem::TooManyColumns(count).at(start))?;
        let mut columns = Self { places: [None; MAX_SECTION_COLUMNS], len };
        let mut seen: u64 = 0;
        for place in &mut columns.places[..len] {
            let start = section.offset();
            let Some(metric) = Metric::from_wire_id(section.number()?) else { continue };
            let Some(column) = kind.column(metric) else { continue };
            if seen >> column & 1 == 1 {
                return Err(Problem::ColumnTwice(metric).at(start));
            }
            seen |= 1 << column;
            *place = u8::try_from(column).ok();
        }
        Ok(columns)
    }

    fn row(&self, section: &mut Cursor<'_>, kind: EntityKind) -> Result<Row, FrameError> {
        let start = section.offset();
        let presence = section.take(self.len.div_ceil(8))?;
        let is_present = |i: usize| presence[i / 8] >> (i % 8) & 1 == 1;
        if (self.len..presence.len() * 8).any(is_present) {
            return Err(Problem::PresenceBits.at(start));
        }
        let mut row = Row::new(kind);
        for (i, place) in self.places[..self.len].iter().enumerate() {
            if !is_present(i) {
                continue;
            }
            let value = section.number()?;
            if let Some(column) = place {
                row.set_column(usize::from(*column), Some(value));
            }
        }
        Ok(row)
    }
}
