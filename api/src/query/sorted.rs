//! Sorting large lists of large items.

use std::cmp::Ordering;

/// The first `limit` items, in order. `hint` orders most of them without a look at the items, which
/// are all over memory and too large to be moved more than once; `in_order` settles the rest.
pub(super) fn first_of<T, H: Ord>(
    items: Vec<T>,
    limit: usize,
    hint: impl Fn(&T) -> H,
    in_order: impl Fn(&T, &T) -> Ordering,
) -> Vec<T> {
    let mut places: Vec<(H, usize)> = Vec::with_capacity(items.len());
    places.extend(items.iter().enumerate().map(|(place, item)| (hint(item), place)));
    let compare = |a: &(H, usize), b: &(H, usize)| {
        a.0.cmp(&b.0).then_with(|| in_order(&items[a.1], &items[b.1]))
    };
    if limit < places.len() {
        // What is beyond the page has to be told apart from it, not sorted.
        places.select_nth_unstable_by(limit, compare);
        places.truncate(limit);
    }
    places.sort_unstable_by(compare);
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let mut first = Vec::with_capacity(places.len());
    first.extend(places.into_iter().filter_map(|(_, place)| items[place].take()));
    first
}
