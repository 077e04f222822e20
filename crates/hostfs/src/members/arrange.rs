//! Which cgroups belong to one pod, container or unit, and the order in which these are reported.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kubemonitor_model::{EntityId, EntityKind, QosClass};

use super::{
    member::{Cgroups, Member},
    source::Source,
};
use crate::{layout::Place, namespace::PodNamespace};

/// The cgroups of one pod.
#[derive(Default)]
struct PodSources {
    own: Vec<usize>,
    containers: Vec<usize>,
}

/// The members that these cgroups make, each pod right before its containers, those that are reported
/// before all others. `sources` are in the order of their paths; `before` are the members as they were.
pub(super) fn arrange(sources: &[Source], before: Vec<Member>) -> Vec<Member> {
    let mut before: HashMap<(EntityKind, EntityId), Member> = before
        .into_iter()
        .map(|member| ((member.entity.kind, member.entity.id.clone()), member))
        .collect();
    // The member of this identity, unless these cgroups are another's.
    let mut known = |kind: EntityKind, id: &EntityId, own: &[usize]| {
        let member = before.remove(&(kind, id.clone()))?;
        (!member.is_superseded_by(own, sources)).then_some(member)
    };
    let mut recalled = BTreeSet::new();
    let mut pods: BTreeMap<&EntityId, PodSources> = BTreeMap::new();
    // Members, each with the place of the cgroup by which its pod, or itself, is put into order.
    let mut all: Vec<(usize, Member)> = Vec::new();
    let living = living(sources);
    for &place in &living {
        match (&sources[place].place, sources[place].pod()) {
            (Place::Pod { .. }, Some(uid)) => pods.entry(uid).or_default().own.push(place),
            (_, Some(uid)) => pods.entry(uid).or_default().containers.push(place),
            _ => {}
        }
    }
    let mut parts = BTreeSet::new();
    for (uid, PodSources { own, containers }) in pods {
        let Some(&anchor) = own.first().or(containers.first()) else { continue };
        let (inside, outside) = containers.iter().partition(|&&container| {
            own.iter().any(|&own| sources[container].path.starts_with(&sources[own].path))
        });
        let mut has_started = false;
        for &container in &containers {
            let (kind, id) = sources[container].owner();
            let mut member = known(kind, id, &[container]).unwrap_or_else(|| {
                recalled.insert(uid.clone());
                Member::new(kind, id.clone(), None, sources[container].newborn, None)
            });
            member.has(Cgroups { own: vec![container], ..Cgroups::default() }, sources);
            has_started |= member.is_reported();
            all.push((anchor, member));
        }
        let cgroups = Cgroups { own, outside, inside };
        let is_new = |place: &usize| sources[*place].newborn;
        let newborn = cgroups.own.iter().chain(&containers).all(is_new);
        let qos = qos(&sources[anchor].place);
        let mut member = known(EntityKind::Pod, uid, &cgroups.own).unwrap_or_else(|| {
            let namespace = Some(PodNamespace::default());
            Member::new(EntityKind::Pod, uid.clone(), qos, newborn, namespace)
        });
        member.entity.qos = qos;
        member.has(cgroups, sources);
        // A pod made anew may have a container that has been reported: never that one without its pod.
        if has_started {
            member.start();
        }
        parts.extend(member.parts());
        all.push((anchor, member));
    }
    for &place in living.iter().filter(|&&place| sources[place].pod().is_none()) {
        let source = &sources[place];
        let (kind, id) = source.owner();
        let mut member = known(kind, id, &[place]).unwrap_or_else(|| {
            let namespace = PodNamespace::of(&source.place);
            Member::new(kind, id.clone(), None, source.newborn, namespace)
        });
        // What lies below comes right behind in the order of paths.
        let below =
            sources[place + 1..].iter().take_while(|one| one.path.starts_with(&source.path));
        let below = place + 1..place + 1 + below.count();
        let inside = parts.range(below).copied().collect();
        member.has(Cgroups { own: vec![place], inside, ..Cgroups::default() }, sources);
        all.push((place, member));
    }
    recall(&mut all, &recalled, sources);
    all.sort_by_key(|(anchor, member)| {
        let is_container = member.entity.kind == EntityKind::Container;
        (!member.is_reported(), *anchor, is_container, member.cgroups.own.first().copied())
    });
    let mut all: Vec<Member> = all.into_iter().map(|(_, member)| member).collect();
    link(&mut all, sources);
    all
}

/// The places of the cgroups that count. Two may claim to be the same container, as when kubelet's
/// driver was changed and the other's cgroups stayed: the younger one is alive, until it goes.
fn living(sources: &[Source]) -> Vec<usize> {
    let mut best: HashMap<&EntityId, usize> = HashMap::new();
    // A pod's container goes before one that has its ID and no pod.
    let rank = |place: usize| (sources[place].pod().is_some(), sources[place].inode);
    for (place, source) in sources.iter().enumerate() {
        let (kind, id) = source.owner();
        if kind != EntityKind::Pod {
            let best = best.entry(id).or_insert(place);
            if rank(place) > rank(*best) {
                *best = place;
            }
        }
    }
    let lives = |place: &usize| {
        let (kind, id) = sources[*place].owner();
        kind == EntityKind::Pod || best[id] == *place
    };
    (0..sources.len()).filter(lives).collect()
}

/// Has pods measured again, should they be set aside: a container has come, and will have a process.
fn recall(all: &mut [(usize, Member)], pods: &BTreeSet<EntityId>, sources: &[Source]) {
    for (_, member) in all {
        let kind = member.entity.kind;
        let pod = member.cgroups.own.first().or(member.cgroups.outside.first());
        let pod = pod.and_then(|&place| sources[place].pod());
        if pod.is_some_and(|pod| pods.contains(pod)) {
            if kind == EntityKind::Pod {
                member.empty = None;
            }
            member.aside = false;
        }
    }
}

/// Sets each container's pod.
fn link(all: &mut [Member], sources: &[Source]) {
    let pods: HashMap<EntityId, usize> = all
        .iter()
        .enumerate()
        .filter(|(_, member)| member.entity.kind == EntityKind::Pod)
        .map(|(place, member)| (member.entity.id.clone(), place))
        .collect();
    for member in all.iter_mut().filter(|member| member.entity.kind == EntityKind::Container) {
        let own = member.cgroups.own.first();
        let pod = own.and_then(|&own| sources[own].pod());
        member.entity.parent = pod.and_then(|pod| pods.get(pod).copied());
    }
}

fn qos(place: &Place) -> Option<QosClass> {
    match place {
        Place::Pod { qos, .. } | Place::Container { qos, .. } => Some(*qos),
        _ => None,
    }
}
