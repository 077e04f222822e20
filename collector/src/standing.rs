//! How we stand with the server, and what is said of it: each change once, and what somebody has to
//! mend once a minute.

use std::{path::PathBuf, time::Duration};

use kubemonitor_model::NodeName;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{Settings, client::Obstacle, outbox::Outbox};

/// How often is said what does not mend itself.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What the server has said lately, and what was said of it.
pub(crate) struct Standing {
    node: NodeName,
    token_file: Option<PathBuf>,
    /// Since when the server has taken nothing.
    lost_since: Option<Instant>,
    /// What was said of that, and when.
    said: Option<(Obstacle, Instant)>,
    /// When it was said that it does not take frames of some time.
    said_of_time: Option<Instant>,
}

impl Standing {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            node: settings.node.clone(),
            token_file: settings.token_file.clone(),
            lost_since: None,
            said: None,
            said_of_time: None,
        }
    }

    /// It takes nothing.
    pub(crate) fn lost(&mut self, obstacle: Obstacle, why: &str) {
        self.lost_since.get_or_insert_with(Instant::now);
        if !self.is_due(obstacle) {
            debug!(why, "the server still takes no frames");
            return;
        }
        self.said = Some((obstacle, Instant::now()));
        match self.remedy(obstacle) {
            None => warn!(why, "the server takes no frames; they are kept and sent again"),
            Some(remedy) => {
                warn!(why, remedy, "the server takes no frames; they are kept and sent again");
            }
        }
    }

    /// Whether there is something new to say, or something to be said again.
    fn is_due(&self, obstacle: Obstacle) -> bool {
        match self.said {
            Some((said, at)) if said == obstacle => {
                obstacle != Obstacle::Away && at.elapsed() >= SAID_EVERY
            }
            _ => true,
        }
    }

    fn remedy(&self, obstacle: Obstacle) -> Option<String> {
        match (obstacle, &self.token_file) {
            (Obstacle::Away, _) => None,
            (Obstacle::Token, None) => {
                Some("name a file with a token with `--token-file` (API_TOKEN_FILE)".to_owned())
            }
            (Obstacle::Token, Some(path)) => Some(format!(
                "put a token into {} that the server takes for node `{}`; it is read again",
                path.display(),
                self.node
            )),
            (Obstacle::OtherSender, _) => Some(format!(
                "another collector sends for node `{}`: stop it, or give one of the two another \
                 name with `--node` (NODE_NAME)",
                self.node
            )),
            (Obstacle::Stranger, _) => {
                Some("see that `--server` (API_SERVER_URL) is kubemonitor's address".to_owned())
            }
        }
    }

    /// It will never take a frame, which is dropped.
    pub(crate) fn refused(&self, sequence: u64, why: &str) {
        warn!(node = %self.node, sequence, why, "the server refused a frame; it is dropped");
    }

    /// It does not take a frame for its time.
    pub(crate) fn wrong_time(&mut self, sequence: u64, why: &str) {
        if self.said_of_time.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
            self.said_of_time = Some(Instant::now());
            let remedy = "set the clocks of this node and of the server";
            warn!(sequence, why, remedy, "frames wait until the server takes their times");
        } else {
            debug!(sequence, why, "the server does not take a frame's time");
        }
    }

    /// It answers.
    pub(crate) fn reached(&mut self, outbox: &Outbox) {
        let lost = outbox.take_lost();
        self.said = None;
        if let Some(since) = self.lost_since.take() {
            let (outage_s, queued) = (since.elapsed().as_secs(), outbox.len());
            info!(outage_s, queued, lost, "the server takes frames again");
        } else if lost > 0 {
            warn!(lost, "frames that waited for long were dropped to make room for newer ones");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(token_file: Option<&str>) -> Standing {
        Standing {
            node: "worker-1".parse().expect("a name"),
            token_file: token_file.map(PathBuf::from),
            lost_since: None,
            said: None,
            said_of_time: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_has_to_mend_is_said_each_minute_and_an_outage_once() {
        for (obstacle, again) in [
            (Obstacle::Away, false),
            (Obstacle::Token, true),
            (Obstacle::OtherSender, true),
            (Obstacle::Stranger, true),
        ] {
            let mut standing = standing(None);
            assert!(standing.is_due(obstacle));
            standing.lost(obstacle, "why");
            assert!(!standing.is_due(obstacle));
            tokio::time::advance(SAID_EVERY).await;
            assert_eq!(standing.is_due(obstacle), again, "{obstacle:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_obstacle_is_said_at_once() {
        let mut standing = standing(None);
        standing.lost(Obstacle::Away, "why");
        assert!(standing.is_due(Obstacle::Token));
        standing.lost(Obstacle::Token, "why");
        assert!(standing.is_due(Obstacle::Away));
    }

    #[test]
    fn remedies_name_what_to_change() {
        let remedy = |file, obstacle| standing(file).remedy(obstacle).unwrap_or_default();
        assert!(remedy(None, Obstacle::Token).contains("--token-file"));
        let token = remedy(Some("/var/run/token"), Obstacle::Token);
        assert!(token.contains("/var/run/token") && token.contains("worker-1"), "{token}");
        assert!(remedy(None, Obstacle::OtherSender).contains("`worker-1`"));
        assert!(remedy(None, Obstacle::Stranger).contains("API_SERVER_URL"));
        assert_eq!(remedy(None, Obstacle::Away), "");
    }
}
