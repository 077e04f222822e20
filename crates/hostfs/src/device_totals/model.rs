//! The totals against a model that forgets nothing, over any sequence of readings.

use std::collections::HashMap;

use proptest::prelude::*;

use super::DeviceTotals;

/// What happens to a device from one reading to the next.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It does this much more.
    Works(u64, u64),
    /// It does this much, and is not listed.
    Away(u64, u64),
    /// It is listed, and begins at 0 to do this much.
    Restarts(u64, u64),
    /// Zeros are shown for it.
    Zeros,
    /// Its line was cut after the first counter.
    Torn(u64),
    /// It does this much, and does not count.
    Ignored(u64, u64),
}

fn events() -> impl Strategy<Value = Vec<[Event; 4]>> {
    let amount = || prop_oneof![3 => 0..5_u64, 1 => 0..2_000_000_000_000_u64];
    let event = prop_oneof![
        4 => (amount(), amount()).prop_map(|(a, b)| Event::Works(a, b)),
        2 => (amount(), amount()).prop_map(|(a, b)| Event::Away(a, b)),
        1 => (amount(), amount()).prop_map(|(a, b)| Event::Restarts(a, b)),
        1 => Just(Event::Zeros),
        1 => amount().prop_map(Event::Torn),
        1 => (amount(), amount()).prop_map(|(a, b)| Event::Ignored(a, b)),
    ];
    prop::collection::vec(prop::array::uniform4(event), 1..60)
}

/// The totals as one would have them: every device is remembered for ever.
#[derive(Default)]
struct Naive {
    last: HashMap<usize, [u64; 2]>,
    totals: [u64; 2],
}

impl Naive {
    fn see(&mut self, key: usize, shown: [Option<u64>; 2], counts: bool) {
        let last = *self.last.entry(key).or_insert([0; 2]);
        let fell = |place: usize| shown[place].is_some_and(|now| now < last[place]);
        let uses = |place: usize| shown[place].is_some() && last[place] > 0;
        let count = |what: &dyn Fn(usize) -> bool| (0..2).filter(|&place| what(place)).count();
        if count(&fell) > 0 && shown.iter().flatten().all(|&now| now == 0) {
            return;
        }
        let restarted = count(&fell) > 0 && 2 * count(&fell) >= count(&uses);
        for place in 0..2 {
            let base = if restarted || fell(place) { 0 } else { last[place] };
            let kept = if restarted { 0 } else { last[place] };
            if counts {
                self.totals[place] += shown[place].map_or(0, |now| now - base);
            }
            self.last.get_mut(&key).unwrap()[place] = shown[place].unwrap_or(kept);
        }
    }
}

proptest! {
    #[test]
    fn totals_are_those_of_a_model_that_forgets_nothing(readings in events()) {
        let (mut totals, mut naive) = (DeviceTotals::<Vec<u8>, 2>::default(), Naive::default());
        let (mut truth, mut before) = ([[0_u64; 2]; 4], [0; 2]);
        for reading in readings {
            totals.begin();
            // The order in which devices are listed may change as well.
            let order = if before[0] % 2 == 0 { [0, 1, 2, 3] } else { [3, 1, 0, 2] };
            for key in order {
                let device = &mut truth[key];
                let mut add = |a, b| { device[0] += a; device[1] += b; };
                let (listed, counts) = match reading[key] {
                    Event::Works(a, b) => { add(a, b); (device.map(Some), true) }
                    Event::Away(a, b) => { add(a, b); continue; }
                    Event::Restarts(a, b) => { *device = [a, b]; (device.map(Some), true) }
                    Event::Zeros => ([Some(0); 2], true),
                    Event::Torn(a) => { add(a, 0); ([Some(device[0]), None], true) }
                    Event::Ignored(a, b) => { add(a, b); (device.map(Some), false) }
                };
                totals.see(format!("eth{key}").as_bytes(), listed, counts);
                naive.see(key, listed, counts);
            }
            prop_assert_eq!(totals.totals(), naive.totals);
            prop_assert!(totals.totals().iter().zip(before).all(|(now, before)| *now >= before));
            before = totals.totals();
        }
    }

    #[test]
    fn without_restarts_nothing_is_lost_and_nothing_counts_twice(readings in events()) {
        let mut totals = DeviceTotals::<usize, 2>::default();
        let mut truth = [[0_u64; 2]; 4];
        for reading in readings {
            totals.begin();
            for (key, event) in reading.into_iter().enumerate() {
                let (Event::Works(a, b) | Event::Away(a, b) | Event::Restarts(a, b)
                    | Event::Ignored(a, b)) = event else { continue };
                truth[key][0] += a;
                truth[key][1] += b;
                if !matches!(event, Event::Away(..)) {
                    totals.see(&key, truth[key].map(Some), true);
                }
            }
        }
        totals.begin();
        for (key, device) in truth.iter().enumerate() {
            totals.see(&key, device.map(Some), true);
        }
        let sum = |place: usize| truth.iter().map(|device| device[place]).sum::<u64>();
        prop_assert_eq!(totals.totals(), [sum(0), sum(1)]);
    }
}
