//! Brings the outbox to the server: in order, until it is taken.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use tracing::{debug, info, warn};

use crate::{
    backoff::Backoff,
    client::{Answer, Client},
    outbox::{Frame, Outbox},
};

/// Sends frames, oldest first, and tells of the server's absence and return.
pub(crate) struct Sender {
    client: Client,
    backoff: Backoff,
    /// Since when the server has taken nothing.
    lost_since: Option<Instant>,
    /// How long after a tick the server wants the last sender's frame.
    spread: Duration,
    /// This sender's place in that time, from 0 to 1.
    place: f64,
}

impl Sender {
    pub(crate) fn new(client: Client) -> Self {
        let (backoff, place) = (Backoff::default(), fastrand::f64());
        Self { client, backoff, lost_since: None, spread: Duration::ZERO, place }
    }

    /// Sends whatever comes, for ever. May be dropped at any point: a frame whose answer was not
    /// seen is still in the outbox, and harmless when sent again.
    pub(crate) async fn deliver(&mut self, outbox: &Outbox) -> Infallible {
        loop {
            let frame = outbox.first().await;
            if outbox.len() == 1 {
                // All nodes tick at once. Thousands of frames at once would make each wait for all.
                tokio::time::sleep(self.spread.mul_f64(self.place)).await;
            }
            self.attempt(&frame, outbox).await;
        }
    }

    /// Sends what there is, trying anew from short waits on.
    pub(crate) async fn flush(&mut self, outbox: &Outbox) {
        self.backoff.reset();
        while let Some(frame) = outbox.peek() {
            self.attempt(&frame, outbox).await;
        }
    }

    /// One attempt, and the wait before the next if it fails.
    async fn attempt(&mut self, frame: &Frame, outbox: &Outbox) {
        match self.client.post(frame).await {
            Answer::Taken { spread } => {
                self.spread = spread;
                outbox.remove(frame.sequence);
                debug!(sequence = frame.sequence, bytes = frame.bytes.len(), "sent");
                self.reached(outbox);
            }
            Answer::Refused(why) => {
                outbox.remove(frame.sequence);
                warn!(sequence = frame.sequence, why, "the server refused a frame; it is dropped");
                self.reached(outbox);
            }
            Answer::Later { why, after } => {
                self.lost(&why);
                let wait = self.backoff.after_failure(fastrand::f64());
                tokio::time::sleep(after.map_or(wait, |after| spread(after, wait))).await;
            }
        }
    }

    fn reached(&mut self, outbox: &Outbox) {
        self.backoff.reset();
        if let Some(since) = self.lost_since.take() {
            let outage_s = since.elapsed().as_secs();
            let (queued, lost) = (outbox.len(), outbox.take_lost());
            info!(outage_s, queued, lost, "the server takes frames again");
        }
    }

    fn lost(&mut self, why: &str) {
        if self.lost_since.is_none() {
            self.lost_since = Some(Instant::now());
            warn!(why, "the server takes no frames; they are kept and sent again");
        } else {
            debug!(why, "the server still takes no frames");
        }
    }
}

/// At least what the server asked for, and not the same for everybody.
fn spread(after: Duration, wait: Duration) -> Duration {
    after + wait / 4
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kubemonitor_model::{Tick, UnixMillis};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::{
        Settings,
        outbox::Capacity,
        test_server::{Reply, Server},
    };

    fn sender(url: &str) -> Sender {
        let settings = Settings {
            server: url.parse().expect("an address"),
            node: "n".parse().expect("a name"),
            interval: "1s".parse().expect("an interval"),
            host: kubemonitor_hostfs::HostRoots::default(),
            token_file: None,
            ca_file: None,
        };
        Sender::new(Client::new(&settings).expect("a client"))
    }

    fn outbox(sequences: impl IntoIterator<Item = u64>) -> Arc<Outbox> {
        let outbox = Outbox::new(Capacity { frames: 100, bytes: 1 << 20 });
        sequences.into_iter().for_each(|sequence| outbox.push(frame(sequence)));
        Arc::new(outbox)
    }

    fn frame(sequence: u64) -> Frame {
        let tick = Tick {
            node: "n".parse().expect("a name"),
            instance: 1,
            sequence,
            at: UnixMillis(1000),
            read_delay_us: 0,
            interval_ms: 1000,
            rows: Vec::new(),
        };
        let mut bytes = Vec::new();
        kubemonitor_frame::encode(&tick, &mut bytes);
        Frame { sequence, bytes: bytes.into() }
    }

    /// Delivers in the background until the test ends.
    fn deliver(url: &str, outbox: &Arc<Outbox>) -> JoinHandle<Infallible> {
        let (mut sender, outbox) = (sender(url), Arc::clone(outbox));
        tokio::spawn(async move { sender.deliver(&outbox).await })
    }

    #[tokio::test]
    async fn frames_go_out_in_order_over_one_connection() {
        let server = Server::start([]).await;
        let outbox = outbox(1..=3);
        deliver(&server.url(), &outbox);
        server.takes(3).await;
        outbox.push(frame(4));
        server.takes(4).await;
        assert_eq!(server.sequences(), [1, 2, 3, 4]);
        assert_eq!(server.connections(), 1);
    }

    #[tokio::test]
    async fn a_frame_that_failed_is_sent_again_with_its_number_before_the_next() {
        let server = Server::start([Reply::Status(500), Reply::HangUp, Reply::Status(204)]).await;
        deliver(&server.url(), &outbox(1..=2));
        server.takes(2).await;
        assert_eq!(server.sequences(), [1, 1, 1, 2]);
    }

    #[tokio::test]
    async fn a_frame_that_is_refused_is_not_sent_again() {
        let refusals = [400, 413, 415].map(Reply::Status);
        let server = Server::start(refusals).await;
        deliver(&server.url(), &outbox(1..=4));
        server.takes(1).await;
        assert_eq!(server.sequences(), [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_server_that_asks_for_time_is_given_it() {
        for status in [429, 503] {
            let server = Server::start([Reply::RetryAfter(status, 1)]).await;
            deliver(&server.url(), &outbox([1]));
            server.takes(1).await;
            let [refused, taken] = &server.received()[..] else { panic!("two requests") };
            assert!(taken.at - refused.at >= Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn frames_wait_for_their_place_in_the_time_that_the_server_asks_for() {
        let server = Server::start([Reply::Spread(400)]).await;
        let outbox = outbox([1]);
        let mut sender = sender(&server.url());
        sender.place = 0.5;
        let delivery = {
            let outbox = Arc::clone(&outbox);
            tokio::spawn(async move { sender.deliver(&outbox).await })
        };
        server.takes(1).await;
        let pushed = Instant::now();
        outbox.push(frame(2));
        server.takes(2).await;
        let waited = server.received()[1].at - pushed;
        assert!((200..400).contains(&waited.as_millis()), "{waited:?}");
        // The answer before asked for nothing.
        let pushed = Instant::now();
        outbox.push(frame(3));
        server.takes(3).await;
        assert!((server.received()[2].at - pushed).as_millis() < 200);
        delivery.abort();
    }

    #[tokio::test]
    async fn an_outage_loses_nothing() {
        let server = Server::start([]).await;
        let address = server.address;
        let outbox = outbox([1]);
        deliver(&server.url(), &outbox);
        server.takes(1).await;
        server.stop().await;
        for sequence in 2..=20 {
            outbox.push(frame(sequence));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let server = Server::start_on(address, []).await;
        server.takes(19).await;
        assert_eq!(server.sequences(), (2..=20).collect::<Vec<u64>>());
        assert_eq!((outbox.len(), outbox.take_lost()), (0, 0));
    }

    #[tokio::test]
    async fn what_was_on_its_way_when_delivery_stopped_is_sent_by_the_flush() {
        let server = Server::start([Reply::Silence]).await;
        let outbox = outbox(1..=2);
        let mut sender = sender(&server.url());
        let delivery = sender.deliver(&outbox);
        assert!(tokio::time::timeout(Duration::from_millis(200), delivery).await.is_err());
        sender.flush(&outbox).await;
        assert_eq!((server.sequences(), outbox.len()), (vec![1, 1, 2], 0));
    }
}
