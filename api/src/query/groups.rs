//! Finding namespaces, Deployments and other workloads: sums over pods, and what was pushed of the
//! whole.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use kubemonitor_inventory::{NamespaceMeta, PodSums, WorkloadKey, WorkloadKind, WorkloadMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};
use kubemonitor_store::GroupSample;
use serde::Serialize;

use super::{
    Listed, Selection, SortBy, Span, When,
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

    /// A part of what a list is sorted by.
    fn key(&self, part: usize) -> &str;
}

/// A group of pods that was found.
#[derive(Clone, Debug)]
pub(crate) struct Group<I> {
    identity: I,
    /// The key of its sums.
    sums: String,
    /// Where its rows are if somebody pushes them.
    pushed: Source,
    /// What its pods claim, where it is known.
    claims: Option<PodSums>,
    coverage: Coverage,
    rank: Option<f64>,
}

/// Every namespace. Without a span those there are; with one, also those that were there in it.
pub(crate) fn namespaces(
    monitor: &Monitor,
    when: When,
    selection: &mut Selection<Group<NamespaceIdentity>>,
) {
    let sort = selection.sorted_by();
    let reporting = Reporting::new(monitor);
    let known = monitor.inventory.namespaces();
    let names: HashSet<&str> = known.iter().map(|namespace| &*namespace.name).collect();
    let mut pushed = pushed(monitor, EntityKind::Namespace);
    pushed.retain(|name| !names.contains(name.as_str()));
    selection.extend(known.iter().filter_map(|meta| {
        let (group, newest) = Group::of_namespace(&reporting, &meta.name, Some(meta), sort);
        let there = is_there(meta.created_at, meta.ended_at, &meta.pods);
        (there || reaches_into(&newest, when)).then_some(group)
    }));
    selection.extend(pushed.iter().filter_map(|name| {
        let (group, newest) = Group::of_namespace(&reporting, name, None, sort);
        is_told(&newest, when).then_some(group)
    }));
}

/// The namespace of this name.
pub(crate) fn namespace(
    monitor: &Monitor,
    name: &str,
) -> Result<Group<NamespaceIdentity>, ApiError> {
    let meta = monitor.inventory.namespace(name);
    let reporting = Reporting::new(monitor);
    let (group, newest) = Group::of_namespace(&reporting, name, meta.as_ref(), SortBy::Name);
    if meta.is_none() && is_empty(&newest) {
        return Err(ApiError::unknown("namespace", name));
    }
    Ok(group)
}

/// The Deployments of a namespace.
pub(crate) fn deployments(
    monitor: &Monitor,
    namespace: &str,
    when: When,
    selection: &mut Selection<Group<DeploymentIdentity>>,
) {
    let is_deployment = |key: &WorkloadKey| key.kind == WorkloadKind::Deployment;
    workloads_where(monitor, namespace, is_deployment, when, selection);
}

/// The workloads of a namespace.
pub(crate) fn workloads(
    monitor: &Monitor,
    namespace: &str,
    when: When,
    selection: &mut Selection<Group<WorkloadIdentity>>,
) {
    workloads_where(monitor, namespace, |_| true, when, selection);
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
    let reporting = Reporting::new(monitor);
    let (group, newest) = Group::of_workload(&reporting, key, meta.as_ref(), SortBy::Name);
    (meta.is_some() || !is_empty(&newest)).then_some(group)
}

fn workloads_where<I: Grouping + for<'a> From<&'a WorkloadKey>>(
    monitor: &Monitor,
    namespace: &str,
    wanted: impl Fn(&WorkloadKey) -> bool,
    when: When,
    selection: &mut Selection<Group<I>>,
) {
    let sort = selection.sorted_by();
    let reporting = Reporting::new(monitor);
    let mut known = monitor.inventory.workloads(namespace);
    known.retain(|workload| wanted(&workload.key));
    let keys: HashSet<&WorkloadKey> = known.iter().map(|workload| &*workload.key).collect();
    let is_known = |key: &WorkloadKey| keys.contains(key);
    let pushed: Vec<WorkloadKey> = pushed(monitor, EntityKind::Workload)
        .iter()
        .filter_map(|id| joins::workload_named(id))
        .filter(|key| *key.namespace == *namespace && wanted(key) && !is_known(key))
        .collect();
    selection.extend(known.iter().filter_map(|meta| {
        let (group, newest) = Group::of_workload(&reporting, &meta.key, Some(meta), sort);
        let there = is_there(meta.created_at, meta.ended_at, &meta.pods);
        (there || reaches_into(&newest, when)).then_some(group)
    }));
    selection.extend(pushed.iter().filter_map(|key| {
        let (group, newest) = Group::of_workload(&reporting, key, None, sort);
        is_told(&newest, when).then_some(group)
    }));
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
    ) -> (Self, GroupReading) {
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
    ) -> (Self, GroupReading) {
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
    Source { node: Arc::new(monitor.nowhere.clone()), kind, id }
}

impl<I: Grouping> Group<I> {
    /// A group, and what was read of it last.
    fn new(
        reporting: &Reporting<'_>,
        identity: I,
        sums: String,
        pushed: Source,
        (claims, coverage): (Option<PodSums>, Coverage),
        sort: SortBy,
    ) -> (Self, GroupReading) {
        let mut group = Self { identity, sums, pushed, claims, coverage, rank: None };
        let (newest, coverage) = group.read(reporting);
        group.rank = newest.rank(sort).filter(|_| !coverage.stale);
        (group, newest)
    }

    /// What was read of it last: what is pushed stands before the sum, for as long as somebody keeps
    /// pushing it.
    fn read(&self, reporting: &Reporting<'_>) -> (GroupReading, Coverage) {
        let Self { sums, pushed, claims, coverage, .. } = self;
        let pushed = pushed
            .look(reporting.monitor(), |series| (series.live(), Reading::from(series.latest())));
        let of_push = |reading: Reading, stale| {
            (GroupReading::Pushed(reading.into()), Coverage { stale, ..*coverage })
        };
        if let Some((true, reading)) = pushed {
            return of_push(reading, false);
        }
        match (reporting.sum(sums, claims.as_ref(), *coverage), pushed) {
            // Nobody pushes it any more, and there is nothing else to show.
            ((GroupReading::Empty(_), _), Some((_, reading))) => of_push(reading, true),
            (sum, _) => sum,
        }
    }

    fn facts(&self, coverage: Coverage) -> GroupFacts {
        GroupFacts { claims: self.claims.unwrap_or_default(), coverage: Some(coverage) }
    }
}

/// Nothing of it is retained.
fn is_empty(newest: &GroupReading) -> bool {
    matches!(newest, GroupReading::Empty(_))
}

/// It was measured in the span, if there is one.
fn reaches_into(newest: &GroupReading, when: When) -> bool {
    match when {
        When::Newest => false,
        When::Span(span) => !is_empty(newest) && newest.at() >= span.range.from,
    }
}

/// Like [`reaches_into`], of one that nobody but pushed samples tells of: they are all there is to it.
fn is_told(newest: &GroupReading, when: When) -> bool {
    reaches_into(newest, when) || (when == When::Newest && !is_empty(newest))
}

/// The sums of a span, oldest first; beyond the retention in the coarser steps that are kept for
/// longer.
fn summed(monitor: &Monitor, sums: &str, span: &Span) -> Vec<GroupSample> {
    span.gauges.of_past(monitor.store.group_history(sums, span.range, span.asked_at))
}

impl<I: Grouping> Listed for Group<I> {
    fn key(&self, part: usize) -> Cow<'_, str> {
        Cow::Borrowed(self.identity.key(part))
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl<I: Grouping> Entity for Group<I> {
    type Identity = I;
    type Sample = I::Sample;

    fn newest(self, monitor: &Monitor) -> Option<I::Sample> {
        let (newest, coverage) = self.read(&Reporting::new(monitor));
        let facts = self.facts(coverage);
        Some(self.identity.sample(&newest, &facts))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<I, impl Iterator<Item = I::Sample>> {
        let (newest, coverage) = self.read(&Reporting::new(monitor));
        let (newest_at, facts) = (newest.at(), self.facts(coverage));
        let mut pushed = self.pushed.readings(span, monitor).peekable();
        let sums = match pushed.peek() {
            None => steps::sums(summed(monitor, &self.sums, span), span),
            Some(_) => Vec::new(),
        };
        let pushed = pushed.map(|reading| GroupReading::Pushed(reading.into()));
        let readings = sums.into_iter().map(GroupReading::Sum).chain(pushed);
        let reaches_newest = span.range.to >= newest_at;
        let identity = self.identity.clone();
        let samples = with_facts(readings, reaches_newest, facts, GroupFacts::default())
            .map(move |(reading, facts)| identity.clone().sample(&reading, &facts));
        Windowed::new(self.identity, samples)
    }
}

impl Grouping for NamespaceIdentity {
    type Sample = NamespaceSample;

    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> NamespaceSample {
        NamespaceSample::new(self, reading, facts)
    }

    fn key(&self, part: usize) -> &str {
        if part == 0 { &self.namespace } else { "" }
    }
}

impl Grouping for DeploymentIdentity {
    type Sample = DeploymentSample;

    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> DeploymentSample {
        DeploymentSample::new(self, reading, facts)
    }

    fn key(&self, part: usize) -> &str {
        if part == 0 { &self.deployment } else { "" }
    }
}

impl Grouping for WorkloadIdentity {
    type Sample = WorkloadSample;

    fn sample(self, reading: &GroupReading, facts: &GroupFacts) -> WorkloadSample {
        WorkloadSample::new(self, reading, facts)
    }

    fn key(&self, part: usize) -> &str {
        match part {
            0 => &self.workload_name,
            1 => &self.workload_kind,
            _ => "",
        }
    }
}
