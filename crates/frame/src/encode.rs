//! Ticks to bytes.

use kubemonitor_model::{EntityId, EntityKind, EntityRow, Tick};

use crate::{MAGIC, VERSION, head};

/// Appends the frame of a tick to `out`.
///
/// Rows may come in any order that [`Tick`] allows; the frame has them by kind. Nothing is checked
/// here: a tick beyond the limits this crate states, or one that breaks what `Tick` promises,
/// becomes a frame that [`decode`](crate::decode) refuses.
pub fn encode(tick: &Tick, out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.push(VERSION);
    text(out, tick.node.as_str());
    out.extend_from_slice(&tick.instance.to_le_bytes());
    out.extend_from_slice(&tick.at.0.to_le_bytes());
    number(out, tick.sequence);
    number(out, zigzag(tick.read_delay_us));
    number(out, tick.interval_ms);

    let pods = PodPlaces::of(tick);
    let count_at = out.len();
    out.push(0);
    for kind in EntityKind::ALL {
        if tick.rows.iter().any(|entity| entity.row.kind() == kind) {
            section(out, tick, kind, &pods);
            out[count_at] += 1;
        }
    }
}

/// The place among the frame's pods of each row that is a pod.
struct PodPlaces(Vec<u64>);

/// A place no frame has a pod at.
const NO_POD: u64 = u64::MAX;

impl PodPlaces {
    fn of(tick: &Tick) -> Self {
        let mut places = 0..;
        let place = |entity: &EntityRow| match entity.row.kind() {
            EntityKind::Pod => places.next().unwrap_or(NO_POD),
            _ => NO_POD,
        };
        Self(tick.rows.iter().map(place).collect())
    }

    fn get(&self, row: u32) -> u64 {
        usize::try_from(row).ok().and_then(|row| self.0.get(row)).copied().unwrap_or(NO_POD)
    }
}

fn section(out: &mut Vec<u8>, tick: &Tick, kind: EntityKind, pods: &PodPlaces) {
    let entities = || tick.rows.iter().filter(|entity| entity.row.kind() == kind);
    let columns = entities().fold(0, |columns, entity| columns | entity.row.present());

    out.push(kind as u8);
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    number(out, u64::from(columns.count_ones()));
    for column in bits(columns) {
        number(out, u64::from(kind.metrics()[column].wire_id()));
    }
    for entity in entities() {
        self::entity(out, entity, columns, pods);
    }

    let length = u32::try_from(out.len() - length_at - 4).unwrap_or(u32::MAX);
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}

fn entity(out: &mut Vec<u8>, entity: &EntityRow, columns: u64, pods: &PodPlaces) {
    let (form, bytes): (u8, &[u8]) = match &entity.id {
        EntityId::Uuid(bytes) => (head::UUID, bytes),
        EntityId::Hash(bytes) => (head::HASH, bytes),
        EntityId::Digest(bytes) => (head::DIGEST, bytes),
        EntityId::Text(text) => (head::TEXT, text.as_bytes()),
    };
    let mut first = form;
    first |= entity.qos.map_or(0, |class| (class as u8) << head::QOS_SHIFT);
    first |= if entity.newborn { head::NEWBORN } else { 0 };
    first |= if entity.parent.is_some() { head::HAS_PARENT } else { 0 };
    out.push(first);
    if form == head::TEXT {
        number(out, bytes.len() as u64);
    }
    out.extend_from_slice(bytes);
    if let Some(parent) = entity.parent {
        number(out, pods.get(parent));
    }

    let presence_at = out.len();
    let presence_len = columns.count_ones().div_ceil(8) as usize;
    let mut presence: u64 = 0;
    out.extend_from_slice(&presence.to_le_bytes()[..presence_len]);
    for (i, column) in bits(columns).enumerate() {
        if let Some(value) = entity.row.column(column) {
            presence |= 1 << i;
            number(out, value);
        }
    }
    out[presence_at..presence_at + presence_len]
        .copy_from_slice(&presence.to_le_bytes()[..presence_len]);
}

/// The places of the bits that are set, lowest first.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lowest)
    })
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Small numbers of either sign become small ones without: 0, -1, 1, -2, ...
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// LEB128, shortest form.
#[inline]
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
