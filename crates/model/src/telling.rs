//! How an error is told in one line.

use std::error::Error;

/// An error and what caused it. A cause that the text before it has told already, as many do, is
/// not told again.
///
/// ```
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(kubemonitor_model::told(&error), "the disk is full");
/// ```
pub fn told(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file: {source}")]
    struct Telling {
        source: Cause,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the file")]
    struct Silent {
        source: Cause,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("no permission")]
    struct Cause;

    #[test]
    fn every_cause_is_told_once() {
        let expected = "cannot read the file: no permission";
        assert_eq!(told(&Telling { source: Cause }), expected);
        assert_eq!(told(&Silent { source: Cause }), expected);
    }
}
