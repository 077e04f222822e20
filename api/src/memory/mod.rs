//! The process's memory: where it is taken from, how much of it there may be, and what is done when
//! it gets short.

mod answers;
mod cgroup;
mod guard;
mod limit;

use mimalloc::MiMalloc;
use rustix::thread::disable_transparent_huge_pages;

pub use self::limit::MemoryLimit;
pub(crate) use self::{
    answers::AnswerMemory,
    guard::{Guard, MemoryStatus},
};

/// Much of a server's work is small pieces of memory that are taken on one thread and given back on
/// another, while what lies between them stays: the system's allocator takes a fifth more of all CPU
/// time for that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Has the system give memory in its ordinary pages. In huge ones, which many systems give
/// unasked, a server of a few nodes takes 40 MiB instead of 17, and one of thousands a tenth more;
/// neither is any faster.
pub fn avoid_huge_pages() {
    if let Err(error) = disable_transparent_huge_pages(true) {
        // Where there are none, there is nothing to avoid.
        tracing::debug!(%error, "huge pages are as the system has them");
    }
}
