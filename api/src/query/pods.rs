//! Finding pods: measured ones, and those Kubernetes says run.

use std::{collections::HashMap, sync::Arc};

use kubemonitor_inventory::{PodMeta, WorkloadKey};
use kubemonitor_model::{EntityId, EntityKind, NodeName};
use kubemonitor_store::{SeriesView, Usage};

use super::{
    Listed, SortBy, Span, When,
    entity::{Entity, Source, with_facts},
    pod_params::PodParams,
    presence::{Knowledge, Life, Seen, Sight, Wanted},
};
use crate::{
    errors::ApiError,
    model::{PodFacts, PodIdentity, PodSample, PodState, Reading, Windowed},
    monitor::{Monitor, is_nowhere, now},
};

/// Which pods a path is about.
#[derive(Debug)]
pub(crate) enum Scope {
    /// All of them.
    Cluster,
    /// Those on a node.
    Node(NodeName),
    /// Those of a namespace.
    Namespace(String),
    /// Those of a workload.
    Workload(WorkloadKey),
}

/// A pod that was found. What is said of it is put together when it is shown: of a large list most
/// pods are not on the page.
#[derive(Debug)]
pub(crate) struct Pod {
    uid: Arc<str>,
    /// Where it was measured, else where Kubernetes says it is.
    node: Option<NodeName>,
    /// Who it is there; `None` while nothing was measured.
    id: Option<EntityId>,
    state: PodState,
    /// How far what is said of its containers can be relied on.
    pub(super) knowledge: Knowledge,
    meta: Option<Arc<PodMeta>>,
    newest: Reading,
    rank: Option<f64>,
}

/// The pods of a scope. Without a span those in the phase that is asked for; with one, also those
/// that were there in it.
pub(crate) fn pods(
    monitor: &Monitor,
    scope: Scope,
    filter: &PodParams,
    when: When,
    sort: SortBy,
) -> Vec<Pod> {
    let wanted = Wanted::new(monitor, filter, when);
    let mut found = Vec::new();
    let mut add = |place: Place<'_>, seen: Option<Seen>, meta: Option<Arc<PodMeta>>| {
        let Place { node, is_silent } = place;
        if filter.admits(node, meta.as_deref())
            && wanted.includes(meta.as_deref(), seen.as_ref(), is_silent)
        {
            found.push(Pod::new(place, seen, meta, wanted.knowledge, sort));
        }
    };
    match filter.narrowed(scope) {
        Scope::Cluster => {
            for node in monitor.nodes().iter().chain([&monitor.nowhere]) {
                on_node(monitor, node, wanted.knowledge, &mut add);
            }
            if wanted.includes_unbound() {
                for meta in monitor.inventory.pods_unbound() {
                    if monitor.store.locate(&meta.uid).is_none() {
                        add(Place::NONE, None, Some(meta));
                    }
                }
            }
        }
        Scope::Node(node) => on_node(monitor, &node, wanted.knowledge, &mut add),
        Scope::Namespace(name) => {
            of_group(monitor, monitor.inventory.pods_in(&name), wanted.knowledge, &mut add);
        }
        Scope::Workload(key) => {
            of_group(monitor, monitor.inventory.pods_of(&key), wanted.knowledge, &mut add);
        }
    }
    found
}

/// One more tells that there is another page; others stand in for those that have just ended.
const MORE_THAN_ASKED: usize = 64;

/// At least the `count` pods of the cluster that have most of what the list is sorted by, where they
/// can be found without looking at all of them; `None` where they cannot.
pub(crate) fn top_pods(
    monitor: &Monitor,
    filter: &PodParams,
    when: When,
    sort: SortBy,
    count: usize,
) -> Option<Vec<Pod>> {
    let usage = match sort {
        SortBy::Name => return None,
        SortBy::Cpu => Usage::Cpu,
        SortBy::Memory => Usage::Memory,
        SortBy::Network => Usage::Network,
        SortBy::Disk => Usage::Disk,
    };
    if when != When::Newest || *filter != PodParams::default() {
        return None;
    }
    let wanted = Wanted::new(monitor, filter, when);
    let busiest = monitor.store.busiest_pods(usage, count.checked_add(MORE_THAN_ASKED)?);
    let mut by_node: HashMap<_, Vec<_>> = HashMap::new();
    for (node, pod) in busiest.pods {
        let meta = monitor.inventory.pod_by_uid(&pod);
        by_node.entry(node).or_default().push((pod, meta));
    }
    let mut found = Vec::new();
    for (node, pods) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let sight = Sight::new(view);
            let see = |(pod, meta): (_, Option<Arc<PodMeta>>)| {
                let series = view.find(EntityKind::Pod, &pod)?;
                Some((sight.pod(series, meta.as_deref(), wanted.knowledge), meta))
            };
            pods.into_iter().filter_map(see).collect::<Vec<_>>()
        });
        for (seen, meta) in seen.unwrap_or_default() {
            // What is stale has no place in an order by present use.
            if !seen.is_silent && wanted.includes(meta.as_deref(), Some(&seen), false) {
                let place = Place { node: Some(&node), is_silent: false };
                found.push(Pod::new(place, Some(seen), meta, wanted.knowledge, sort));
            }
        }
    }
    // Where some are not there any more, others may be among the first.
    (found.len() > count && !busiest.is_all).then_some(found)
}

/// Where a pod is.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The node that measured it, else the one that Kubernetes names.
    node: Option<&'a NodeName>,
    /// Nothing was heard of that node lately.
    is_silent: bool,
}

impl Place<'_> {
    /// On no node: there is nobody who could be silent.
    const NONE: Self = Self { node: None, is_silent: false };
}

type Add<'a> = dyn FnMut(Place<'_>, Option<Seen>, Option<Arc<PodMeta>>) + 'a;

/// Pods a node's collector saw, and those that Kubernetes says are there and it did not see.
fn on_node(monitor: &Monitor, node: &NodeName, knowledge: Knowledge, add: &mut Add<'_>) {
    let metas = monitor.inventory.pods_on(node.as_str());
    let mut metas: HashMap<EntityId, Arc<PodMeta>> =
        metas.into_iter().map(|meta| (meta.uid.clone(), meta)).collect();
    let seen = monitor.store.node(node, |view| {
        let sight = Sight::new(view);
        let see = |series: SeriesView<'_>| {
            sight.pod(series, metas.get(series.id()).map(|meta| &**meta), knowledge)
        };
        (view.series(EntityKind::Pod).map(see).collect::<Vec<_>>(), sight.is_silent)
    });
    let (seen, is_silent) = seen.unwrap_or_else(|| (Vec::new(), true));
    let place = Place { node: Some(node), is_silent };
    for seen in seen {
        let meta = metas.remove(&seen.id).or_else(|| monitor.inventory.pod_by_uid(&seen.id));
        add(place, Some(seen), meta);
    }
    for (uid, meta) in metas {
        // One that another node's collector saw is that node's: names of nodes may differ.
        if monitor.store.locate(&uid).is_none() {
            add(place, None, Some(meta));
        }
    }
}

/// Pods that Kubernetes says belong together, wherever they were seen.
fn of_group(monitor: &Monitor, metas: Vec<Arc<PodMeta>>, knowledge: Knowledge, add: &mut Add<'_>) {
    let mut by_node: HashMap<NodeName, Vec<Arc<PodMeta>>> = HashMap::new();
    for meta in metas {
        if let Some(node) = monitor.store.locate(&meta.uid) {
            by_node.entry(node).or_default().push(meta);
        } else {
            let bound_to = meta.node.as_deref().and_then(|node| node.parse().ok());
            add(unmeasured(monitor, bound_to.as_ref()), None, Some(meta));
        }
    }
    for (node, metas) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let sight = Sight::new(view);
            let see = |meta: &Arc<PodMeta>| {
                let series = view.find(EntityKind::Pod, &meta.uid)?;
                Some(sight.pod(series, Some(meta), knowledge))
            };
            (metas.iter().map(see).collect::<Vec<_>>(), sight.is_silent)
        });
        let (seen, is_silent) = seen.unwrap_or_else(|| (Vec::new(), true));
        let place = Place { node: Some(&node), is_silent };
        let seen = seen.into_iter().chain(std::iter::repeat_with(|| None));
        for (meta, seen) in metas.into_iter().zip(seen) {
            add(place, seen, Some(meta));
        }
    }
}

/// Where a pod is that nobody has measured.
fn unmeasured<'a>(monitor: &Monitor, bound_to: Option<&'a NodeName>) -> Place<'a> {
    let Some(node) = bound_to else { return Place::NONE };
    let is_silent = monitor.store.node(node, |view| view.stale(now()));
    Place { node: bound_to, is_silent: is_silent.unwrap_or(true) }
}

/// The pod of this name or UID. A name stands for the present pod that has it, else for the newest
/// of those that had it.
pub(crate) fn find_pod(
    monitor: &Monitor,
    name: &str,
    namespace: Option<&str>,
) -> Result<Pod, ApiError> {
    let chosen = |pod: &PodMeta| namespace.is_none_or(|namespace| *pod.namespace == *namespace);
    let meta = match meta_named(monitor, name, namespace)? {
        Some(meta) => Some(meta),
        None => monitor.inventory.pod_by_uid(&EntityId::parse(name)).filter(|pod| chosen(pod)),
    };
    let uid = meta.as_ref().map_or_else(|| EntityId::parse(name), |meta| meta.uid.clone());
    let knowledge = Knowledge::of_pods(monitor);
    let measured_on = monitor.store.locate(&uid);
    let seen = measured_on.as_ref().and_then(|node| {
        monitor.store.node(node, |view| {
            let series = view.find(EntityKind::Pod, &uid)?;
            Some(Sight::new(view).pod(series, meta.as_deref(), knowledge))
        })
    });
    let bound_to = || meta.as_ref().and_then(|meta| meta.node.as_deref()?.parse().ok());
    let node = measured_on.or_else(bound_to);
    match (seen.flatten(), meta) {
        (None, None) => Err(ApiError::unknown("pod", name)),
        // Its namespace is not known, so it is not known to be in the one asked for.
        (Some(_), None) if namespace.is_some() => Err(ApiError::unknown("pod", name)),
        (seen, meta) => {
            let place = match &seen {
                Some(seen) => Place { node: node.as_ref(), is_silent: seen.is_silent },
                None => unmeasured(monitor, node.as_ref()),
            };
            Ok(Pod::new(place, seen, meta, knowledge, SortBy::Name))
        }
    }
}

fn meta_named(
    monitor: &Monitor,
    name: &str,
    namespace: Option<&str>,
) -> Result<Option<Arc<PodMeta>>, ApiError> {
    if let Some(namespace) = namespace {
        return Ok(monitor.inventory.pod(namespace, name));
    }
    let mut named = monitor.inventory.pods_named(name);
    if named.iter().any(|pod| pod.ended_at.is_none()) {
        named.retain(|pod| pod.ended_at.is_none());
    }
    let mut namespaces: Vec<&str> = named.iter().map(|pod| &*pod.namespace).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    match namespaces.as_slice() {
        [] => Ok(None),
        [namespace] => Ok(monitor.inventory.pod(namespace, name)),
        several => Err(ApiError::AmbiguousPod {
            name: name.to_owned(),
            namespaces: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

impl Pod {
    fn new(
        place: Place<'_>,
        seen: Option<Seen>,
        meta: Option<Arc<PodMeta>>,
        knowledge: Knowledge,
        sort: SortBy,
    ) -> Self {
        let life = Life::of(meta.as_deref(), seen.as_ref(), place.is_silent, knowledge);
        let state = PodState {
            ended: life == Life::Ended,
            stale: life == Life::Silent,
            qos: seen.as_ref().and_then(|seen| seen.qos),
            container_count: match &meta {
                Some(meta) if knowledge == Knowledge::Current && !meta.containers.is_empty() => {
                    Some(meta.containers.iter().filter(|container| container.running).count() as u64)
                }
                _ => seen.as_ref().and_then(|seen| seen.containers),
            },
        };
        let (id, newest) = match seen {
            Some(seen) => (Some(seen.id), seen.newest),
            None => (None, Reading::empty(EntityKind::Pod, now())),
        };
        let uid = id.as_ref().or(meta.as_ref().map(|meta| &meta.uid));
        let uid = uid.expect("a pod was seen or is known").to_string().into();
        let node = place.node.cloned();
        let rank = newest.rank(sort).filter(|_| !state.stale);
        Self { uid, node, id, state, knowledge, meta, newest, rank }
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> PodIdentity {
        let node = self.node.as_ref().filter(|node| !is_nowhere(node));
        PodIdentity::new(&self.uid, node.map(NodeName::as_str), self.meta())
    }

    /// Where its rows are; `None` while nothing was measured.
    pub(super) fn source(&self) -> Option<Source> {
        let (node, id) = (self.node.clone()?, self.id.clone()?);
        Some(Source { node, kind: EntityKind::Pod, id })
    }

    /// Nothing was heard of its node lately.
    pub(super) fn is_silent(&self) -> bool {
        self.state.stale
    }

    /// What Kubernetes says of it.
    pub(super) fn meta(&self) -> Option<&PodMeta> {
        self.meta.as_deref()
    }

    fn facts(&self) -> PodFacts {
        PodFacts::new(self.identity(), self.state, self.meta())
    }
}

impl Listed for Pod {
    fn key(&self) -> [&str; 3] {
        let (name, namespace) =
            self.meta().map_or((&*self.uid, ""), |meta| (&*meta.name, &*meta.namespace));
        [name, namespace, &self.uid]
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Pod {
    type Identity = PodIdentity;
    type Sample = PodSample;

    fn newest(self) -> PodSample {
        PodSample::new(Arc::new(self.facts()), &self.newest)
    }

    fn over(self, span: &Span, monitor: &Monitor) -> Windowed<PodIdentity, PodSample> {
        let source = self.source();
        let readings = source.map(|source| source.readings(span, monitor)).unwrap_or_default();
        let facts = Arc::new(self.facts());
        let identity = facts.identity.clone();
        let past = Arc::new(facts.past());
        let samples = with_facts(readings, span.range.to >= self.newest.at, facts, &past)
            .map(|(reading, facts)| PodSample::new(facts, &reading))
            .collect();
        Windowed { identity, samples }
    }
}
