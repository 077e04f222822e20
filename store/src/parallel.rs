//! Work on all processors, in order where it matters.

use std::{hash::BuildHasher, num::NonZero};

use rustc_hash::FxBuildHasher;

use crate::sync::thread;

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// What `map` makes of each item, in their order.
pub(crate) fn mapped<T: Send, U: Send>(items: Vec<T>, map: impl Fn(T) -> U + Sync) -> Vec<U> {
    let part = items.len().div_ceil(processors()).max(1);
    let mut items = items.into_iter();
    let parts: Vec<Vec<T>> =
        std::iter::from_fn(|| Some(items.by_ref().take(part).collect::<Vec<_>>()))
            .take_while(|part| !part.is_empty())
            .collect();
    let map = &map;
    thread::scope(|scope| {
        let workers: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || part.into_iter().map(map).collect::<Vec<_>>()))
            .collect();
        let joined = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// Gives each item to `take`: those of one `key` one after the other in their order, others at the
/// same time.
pub(crate) fn by_key<T: Send, K: std::hash::Hash + ?Sized>(
    items: Vec<T>,
    key: impl Fn(&T) -> &K,
    take: impl Fn(T) + Sync,
) {
    let mut parts: Vec<Vec<T>> = (0..processors()).map(|_| Vec::new()).collect();
    for item in items {
        let hash = FxBuildHasher.hash_one(key(&item));
        let part = (hash >> 32) as usize % parts.len();
        parts[part].push(item);
    }
    mapped(parts, |part| part.into_iter().for_each(&take));
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn results_are_in_the_order_of_their_items() {
        let expected: Vec<_> = (0..1000).map(|i| i * 2).collect();
        assert_eq!(mapped((0..1000).collect(), |i: i32| i * 2), expected);
        assert_eq!(mapped(Vec::new(), |i: i32| i), []);
    }

    #[test]
    fn items_of_a_key_stay_in_order() {
        let seen = Mutex::new(vec![Vec::new(); 7]);
        by_key(
            (0..1000).map(|i| (i % 7, i)).collect(),
            |item| &item.0,
            |(key, i)| {
                seen.lock()[key].push(i);
            },
        );
        for of_key in seen.into_inner() {
            assert!(of_key.is_sorted() && of_key.len() > 100);
        }
    }
}
