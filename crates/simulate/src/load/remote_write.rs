//! Ticks as Prometheus' remote write has them, for other stores to take the same samples.
//!
//! The messages of version 1 are three levels of `field length bytes`, written here by hand:
//! `WriteRequest { 1: TimeSeries { 1: Label { 1: name, 2: value }, 2: Sample { 1: f64, 2: i64 } } }`.

use kubemonitor_model::{EntityId, EntityKind, Metric, Tick};

/// Lengths of messages of up to 127 and of up to 16,383 bytes take one and two bytes.
const VARINT_BYTES: usize = 10;

/// A tick as the compressed body of a request.
pub(super) fn encode(tick: &Tick) -> Vec<u8> {
    let mut request = Vec::with_capacity(1 << 19);
    let (mut series, mut labels) = (Vec::new(), Vec::new());
    for entity in &tick.rows {
        let kind = entity.row.kind();
        let parent = entity.parent.and_then(|pod| tick.rows.get(pod as usize)).map(|pod| &pod.id);
        labels.clear();
        // Sorted by name, as they have to be; upper-case and `_` come first.
        if kind == EntityKind::Container {
            label(&mut labels, "container", &entity.id.to_string());
        }
        label(&mut labels, "node", tick.node.as_str());
        if let Some(pod) = pod_of(kind, &entity.id, parent) {
            label(&mut labels, "pod", &pod.to_string());
        }
        for &metric in kind.metrics() {
            let Some(value) = entity.row.get(metric) else { continue };
            series.clear();
            label(&mut series, "__name__", name(metric, kind));
            series.extend_from_slice(&labels);
            sample(&mut series, value, tick.at.0);
            field(&mut request, 1, &series);
        }
    }
    snap::raw::Encoder::new().compress_vec(&request).expect("a tick takes less than 4 GiB")
}

fn pod_of<'a>(
    kind: EntityKind,
    id: &'a EntityId,
    parent: Option<&'a EntityId>,
) -> Option<&'a EntityId> {
    if kind == EntityKind::Pod { Some(id) } else { parent }
}

fn name(metric: Metric, kind: EntityKind) -> &'static str {
    metric.prometheus_name(kind).unwrap_or(metric.name())
}

/// Field 1 of a series: a label.
fn label(out: &mut Vec<u8>, name: &str, value: &str) {
    let length = name.len() + value.len() + 2 + varint_len(name.len()) + varint_len(value.len());
    out.push(1 << 3 | 2);
    varint(out, length as u64);
    field(out, 1, name.as_bytes());
    field(out, 2, value.as_bytes());
}

/// Field 2 of a series: a sample.
fn sample(out: &mut Vec<u8>, value: u64, at: i64) {
    let at = at.cast_unsigned();
    let mut message = [0; 9 + 1 + VARINT_BYTES];
    message[0] = 1 << 3 | 1;
    message[1..9].copy_from_slice(&(value as f64).to_le_bytes());
    out.push(2 << 3 | 2);
    varint(out, (10 + varint_len(usize::try_from(at).unwrap_or(usize::MAX))) as u64);
    out.extend_from_slice(&message[..9]);
    out.push(2 << 3);
    varint(out, at);
}

/// A field that has a length.
fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn varint_len(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kubemonitor_model::UnixMillis;

    use super::*;
    use crate::fleet::{Fleet, Shape, empty_tick};

    /// The fields of a message: number, and bytes or a value.
    fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let number = |bytes: &mut &[u8]| {
            let (mut value, mut shift) = (0_usize, 0);
            loop {
                let (&first, rest) = bytes.split_first().unwrap();
                *bytes = rest;
                value |= usize::from(first & 0x7f) << shift;
                shift += 7;
                if first < 0x80 {
                    return value;
                }
            }
        };
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = number(&mut bytes);
            let value = match tag & 7 {
                0 => number(&mut bytes).to_le_bytes().to_vec(),
                1 => bytes.split_off(..8).unwrap().to_vec(),
                2 => {
                    let length = number(&mut bytes);
                    bytes.split_off(..length).unwrap().to_vec()
                }
                other => panic!("wire type {other}"),
            };
            fields.push((u8::try_from(tag >> 3).unwrap(), value));
        }
        fields
    }

    #[test]
    fn every_sample_of_a_tick_is_a_series_with_sorted_labels_of_its_own() {
        let mut fleet = Fleet::new(Shape { nodes: 1, pods: 3, ..Shape::default() }).unwrap();
        let mut tick = empty_tick();
        fleet.nodes()[0].measure(UnixMillis(1_700_000_000_000), &mut tick);
        let request = snap::raw::Decoder::new().decompress_vec(&encode(&tick)).unwrap();
        let samples: u32 = tick.rows.iter().map(|row| row.row.present().count_ones()).sum();
        let series = fields(&request);
        assert_eq!(series.len(), samples as usize);
        let mut seen = HashSet::new();
        for (_, series) in series {
            let mut parts = fields(&series);
            let (number, sample) = parts.pop().unwrap();
            let sample = fields(&sample);
            assert_eq!((number, sample.len()), (2, 2));
            assert_eq!(sample[1].1, 1_700_000_000_000_usize.to_le_bytes());
            let labels: Vec<_> = parts.iter().map(|(_, label)| fields(label)).collect();
            assert!(labels.is_sorted_by(|one, next| one[0].1 < next[0].1));
            assert!(seen.insert(labels), "a series of its own");
        }
    }
}
