//! Finding namespaces, Deployments and other workloads: sums over pods, and what was pushed of the
//! whole.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use kubemonitor_inventory::{NamespaceMeta, PodSums, WorkloadKey, WorkloadKind, WorkloadMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};
use kubemonitor_store::GroupSample;
use serde::Serialize;

use super::{
    Listed, Selection, SortBy, Span, When,
    entity::{Entity, Source, with_facts},
    steps,
};
use crate::{
    errors::ApiError,
    joins,
    model::{
        DeploymentIdentity, DeploymentSample, GroupReading, NamespaceIdentity, NamespaceSample,
        Reading, Windowed, WorkloadIdentity, WorkloadSample,
    },
    monitor::{Monitor, now},
};

/// What groups of pods are told apart by.
pub(crate) trait Grouping: Clone + Serialize + Send + 'static {
    /// The group at one moment, as JSON.
    type Sample: Serialize + Send;

    /// What was read of the group, and what its pods claim.
    fn sample(self, reading: &GroupReading, claims: &PodSums) -> Self::Sample;

    /// A part of what a list is sorted by.
    fn key(&self, part: usize) -> &str;
}

/// A group of pods that was found.
#[derive(Debug)]
pub(crate) struct Group<I> {
    identity: I,
    /// The key of its sums.
    sums: String,
    /// Where its rows are if somebody pushes them.
    pushed: Source,
    claims: PodSums,
    rank: Option<f64>,
}

/// Every namespace. Without a span those there are; with one, also those that were there in it.
pub(crate) fn namespaces(
    monitor: &Monitor,
    when: When,
    selection: &mut Selection<Group<NamespaceIdentity>>,
) {
    let sort = selection.sorted_by();
    let known = monitor.inventory.namespaces();
    let names: HashSet<&str> = known.iter().map(|namespace| &*namespace.name).collect();
    let mut pushed = pushed(monitor, EntityKind::Namespace);
    pushed.retain(|name| !names.contains(name.as_str()));
    selection.extend(known.iter().filter_map(|meta| {
        let (group, newest) = Group::of_namespace(monitor, &meta.name, Some(meta), sort);
        let there = is_there(meta.created_at, meta.ended_at, &meta.pods);
        (there || reaches_into(&newest, when)).then_some(group)
    }));
    selection.extend(pushed.iter().filter_map(|name| {
        let (group, newest) = Group::of_namespace(monitor, name, None, sort);
        is_told(&newest, when).then_some(group)
    }));
}

/// The namespace of this name.
pub(crate) fn namespace(
    monitor: &Monitor,
    name: &str,
) -> Result<Group<NamespaceIdentity>, ApiError> {
    let meta = monitor.inventory.namespace(name);
    let (group, newest) = Group::of_namespace(monitor, name, meta.as_ref(), SortBy::Name);
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
    let (group, newest) = Group::of_workload(monitor, key, meta.as_ref(), SortBy::Name);
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
        let (group, newest) = Group::of_workload(monitor, &meta.key, Some(meta), sort);
        let there = is_there(meta.created_at, meta.ended_at, &meta.pods);
        (there || reaches_into(&newest, when)).then_some(group)
    }));
    selection.extend(pushed.iter().filter_map(|key| {
        let (group, newest) = Group::of_workload(monitor, key, None, sort);
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
        monitor: &Monitor,
        name: &str,
        meta: Option<&NamespaceMeta>,
        sort: SortBy,
    ) -> (Self, GroupReading) {
        let identity = NamespaceIdentity { namespace: name.into() };
        let claims = meta.map(|meta| meta.pods).unwrap_or_default();
        let pushed = source(monitor, EntityKind::Namespace, joins::namespace_id(name));
        Self::new(monitor, identity, joins::namespace_key(name), pushed, claims, sort)
    }
}

impl<I: Grouping + for<'a> From<&'a WorkloadKey>> Group<I> {
    fn of_workload(
        monitor: &Monitor,
        key: &WorkloadKey,
        meta: Option<&WorkloadMeta>,
        sort: SortBy,
    ) -> (Self, GroupReading) {
        let claims = meta.map(|meta| meta.pods).unwrap_or_default();
        let pushed = source(monitor, EntityKind::Workload, joins::workload_id(key));
        Self::new(monitor, I::from(key), joins::workload_key(key), pushed, claims, sort)
    }
}

fn source(monitor: &Monitor, kind: EntityKind, id: EntityId) -> Source {
    Source { node: Arc::new(monitor.nowhere.clone()), kind, id }
}

impl<I: Grouping> Group<I> {
    /// A group, and what was read of it last.
    fn new(
        monitor: &Monitor,
        identity: I,
        sums: String,
        pushed: Source,
        claims: PodSums,
        sort: SortBy,
    ) -> (Self, GroupReading) {
        let newest = newest(monitor, &sums, &pushed);
        (Self { rank: newest.rank(sort), identity, sums, pushed, claims }, newest)
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

/// What is pushed stands before the sum, for as long as somebody keeps pushing it.
fn newest(monitor: &Monitor, sums: &str, pushed: &Source) -> GroupReading {
    let pushed = pushed.look(monitor, |series| (series.live(), Reading::from(series.latest())));
    match (pushed, monitor.store.group(sums)) {
        (Some((true, reading)), _) | (Some((false, reading)), None) => {
            GroupReading::Pushed(reading.into())
        }
        (_, Some(sum)) => GroupReading::Sum(sum),
        (None, None) => GroupReading::Empty(now()),
    }
}

/// The sums of a span, oldest first; beyond the retention in the coarser steps that are kept for
/// longer.
fn summed(monitor: &Monitor, sums: &str, span: &Span) -> Vec<GroupSample> {
    match monitor.store.group_history(sums, span.range, span.asked_at) {
        Ok(past) => span.gauges.of_past(past),
        Err(error) => {
            tracing::error!(%error, "history on disk cannot be read; memory answers alone");
            monitor.store.group_window(sums, span.range)
        }
    }
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
        let newest = newest(monitor, &self.sums, &self.pushed);
        Some(self.identity.sample(&newest, &self.claims))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<I, impl Iterator<Item = I::Sample>> {
        let newest_at = newest(monitor, &self.sums, &self.pushed).at();
        let mut pushed = self.pushed.readings(span, monitor).peekable();
        let sums = match pushed.peek() {
            None => steps::sums(summed(monitor, &self.sums, span), span),
            Some(_) => Vec::new(),
        };
        let pushed = pushed.map(|reading| GroupReading::Pushed(reading.into()));
        let readings = sums.into_iter().map(GroupReading::Sum).chain(pushed);
        let reaches_newest = span.range.to >= newest_at;
        let identity = self.identity.clone();
        let samples = with_facts(readings, reaches_newest, self.claims, PodSums::default())
            .map(move |(reading, claims)| identity.clone().sample(&reading, &claims));
        Windowed::new(self.identity, samples)
    }
}

impl Grouping for NamespaceIdentity {
    type Sample = NamespaceSample;

    fn sample(self, reading: &GroupReading, claims: &PodSums) -> NamespaceSample {
        NamespaceSample::new(self, reading, claims)
    }

    fn key(&self, part: usize) -> &str {
        if part == 0 { &self.namespace } else { "" }
    }
}

impl Grouping for DeploymentIdentity {
    type Sample = DeploymentSample;

    fn sample(self, reading: &GroupReading, claims: &PodSums) -> DeploymentSample {
        DeploymentSample::new(self, reading, claims)
    }

    fn key(&self, part: usize) -> &str {
        if part == 0 { &self.deployment } else { "" }
    }
}

impl Grouping for WorkloadIdentity {
    type Sample = WorkloadSample;

    fn sample(self, reading: &GroupReading, claims: &PodSums) -> WorkloadSample {
        WorkloadSample::new(self, reading, claims)
    }

    fn key(&self, part: usize) -> &str {
        match part {
            0 => &self.workload_name,
            1 => &self.workload_kind,
            _ => "",
        }
    }
}
