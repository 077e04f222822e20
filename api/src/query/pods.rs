//! Finding pods: measured ones, and those Kubernetes says run.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use kubemonitor_inventory::{PodMeta, WorkloadKey};
use kubemonitor_model::{EntityId, EntityKind, NodeName};
use kubemonitor_store::{NodeView, Usage};

use super::{
    Listed, Selection, SortBy, Span, When,
    entity::{Entity, Source, text_of, with_facts},
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

/// A pod that was found.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    /// Where it was measured, else where Kubernetes says it is.
    node: Option<Arc<NodeName>>,
    who: Who,
    rank: Option<f64>,
}

/// Whom a pod is known by.
#[derive(Clone, Debug)]
enum Who {
    /// Kubernetes has told of it, with the UID that its cgroup carries.
    Told(Arc<PodMeta>),
    /// It was measured under a UID that Kubernetes does not tell, or tells as another one's.
    Measured(EntityId, Option<Arc<PodMeta>>),
}

/// A pod at one moment.
struct Present {
    state: PodState,
    newest: Option<Reading>,
}

/// The pods of a scope. Without a span those in the phase that is asked for; with one, also those
/// that were there in it.
pub(crate) fn pods(
    monitor: &Monitor,
    scope: Scope,
    filter: &PodParams,
    when: When,
    selection: &mut Selection<Pod>,
) {
    let sort = selection.sorted_by();
    let wanted = Wanted::new(monitor, filter, when);
    let mut add = |place: Place<'_>, seen: Option<Seen>, meta: Option<Arc<PodMeta>>| {
        let node = place.node.map(|node| &**node);
        if filter.admits(node, meta.as_deref())
            && wanted.includes(meta.as_deref(), seen.as_ref(), place.is_silent)
        {
            selection.extend(Pod::new(place, seen, meta, wanted.knowledge));
        }
    };
    match filter.narrowed(scope) {
        Scope::Cluster => {
            let nowhere = monitor.nowhere.clone();
            for node in monitor.nodes().into_iter().chain([nowhere]) {
                on_node(monitor, &Arc::new(node), sort, &mut add);
            }
            if wanted.includes_unbound() {
                for meta in monitor.inventory.pods_unbound() {
                    if monitor.store.locate(&meta.uid).is_none() {
                        add(Place::NONE, None, Some(meta));
                    }
                }
            }
        }
        Scope::Node(node) => on_node(monitor, &Arc::new(node), sort, &mut add),
        Scope::Namespace(name) => {
            of_group(monitor, monitor.inventory.pods_in(&name), sort, &mut add);
        }
        Scope::Workload(key) => of_group(monitor, monitor.inventory.pods_of(&key), sort, &mut add),
    }
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
                Some((sight.pod(&view.find(EntityKind::Pod, &pod)?, sort), meta))
            };
            pods.into_iter().filter_map(see).collect::<Vec<_>>()
        });
        let node = Arc::new(node);
        for (seen, meta) in seen.unwrap_or_default() {
            // What is stale has no place in an order by present use.
            if !seen.is_silent && wanted.includes(meta.as_deref(), Some(&seen), false) {
                let place = Place { node: Some(&node), is_silent: false };
                found.extend(Pod::new(place, Some(seen), meta, wanted.knowledge));
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
    node: Option<&'a Arc<NodeName>>,
    /// Nothing was heard of that node lately.
    is_silent: bool,
}

impl Place<'_> {
    /// On no node: there is nobody who could be silent.
    const NONE: Self = Self { node: None, is_silent: false };
}

type Add<'a> = dyn FnMut(Place<'_>, Option<Seen>, Option<Arc<PodMeta>>) + 'a;

/// Pods a node's collector saw, and those that Kubernetes says are there and it did not see.
fn on_node(monitor: &Monitor, node: &Arc<NodeName>, sort: SortBy, add: &mut Add<'_>) {
    let metas = monitor.inventory.pods_on(node.as_str());
    let mut metas: HashMap<EntityId, Arc<PodMeta>> =
        metas.into_iter().map(|meta| (meta.uid.clone(), meta)).collect();
    let seen = monitor.store.node(node, |view| {
        let sight = Sight::new(view);
        let pods = view.series(EntityKind::Pod);
        (pods.map(|series| sight.pod(&series, sort)).collect::<Vec<_>>(), sight.is_silent)
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
fn of_group(monitor: &Monitor, metas: Vec<Arc<PodMeta>>, sort: SortBy, add: &mut Add<'_>) {
    let mut by_node: HashMap<NodeName, Vec<Arc<PodMeta>>> = HashMap::new();
    for meta in metas {
        if let Some(node) = monitor.store.locate(&meta.uid) {
            by_node.entry(node).or_default().push(meta);
        } else {
            let bound_to = bound_to(&meta);
            add(unmeasured(monitor, bound_to.as_ref()), None, Some(meta));
        }
    }
    for (node, metas) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let sight = Sight::new(view);
            let see = |meta: &Arc<PodMeta>| {
                Some(sight.pod(&view.find(EntityKind::Pod, &meta.uid)?, sort))
            };
            (metas.iter().map(see).collect::<Vec<_>>(), sight.is_silent)
        });
        let (seen, is_silent) = seen.unwrap_or_else(|| (Vec::new(), true));
        let node = Arc::new(node);
        let place = Place { node: Some(&node), is_silent };
        let seen = seen.into_iter().chain(std::iter::repeat_with(|| None));
        for (meta, seen) in metas.into_iter().zip(seen) {
            add(place, seen, Some(meta));
        }
    }
}

/// The node that Kubernetes has bound a pod to.
fn bound_to(meta: &PodMeta) -> Option<Arc<NodeName>> {
    meta.node.as_deref()?.parse().ok().map(Arc::new)
}

/// Where a pod is that nobody has measured.
fn unmeasured<'a>(monitor: &Monitor, bound_to: Option<&'a Arc<NodeName>>) -> Place<'a> {
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
    let measured_on = monitor.store.locate(&uid).map(Arc::new);
    let seen = measured_on.as_ref().and_then(|node| {
        let see = |view: &NodeView<'_>| {
            Some(Sight::new(view).pod(&view.find(EntityKind::Pod, &uid)?, SortBy::Name))
        };
        monitor.store.node(node, see)
    });
    let seen = seen.flatten();
    let node = measured_on.or_else(|| bound_to(meta.as_ref()?));
    let place = match &seen {
        Some(seen) => Place { node: node.as_ref(), is_silent: seen.is_silent },
        None => unmeasured(monitor, node.as_ref()),
    };
    // Where its namespace is not known, it is not known to be in the one asked for.
    let is_known = meta.is_some() || (seen.is_some() && namespace.is_none());
    let pod = Pod::new(place, seen, meta, Knowledge::of_pods(monitor)).filter(|_| is_known);
    pod.ok_or_else(|| ApiError::unknown("pod", name))
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
    /// A pod that was seen, or that Kubernetes tells of; `None` of one that is neither.
    fn new(
        place: Place<'_>,
        seen: Option<Seen>,
        meta: Option<Arc<PodMeta>>,
        knowledge: Knowledge,
    ) -> Option<Self> {
        let life = Life::of(meta.as_deref(), seen.as_ref(), place.is_silent, knowledge);
        let rank = seen.as_ref().filter(|_| life != Life::Silent).and_then(|seen| seen.rank);
        let who = match (seen, meta) {
            (Some(seen), Some(meta)) if seen.id == meta.uid => Who::Told(meta),
            (Some(seen), meta) => Who::Measured(seen.id, meta),
            (None, meta) => Who::Told(meta?),
        };
        Some(Self { node: place.node.cloned(), who, rank })
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> PodIdentity {
        let node = self.node.as_deref().filter(|node| !is_nowhere(node));
        let uid: Arc<str> = self.uid().to_string().into();
        PodIdentity::new(&uid, node.map(NodeName::as_str), self.meta())
    }

    /// Where its rows are, if there are any; `None` where it is on no node.
    pub(super) fn source(&self) -> Option<Source> {
        let node = self.node.clone()?;
        Some(Source { node, kind: EntityKind::Pod, id: self.uid().clone() })
    }

    /// What Kubernetes says of it.
    pub(super) fn meta(&self) -> Option<&PodMeta> {
        match &self.who {
            Who::Told(meta) => Some(meta),
            Who::Measured(_, meta) => meta.as_deref(),
        }
    }

    fn uid(&self) -> &EntityId {
        match &self.who {
            Who::Told(meta) => &meta.uid,
            Who::Measured(uid, _) => uid,
        }
    }

    /// Nothing was heard of its node lately.
    pub(super) fn is_silent(&self, monitor: &Monitor) -> bool {
        unmeasured(monitor, self.node.as_ref()).is_silent
    }

    fn present(&self, monitor: &Monitor) -> Present {
        let knowledge = Knowledge::of_pods(monitor);
        let told = self
            .meta()
            .filter(|meta| knowledge == Knowledge::Current && !meta.containers.is_empty());
        let look = |view: &NodeView<'_>| {
            let (sight, series) = (Sight::new(view), view.find(EntityKind::Pod, self.uid())?);
            let containers = if told.is_some() { None } else { sight.containers_in(self.uid()) };
            let newest = Reading::from(series.latest());
            Some((sight.pod(&series, SortBy::Name), series.qos(), containers, newest))
        };
        let seen = self.node.as_deref().and_then(|node| monitor.store.node(node, look)?);
        let (seen, qos, containers, newest) = match seen {
            Some((seen, qos, containers, newest)) => (Some(seen), qos, containers, Some(newest)),
            None => (None, None, None, None),
        };
        let is_silent = seen.as_ref().map_or_else(|| self.is_silent(monitor), |s| s.is_silent);
        let life = Life::of(self.meta(), seen.as_ref(), is_silent, knowledge);
        let running = |meta: &PodMeta| meta.containers.iter().filter(|c| c.running).count() as u64;
        let state = PodState {
            ended: life == Life::Ended,
            stale: life == Life::Silent,
            qos,
            container_count: told.map(running).or(containers),
        };
        Present { state, newest }
    }

    fn facts(&self, state: PodState) -> PodFacts {
        PodFacts::new(self.identity(), state, self.meta())
    }
}

impl Listed for Pod {
    fn key(&self, part: usize) -> Cow<'_, str> {
        match (part, self.meta()) {
            (0, Some(meta)) => Cow::Borrowed(&meta.name),
            (1, Some(meta)) => Cow::Borrowed(&meta.namespace),
            (1, None) => Cow::Borrowed(""),
            _ => text_of(self.uid()),
        }
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Pod {
    type Identity = PodIdentity;
    type Sample = PodSample;

    fn newest(self, monitor: &Monitor) -> Option<PodSample> {
        let Present { state, newest } = self.present(monitor);
        let newest = match newest {
            Some(newest) => newest,
            None if self.meta().is_some() => Reading::empty(EntityKind::Pod, now()),
            None => return None,
        };
        Some(PodSample::new(Arc::new(self.facts(state)), &newest))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<PodIdentity, impl Iterator<Item = PodSample>> {
        let Present { state, newest } = self.present(monitor);
        let facts = Arc::new(self.facts(state));
        let (identity, past) = (facts.identity.clone(), Arc::new(facts.past()));
        let reaches_newest = newest.is_none_or(|newest| span.range.to >= newest.at);
        let readings = self.source().map(|source| source.readings(span, monitor));
        let samples = with_facts(readings.into_iter().flatten(), reaches_newest, facts, past)
            .map(|(reading, facts)| PodSample::new(facts, &reading));
        Windowed::new(identity, samples)
    }
}
