//! Every parser survives any bytes, and never takes a number that was cut for a whole one.

use std::fmt::Debug;

use kubemonitor_hostfs::{
    cgroup::{EachDevice, v1, v2},
    procfs::{diskstats, loadavg, meminfo, mounts, net_dev, pressure, route, stat, uptime, vmstat},
};
use proptest::prelude::*;

/// A parser, and a file it reads in earnest.
struct Case {
    name: &'static str,
    parse: fn(&[u8]) -> Box<dyn Debug>,
    file: &'static str,
}

const CASES: [Case; 20] = [
    Case {
        name: "stat",
        parse: |text| Box::new((stat::parse(text), stat::parse(text).used_ns())),
        file: "cpu  140178 0 46572 555372 1710 0 929 102 2 0\ncpu0 1 0 2 3\nctxt 9129340\nprocs_running 1\n",
    },
    Case {
        name: "meminfo",
        parse: |text| Box::new(meminfo::parse(text)),
        file: "MemTotal:       24684084 kB\nMemFree:        21164756 kB\nSwapFree:  0 kB\n",
    },
    Case {
        name: "net/dev",
        parse: |text| {
            Box::new(
                net_dev::interfaces(text)
                    .map(|interface| (interface.name.to_vec(), interface.counters()))
                    .collect::<Vec<_>>(),
            )
        },
        file: " face |bytes\n    lo:    6486      60    0    0    0     0          0         0     6486      60    0    0    0     0       0          0\n",
    },
    Case {
        name: "diskstats",
        parse: |text| {
            Box::new(
                diskstats::devices(text)
                    .map(|device| (device.number, device.name.to_vec(), device.counters()))
                    .collect::<Vec<_>>(),
            )
        },
        file: " 254       0 vda 193647 37798 16137858 149381 129869 138911 26187080 87309 0 37284 242401\n",
    },
    Case {
        name: "loadavg",
        parse: |text| Box::new(loadavg::parse(text)),
        file: "1.72 1.25 1.09 1/299 23811\n",
    },
    Case { name: "uptime", parse: |text| Box::new(uptime::parse(text)), file: "3746.73 5553.72\n" },
    Case {
        name: "vmstat",
        parse: |text| Box::new(vmstat::parse(text)),
        file: "pgmajfault 7310\npswpin 0\noom_kill 2\n",
    },
    Case {
        name: "pressure",
        parse: |text| Box::new(pressure::parse(text)),
        file: "some avg10=1.26 avg60=0.23 avg300=0.16 total=16095366\nfull avg10=0.36 total=9942823\n",
    },
    Case {
        name: "mounts",
        parse: |text| Box::new(mounts::hierarchies(text).collect::<Vec<_>>()),
        file: "cgroup /sys/fs/cgroup/cpu\\040x cgroup rw,cpu,cpuacct 0 0\ncgroup2 /u cgroup2 rw 0 0\n",
    },
    Case {
        name: "v1 cpuacct.stat",
        parse: |text| Box::new(v1::cpu_times(text)),
        file: "user 2721\nsystem 119\n",
    },
    Case {
        name: "v1 cpu.stat",
        parse: |text| Box::new(v1::throttling(text)),
        file: "nr_periods 12\nnr_throttled 3\nthrottled_time 456\n",
    },
    Case {
        name: "v1 memory.stat",
        parse: |text| Box::new(v1::memory_stat(text)),
        file: "cache 1\ntotal_rss 229376\ntotal_inactive_file 36864\n",
    },
    Case {
        name: "v1 oom_control",
        parse: |text| Box::new(v1::oom_kills(text)),
        file: "under_oom 0\noom_kill 30\n",
    },
    Case {
        name: "v1 blkio",
        parse: |text| devices(text, v1::io),
        file: "8:0 Read 4096\n8:0 Write 512\nTotal 4608\n",
    },
    Case {
        name: "v2 cpu.stat",
        parse: |text| Box::new(v2::cpu_stat(text)),
        file: "usage_usec 20572864\nuser_usec 19089516\nnr_periods 12\n",
    },
    Case { name: "v2 cpu.max", parse: |text| Box::new(v2::cpu_max(text)), file: "50000 100000\n" },
    Case {
        name: "v2 memory.stat",
        parse: |text| Box::new((v2::memory_stat(text), v2::oom_kills(text))),
        file: "anon 167936\nfile 40960\ninactive_file 4096\n",
    },
    Case {
        name: "v2 io.stat",
        parse: |text| devices(text, v2::io_stat),
        file: "8:0 rbytes=118784 wbytes=10 rios=2 wios=0\n7:7 8:16 rbytes=5\n(unknown) 7:0 \n",
    },
    Case {
        name: "route",
        parse: |text| Box::new(route::default_ipv4(text).map(<[u8]>::to_vec)),
        file: "Iface Destination\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    },
    Case {
        name: "ipv6_route",
        parse: |text| Box::new(route::default_ipv6(text).map(<[u8]>::to_vec)),
        file: "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003 eth0\n",
    },
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

/// What a parser says, as text.
fn said(case: &Case, text: &[u8]) -> String {
    format!("{:?}", (case.parse)(text))
}

/// Words of all these files in any order, together with anything else.
fn kernelish() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<String> = CASES
        .iter()
        .flat_map(|case| {
            case.file.split_inclusive(|c: char| c.is_whitespace() || ":=,".contains(c))
        })
        .map(str::to_owned)
        .chain(
            ["18446744073709551615\n", "18446744073709551616\n", "-1 ", "max ", "\n"]
                .map(str::to_owned),
        )
        .collect();
    let word = prop_oneof![
        8 => prop::sample::select(words).prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

#[test]
fn a_file_cut_anywhere_says_no_more_than_its_whole_lines() {
    for case in &CASES {
        let file = case.file.as_bytes();
        for cut in 0..file.len() {
            let whole =
                file[..cut].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            assert_eq!(
                said(case, &file[..cut]),
                said(case, &file[..whole]),
                "{} at {cut}",
                case.name
            );
        }
        assert_ne!(said(case, file), said(case, b""), "{} says nothing", case.name);
    }
}

proptest! {
    #[test]
    fn anything_is_survived(text in prop::collection::vec(any::<u8>(), 0..500)) {
        for case in &CASES {
            said(case, &text);
        }
    }

    #[test]
    fn anything_made_of_what_kernels_write_is_survived(text in kernelish()) {
        for case in &CASES {
            let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            prop_assert_eq!(said(case, &text), said(case, &text[..whole]));
        }
    }
}
