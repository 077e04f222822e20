//! Prints what the host's cgroups used over a second, and what finding out cost.

use std::{collections::HashMap, path::Path, thread::sleep, time::Duration};

use kubemonitor_hostfs::{Host, HostError, HostRoots};

fn main() -> Result<(), HostError> {
    let prefix = std::env::args().nth(1);
    let roots =
        prefix.map_or_else(HostRoots::default, |prefix| HostRoots::mounted_at(Path::new(&prefix)));
    let mut host = Host::open(roots)?;
    let before: HashMap<_, _> = host
        .read()
        .entities()
        .filter_map(|entity| Some((entity.id.clone(), entity.cgroup.cpu_usage_ns?)))
        .collect();
    host.take_cost();
    sleep(Duration::from_secs(1));
    let reading = host.read();
    println!("{:#?}", reading.node);
    for entity in reading.entities() {
        let cpu = entity.cgroup.cpu_usage_ns.zip(before.get(&entity.id));
        println!(
            "{:?} {}: {:?} ms of CPU time, {:?} bytes, network {:?}",
            entity.kind,
            entity.id,
            cpu.map(|(now, before)| now.saturating_sub(*before) / 1_000_000),
            entity.cgroup.memory_working_set,
            entity.network.map(|network| (network.rx_bytes, network.tx_bytes)),
        );
    }
    println!("{:?}", host.take_cost());
    Ok(())
}
