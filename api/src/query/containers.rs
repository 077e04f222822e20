//! Finding the containers of a pod.

use std::sync::Arc;

use kubemonitor_inventory::{ContainerMeta, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};

use super::{
    Listed, SortBy, Span, When,
    entity::{Entity, Source, with_facts},
    pods::Pod,
    presence::{Knowledge, Sight},
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
    /// It was there when its node was heard of last.
    is_there: bool,
    /// Nothing was heard of its node lately.
    is_silent: bool,
    first_at: UnixMillis,
    newest: Reading,
}

/// The containers of a pod. Without a span its present ones, those that have not started or have
/// ended included, and what is measured and has no name yet; with one, every run that was measured in
/// it. The sandbox, which Kubernetes does not name, is left out where Kubernetes has named the others.
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
        (Some(meta), When::Span(span)) => {
            let shown =
                |run: &Seen| meta.container(&run.id).is_some() || is_unnamed(run, pod, meta, &seen);
            let shown: Vec<bool> = seen.iter().map(shown).collect();
            let shown = seen.into_iter().zip(shown).filter_map(|(run, shown)| shown.then_some(run));
            during(shown, span)
                .map(|run| Container::new(pod, meta.container(&run.id), Some(run), sort))
                .collect()
        }
        (None, When::Newest) => seen
            .into_iter()
            .filter(|seen| seen.is_there)
            .map(|seen| Container::new(pod, None, Some(seen), sort))
            .collect(),
        (None, When::Span(span)) => during(seen.into_iter(), span)
            .map(|seen| Container::new(pod, None, Some(seen), sort))
            .collect(),
    }
}

/// Every container the pod has at present, by its latest run, and those without a name.
fn present(pod: &Pod, meta: &PodMeta, mut seen: Vec<Seen>, sort: SortBy) -> Vec<Container> {
    let is_nameless = |run: &Seen| run.is_there && is_unnamed(run, pod, meta, &seen);
    let nameless: Vec<EntityId> =
        seen.iter().filter(|run| is_nameless(run)).map(|run| run.id.clone()).collect();
    let mut take = |id: &EntityId| {
        let place = seen.iter().position(|seen| seen.id == *id)?;
        Some(seen.swap_remove(place))
    };
    let named: Vec<Container> = meta
        .containers
        .iter()
        .map(|container| {
            let run = container.ids().next().and_then(&mut take);
            Container::new(pod, Some(container), run, sort)
        })
        .collect();
    let nameless = nameless.iter().filter_map(take);
    named
        .into_iter()
        .chain(nameless.map(|run| Container::new(pod, None, Some(run), sort)))
        .collect()
}

/// Whether this is a container of which Kubernetes has not told yet, such as one that was started
/// again a moment ago, and not the sandbox: that is there before every container.
fn is_unnamed(run: &Seen, pod: &Pod, meta: &PodMeta, all: &[Seen]) -> bool {
    let is_named = |run: &&Seen| meta.container(&run.id).is_some();
    if is_named(&run) {
        return false;
    }
    if let Some(last) = all.iter().filter(is_named).map(|named| named.first_at).max() {
        return run.first_at > last;
    }
    // With none of them named, the first is the sandbox where others came later.
    let is_after_another = all.iter().any(|other| other.first_at < run.first_at);
    // Where all came at once and Kubernetes cannot be asked, it is shown among them.
    let is_with_all = || all.iter().all(|other| other.first_at == run.first_at);
    is_after_another || (pod.knowledge == Knowledge::Remembered && is_with_all())
}

fn during(runs: impl Iterator<Item = Seen>, span: Span) -> impl Iterator<Item = Seen> {
    let range = span.range;
    runs.filter(move |seen| seen.first_at <= range.to && seen.newest.at >= range.from)
}

fn seen(monitor: &Monitor, pod: &Source) -> Vec<Seen> {
    let seen = monitor.store.node(&pod.node, |view| {
        let sight = Sight::new(view);
        view.series(EntityKind::Container)
            .filter(|series| series.parent() == Some(&pod.id))
            .map(|series| Seen {
                id: series.id().clone(),
                is_there: sight.is_in_newest(&series),
                is_silent: sight.is_silent,
                first_at: series.first_at(),
                newest: series.latest().into(),
            })
            .collect()
    });
    seen.unwrap_or_default()
}

impl Container {
    fn new(pod: &Pod, meta: Option<&ContainerMeta>, seen: Option<Seen>, sort: SortBy) -> Self {
        let told = meta.filter(|_| pod.knowledge == Knowledge::Current);
        let is_running = match (&seen, told) {
            // Its collector has fallen silent; Kubernetes knows better.
            (Some(seen), Some(told)) if seen.is_silent => told.running,
            (Some(seen), _) => seen.is_there,
            (None, _) => meta.is_some_and(|meta| meta.running),
        };
        let is_silent = seen.as_ref().map_or(pod.is_silent(), |seen| seen.is_silent);
        let (id, newest) = match seen {
            Some(seen) => (Some(seen.id), seen.newest),
            None => (None, Reading::empty(EntityKind::Container, now())),
        };
        let known_id = id.as_ref().or_else(|| meta.and_then(|meta| meta.id.as_ref()));
        let stale = is_running && is_silent;
        let facts = ContainerFacts::new(pod.identity(), known_id, !is_running, meta).stale(stale);
        let source = id.zip(pod.source()).map(|(id, pod)| Source {
            node: pod.node,
            kind: EntityKind::Container,
            id,
        });
        Self {
            source,
            rank: newest.rank(sort).filter(|_| !stale),
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
