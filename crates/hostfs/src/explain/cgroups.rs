//! Of each cgroup, whether it counts, as what, and why.

use std::path::Path;

use kubemonitor_model::EntityId;

use crate::{
    file::Scratch,
    layout::{Place, is_helper},
    members::{Members, Status},
    text::lines,
    tree::{Tree, subfolders},
};

/// No host has as many; it bounds the report of a hostile one.
const MOST_CGROUPS: usize = 20_000;
/// Deeper than the tree that is measured.
const DEEPEST: usize = 40;

/// What a cgroup counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountsAs {
    /// A pod, or part of one.
    Pod,
    /// A container of a pod.
    Container,
    /// A service, or a container or virtual machine without a pod.
    Unit,
    /// Part of the pod, container or unit above.
    Inside,
    /// Nothing by itself; something may be below.
    Prefix,
    /// A pod or container in which nothing runs.
    Leftover,
    /// Nothing.
    Nothing,
}

impl CountsAs {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Container => "container",
            Self::Unit => "unit",
            Self::Inside => "inside",
            Self::Prefix => "prefix",
            Self::Leftover => "leftover",
            Self::Nothing => "not counted",
        }
    }
}

/// What is said of one cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupVerdict {
    /// Its path from the root of its hierarchy, unprintable characters escaped.
    pub path: String,
    /// What it counts as.
    pub counts_as: CountsAs,
    /// Processes in this very cgroup; `None` where the kernel does not list them.
    pub processes: Option<usize>,
    /// Whose it is, and why it does or does not count.
    pub why: String,
}

/// The verdicts on all cgroups of a tree.
pub(crate) fn verdicts(
    tree: &Tree,
    members: &Members,
    scratch: &mut Scratch,
) -> Vec<CgroupVerdict> {
    let mut found = Vec::new();
    let mut waiting = vec![(String::new(), Place::Folder, Place::Folder)];
    while let Some((path, above, place)) = waiting.pop() {
        if found.len() == MOST_CGROUPS {
            break;
        }
        let folder = tree.locate(Path::new(&path));
        let listed = scratch.read_path(&folder.join("cgroup.procs"));
        let processes = listed.map(|text| lines(text).count());
        let name = path.rsplit_once('/').map_or(&*path, |(_, name)| name);
        let status = members.status(Path::new(&path));
        let (counts_as, why) = match status {
            Some(status) => entity(&above, &place, status, members.holds_pods(Path::new(&path))),
            None => other(&above, name, &place, processes),
        };
        found.push(CgroupVerdict {
            path: format!("/{}", printable(&path)),
            counts_as,
            processes,
            why,
        });
        // Backwards, since the last one is taken first.
        for name in subfolders(&folder).unwrap_or_default().into_keys().rev() {
            let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            if below.split('/').count() <= DEEPEST {
                waiting.push((below, place.clone(), place.child(&name)));
            }
        }
    }
    found
}

/// A path in one line of text. systemd's names have backslashes of their own, which stay.
fn printable(path: &str) -> String {
    let escaped = |letter: char| {
        if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() }
    };
    path.chars().map(escaped).collect()
}

/// The verdict on a cgroup that is an entity's.
fn entity(above: &Place, place: &Place, status: Status, holds_pods: bool) -> (CountsAs, String) {
    let (counts_as, whose) = match place {
        Place::Pod { uid, qos } => (CountsAs::Pod, format!("pod {uid} ({})", qos.as_str())),
        Place::Container { id, pod, .. } => {
            let id: String = id.to_string().chars().take(12).collect();
            let pod = match above {
                Place::Pod { .. } => "in its pod's cgroup".to_owned(),
                _ => format!("by its name of pod {pod}: runtime and kubelet differ in driver"),
            };
            (CountsAs::Container, format!("container {id}, {pod}"))
        }
        Place::Service { name } => (CountsAs::Unit, unit("service", name, holds_pods)),
        Place::PlainContainer { id } => {
            (CountsAs::Unit, unit("container or machine", id, holds_pods))
        }
        _ => (CountsAs::Nothing, String::new()),
    };
    match status {
        Status::Reported => (counts_as, whose),
        Status::Empty => {
            let why = "no process in it: has ended, not started, or runs elsewhere";
            (CountsAs::Leftover, format!("{whose}; {why}"))
        }
    }
}

fn unit(what: &str, id: &EntityId, holds_pods: bool) -> String {
    let less = if holds_pods { ", without the pods inside of it" } else { "" };
    format!("{what} {}{less}", printable(&id.to_string()))
}

/// The verdict on any other.
fn other(above: &Place, name: &str, place: &Place, processes: Option<usize>) -> (CountsAs, String) {
    let (counts_as, why) = match place {
        Place::Folder if processes.is_some_and(|count| count > 0) => {
            (CountsAs::Nothing, "its processes are of no service or container that names tell")
        }
        Place::Folder => (CountsAs::Prefix, "services, containers or Kubernetes may be below"),
        Place::Containers => (CountsAs::Prefix, "what is in it are containers, by their names"),
        Place::Machines => {
            (CountsAs::Prefix, "the scopes in it are containers or virtual machines")
        }
        Place::Services { .. } => (CountsAs::Prefix, "what is in it are services, by their names"),
        Place::Kubepods(_) => (CountsAs::Prefix, "kubelet's: pods are below"),
        Place::Pod { .. } | Place::Container { .. } => {
            (CountsAs::Nothing, "another cgroup of this container was made later: that one counts")
        }
        Place::Service { .. } | Place::PlainContainer { .. } => {
            (CountsAs::Nothing, "another cgroup of this name was made later: that one counts")
        }
        Place::Part => match above {
            Place::Kubepods(_) => (CountsAs::Nothing, "below kubepods, but no pod by its name"),
            Place::Folder | Place::Machines | Place::Services { .. } => {
                (CountsAs::Nothing, "a scope that is no container's: a session, or PID 1's")
            }
            _ => (CountsAs::Inside, "the unit above counts it"),
        },
        Place::Hidden => match above {
            Place::Pod { .. } if is_helper(name) => {
                (CountsAs::Inside, "watches over a container: the pod counts it")
            }
            Place::Pod { .. } => (CountsAs::Inside, "no container by its name: the pod counts it"),
            Place::Container { .. } => (CountsAs::Inside, "the container above counts it"),
            Place::Service { .. } => (CountsAs::Inside, "the unit above counts it"),
            Place::Hidden => (CountsAs::Inside, "what is above counts it, or does not"),
            _ => (CountsAs::Nothing, "watches over a container"),
        },
    };
    (counts_as, why.to_owned())
}
