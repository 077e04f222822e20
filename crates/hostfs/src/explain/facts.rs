//! What a host is like, as far as that decides how it is read.

use std::{collections::BTreeMap, fs, path::Path};

use rustix::process::{Resource, geteuid, getrlimit};

use crate::{
    HostRoots,
    file::Scratch,
    hierarchies::Hierarchies,
    layout::Place,
    members::Members,
    procfs::mounts::{Controller, Hierarchy, hierarchies},
};

/// The facts, each with what it is called.
pub(crate) fn facts(
    roots: &HostRoots,
    found: &Hierarchies,
    members: &Members,
    driver: Option<&str>,
    scratch: &Scratch,
) -> Vec<(&'static str, String)> {
    let sys =
        roots.sys.as_ref().map_or("not the host's".to_owned(), |sys| sys.display().to_string());
    let mut facts = vec![
        ("kubemonitor", env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel", text(&roots.proc.join("sys/kernel/osrelease"))),
        (
            "looked at",
            format!("proc {}, cgroup {}, sys {sys}", roots.proc.display(), roots.cgroup.display()),
        ),
        ("cgroups", found.version().to_owned()),
    ];
    for table in ["1/mounts", "mounts"] {
        if let Ok(table) = fs::read(roots.proc.join(table)) {
            facts.extend(hierarchies(&table).map(|(point, kind)| ("mount", mount(&point, &kind))));
            break;
        }
    }
    if let Some(walked) = found.walked() {
        facts.push(("walked", walked.display().to_string()));
    }
    if let Some(root) = &found.unified {
        facts.push(("controllers", text(&root.join("cgroup.controllers"))));
        facts.push(("handed down", text(&root.join("cgroup.subtree_control"))));
    }
    facts.extend([
        ("driver", driver.unwrap_or("no pod to tell by").to_owned()),
        ("runtimes", runtimes(members)),
        ("pressure (PSI)", readable(&roots.proc.join("pressure/cpu"))),
        ("own cgroup", text(Path::new("/proc/self/cgroup"))),
        ("user", geteuid().as_raw().to_string()),
        ("capabilities", capabilities()),
        ("/proc mounted", proc_options(&roots.proc)),
        ("network of PID 1", readable(&roots.proc.join("1/net/dev"))),
        ("descriptors", descriptors(scratch)),
    ]);
    facts
}

/// What a small file holds, in one line.
fn text(path: &Path) -> String {
    match fs::read(path) {
        Ok(text) => {
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<String> =
                text.lines().map(|line| line.escape_debug().to_string()).collect();
            lines.join(" ")
        }
        Err(error) => format!("cannot be read: {error}"),
    }
}

fn mount(point: &Path, hierarchy: &Hierarchy) -> String {
    let what = match hierarchy {
        Hierarchy::Unified => "v2".to_owned(),
        Hierarchy::Legacy(controllers) if controllers.is_empty() => {
            "v1, no controller that is read".to_owned()
        }
        Hierarchy::Legacy(controllers) => {
            let names: Vec<&str> = controllers.iter().map(|one| Controller::as_str(*one)).collect();
            format!("v1 {}", names.join(","))
        }
    };
    format!("{} ({what})", point.display())
}

/// The runtimes that the names of containers' cgroups tell, and how many each has.
fn runtimes(members: &Members) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (place, path) in members.of_pods() {
        let Place::Container { id, .. } = place else { continue };
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let before = name.split_once(&id.to_string()).map_or("", |(before, _)| before);
        let runtime = before.trim_end_matches(['-', ':', '_']);
        let runtime = runtime.rsplit_once(':').map_or(runtime, |(_, runtime)| runtime);
        let runtime = if runtime.is_empty() { "not named" } else { runtime };
        *counts.entry(runtime.to_owned()).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|(runtime, count)| format!("{runtime}: {count}")).collect();
    if counts.is_empty() {
        "no container of a pod to tell by".to_owned()
    } else {
        counts.join(", ")
    }
}

/// The capabilities in force, as the kernel writes them.
fn capabilities() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    match effective.map(str::trim) {
        Some(mask) if mask.bytes().all(|digit| digit == b'0') => "none".to_owned(),
        Some(mask) => mask.to_owned(),
        None => "unknown".to_owned(),
    }
}

/// The options of this procfs, of which `hidepid` hides other users' processes.
fn proc_options(proc: &Path) -> String {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let at = proc.to_string_lossy();
    let options = table.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
        (point == at && kind == "proc").then(|| options.escape_debug().to_string())
    });
    options.unwrap_or_else(|| "not a mount of its own".to_owned())
}

fn readable(path: &Path) -> String {
    // With `psi=0` pressure files can be opened and not be read.
    match fs::read(path) {
        Ok(_) => "readable".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    }
}

fn descriptors(scratch: &Scratch) -> String {
    let limit = getrlimit(Resource::Nofile);
    let number =
        |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
    let (kept, most) = scratch.descriptors.usage();
    format!(
        "{} (hard limit {}); {kept} of {most} for cgroup files in use",
        number(limit.current),
        number(limit.maximum)
    )
}
