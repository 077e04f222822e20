//! Answers that go wrong on purpose.

use std::time::Duration;

/// What a client wants of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// What is there.
    List,
    /// What changes.
    Watch,
    /// One object.
    Get,
    /// A verdict.
    Review,
}

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error with this HTTP status.
    Status(u16),
    /// Half of an answer, and in it no JSON.
    Garbled,
    /// The right answer, but late.
    Slow(Duration),
    /// No answer at all, on a connection that stays open.
    Silent,
}

/// Faults that are still to come.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Vec<Planned>,
    all_fail: bool,
}

#[derive(Debug)]
struct Planned {
    resource: String,
    verb: Verb,
    fault: Fault,
    times: usize,
}

impl Faults {
    pub(crate) fn add(&mut self, resource: &str, verb: Verb, fault: Fault, times: usize) {
        self.planned.push(Planned { resource: resource.to_owned(), verb, fault, times });
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Every request fails until further notice.
    pub(crate) fn fail_all(&mut self) {
        self.all_fail = true;
    }

    /// The fault of a request that is made now.
    pub(crate) fn strike(&mut self, resource: &str, verb: Verb) -> Option<Fault> {
        if self.all_fail {
            return Some(Fault::Status(500));
        }
        let planned = self.planned.iter_mut().find(|planned| {
            planned.resource == resource && planned.verb == verb && planned.times > 0
        })?;
        planned.times -= 1;
        Some(planned.fault)
    }
}
