//! Finding pods: measured ones, and those Kubernetes says run.

use std::{cell::OnceCell, collections::HashMap, sync::Arc};

use kubemonitor_inventory::{LabelSelector, Phase, PodMeta, WorkloadKey};
use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};
use kubemonitor_store::{NodeView, SeriesView, Usage};
use utoipa::IntoParams;

use super::{
    Listed, SortBy, Span, When,
    entity::{Entity, Source, with_facts},
    params::{Params, Question, documented},
};
use crate::{
    errors::ApiError,
    model::{Measured, PodFacts, PodIdentity, PodSample, Reading, Windowed},
    monitor::{Monitor, is_nowhere, now},
};

/// How long after Kubernetes has forgotten a pod what is measured of it may be its clearing away.
const CLEARED_AFTER_MS: i64 = 60_000;

/// The parameters that choose among pods.
#[derive(Debug, Default, PartialEq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PodParams {
    /// Only pods of this namespace.
    namespace: Option<String>,
    /// Only pods on this node.
    node: Option<String>,
    /// Only pods with these labels, written as for `kubectl -l`: `app=web,tier!=cache`,
    /// `app in (a,b)`, `canary`, `!canary`.
    #[param(rename = "labelSelector", value_type = Option<String>)]
    selector: Option<LabelSelector>,
}

impl Question for PodParams {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self {
            namespace: params.text("namespace"),
            node: params.text("node"),
            selector: params.parsed("labelSelector")?,
        })
    }

    fn names() -> Vec<String> {
        documented::<Self>()
    }
}

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
    measured: Measured,
    meta: Option<Arc<PodMeta>>,
    newest: Reading,
    rank: Option<f64>,
}

/// A pod's series at one moment, copied out of the store.
struct Seen {
    id: EntityId,
    measured: Measured,
    first_at: UnixMillis,
    newest: Reading,
}

/// The pods of a scope. Without a span those that run; with one, those that were there in it.
pub(crate) fn pods(
    monitor: &Monitor,
    scope: Scope,
    filter: &PodParams,
    when: When,
    sort: SortBy,
) -> Vec<Pod> {
    let admitted = |node: Option<&NodeName>, meta: Option<&PodMeta>, seen: Option<&Seen>| {
        filter.admits(node, meta) && is_there(meta, seen, when)
    };
    let mut found = Vec::new();
    let mut add = |node: Option<&NodeName>, seen: Option<Seen>, meta: Option<Arc<PodMeta>>| {
        if admitted(node, meta.as_deref(), seen.as_ref()) {
            found.push(Pod::new(node, seen, meta, sort));
        }
    };
    match filter.narrowed(scope) {
        Scope::Cluster => {
            for node in monitor.nodes().iter().chain([&monitor.nowhere]) {
                on_node(monitor, node, &mut add);
            }
        }
        Scope::Node(node) => on_node(monitor, &node, &mut add),
        Scope::Namespace(name) => of_group(monitor, monitor.inventory.pods_in(&name), &mut add),
        Scope::Workload(key) => of_group(monitor, monitor.inventory.pods_of(&key), &mut add),
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
    let busiest = monitor.store.busiest_pods(usage, count.checked_add(MORE_THAN_ASKED)?);
    let mut by_node: HashMap<_, Vec<_>> = HashMap::new();
    for (node, pod) in busiest.pods {
        let meta = monitor.inventory.pod_by_uid(&pod);
        by_node.entry(node).or_default().push((pod, meta));
    }
    let mut found = Vec::new();
    for (node, pods) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let counts = ContainerCounts::new(view);
            let see = |(pod, meta): (_, Option<Arc<PodMeta>>)| {
                let series = view.find(EntityKind::Pod, &pod)?;
                Some((Seen::new(series, meta.as_deref(), &counts), meta))
            };
            pods.into_iter().filter_map(see).collect::<Vec<_>>()
        });
        for (seen, meta) in seen.unwrap_or_default() {
            if is_there(meta.as_deref(), Some(&seen), when) {
                found.push(Pod::new(Some(&node), Some(seen), meta, sort));
            }
        }
    }
    // Where some are not there any more, others may be among the first.
    (found.len() > count && !busiest.is_all).then_some(found)
}

/// Whether Kubernetes says that a pod runs; of one that was only pushed, it says nothing else.
pub(crate) fn runs(pod: &PodMeta) -> bool {
    pod.ended_at.is_none() && matches!(pod.phase, None | Some(Phase::Running))
}

/// Whether a pod's processes go on although Kubernetes has forgotten it, as when it was deleted by
/// force and its kubelet is down.
fn outlives(meta: Option<&PodMeta>, seen: Option<&Seen>) -> bool {
    let ended_at = meta.and_then(|meta| meta.ended_at);
    ended_at.zip(seen).is_some_and(|(ended_at, seen)| {
        seen.measured.live && seen.newest.at.since(ended_at) > CLEARED_AFTER_MS
    })
}

fn is_there(meta: Option<&PodMeta>, seen: Option<&Seen>, when: When) -> bool {
    let live = seen.is_some_and(|seen| seen.measured.live);
    let running = match meta {
        // Its collector may have fallen silent; Kubernetes knows better.
        Some(meta) if meta.phase.is_some() => runs(meta) || outlives(Some(meta), seen),
        _ => live,
    };
    let overlaps = |span: Span| {
        seen.is_some_and(|seen| seen.first_at <= span.range.to && seen.newest.at >= span.range.from)
    };
    match when {
        When::Newest => running,
        When::Span(span) => running || overlaps(span),
    }
}

type Add<'a> = dyn FnMut(Option<&NodeName>, Option<Seen>, Option<Arc<PodMeta>>) + 'a;

/// Pods a node's collector saw, and those that Kubernetes says are there and it did not see.
fn on_node(monitor: &Monitor, node: &NodeName, add: &mut Add<'_>) {
    let metas = monitor.inventory.pods_on(node.as_str());
    let mut metas: HashMap<EntityId, Arc<PodMeta>> =
        metas.into_iter().map(|meta| (meta.uid.clone(), meta)).collect();
    let seen = monitor.store.node(node, |view| {
        let counts = ContainerCounts::new(view);
        let see = |series: SeriesView<'_>| {
            Seen::new(series, metas.get(series.id()).map(|meta| &**meta), &counts)
        };
        view.series(EntityKind::Pod).map(see).collect::<Vec<_>>()
    });
    for seen in seen.unwrap_or_default() {
        let meta = metas.remove(&seen.id).or_else(|| monitor.inventory.pod_by_uid(&seen.id));
        add(Some(node), Some(seen), meta);
    }
    for (uid, meta) in metas {
        // One that another node's collector saw is that node's: names of nodes may differ.
        if monitor.store.locate(&uid).is_none() {
            add(Some(node), None, Some(meta));
        }
    }
}

/// Pods that Kubernetes says belong together, wherever they were seen.
fn of_group(monitor: &Monitor, metas: Vec<Arc<PodMeta>>, add: &mut Add<'_>) {
    let mut by_node: HashMap<NodeName, Vec<Arc<PodMeta>>> = HashMap::new();
    for meta in metas {
        if let Some(node) = monitor.store.locate(&meta.uid) {
            by_node.entry(node).or_default().push(meta);
        } else {
            let bound_to = meta.node.as_deref().and_then(|node| node.parse().ok());
            add(bound_to.as_ref(), None, Some(meta));
        }
    }
    for (node, metas) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let counts = ContainerCounts::new(view);
            let see = |meta: &Arc<PodMeta>| {
                let series = view.find(EntityKind::Pod, &meta.uid)?;
                Some(Seen::new(series, Some(meta), &counts))
            };
            metas.iter().map(see).collect::<Vec<_>>()
        });
        let seen = seen.unwrap_or_default().into_iter().chain(std::iter::repeat_with(|| None));
        for (meta, seen) in metas.into_iter().zip(seen) {
            add(Some(&node), seen, Some(meta));
        }
    }
}

/// How many containers of each pod are there, counted once somebody asks: Kubernetes tells of most
/// pods.
struct ContainerCounts<'a> {
    view: &'a NodeView<'a>,
    counted: OnceCell<HashMap<&'a EntityId, u64>>,
}

impl<'a> ContainerCounts<'a> {
    fn new(view: &'a NodeView<'a>) -> Self {
        Self { view, counted: OnceCell::new() }
    }

    fn of(&self, pod: &EntityId) -> Option<u64> {
        let counted = self.counted.get_or_init(|| {
            let mut counts = HashMap::new();
            let live = self.view.series(EntityKind::Container).filter(SeriesView::live);
            for pod in live.filter_map(|series| series.parent()) {
                *counts.entry(pod).or_default() += 1;
            }
            counts
        });
        counted.get(pod).copied()
    }
}

impl Seen {
    /// What the store has of a pod. Containers are counted where Kubernetes does not tell of them.
    fn new(series: SeriesView<'_>, meta: Option<&PodMeta>, counts: &ContainerCounts<'_>) -> Self {
        let told = meta.is_some_and(|meta| !meta.containers.is_empty());
        let containers = if told { None } else { counts.of(series.id()) };
        Self {
            id: series.id().clone(),
            measured: Measured {
                live: series.live(),
                outlives: false,
                qos: series.qos(),
                containers,
            },
            first_at: series.first_at(),
            newest: series.latest().into(),
        }
    }
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
    let node = monitor.store.locate(&uid);
    let seen = node.as_ref().and_then(|node| {
        monitor.store.node(node, |view| {
            let series = view.find(EntityKind::Pod, &uid)?;
            Some(Seen::new(series, meta.as_deref(), &ContainerCounts::new(view)))
        })
    });
    match (seen.flatten(), meta) {
        (None, None) => Err(ApiError::unknown("pod", name)),
        // Its namespace is not known, so it is not known to be in the one asked for.
        (Some(_), None) if namespace.is_some() => Err(ApiError::unknown("pod", name)),
        (seen, meta) => Ok(Pod::new(node.as_ref(), seen, meta, SortBy::Name)),
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

impl PodParams {
    /// The scope as far as the parameters make it smaller.
    fn narrowed(&self, scope: Scope) -> Scope {
        match (&scope, &self.namespace, self.node.as_deref().map(str::parse)) {
            (Scope::Cluster, Some(namespace), _) => Scope::Namespace(namespace.clone()),
            (Scope::Cluster, None, Some(Ok(node))) => Scope::Node(node),
            _ => scope,
        }
    }

    fn admits(&self, node: Option<&NodeName>, meta: Option<&PodMeta>) -> bool {
        let namespace = meta.map(|meta| &*meta.namespace);
        let labels = meta.map(|meta| meta.labels.clone()).unwrap_or_default();
        self.namespace.as_deref().is_none_or(|asked| namespace == Some(asked))
            && self.node.as_deref().is_none_or(|asked| node.map(NodeName::as_str) == Some(asked))
            && self.selector.as_ref().is_none_or(|selector| selector.matches(&labels))
    }
}

impl Pod {
    fn new(
        node: Option<&NodeName>,
        seen: Option<Seen>,
        meta: Option<Arc<PodMeta>>,
        sort: SortBy,
    ) -> Self {
        let outlives = outlives(meta.as_deref(), seen.as_ref());
        let (id, measured, newest) = match seen {
            Some(seen) => (Some(seen.id), seen.measured, seen.newest),
            None => (None, Measured::default(), Reading::empty(EntityKind::Pod, now())),
        };
        let uid = id.as_ref().or(meta.as_ref().map(|meta| &meta.uid));
        let uid = uid.expect("a pod was seen or is known").to_string().into();
        let (node, measured) = (node.cloned(), Measured { outlives, ..measured });
        Self { uid, node, id, measured, meta, rank: newest.rank(sort), newest }
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

    /// What Kubernetes says of it.
    pub(super) fn meta(&self) -> Option<&PodMeta> {
        self.meta.as_deref()
    }

    fn facts(&self) -> PodFacts {
        PodFacts::new(self.identity(), self.measured, self.meta())
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
