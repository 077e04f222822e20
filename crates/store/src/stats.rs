//! What the store has, has seen, and says of what it was given.

/// What became of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Values taken in.
    pub samples: u64,
    /// The tick was there already; nothing changed.
    pub duplicate: bool,
    /// Entities left out because the store may hold no more of them.
    pub refused_series: u64,
}

/// What was found in the data directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Blocks that were loaded.
    pub blocks: usize,
    /// Entries of the journal that were taken in again.
    pub entries: usize,
}

/// What the store holds and has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Nodes.
    pub nodes: usize,
    /// Entities.
    pub series: usize,
    /// Rows of entities.
    pub rows: usize,
    /// Values in those rows.
    pub samples: usize,
    /// Memory all that takes, in bytes.
    pub bytes: usize,
    /// Memory that sums, and who counts in which, take beside it.
    pub sums_bytes: usize,
    /// Values taken in since the start.
    pub ingested_samples: u64,
    /// Those of them that came late.
    pub late_samples: u64,
    /// Ticks that were there already.
    pub duplicate_ticks: u64,
    /// Ticks refused for their time.
    pub refused_ticks: u64,
    /// Ticks refused because another collector sends for their node.
    pub conflicting_ticks: u64,
    /// Entities refused because of the limit.
    pub refused_series: u64,
}
