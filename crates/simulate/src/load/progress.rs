//! How far a run is.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::tally::{Standing, Tally};

/// Shows how far it is, until it is no longer asked to: a bar on a terminal, else a line now and
/// then, on standard error both.
pub(super) async fn show(history: &Tally, tally: &Tally) {
    if io::stderr().is_terminal() {
        bar(history, true).await;
        bar(tally, false).await;
    } else {
        lines(history, true).await;
        lines(tally, false).await;
    }
}

/// Shows one part; where another part follows, until all of it was sent.
async fn bar(tally: &Tally, ends: bool) {
    let style = "{elapsed_precise} {wide_bar} {pos}/{len} frames, {msg}, {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is well-formed");
    let bar = ProgressBar::new(tally.planned).with_style(style);
    let _cleared = ClearedAtEnd(&bar);
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    while !(ends && tally.is_sent()) {
        ticks.tick().await;
        let standing = tally.standing();
        bar.set_message(standing.rate());
        bar.set_position(standing.frames + standing.failed);
    }
}

/// Whoever stops asking does not come back to the end of the loop.
struct ClearedAtEnd<'a>(&'a ProgressBar);

impl Drop for ClearedAtEnd<'_> {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn lines(tally: &Tally, ends: bool) {
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    let mut look: u32 = 0;
    while !(ends && tally.is_sent()) {
        looks.tick().await;
        look += 1;
        if look.is_multiple_of(10) || (ends && tally.is_sent()) {
            let standing = tally.standing();
            let done = standing.frames + standing.failed;
            eprintln!("{done} of {} frames, {}", tally.planned, standing.rate());
        }
    }
}

impl Standing {
    fn rate(&self) -> String {
        let per_second = self.samples as f64 / self.elapsed.as_secs_f64().max(1e-9);
        let failed = match self.failed {
            0 => String::new(),
            some => format!(", {some} failed"),
        };
        format!("{:.2} million samples/s{failed}", per_second / 1e6)
    }
}
