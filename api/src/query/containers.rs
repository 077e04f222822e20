//! Finding the containers of a pod.

use std::sync::Arc;

use kubemonitor_inventory::{ContainerMeta, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};

use super::{
    Listed, SortBy, Span, When,
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
    newest: ContainerSample,
    newest_at: UnixMillis,
    rank: Option<f64>,
}

/// A container's series at one moment, copied out of the store.
struct Seen {
    id: EntityId,
    live: bool,
    first_at: UnixMillis,
    newest: Reading,
}

/// The containers of a pod. Without a span its present ones, those that have not started or have
/// ended included; with one, every run that was measured in it. The sandbox, which Kubernetes does
/// not name, is left out where Kubernetes has named the others.
pub(crate) fn containers_of(
    monitor: &Monitor,
    pod: &Pod,
    when: When,
    sort: SortBy,
) -> Vec<Container> {
    let seen = pod.source().map(|pod| seen(monitor, &pod)).unwrap_or_default();
    let named = pod.meta().filter(|meta| !meta.containers.is_empty());
    match (named, when) {
        (Some(meta), When::Newest) => present(pod, meta, seen, sort),
        (Some(meta), When::Span(span)) => during(seen, span)
            .filter_map(|seen| {
                let container = meta.container(&seen.id)?;
                Some(Container::new(pod, Some(container), Some(seen), sort))
            })
            .collect(),
        (None, When::Newest) => seen
            .into_iter()
            .filter(|seen| seen.live)
            .map(|seen| Container::new(pod, None, Some(seen), sort))
            .collect(),
        (None, When::Span(span)) => {
            during(seen, span).map(|seen| Container::new(pod, None, Some(seen), sort)).collect()
        }
    }
}

/// Every container the pod has at present, by its latest run.
fn present(pod: &Pod, meta: &PodMeta, mut seen: Vec<Seen>, sort: SortBy) -> Vec<Container> {
    let mut take = |id: &EntityId| {
        let place = seen.iter().position(|seen| seen.id == *id)?;
        Some(seen.swap_remove(place))
    };
    meta.containers
        .iter()
        .map(|container| {
            let seen = container.id.as_ref().and_then(&mut take);
            Container::new(pod, Some(container), seen, sort)
        })
        .collect()
}

fn during(seen: Vec<Seen>, span: Span) -> impl Iterator<Item = Seen> {
    let range = span.range;
    seen.into_iter().filter(move |seen| seen.first_at <= range.to && seen.newest.at >= range.from)
}

fn seen(monitor: &Monitor, pod: &Source) -> Vec<Seen> {
    let seen = monitor.store.node(&pod.node, |view| {
        view.series(EntityKind::Container)
            .filter(|series| series.parent() == Some(&pod.id))
            .map(|series| Seen {
                id: series.id().clone(),
                live: series.live(),
                first_at: series.first_at(),
                newest: series.latest().into(),
            })
            .collect()
    });
    seen.unwrap_or_default()
}

impl Container {
    fn new(pod: &Pod, meta: Option<&ContainerMeta>, seen: Option<Seen>, sort: SortBy) -> Self {
        let running = meta.is_some_and(|meta| meta.running);
        let (id, live, newest) = match seen {
            Some(seen) => (Some(seen.id), seen.live, seen.newest),
            None => (None, running, Reading::empty(EntityKind::Container, now())),
        };
        let known_id = id.as_ref().or_else(|| meta.and_then(|meta| meta.id.as_ref()));
        let facts = ContainerFacts::new(pod.identity(), known_id, !live, meta);
        let source = id.zip(pod.source()).map(|(id, pod)| Source {
            node: pod.node,
            kind: EntityKind::Container,
            id,
        });
        Self {
            source,
            rank: newest.rank(sort),
            newest_at: newest.at,
            newest: ContainerSample::new(Arc::new(facts), &newest),
        }
    }
}

impl Listed for Container {
    fn key(&self) -> [&str; 3] {
        let ContainerIdentity { container_name, container_id, .. } = &self.newest.facts.identity;
        [container_name, container_id.as_deref().unwrap_or_default(), ""]
    }

    fn rank(&self) -> Option<f64> {
        self.rank
    }
}

impl Entity for Container {
    type Identity = ContainerIdentity;
    type Sample = ContainerSample;

    fn newest(self) -> ContainerSample {
        self.newest
    }

    fn over(self, span: &Span, monitor: &Monitor) -> Windowed<ContainerIdentity, ContainerSample> {
        let readings =
            self.source.as_ref().map(|source| source.readings(span, monitor)).unwrap_or_default();
        let facts = self.newest.facts;
        let identity = facts.identity.clone();
        let past = Arc::new(facts.past());
        let samples = with_facts(readings, span.range.to >= self.newest_at, facts, &past)
            .map(|(reading, facts)| ContainerSample::new(facts, &reading))
            .collect();
        Windowed { identity, samples }
    }
}
