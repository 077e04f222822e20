//! What an answer's reader ought to know: warnings and infos, each with the place in the query.

use std::{cell::RefCell, fmt};

/// How much an annotation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The answer is probably not what was wanted.
    Warning,
    /// The answer may not be what was wanted.
    Info,
}

/// Something to know of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Annotation {
    /// How much it matters.
    pub severity: Severity,
    /// What it is.
    pub message: String,
    /// Where the expression begins that it is about: line and column, from 1.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        write!(f, "PromQL {severity}: {} ({}:{})", self.message, self.line, self.column)
    }
}

/// Annotations while they are gathered, each once. Places are byte offsets in the query.
#[derive(Debug, Default)]
pub(crate) struct Notes(RefCell<Vec<(Severity, String, usize)>>);

impl Notes {
    pub(crate) fn warn(&self, at: usize, message: impl Into<String>) {
        self.add(Severity::Warning, at, message.into());
    }

    pub(crate) fn inform(&self, at: usize, message: impl Into<String>) {
        self.add(Severity::Info, at, message.into());
    }

    fn add(&self, severity: Severity, at: usize, message: String) {
        let mut notes = self.0.borrow_mut();
        let note = (severity, message, at);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// All of them, with lines and columns of the query.
    pub(crate) fn finish(self, query: &str) -> Vec<Annotation> {
        let place = |(severity, message, at): (Severity, String, usize)| {
            let before = query.get(..at).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            Annotation {
                severity,
                message,
                line: before.matches('\n').count() + 1,
                column: at - line_start + 1,
            }
        };
        let mut all: Vec<_> = self.0.into_inner().into_iter().map(place).collect();
        all.sort();
        all
    }
}
