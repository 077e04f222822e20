//! Finding pods: measured ones, and those Kubernetes says run.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use kubemonitor_inventory::{LabelSelector, Phase, PodMeta, WorkloadKey};
use kubemonitor_model::{EntityId, EntityKind, NodeName, UnixMillis};
use kubemonitor_store::{NodeView, SeriesView, Usage};
use utoipa::IntoParams;

use super::{
    Listed, Selection, SortBy, Span, When,
    entity::{Entity, Source, text_of, with_facts},
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
    #[param(example = "kube-system")]
    namespace: Option<String>,
    /// Only pods on this node.
    #[param(example = "worker-1")]
    node: Option<String>,
    /// Only pods with these labels, written as for `kubectl -l`: `app=web,tier!=cache`,
    /// `app in (a,b)`, `canary`, `!canary`.
    #[param(rename = "labelSelector", value_type = Option<String>, example = "app=web")]
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

/// A pod that was found.
#[derive(Debug)]
pub(crate) struct Pod {
    /// Where it was measured, else where Kubernetes says it is.
    node: Option<Arc<NodeName>>,
    who: Who,
    rank: Option<f64>,
}

/// Whom a pod is known by.
#[derive(Debug)]
enum Who {
    /// Kubernetes has told of it, with the UID that its cgroup carries.
    Told(Arc<PodMeta>),
    /// It was measured under a UID that Kubernetes does not tell, or tells as another one's.
    Measured(EntityId, Option<Arc<PodMeta>>),
}

/// A pod's series at one moment, as far as it says whether the pod belongs on a list.
struct Seen {
    id: EntityId,
    live: bool,
    first_at: UnixMillis,
    newest_at: UnixMillis,
    rank: Option<f64>,
}

/// What the store has of a pod at one moment.
#[derive(Default)]
struct Present {
    measured: Measured,
    newest: Option<Reading>,
}

/// The pods of a scope. Without a span those that run; with one, those that were there in it.
pub(crate) fn pods(
    monitor: &Monitor,
    scope: Scope,
    filter: &PodParams,
    when: When,
    selection: &mut Selection<Pod>,
) {
    let sort = selection.sorted_by();
    let mut add = |node: Option<&Arc<NodeName>>, seen: Option<Seen>, meta: Option<Arc<PodMeta>>| {
        let name = node.map(|node| &**node);
        if filter.admits(name, meta.as_deref()) && is_there(meta.as_deref(), seen.as_ref(), when) {
            selection.extend(Pod::new(node, seen, meta));
        }
    };
    match filter.narrowed(scope) {
        Scope::Cluster => {
            let nowhere = monitor.nowhere.clone();
            for node in monitor.nodes().into_iter().chain([nowhere]) {
                on_node(monitor, &Arc::new(node), sort, &mut add);
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
    let busiest = monitor.store.busiest_pods(usage, count.checked_add(MORE_THAN_ASKED)?);
    let mut by_node: HashMap<_, Vec<_>> = HashMap::new();
    for (node, pod) in busiest.pods {
        let meta = monitor.inventory.pod_by_uid(&pod);
        by_node.entry(node).or_default().push((pod, meta));
    }
    let mut found = Vec::new();
    for (node, pods) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let see = |(pod, meta): (_, Option<Arc<PodMeta>>)| {
                Some((Seen::new(&view.find(EntityKind::Pod, &pod)?, sort), meta))
            };
            pods.into_iter().filter_map(see).collect::<Vec<_>>()
        });
        let node = Arc::new(node);
        for (seen, meta) in seen.unwrap_or_default() {
            if is_there(meta.as_deref(), Some(&seen), when) {
                found.extend(Pod::new(Some(&node), Some(seen), meta));
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
fn outlives(meta: Option<&PodMeta>, live: bool, newest_at: UnixMillis) -> bool {
    let ended_at = meta.and_then(|meta| meta.ended_at);
    live && ended_at.is_some_and(|ended_at| newest_at.since(ended_at) > CLEARED_AFTER_MS)
}

fn is_there(meta: Option<&PodMeta>, seen: Option<&Seen>, when: When) -> bool {
    let live = seen.is_some_and(|seen| seen.live);
    let outlives = seen.is_some_and(|seen| outlives(meta, seen.live, seen.newest_at));
    let running = match meta {
        // Its collector may have fallen silent; Kubernetes knows better.
        Some(meta) if meta.phase.is_some() => runs(meta) || outlives,
        _ => live,
    };
    let overlaps = |span: Span| {
        seen.is_some_and(|seen| seen.first_at <= span.range.to && seen.newest_at >= span.range.from)
    };
    match when {
        When::Newest => running,
        When::Span(span) => running || overlaps(span),
    }
}

type Add<'a> = dyn FnMut(Option<&Arc<NodeName>>, Option<Seen>, Option<Arc<PodMeta>>) + 'a;

/// Pods a node's collector saw, and those that Kubernetes says are there and it did not see.
fn on_node(monitor: &Monitor, node: &Arc<NodeName>, sort: SortBy, add: &mut Add<'_>) {
    let metas = monitor.inventory.pods_on(node.as_str());
    let mut metas: HashMap<EntityId, Arc<PodMeta>> =
        metas.into_iter().map(|meta| (meta.uid.clone(), meta)).collect();
    let seen = monitor.store.node(node, |view| {
        let pods = view.series(EntityKind::Pod);
        pods.map(|series| Seen::new(&series, sort)).collect::<Vec<_>>()
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
fn of_group(monitor: &Monitor, metas: Vec<Arc<PodMeta>>, sort: SortBy, add: &mut Add<'_>) {
    let mut by_node: HashMap<NodeName, Vec<Arc<PodMeta>>> = HashMap::new();
    for meta in metas {
        if let Some(node) = monitor.store.locate(&meta.uid) {
            by_node.entry(node).or_default().push(meta);
        } else {
            let bound_to = meta.node.as_deref().and_then(|node| node.parse().ok());
            add(bound_to.map(Arc::new).as_ref(), None, Some(meta));
        }
    }
    for (node, metas) in by_node {
        let seen = monitor.store.node(&node, |view| {
            let see = |meta: &Arc<PodMeta>| {
                Some(Seen::new(&view.find(EntityKind::Pod, &meta.uid)?, sort))
            };
            metas.iter().map(see).collect::<Vec<_>>()
        });
        let seen = seen.unwrap_or_default().into_iter().chain(std::iter::repeat_with(|| None));
        let node = Arc::new(node);
        for (meta, seen) in metas.into_iter().zip(seen) {
            add(Some(&node), seen, Some(meta));
        }
    }
}

/// How many containers of a pod are there.
fn containers_in(view: &NodeView<'_>, pod: &EntityId) -> Option<u64> {
    let live = view.series(EntityKind::Container).filter(SeriesView::live);
    let count = live.filter(|series| series.parent() == Some(pod)).count() as u64;
    (count > 0).then_some(count)
}

impl Seen {
    fn new(series: &SeriesView<'_>, sort: SortBy) -> Self {
        Self {
            id: series.id().clone(),
            live: series.live(),
            first_at: series.first_at(),
            newest_at: series.last_at(),
            rank: Reading::rank_of(series, sort),
        }
    }
}

impl Present {
    /// What the store has of a pod. Containers are counted where Kubernetes does not tell of them.
    fn new(view: &NodeView<'_>, uid: &EntityId, meta: Option<&PodMeta>) -> Option<Self> {
        let series = view.find(EntityKind::Pod, uid)?;
        let told = meta.is_some_and(|meta| !meta.containers.is_empty());
        let measured = Measured {
            live: series.live(),
            outlives: outlives(meta, series.live(), series.last_at()),
            qos: series.qos(),
            containers: if told { None } else { containers_in(view, uid) },
        };
        Some(Self { measured, newest: Some(series.latest().into()) })
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
    let node = monitor.store.locate(&uid).map(Arc::new);
    let seen = node.as_ref().and_then(|node| {
        let see =
            |view: &NodeView<'_>| Some(Seen::new(&view.find(EntityKind::Pod, &uid)?, SortBy::Name));
        monitor.store.node(node, see)
    });
    let seen = seen.flatten();
    // Where its namespace is not known, it is not known to be in the one asked for.
    let is_known = meta.is_some() || (seen.is_some() && namespace.is_none());
    let pod = Pod::new(node.as_ref(), seen, meta).filter(|_| is_known);
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
    /// A pod that was seen, or that Kubernetes tells of; `None` of one that is neither.
    fn new(
        node: Option<&Arc<NodeName>>,
        seen: Option<Seen>,
        meta: Option<Arc<PodMeta>>,
    ) -> Option<Self> {
        let rank = seen.as_ref().and_then(|seen| seen.rank);
        let who = match (seen, meta) {
            (Some(seen), Some(meta)) if seen.id == meta.uid => Who::Told(meta),
            (Some(seen), meta) => Who::Measured(seen.id, meta),
            (None, meta) => Who::Told(meta?),
        };
        Some(Self { node: node.cloned(), who, rank })
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

    fn present(&self, monitor: &Monitor) -> Present {
        let look = |view: &NodeView<'_>| Present::new(view, self.uid(), self.meta());
        let node = self.node.as_deref();
        node.and_then(|node| monitor.store.node(node, look)?).unwrap_or_default()
    }

    fn facts(&self, measured: Measured) -> PodFacts {
        PodFacts::new(self.identity(), measured, self.meta())
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
        let Present { measured, newest } = self.present(monitor);
        let newest = match newest {
            Some(newest) => newest,
            None if self.meta().is_some() => Reading::empty(EntityKind::Pod, now()),
            None => return None,
        };
        Some(PodSample::new(Arc::new(self.facts(measured)), &newest))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<PodIdentity, impl Iterator<Item = PodSample>> {
        let Present { measured, newest } = self.present(monitor);
        let facts = Arc::new(self.facts(measured));
        let (identity, past) = (facts.identity.clone(), Arc::new(facts.past()));
        let reaches_newest = newest.is_none_or(|newest| span.range.to >= newest.at);
        let readings = self.source().map(|source| source.readings(span, monitor));
        let samples = with_facts(readings.into_iter().flatten(), reaches_newest, facts, past)
            .map(|(reading, facts)| PodSample::new(facts, &reading));
        Windowed::new(identity, samples)
    }
}
