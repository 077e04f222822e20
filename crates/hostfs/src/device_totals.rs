//! Sums over devices of counters that only rise: disks, network interfaces.
//!
//! Adding up what a kernel file lists at the moment goes wrong whenever the list changes: a card
//! that is away for a second takes its past out of the sum, and puts it back when it returns. So
//! what is added up is what each device did from one reading to the next.

use std::borrow::Borrow;

/// How many devices that are listed no more are remembered. Those that are listed always are.
const AWAY: usize = 64;

/// Totals of `N` counters over devices that are told apart by a `K`. They never fall.
///
/// The first reading, and each device that is new at a later one, counts from 0, so that the totals
/// are the sum of the kernel's own counters as long as no device leaves or restarts. A device that
/// is not listed adds nothing; when it is back it adds what is new, or all that it shows if it has
/// restarted meanwhile.
#[derive(Debug)]
pub(crate) struct DeviceTotals<K, const N: usize> {
    totals: [u64; N],
    devices: Vec<Device<K, N>>,
    /// The number of this reading.
    reading: u32,
    /// Where the next device most likely is: the kernel lists them in the same order each time.
    expected: usize,
    /// A device counted at this reading.
    any_counted: bool,
}

#[derive(Debug)]
struct Device<K, const N: usize> {
    key: K,
    last: [u64; N],
    /// The number of the reading that listed it last.
    seen: u32,
    /// It counted at some reading.
    counted: bool,
}

impl<K, const N: usize> Default for DeviceTotals<K, N> {
    fn default() -> Self {
        Self { totals: [0; N], devices: Vec::new(), reading: 0, expected: 0, any_counted: false }
    }
}

impl<K, const N: usize> DeviceTotals<K, N> {
    /// Begins a reading, at which [`see`](Self::see) is called for each device that is listed.
    pub(crate) fn begin(&mut self) {
        self.reading = self.reading.wrapping_add(1);
        self.expected = 0;
        self.any_counted = false;
    }

    /// Takes what one device shows at this reading. A counter that is `None` was not shown, which
    /// changes nothing. A device that does not count is followed all the same: should it count
    /// later, what it did before stays out.
    pub(crate) fn see<Q>(&mut self, key: &Q, counters: [Option<u64>; N], counts: bool)
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let place = self.place(key).unwrap_or_else(|| self.add(key.to_owned()));
        let device = &mut self.devices[place];
        // The kernel lists each device once; of two lines the first holds.
        if device.seen == self.reading {
            return;
        }
        device.seen = self.reading;
        device.counted |= counts;
        let increases = device.advance(counters);
        if counts {
            self.any_counted = true;
            for (total, increase) in self.totals.iter_mut().zip(increases) {
                *total = total.saturating_add(increase);
            }
        }
    }

    /// The totals after this reading.
    pub(crate) fn totals(&self) -> [u64; N] {
        self.totals
    }

    /// Whether this reading listed a device that counts.
    pub(crate) fn any_counted(&self) -> bool {
        self.any_counted
    }

    /// Forgets all devices: those of the next reading are others, whatever they are called.
    pub(crate) fn restart(&mut self) {
        self.devices.clear();
    }

    fn place<Q>(&mut self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let is_it = |device: &Device<K, N>| device.key.borrow() == key;
        let place = if self.devices.get(self.expected).is_some_and(is_it) {
            self.expected
        } else {
            self.devices.iter().position(is_it)?
        };
        self.expected = place + 1;
        Some(place)
    }

    /// Adds a device, and has one forgotten if too many are away. The totals keep what it did.
    fn add(&mut self, key: K) -> usize {
        let reading = self.reading;
        let away = |device: &Device<K, N>| reading.wrapping_sub(device.seen) > 1;
        if self.devices.iter().filter(|device| away(device)).count() >= AWAY {
            // Best one that never counted, else the one that has been away for longest.
            let oldest = self
                .devices
                .iter()
                .enumerate()
                .filter(|(_, device)| away(device))
                .min_by_key(|(_, device)| {
                    (device.counted, std::cmp::Reverse(reading.wrapping_sub(device.seen)))
                })
                .map(|(place, _)| place);
            if let Some(place) = oldest {
                self.devices.remove(place);
            }
        }
        let seen = reading.wrapping_sub(1);
        self.devices.push(Device { key, last: [0; N], seen, counted: false });
        self.devices.len() - 1
    }
}

impl<K, const N: usize> Device<K, N> {
    /// Takes the counters for the last ones, and tells by how much they rose.
    fn advance(&mut self, counters: [Option<u64>; N]) -> [u64; N] {
        let shown =
            || counters.iter().zip(&self.last).filter_map(|(now, last)| Some(((*now)?, *last)));
        let fallen = shown().filter(|(now, last)| now < last).count();
        // Drivers show zeros for the moment in which they reset a card, and then go on as before.
        if fallen > 0 && shown().all(|(now, _)| now == 0) {
            return [0; N];
        }
        // One counter alone falls where it is narrow and wraps; at a restart most of them do.
        let used = shown().filter(|(_, last)| *last > 0).count();
        if fallen > 0 && 2 * fallen >= used {
            self.last = [0; N];
        }
        let mut increases = [0; N];
        for ((increase, last), now) in increases.iter_mut().zip(&mut self.last).zip(counters) {
            let Some(now) = now else { continue };
            *increase = now.checked_sub(*last).unwrap_or(now);
            *last = now;
        }
        increases
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    /// The totals after one reading more, at which these devices are listed.
    fn read<const N: usize>(
        totals: &mut DeviceTotals<u32, N>,
        devices: &[(u32, [u64; N])],
    ) -> [u64; N] {
        totals.begin();
        for (key, counters) in devices {
            totals.see(key, counters.map(Some), true);
        }
        totals.totals()
    }

    #[test]
    fn totals_are_the_kernels_sum_while_nothing_odd_happens() {
        let mut totals = DeviceTotals::default();
        assert_eq!(read(&mut totals, &[(1, [100]), (2, [20])]), [120]);
        assert_eq!(read(&mut totals, &[(1, [105]), (2, [21])]), [126]);
        assert_eq!(read(&mut totals, &[(3, [4]), (2, [21]), (1, [105])]), [130], "one is new");
    }

    #[test]
    fn a_device_that_returns_adds_what_is_new() {
        let mut totals = DeviceTotals::default();
        read(&mut totals, &[(1, [1_000_000]), (2, [20])]);
        assert_eq!(read(&mut totals, &[(2, [25])]), [1_000_025]);
        assert!(totals.any_counted());
        assert_eq!(read(&mut totals, &[]), [1_000_025]);
        assert!(!totals.any_counted());
        assert_eq!(read(&mut totals, &[(1, [1_000_007]), (2, [25])]), [1_000_032]);
    }

    #[test]
    fn a_device_that_restarted_adds_all_it_shows() {
        let mut totals = DeviceTotals::default();
        read(&mut totals, &[(1, [1000, 10, 2])]);
        assert_eq!(read(&mut totals, &[]), [1000, 10, 2]);
        // The last counter has already passed what it was before.
        assert_eq!(read(&mut totals, &[(1, [400, 4, 3])]), [1400, 14, 5]);
    }

    #[test]
    fn a_narrow_counter_that_wraps_is_no_restart_of_the_others() {
        let mut totals = DeviceTotals::default();
        read(&mut totals, &[(1, [1_000_000, 1000, u64::from(u32::MAX)])]);
        assert_eq!(
            read(&mut totals, &[(1, [1_000_500, 1001, 3])]),
            [1_000_500, 1001, u64::from(u32::MAX) + 3]
        );
    }

    #[test]
    fn zeros_for_a_moment_are_no_restart() {
        let mut totals = DeviceTotals::default();
        read(&mut totals, &[(1, [1_000_000, 10])]);
        assert_eq!(read(&mut totals, &[(1, [0, 0])]), [1_000_000, 10]);
        assert_eq!(read(&mut totals, &[(1, [1_000_001, 11])]), [1_000_001, 11]);
        assert_eq!(read(&mut totals, &[(1, [0, 0])]), [1_000_001, 11]);
        assert_eq!(read(&mut totals, &[(1, [5, 1])]), [1_000_006, 12], "a restart after all");
    }

    #[test]
    fn a_counter_that_is_not_shown_changes_nothing() {
        let mut totals = DeviceTotals::default();
        read(&mut totals, &[(1, [100, 200])]);
        totals.begin();
        totals.see(&1, [Some(101), None], true);
        assert_eq!(totals.totals(), [101, 200]);
        assert_eq!(read(&mut totals, &[(1, [101, 203])]), [101, 203]);
    }

    #[test]
    fn a_device_that_begins_to_count_leaves_its_past_out() {
        let mut totals = DeviceTotals::default();
        for (counter, counts, expected) in
            [(1000, false, 0), (1010, true, 10), (1015, false, 10), (1017, true, 12)]
        {
            totals.begin();
            totals.see(&1, [Some(counter)], counts);
            assert_eq!(totals.totals(), [expected]);
        }
    }

    #[test]
    fn a_device_that_is_listed_twice_counts_once() {
        assert_eq!(read(&mut DeviceTotals::default(), &[(1, [9]), (1, [3]), (2, [1])]), [10]);
    }

    #[test]
    fn old_devices_are_forgotten_and_what_they_did_is_not() {
        let mut totals = DeviceTotals::default();
        totals.begin();
        totals.see(&0, [Some(7)], true);
        // Those that do not count go first.
        for key in 1..1000 {
            totals.begin();
            totals.see(&key, [Some(1)], false);
            assert!(totals.devices.len() <= AWAY + 2);
        }
        assert_eq!(read(&mut totals, &[(0, [9])]), [9]);
        for key in 1000..2000 {
            let expected = 9 + u64::from(key - 999);
            assert_eq!(read(&mut totals, &[(key, [1])]), [expected]);
            assert!(totals.devices.len() <= AWAY + 2);
        }
        assert_eq!(read(&mut totals, &[(0, [9])]), [1018], "it is new");
    }

    #[test]
    fn totals_stay_at_the_largest_number() {
        let mut totals = DeviceTotals::default();
        assert_eq!(read(&mut totals, &[(1, [u64::MAX]), (2, [5])]), [u64::MAX]);
        assert_eq!(read(&mut totals, &[(1, [u64::MAX]), (2, [6])]), [u64::MAX]);
    }
}
