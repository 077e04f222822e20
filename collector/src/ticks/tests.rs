//! Ticks on clocks that go well, and on clocks that are set.

use proptest::prelude::*;

use super::*;

/// A moment at which the wall clock is so far ahead of the time since boot, in ms.
fn moment(since_boot_ms: i64, ahead_ms: i64) -> Now {
    Now {
        wall: UnixMicros((since_boot_ms + ahead_ms) * 1000),
        since_boot: Duration::from_millis(since_boot_ms.unsigned_abs()),
    }
}

/// Ticks every 5 s, and what they say at one moment after another; the first is the start.
fn poll_moments(moments: &[Now]) -> Vec<Due> {
    let mut ticks = Ticks::every(Interval::default(), moments[0]);
    moments.iter().map(|&now| ticks.poll(now)).collect()
}

/// What they say while the wall clock goes as it should.
fn poll(times_ms: &[i64]) -> Vec<Due> {
    let moments: Vec<Now> = times_ms.iter().map(|&ms| moment(ms, 0)).collect();
    poll_moments(&moments)
}

fn wait(millis: u64) -> Due {
    Due::In(Duration::from_millis(millis))
}

fn tick(millis: i64) -> Due {
    Due::Now(UnixMillis(millis))
}

#[test]
fn ticks_are_multiples_of_the_interval() {
    assert_eq!(
        poll(&[12_345, 15_001, 15_002, 20_000]),
        [wait(2_655), tick(15_000), wait(4_998), tick(20_000)]
    );
}

#[test]
fn the_first_tick_may_come_soon() {
    assert_eq!(poll(&[14_990, 15_000]), [wait(10), tick(15_000)]);
}

#[test]
fn whoever_wakes_early_waits_on() {
    assert_eq!(poll(&[12_000, 14_999, 15_000]), [wait(3_000), wait(1), tick(15_000)]);
}

#[test]
fn what_was_missed_is_left_out_and_does_not_bunch() {
    assert_eq!(
        poll(&[12_000, 33_000, 33_001, 35_500]),
        [wait(3_000), tick(30_000), wait(1_999), tick(35_000)]
    );
}

#[test]
fn right_after_a_late_tick_there_is_none() {
    assert_eq!(
        poll(&[12_000, 34_000, 35_001, 40_000]),
        [wait(3_000), tick(30_000), wait(4_999), tick(40_000)]
    );
}

#[test]
fn a_clock_set_forward_gives_one_tick_and_no_burst() {
    let hour = 3_600_000;
    let moments =
        [moment(12_000, 0), moment(15_000, 0), moment(20_000, hour), moment(20_001, hour)];
    assert_eq!(poll_moments(&moments), [wait(3_000), tick(15_000), tick(3_620_000), wait(4_999)]);
}

#[test]
fn a_clock_set_forward_right_after_a_tick_waits_for_the_next() {
    let moments = [
        moment(12_000, 0),
        moment(15_000, 0),
        moment(15_003, 3_599_997),
        moment(20_003, 3_599_997),
    ];
    assert_eq!(poll_moments(&moments), [wait(3_000), tick(15_000), wait(5_000), tick(3_620_000)]);
}

#[test]
fn a_clock_set_back_a_little_repeats_no_tick() {
    let moments =
        [moment(12_000, 0), moment(15_001, 0), moment(20_000, -1_000), moment(21_000, -1_000)];
    assert_eq!(poll_moments(&moments), [wait(3_000), tick(15_000), wait(1_000), tick(20_000)]);
}

#[test]
fn a_clock_set_back_by_an_hour_is_believed_an_interval_after_the_last_tick() {
    let hour = 3_600_000;
    let moments = [
        moment(hour + 12_000, 0),
        moment(hour + 15_000, 0),
        moment(hour + 17_000, -hour),
        moment(hour + 20_000, -hour),
        moment(hour + 20_001, -hour),
    ];
    assert_eq!(
        poll_moments(&moments),
        [wait(3_000), tick(hour + 15_000), wait(3_000), tick(20_000), wait(4_999)]
    );
}

#[test]
fn long_intervals_are_slept_through_in_parts() {
    let hourly = "60m".parse().expect("an interval");
    let mut ticks = Ticks::every(hourly, moment(1_000, 0));
    assert_eq!(ticks.poll(moment(1_000, 0)), Due::In(Duration::from_secs(60)));
}

proptest! {
    #[test]
    fn ticks_neither_burst_nor_stop_however_the_clock_is_set(
        jumps in prop::collection::vec(prop_oneof![
            3 => Just(0i64),
            2 => -15_000i64..15_000,
            1 => -100_000_000i64..100_000_000,
        ], 1..80),
        interval_ms in prop_oneof![Just(100i64), Just(1000), Just(5000), Just(60_000)],
        late_ms in 0i64..3,
    ) {
        let interval: Interval = format!("{interval_ms}ms").parse().expect("an interval");
        let (mut since_boot, mut ahead) = (1_000_000i64, 1_700_000_000_000i64);
        let mut ticks = Ticks::every(interval, moment(since_boot, ahead));
        let mut last: Option<i64> = None;
        for jump in jumps {
            // The clock is set at any time, which is noticed when the sleep is over.
            ahead += jump;
            let now = moment(since_boot, ahead);
            match ticks.poll(now) {
                Due::In(wait) => {
                    prop_assert!(!wait.is_zero() && wait <= interval.duration());
                    let wait_ms = i64::try_from(wait.as_micros().div_ceil(1000)).expect("short");
                    since_boot += wait_ms + late_ms;
                }
                Due::Now(at) => {
                    prop_assert_eq!(at.0.rem_euclid(interval_ms), 0);
                    prop_assert!((0..interval_ms).contains(&(now.wall.0 / 1000 - at.0)));
                    if let Some(last) = last {
                        prop_assert!(since_boot - last >= interval_ms / 2);
                        prop_assert!(since_boot - last <= 2 * interval_ms + late_ms + 1);
                    }
                    last = Some(since_boot);
                }
            }
        }
    }
}
