//! A report on how a host is read: what counts, as what, and why. For hosts on which figures are not
//! what they should be.
//!
//! It names cgroups, devices and rights, and nothing that a process was told: no command lines, no
//! environment, no contents of files but the kernel's own.

use std::fmt;

pub use self::cgroups::{CgroupVerdict, CountsAs};
pub(crate) use self::{cgroups::verdicts, facts::facts};
use crate::{DiskVerdict, InterfaceVerdict};

mod cgroups;
mod facts;

/// A report on one host. Its text form is meant to be read, and to be sent to whoever helps.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the host is like, each with what it is called.
    pub facts: Vec<(&'static str, String)>,
    /// Each cgroup of the hierarchy that is walked, in the order of their paths.
    pub cgroups: Vec<CgroupVerdict>,
    /// Each network interface of the node.
    pub interfaces: Vec<InterfaceVerdict>,
    /// Each block device of the node.
    pub disks: Vec<DiskVerdict>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "HOST")?;
        for (name, value) in &self.facts {
            writeln!(f, "{name:<20} {value}")?;
        }
        writeln!(f, "\nCGROUPS")?;
        let cells = |verdict: &CgroupVerdict| {
            [
                verdict.counts_as.as_str().to_owned(),
                verdict.processes.map_or("?".to_owned(), |count| count.to_string()),
                verdict.why.clone(),
                verdict.path.clone(),
            ]
        };
        let rows: Vec<_> = self.cgroups.iter().map(cells).collect();
        table(f, ["COUNTS AS", "PROCESSES", "WHY", "CGROUP"], &rows)?;
        writeln!(f, "\n{}", self.summary())?;
        writeln!(f, "\nINTERFACES")?;
        self.interfaces.iter().try_for_each(|verdict| writeln!(f, "{verdict}"))?;
        writeln!(f, "\nDISKS")?;
        self.disks.iter().try_for_each(|verdict| writeln!(f, "{verdict}"))
    }
}

impl Explanation {
    /// How many cgroups count as what, and how many processes as nothing.
    fn summary(&self) -> String {
        let count = |wanted| self.cgroups.iter().filter(|one| one.counts_as == wanted).count();
        let uncounted = self.cgroups.iter().filter(|one| one.counts_as == CountsAs::Nothing);
        let uncounted: usize = uncounted.filter_map(|one| one.processes).sum();
        format!(
            "{} cgroups: {} of pods, {} of containers, {} of units, {} left over; {uncounted} processes \
             are in none of them and show in the node's figures alone",
            self.cgroups.len(),
            count(CountsAs::Pod),
            count(CountsAs::Container),
            count(CountsAs::Unit),
            count(CountsAs::Leftover),
        )
    }
}

/// Columns as wide as what is in them; the last one ends where it ends.
fn table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heads: [&str; N],
    rows: &[[String; N]],
) -> fmt::Result {
    let heads = heads.map(str::to_owned);
    let mut widths = [0; N];
    for row in std::iter::once(&heads).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&heads).chain(rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
