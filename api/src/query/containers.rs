//! Finding the containers of a pod.

use std::{borrow::Cow, sync::Arc};

use kubemonitor_inventory::{ContainerMeta, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};

use super::{
    Listed, Selection, SortBy, Span, When,
    entity::{Entity, Source, with_facts},
    pods::Pod,
};
use crate::{
    model::{ContainerFacts, ContainerIdentity, ContainerSample, Reading, Windowed},
    monitor::{Monitor, now},
};

/// A container that was found: one run of it.
#[derive(Debug)]
pub(crate) struct Container {
    source: Option<Source>,
    facts: ContainerFacts,
    rank: Option<f64>,
}

/// A container's series at one moment, as far as it says whether the container belongs on a list.
struct Seen {
    id: EntityId,
    live: bool,
    first_at: UnixMillis,
    newest_at: UnixMillis,
    rank: Option<f64>,
}

/// The containers of a pod. Without a span its present ones, those that have not started or have
/// ended included; with one, every run that was measured in it. The sandbox, which Kubernetes does
/// not name, is left out where Kubernetes has named the others.
pub(crate) fn containers_of(
    monitor: &Monitor,
    pod: &Pod,
    when: When,
    selection: &mut Selection<Container>,
) {
    let sort = selection.sorted_by();
    let seen = pod.source().map(|pod| seen(monitor, &pod, sort)).unwrap_or_default();
    let named = pod.meta().filter(|meta| !meta.containers.is_empty());
    match (named, when) {
        (Some(meta), When::Newest) => selection.extend(present(pod, meta, seen)),
        (Some(meta), When::Span(span)) => {
            selection.extend(during(seen, span).filter_map(|seen| {
                let container = meta.container(&seen.id)?;
                Some(Container::new(pod, Some(container), Some(seen)))
            }));
        }
        (None, When::Newest) => {
            let live = seen.into_iter().filter(|seen| seen.live);
            selection.extend(live.map(|seen| Container::new(pod, None, Some(seen))));
        }
        (None, When::Span(span)) => {
            let there = during(seen, span);
            selection.extend(there.map(|seen| Container::new(pod, None, Some(seen))));
        }
    }
}

/// Every container the pod has at present, by its latest run.
fn present<'a>(
    pod: &'a Pod,
    meta: &'a PodMeta,
    mut seen: Vec<Seen>,
) -> impl Iterator<Item = Container> + use<'a> {
    meta.containers.iter().map(move |container| {
        let place = seen.iter().position(|seen| Some(&seen.id) == container.id.as_ref());
        let seen = place.map(|place| seen.swap_remove(place));
        Container::new(pod, Some(container), seen)
    })
}

fn during(seen: Vec<Seen>, span: Span) -> impl Iterator<Item = Seen> {
    let range = span.range;
    seen.into_iter().filter(move |seen| seen.first_at <= range.to && seen.newest_at >= range.from)
}

fn seen(monitor: &Monitor, pod: &Source, sort: SortBy) -> Vec<Seen> {
    let seen = monitor.store.node(&pod.node, |view| {
        view.series(EntityKind::Container)
            .filter(|series| series.parent() == Some(&pod.id))
            .map(|series| Seen {
                id: series.id().clone(),
                live: series.live(),
                first_at: series.first_at(),
                newest_at: series.last_at(),
                rank: Reading::rank_of(&series, sort),
            })
            .collect()
    });
    seen.unwrap_or_default()
}

impl Container {
    fn new(pod: &Pod, meta: Option<&ContainerMeta>, seen: Option<Seen>) -> Self {
        let running = meta.is_some_and(|meta| meta.running);
        let (id, live, rank) = match seen {
            Some(seen) => (Some(seen.id), seen.live, seen.rank),
            None => (None, running, None),
        };
        let known_id = id.as_ref().or_else(|| meta.and_then(|meta| meta.id.as_ref()));
        let facts = ContainerFacts::new(pod.identity(), known_id, !live, meta);
        let source = id.zip(pod.source()).map(|(id, pod)| Source {
            node: pod.node,
            kind: EntityKind::Container,
            id,
        });
        Self { source, facts, rank }
    }
}

impl Listed for Container {
    fn key(&self, part: usize) -> Cow<'_, str> {
        let ContainerIdentity { container_name, container_id, .. } = &self.facts.identity;
        Cow::Borrowed(match part {
            0 => container_name,
            1 => container_id.as_deref().unwrap_or_default(),
            _ => "",
        })
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Container {
    type Identity = ContainerIdentity;
    type Sample = ContainerSample;

    fn newest(self, monitor: &Monitor) -> Option<ContainerSample> {
        let newest = self.source.and_then(|source| source.newest(monitor));
        let newest = newest.unwrap_or_else(|| Reading::empty(EntityKind::Container, now()));
        Some(ContainerSample::new(Arc::new(self.facts), &newest))
    }

    fn over<'a>(
        self,
        span: &'a Span,
        monitor: &'a Monitor,
    ) -> Windowed<ContainerIdentity, impl Iterator<Item = ContainerSample>> {
        let Self { source, facts, .. } = self;
        let newest_at = source.as_ref().and_then(|source| source.newest_at(monitor));
        let reaches_newest = newest_at.is_none_or(|newest_at| span.range.to >= newest_at);
        let readings = source.map(|source| source.readings(span, monitor));
        let (identity, past) = (facts.identity.clone(), Arc::new(facts.past()));
        let readings = readings.into_iter().flatten();
        let samples = with_facts(readings, reaches_newest, Arc::new(facts), past)
            .map(|(reading, facts)| ContainerSample::new(facts, &reading));
        Windowed::new(identity, samples)
    }
}
