//! Finding namespaces, Deployments and other workloads: sums over pods, and what was pushed of the
//! whole.

use kubemonitor_inventory::{NamespaceMeta, PodSums, WorkloadKey, WorkloadKind, WorkloadMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};
use kubemonitor_store::GroupSample;
use serde::Serialize;

use super::{
    Listed, SortBy, Span, When,
    coverage::Reporting,
    entity::{Entity, Source, with_facts},
    steps,
};
use crate::{
    errors::ApiError,
    joins,
    model::{
        Coverage, DeploymentIdentity, DeploymentSample, GroupFacts, GroupReading,
        NamespaceIdentity, NamespaceSample, Reading, Windowed, WorkloadIdentity, WorkloadSample,
    },
    monitor::Monitor,
};

/// What groups of pods are told apart by.
pub(crate) trait Grouping: Clone + Serialize + Send + 'static {
    /// The group at one moment, as JSON.
    type Sample: Serialize + Send;

    /// What was read of the group, and what else is said of it.
    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> Self::Sample;

    /// What a list is sorted by.
    fn key(&self) -> [&str; 3];
}

/// A group of pods that was found.
#[derive(Debug)]
pub(crate) struct Group<I> {
    identity: I,
    /// The key of its sums.
    sums: String,
    /// Where its rows are if somebody pushes them.
    pushed: Source,
    facts: GroupFacts,
    newest: GroupReading,
    rank: Option<f64>,
}

/// Every namespace. Without a span those there are; with one, also those that were there in it.
pub(crate) fn namespaces(
    monitor: &Monitor,
    when: When,
    sort: SortBy,
) -> Vec<Group<NamespaceIdentity>> {
    let reporting = Reporting::new(monitor);
    let known = monitor.inventory.namespaces();
    let is_known = |name: &str| known.iter().any(|namespace| *namespace.name == *name);
    let pushed: Vec<String> =
        pushed(monitor, EntityKind::Namespace).into_iter().filter(|name| !is_known(name)).collect();
    let known = known.iter().filter_map(|meta| {
        let group = Group::of_namespace(&reporting, &meta.name, Some(meta), sort);
        let there = is_there(meta.created_at, meta.ended_at, &meta.pods);
        (there || group.reaches_into(when)).then_some(group)
    });
    let pushed = pushed.iter().map(|name| Group::of_namespace(&reporting, name, None, sort));
    known.chain(pushed.filter(|group| group.is_told(when))).collect()
}

/// The namespace of this name.
pub(crate) fn namespace(
    monitor: &Monitor,
    name: &str,
) -> Result<Group<NamespaceIdentity>, ApiError> {
    let meta = monitor.inventory.namespace(name);
    let group = Group::of_namespace(&Reporting::new(monitor), name, meta.as_ref(), SortBy::Name);
    if meta.is_none() && group.is_empty() {
        return Err(ApiError::unknown("namespace", name));
    }
    Ok(group)
}

/// The Deployments of a namespace.
pub(crate) fn deployments(
    monitor: &Monitor,
    namespace: &str,
    when: When,
    sort: SortBy,
) -> Vec<Group<DeploymentIdentity>> {
    let is_deployment = |key: &WorkloadKey| key.kind == WorkloadKind::Deployment;
    workloads_where(monitor, namespace, is_deployment, when, sort)
}

/// The workloads of a namespace.
pub(crate) fn workloads(
    monitor: &Monitor,
    namespace: &str,
    when: When,
    sort: SortBy,
) -> Vec<Group<WorkloadIdentity>> {
    workloads_where(monitor, namespace, |_| true, when, sort)
}

/// The Deployment of this name.
pub(crate) fn deployment(
    monitor: &Monitor,
    key: &WorkloadKey,
) -> Result<Group<DeploymentIdentity>, ApiError> {
    workload_as(monitor, key).ok_or_else(|| ApiError::unknown("deployment", &*key.name))
}

/// The workload of this kind and name.
pub(crate) fn workload(
    monitor: &Monitor,
    key: &WorkloadKey,
) -> Result<Group<WorkloadIdentity>, ApiError> {
    let name = || format!("{} {}", key.kind, key.name);
    workload_as(monitor, key).ok_or_else(|| ApiError::unknown("workload", name()))
}

fn workload_as<I: Grouping + for<'a> From<&'a WorkloadKey>>(
    monitor: &Monitor,
    key: &WorkloadKey,
) -> Option<Group<I>> {
    let meta = monitor.inventory.workload(key);
    let group = Group::of_workload(&Reporting::new(monitor), key, meta.as_ref(), SortBy::Name);
    (meta.is_some() || !group.is_empty()).then_some(group)
}

fn workloads_where<I: Grouping + for<'a> From<&'a WorkloadKey>>(
    monitor: &Monitor,
    namespace: &str,
    wanted: impl Fn(&WorkloadKey) -> bool,
    when: When,
    sort: SortBy,
) -> Vec<Group<I>> {
    let reporting = Reporting::new(monitor);
    let mut known = monitor.inventory.workloads(namespace);
    known.retain(|workload| wanted(&workload.key));
    let is_known = |key: &WorkloadKey| known.iter().any(|workload| *workload.key == *key);
    let pushed: Vec<WorkloadKey> = pushed(monitor, EntityKind::Workload)
        .iter()
        .filter_map(|id| joins::workload_named(id))
        .filter(|key| *key.namespace == *namespace && wanted(key) && !is_known(key))
        .collect();
    let known = known.iter().filter_map(|meta| {
        let group = Group::of_workload(&reporting, &meta.key, Some(meta), sort);
        let there = is_there(meta.created_at, meta.ended_at, &meta.pods);
        (there || group.reaches_into(when)).then_some(group)
    });
    let pushed = pushed.iter().map(|key| Group::of_workload(&reporting, key, None, sort));
    known.chain(pushed.filter(|group| group.is_told(when))).collect()
}

/// Whether Kubernetes knows a namespace or a workload at present: by itself, or by pods that are there.
fn is_there(created: Option<UnixMillis>, ended: Option<UnixMillis>, pods: &PodSums) -> bool {
    ended.is_none() && (created.is_some() || pods.present > 0)
}

/// The groups of a kind that somebody pushes.
fn pushed(monitor: &Monitor, kind: EntityKind) -> Vec<String> {
    let ids = monitor.store.node(&monitor.nowhere, |view| {
        view.series(kind).map(|series| series.id().to_string()).collect()
    });
    ids.unwrap_or_default()
}

impl Group<NamespaceIdentity> {
    fn of_namespace(
        reporting: &Reporting<'_>,
        name: &str,
        meta: Option<&NamespaceMeta>,
        sort: SortBy,
    ) -> Self {
        let monitor = reporting.monitor();
        let claims = meta.map(|meta| meta.pods);
        let coverage = reporting.coverage(&monitor.inventory.nodes_in(name));
        Self::new(
            reporting,
            NamespaceIdentity { namespace: name.into() },
            joins::namespace_key(name),
            source(monitor, EntityKind::Namespace, joins::namespace_id(name)),
            (claims, coverage),
            sort,
        )
    }
}

impl<I: Grouping + for<'a> From<&'a WorkloadKey>> Group<I> {
    fn of_workload(
        reporting: &Reporting<'_>,
        key: &WorkloadKey,
        meta: Option<&WorkloadMeta>,
        sort: SortBy,
    ) -> Self {
        let monitor = reporting.monitor();
        let claims = meta.map(|meta| meta.pods);
        let coverage = reporting.coverage(&monitor.inventory.nodes_of(key));
        Self::new(
            reporting,
            I::from(key),
            joins::workload_key(key),
            source(monitor, EntityKind::Workload, joins::workload_id(key)),
            (claims, coverage),
            sort,
        )
    }
}

fn source(monitor: &Monitor, kind: EntityKind, id: EntityId) -> Source {
    Source { node: monitor.nowhere.clone(), kind, id }
}

impl<I: Grouping> Group<I> {
    fn new(
        reporting: &Reporting<'_>,
        identity: I,
        sums: String,
        pushed: Source,
        (claims, coverage): (Option<PodSums>, Coverage),
        sort: SortBy,
    ) -> Self {
        let (newest, coverage) = newest(reporting, &sums, &pushed, claims.as_ref(), coverage);
        let rank = newest.rank(sort).filter(|_| !coverage.stale);
        let facts = GroupFacts { claims: claims.unwrap_or_default(), coverage: Some(coverage) };
        Self { identity, sums, pushed, facts, newest, rank }
    }

    /// Nothing of it is retained.
    fn is_empty(&self) -> bool {
        matches!(self.newest, GroupReading::Empty(_))
    }

    /// It was measured in the span, if there is one.
    fn reaches_into(&self, when: When) -> bool {
        match when {
            When::Newest => false,
            When::Span(span) => !self.is_empty() && self.newest.at() >= span.range.from,
        }
    }

    /// The same of one that nobody but pushed samples tells of: they are all there is to it.
    fn is_told(&self, when: When) -> bool {
        self.reaches_into(when) || (when == When::Newest && !self.is_empty())
    }
}

/// What is pushed stands before the sum, for as long as somebody keeps pushing it.
fn newest(
    reporting: &Reporting<'_>,
    sums: &str,
    pushed: &Source,
    claims: Option<&PodSums>,
    coverage: Coverage,
) -> (GroupReading, Coverage) {
    let pushed = reporting.monitor().store.node(&pushed.node, |view| {
        let series = view.find(pushed.kind, &pushed.id)?;
        Some((series.live(), Reading::from(series.latest())))
    });
    let pushed = pushed.flatten();
    let of_push = |reading: Reading, stale| {
        (GroupReading::Pushed(reading.into()), Coverage { stale, ..coverage })
    };
    if let Some((true, reading)) = pushed {
        return of_push(reading, false);
    }
    match (reporting.sum(sums, claims, coverage), pushed) {
        // Nobody pushes it any more, and there is nothing else to show.
        ((GroupReading::Empty(_), _), Some((_, reading))) => of_push(reading, true),
        (sum, _) => sum,
    }
}

/// The sums of a span, oldest first; beyond the retention in the coarser steps that are kept for
/// longer.
fn summed(monitor: &Monitor, sums: &str, span: &Span) -> Vec<GroupSample> {
    span.gauges.of_past(monitor.store.group_history(sums, span.range, span.asked_at))
}

impl<I: Grouping> Listed for Group<I> {
    fn key(&self) -> [&str; 3] {
        self.identity.key()
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl<I: Grouping> Entity for Group<I> {
    type Identity = I;
    type Sample = I::Sample;

    fn newest(self) -> I::Sample {
        self.identity.sample(&self.newest, &self.facts)
    }

    fn over(self, span: &Span, monitor: &Monitor) -> Windowed<I, I::Sample> {
        let pushed = self.pushed.readings(span, monitor);
        let readings: Vec<GroupReading> = if pushed.is_empty() {
            let sums = summed(monitor, &self.sums, span);
            steps::sums(sums, span).into_iter().map(GroupReading::Sum).collect()
        } else {
            pushed.into_iter().map(|reading| GroupReading::Pushed(reading.into())).collect()
        };
        let reaches_newest = span.range.to >= self.newest.at();
        let samples = with_facts(readings, reaches_newest, self.facts, &GroupFacts::default())
            .map(|(reading, facts)| self.identity.clone().sample(&reading, &facts))
            .collect();
        Windowed { identity: self.identity, samples }
    }
}

impl Grouping for NamespaceIdentity {
    type Sample = NamespaceSample;

    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> NamespaceSample {
        NamespaceSample::new(self, reading, facts)
    }

    fn key(&self) -> [&str; 3] {
        [&self.namespace, "", ""]
    }
}

impl Grouping for DeploymentIdentity {
    type Sample = DeploymentSample;

    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> DeploymentSample {
        DeploymentSample::new(self, reading, facts)
    }

    fn key(&self) -> [&str; 3] {
        [&self.deployment, "", ""]
    }
}

impl Grouping for WorkloadIdentity {
    type Sample = WorkloadSample;

    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> WorkloadSample {
        WorkloadSample::new(self, reading, facts)
    }

    fn key(&self) -> [&str; 3] {
        [&self.workload_name, &self.workload_kind, ""]
    }
}
