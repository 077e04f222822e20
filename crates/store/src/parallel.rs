//! Work on all processors.

use std::num::NonZero;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_their_items() {
        let expected: Vec<_> = (0..1000).map(|i| i * 2).collect();
        assert_eq!(mapped((0..1000).collect(), |i: i32| i * 2), expected);
        assert_eq!(mapped(Vec::new(), |i: i32| i), []);
    }
}
