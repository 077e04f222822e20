//! Lists: in which order, and how much at a time.

use std::{borrow::Cow, cmp::Ordering, fmt, str::FromStr};

use utoipa::IntoParams;

use super::{
    cursor::Cursor,
    params::{Params, Question, documented},
    sorted,
};
use crate::{errors::ApiError, limits::Size};

/// The most entities of a page that counts as a small answer.
const SMALL_PAGE: u32 = 1000;

/// The parameters of lists.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many at most. The rest comes with `continue`.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// Where the page before ended: the token in its header `X-Continue`, also in `Link`. The list
    /// goes on in the order it began in.
    #[param(rename = "continue", value_type = Option<String>,
        pattern = "^-?(name|cpu|memory|network|disk)~([0-9a-f]{16})?~([0-9a-f]{2})*$")]
    after: Option<Cursor>,
    /// What to sort by: the newest sample's CPU, memory, network or disk traffic per second;
    /// `-` for the largest first. What is not known, or stale, comes last.
    #[param(value_type = Option<SortName>, inline)]
    sort: Option<Sort>,
}

impl PageParams {
    /// What the list is sorted by.
    pub(crate) fn sorted_by(&self) -> SortBy {
        self.order().by
    }

    /// How large the answer may become.
    pub(crate) fn size(&self) -> Size {
        if self.limit.is_some_and(|limit| limit <= SMALL_PAGE) { Size::Small } else { Size::Large }
    }

    /// How many are asked for, when those are the ones that have most of something.
    pub(crate) fn top(&self) -> Option<usize> {
        let is_top = self.after.is_none() && self.order().descending;
        self.limit.filter(|_| is_top).map(|limit| limit as usize)
    }

    fn order(&self) -> Sort {
        self.after.as_ref().map(|cursor| cursor.sort).or(self.sort).unwrap_or_default()
    }
}

impl Question for PageParams {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self {
            limit: params.positive("limit")?,
            after: params.parsed("continue")?,
            sort: params.parsed("sort")?,
        })
    }

    fn names() -> Vec<String> {
        documented::<Self>()
    }
}

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortBy {
    /// The name.
    #[default]
    Name,
    /// CPU in use.
    Cpu,
    /// Memory in use.
    Memory,
    /// Bytes received and sent per second.
    Network,
    /// Bytes read and written per second.
    Disk,
}

const NAMES: [(&str, SortBy); 5] = [
    ("name", SortBy::Name),
    ("cpu", SortBy::Cpu),
    ("memory", SortBy::Memory),
    ("network", SortBy::Network),
    ("disk", SortBy::Disk),
];

/// Every way to sort, for documentation.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "stands for its names")]
enum SortName {
    #[schema(rename = "name")]
    Name,
    #[schema(rename = "-name")]
    NameDescending,
    #[schema(rename = "cpu")]
    Cpu,
    #[schema(rename = "-cpu")]
    CpuDescending,
    #[schema(rename = "memory")]
    Memory,
    #[schema(rename = "-memory")]
    MemoryDescending,
    #[schema(rename = "network")]
    Network,
    #[schema(rename = "-network")]
    NetworkDescending,
    #[schema(rename = "disk")]
    Disk,
    #[schema(rename = "-disk")]
    DiskDescending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sort {
    by: SortBy,
    descending: bool,
}

impl FromStr for Sort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        NAMES
            .into_iter()
            .find_map(|(known, by)| (known == name).then_some(Self { by, descending }))
            .ok_or("give name, cpu, memory, network or disk, with `-` before it for descending")
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.into_iter().find_map(|(name, by)| (by == self.by).then_some(name));
        write!(f, "{}{}", if self.descending { "-" } else { "" }, name.unwrap_or_default())
    }
}

/// Something that stands in a list, or a place in one.
pub(crate) trait Listed {
    /// What it is sorted by, and what tells it from all others: name, namespace, identity, which
    /// are parts 0, 1 and 2.
    fn key(&self, part: usize) -> Cow<'_, str>;

    /// How much it has of what the list is sorted by; `None` when that is not known, and by name.
    fn rank(&self) -> Option<f64>;
}

/// Parts of a key.
pub(super) const PARTS: usize = 3;

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// What is on it, in order.
    pub(crate) items: Vec<T>,
    /// The token of the next page; `None` on the last one.
    pub(crate) next: Option<String>,
}

/// A page while what may be on it is looked for. It holds about twice as many as the page has, of
/// however many are offered.
#[derive(Debug)]
pub(crate) struct Selection<T> {
    sort: Sort,
    after: Option<Cursor>,
    limit: usize,
    found: Vec<T>,
    /// The hint of the last item that the page was cut to: what comes after it is not on the page.
    bound: Option<u128>,
}

/// Found items beyond the page that are held before it is cut: sorting for each one would take long.
const SLACK: usize = 64;

impl PageParams {
    /// A page on which nothing is yet.
    pub(crate) fn selection<T: Listed>(self) -> Selection<T> {
        let limit = self.limit.map_or(usize::MAX, |limit| limit as usize);
        Selection { sort: self.order(), after: self.after, limit, found: Vec::new(), bound: None }
    }
}

impl<T: Listed> Selection<T> {
    /// What the list is sorted by.
    pub(crate) fn sorted_by(&self) -> SortBy {
        self.sort.by
    }

    /// Puts an item on the page, if that is where it belongs as far as is known.
    pub(crate) fn add(&mut self, item: T) {
        let sort = self.sort;
        if self.bound.is_some_and(|bound| sort.hint(&item) > bound)
            || self.after.as_ref().is_some_and(|after| sort.compare(&item, after).is_le())
        {
            return;
        }
        self.found.push(item);
        // One more than the page has tells that there is another page.
        let kept = self.limit.saturating_add(1);
        if self.found.len() >= kept.saturating_mul(2).saturating_add(SLACK) {
            self.keep_first(kept);
            self.bound = self.found.last().map(|last| sort.hint(last));
        }
    }

    /// The page.
    pub(crate) fn page(mut self) -> Page<T> {
        self.keep_first(self.limit.saturating_add(1));
        let more = self.found.len() > self.limit;
        self.found.truncate(self.limit);
        let last = self.found.last().filter(|_| more);
        let next = last.map(|last| Cursor::after(self.sort, last).to_string());
        Page { items: self.found, next }
    }

    fn keep_first(&mut self, count: usize) {
        let sort = self.sort;
        let found = std::mem::take(&mut self.found);
        self.found =
            sorted::first_of(found, count, |item| sort.hint(item), |a, b| sort.compare(a, b));
    }
}

impl<T: Listed> Extend<T> for Selection<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.add(item));
    }
}

impl Sort {
    /// Orders most items as [`Sort::compare`] does, and faster: by their ranks and how their names
    /// begin.
    fn hint(self, item: &impl Listed) -> u128 {
        let mut start = [0; 16];
        start.iter_mut().zip(item.key(0).bytes()).for_each(|(start, byte)| *start = byte);
        let name = u128::from_be_bytes(start);
        if self.by == SortBy::Name {
            return if self.descending { !name } else { name };
        }
        let rank = item.rank().map_or(u64::MAX, |rank| {
            // As `f64::total_cmp` has it; the greatest is a NaN, which no rank is.
            let bits = rank.to_bits();
            let rank = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            if self.descending { !rank } else { rank }
        });
        u128::from(rank) << 64 | name >> 64
    }

    fn compare(self, a: &impl Listed, b: &impl Listed) -> Ordering {
        let turned = |order: Ordering| if self.descending { order.reverse() } else { order };
        let by_key = || {
            let mut parts = (0..PARTS).map(|part| a.key(part).cmp(&b.key(part)));
            parts.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        match (a.rank(), b.rank()) {
            _ if self.by == SortBy::Name => turned(by_key()),
            (Some(a_rank), Some(b_rank)) => turned(a_rank.total_cmp(&b_rank)).then_with(by_key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => by_key(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::params::tests::ask;

    #[derive(Clone, Debug, PartialEq)]
    struct Item(String, Option<f64>);

    impl Listed for Item {
        fn key(&self, part: usize) -> Cow<'_, str> {
            Cow::Borrowed(if part == 0 { &self.0 } else { "" })
        }

        fn rank(&self) -> Option<f64> {
            self.1
        }
    }

    fn items() -> Vec<Item> {
        [("d", Some(2.0)), ("b", None), ("c", Some(10.0)), ("a", Some(2.0)), ("e", None)]
            .map(|(name, rank)| Item(name.into(), rank))
            .to_vec()
    }

    fn cut(query: &str, items: Vec<Item>) -> Page<Item> {
        let mut selection = ask::<PageParams>(query).unwrap().selection();
        selection.extend(items);
        selection.page()
    }

    fn names(page: &Page<Item>) -> String {
        page.items.iter().map(|item| item.0.as_str()).collect()
    }

    #[test]
    fn lists_are_sorted_by_name_or_rank_with_the_unknown_last() {
        for (query, order) in [
            ("", "abcde"),
            ("sort=name", "abcde"),
            ("sort=-name", "edcba"),
            ("sort=cpu", "adcbe"),
            ("sort=-cpu", "cadbe"),
        ] {
            assert_eq!(names(&cut(query, items())), order, "{query}");
        }
    }

    #[test]
    fn a_page_ends_with_a_token_and_the_last_one_without() {
        let first = cut("sort=-cpu&limit=2", items());
        assert_eq!(names(&first), "ca");
        let rest = format!("sort=-cpu&continue={}", first.next.unwrap());
        let rest = cut(&rest, items());
        assert_eq!((names(&rest).as_str(), rest.next), ("dbe", None));
        let exact = cut("limit=5", items());
        assert_eq!(exact.next, None);
    }

    #[test]
    fn a_list_goes_on_in_the_order_it_began_in() {
        let token = cut("sort=-name&limit=2", items()).next.unwrap();
        assert_eq!(names(&cut(&format!("sort=cpu&continue={token}"), items())), "cba");
    }

    #[test]
    fn tokens_of_nobody_and_unknown_orders_are_refused() {
        for query in [
            "continue=",
            "continue=abc",
            "continue=name",
            "continue=name~",
            "continue=size~~",
            "continue=name~12~",
            "continue=name~~6",
            "continue=name~~%2b1",
            "continue=name~~xy",
            "sort=size",
            "sort=",
            "sort=--cpu",
            "limit=0",
        ] {
            assert!(ask::<PageParams>(query).is_err(), "{query}");
        }
        assert!(ask::<PageParams>("continue=cpu~ffffffffffffffff~ff00").is_ok());
    }

    #[test]
    fn a_page_of_one_holds_few_of_however_many_are_offered() {
        let mut selection = ask::<PageParams>("limit=1").unwrap().selection();
        let mut most = 0;
        for n in (0..10_000).rev() {
            selection.add(Item(format!("{n:05}"), None));
            most = most.max(selection.found.len());
        }
        assert!(most <= 2 * 2 + SLACK, "{most}");
        assert_eq!(names(&selection.page()), "00000");
    }

    proptest! {
        #[test]
        fn pages_put_together_are_the_whole_list(
            ranks in prop::collection::vec(prop::option::of(-2_i8..5), 0..200),
            limit in 1_u32..9,
            sort in prop::sample::select(vec!["name", "-name", "cpu", "-cpu"]),
        ) {
            let items: Vec<Item> = ranks
                .iter()
                .enumerate()
                .map(|(i, rank)| Item(format!("{}{i:03}", "long-".repeat(i % 5)), rank.map(f64::from)))
                .collect();
            let whole = cut(&format!("sort={sort}"), items.clone());
            let order = ask::<PageParams>(&format!("sort={sort}")).unwrap().order();
            let is_in_order = whole.items.is_sorted_by(|a, b| {
                order.compare(a, b).is_lt()
            });
            prop_assert!(is_in_order);
            let mut pages = Vec::new();
            let mut query = format!("sort={sort}&limit={limit}");
            loop {
                let page = cut(&query, items.clone());
                pages.extend(page.items);
                let Some(next) = page.next else { break };
                query = format!("sort={sort}&limit={limit}&continue={next}");
            }
            prop_assert_eq!(pages, whole.items);
        }
    }
}
