//! Finding the containers of a pod.

use std::{borrow::Cow, sync::Arc};

use kubemonitor_inventory::{ContainerMeta, PodMeta};
use kubemonitor_model::{EntityId, EntityKind, UnixMillis};

use super::{
    Listed, Selection, SortBy, Span, When,
    entity::{Entity, Source, with_facts},
    pods::Pod,
    presence::{Knowledge, Sight},
};
use crate::{
    model::{ContainerFacts, ContainerIdentity, ContainerSample, Reading, Windowed},
    monitor::{Monitor, now},
};

/// A container that was found: one run of it.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    source: Option<Source>,
    facts: ContainerFacts,
    rank: Option<f64>,
}

/// A container's series at one moment, as far as it says whether the container belongs on a list.
struct Seen {
    id: EntityId,
    /// It was there when its node was heard of last.
    is_there: bool,
    /// Nothing was heard of its node lately.
    is_silent: bool,
    first_at: UnixMillis,
    newest_at: UnixMillis,
    rank: Option<f64>,
}

/// What is known of a pod besides its containers.
#[derive(Clone, Copy)]
struct Context<'a> {
    pod: &'a Pod,
    knowledge: Knowledge,
    /// Nothing was heard of its node lately.
    is_silent: bool,
}

/// The containers of a pod. Without a span its present ones, those that have not started or have
/// ended included, and what is measured and has no name yet; with one, every run that was measured in
/// it. The sandbox, which Kubernetes does not name, is left out where Kubernetes has named the others.
pub(crate) fn containers_of(
    monitor: &Monitor,
    pod: &Pod,
    when: When,
    selection: &mut Selection<Container>,
) {
    let sort = selection.sorted_by();
    let knowledge = Knowledge::of_pods(monitor);
    let context = Context { pod, knowledge, is_silent: pod.is_silent(monitor) };
    let seen = pod.source().map(|pod| seen(monitor, &pod, sort)).unwrap_or_default();
    let named = pod.meta().filter(|meta| !meta.containers.is_empty());
    match (named, when) {
        (Some(meta), When::Newest) => selection.extend(present(context, meta, seen)),
        (Some(meta), When::Span(span)) => {
            let is_shown = |run: &Seen| {
                meta.container(&run.id).is_some() || is_unnamed(run, knowledge, meta, &seen)
            };
            let shown: Vec<bool> = seen.iter().map(is_shown).collect();
            let shown = seen.into_iter().zip(shown).filter_map(|(run, shown)| shown.then_some(run));
            selection.extend(
                during(shown, span)
                    .map(|run| Container::new(context, meta.container(&run.id), Some(run))),
            );
        }
        (None, When::Newest) => {
            let there = seen.into_iter().filter(|seen| seen.is_there);
            selection.extend(there.map(|seen| Container::new(context, None, Some(seen))));
        }
        (None, When::Span(span)) => {
            let there = during(seen.into_iter(), span);
            selection.extend(there.map(|seen| Container::new(context, None, Some(seen))));
        }
    }
}

/// Every container the pod has at present, by its latest run, and those without a name.
fn present(context: Context<'_>, meta: &PodMeta, mut seen: Vec<Seen>) -> Vec<Container> {
    let is_nameless = |run: &Seen| run.is_there && is_unnamed(run, context.knowledge, meta, &seen);
    let nameless: Vec<EntityId> =
        seen.iter().filter(|run| is_nameless(run)).map(|run| run.id.clone()).collect();
    let mut take = |id: &EntityId| {
        let place = seen.iter().position(|seen| seen.id == *id)?;
        Some(seen.swap_remove(place))
    };
    let named = meta.containers.iter().map(|container| {
        let run = container.ids().next().and_then(&mut take);
        Container::new(context, Some(container), run)
    });
    let mut all: Vec<Container> = named.collect();
    let nameless = nameless.iter().filter_map(take);
    all.extend(nameless.map(|run| Container::new(context, None, Some(run))));
    all
}

/// Whether this is a container of which Kubernetes has not told yet, such as one that was started
/// again a moment ago, and not the sandbox: that is there before every container.
fn is_unnamed(run: &Seen, knowledge: Knowledge, meta: &PodMeta, all: &[Seen]) -> bool {
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
    is_after_another || (knowledge == Knowledge::Remembered && is_with_all())
}

fn during(runs: impl Iterator<Item = Seen>, span: Span) -> impl Iterator<Item = Seen> {
    let range = span.range;
    runs.filter(move |seen| seen.first_at <= range.to && seen.newest_at >= range.from)
}

fn seen(monitor: &Monitor, pod: &Source, sort: SortBy) -> Vec<Seen> {
    let seen = monitor.store.node(&pod.node, |view| {
        let sight = Sight::new(view);
        view.series(EntityKind::Container)
            .filter(|series| series.parent() == Some(&pod.id))
            .map(|series| Seen {
                id: series.id().clone(),
                is_there: sight.is_in_newest(&series),
                is_silent: sight.is_silent,
                first_at: series.first_at(),
                newest_at: series.last_at(),
                rank: Reading::rank_of(&series, sort),
            })
            .collect()
    });
    seen.unwrap_or_default()
}

impl Container {
    fn new(context: Context<'_>, meta: Option<&ContainerMeta>, seen: Option<Seen>) -> Self {
        let Context { pod, knowledge, is_silent } = context;
        let told = meta.filter(|_| knowledge == Knowledge::Current);
        let is_running = match (&seen, told) {
            // Its collector has fallen silent; Kubernetes knows better.
            (Some(seen), Some(told)) if seen.is_silent => told.running,
            (Some(seen), _) => seen.is_there,
            (None, _) => meta.is_some_and(|meta| meta.running),
        };
        let stale = is_running && seen.as_ref().map_or(is_silent, |seen| seen.is_silent);
        let (id, rank) = match seen {
            Some(seen) => (Some(seen.id), seen.rank.filter(|_| !stale)),
            None => (None, None),
        };
        let known_id = id.as_ref().or_else(|| meta.and_then(|meta| meta.id.as_ref()));
        let facts = ContainerFacts::new(pod.identity(), known_id, !is_running, meta).stale(stale);
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
