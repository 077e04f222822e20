//! The parsers of kernel files. The first byte chooses one, the rest is the file.

#![no_main]

use std::fmt::Debug;

use kubemonitor_hostfs::{
    cgroup::{EachDevice, v1, v2},
    procfs::{
        diskstats, loadavg, meminfo, mounts, net_dev, pressure, route, stat, uptime, vmstat,
    },
};
use libfuzzer_sys::fuzz_target;

/// In the order of the seeds' first bytes: append only.
const PARSERS: [fn(&[u8]) -> Box<dyn Debug>; 22] = [
    |text| Box::new((stat::parse(text), stat::parse(text).used_ns())),
    |text| Box::new(meminfo::parse(text)),
    |text| Box::new(net_dev::interfaces(text).map(|one| one.counters()).collect::<Vec<_>>()),
    |text| Box::new(diskstats::devices(text).map(|device| device.counters()).collect::<Vec<_>>()),
    |text| Box::new(loadavg::parse(text)),
    |text| Box::new(uptime::parse(text)),
    |text| Box::new(vmstat::parse(text)),
    |text| Box::new(pressure::parse(text)),
    |text| Box::new(mounts::hierarchies(text).collect::<Vec<_>>()),
    |text| Box::new(v1::cpu_times(text)),
    |text| Box::new(v1::throttling(text)),
    |text| Box::new(v1::memory_stat(text)),
    |text| Box::new(v1::oom_kills(text)),
    |text| devices(text, v1::io),
    |text| Box::new(v2::cpu_stat(text)),
    |text| Box::new(v2::cpu_max(text)),
    |text| Box::new(v2::memory_stat(text)),
    |text| Box::new(v2::oom_kills(text)),
    |text| devices(text, v2::io_stat),
    |text| Box::new(net_dev::interfaces(text).map(|one| one.name.to_vec()).collect::<Vec<_>>()),
    |text| Box::new(route::default_ipv4(text).map(<[u8]>::to_vec)),
    |text| Box::new(route::default_ipv6(text).map(<[u8]>::to_vec)),
];

/// The devices of a cgroup's file, and whether all of it could be read.
fn devices<const N: usize>(
    text: &[u8],
    parse: fn(&[u8], &mut EachDevice<'_, N>) -> Option<()>,
) -> Box<dyn Debug> {
    let mut devices = Vec::new();
    let all = parse(text, &mut |device, counters| devices.push((device, counters)));
    Box::new((devices, all))
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, file)) = input.split_first() else { return };
    let Some(parse) = PARSERS.get(usize::from(choice)) else { return };
    // A line without its end must not count, so that a number that was cut is never believed.
    let whole = file.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let (all, whole) = (parse(file), parse(&file[..whole]));
    assert_eq!(format!("{all:?}"), format!("{whole:?}"));
});
