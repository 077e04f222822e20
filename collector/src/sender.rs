//! Brings the outbox to the server: in order, until it is taken.

use std::{convert::Infallible, time::Duration};

use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::{
    Settings,
    backoff::{Backoff, share},
    client::{Answer, Client, ClientError},
    outbox::{Frame, Outbox},
    standing::Standing,
};

/// Sends frames, oldest first.
pub(crate) struct Sender {
    client: Client,
    backoff: Backoff,
    standing: Standing,
    /// How long after a tick the server wants the last sender's frame.
    spread: Duration,
    /// This sender's place in that time, from 0 to 1.
    place: f64,
}

impl Sender {
    pub(crate) fn new(settings: &Settings) -> Result<Self, ClientError> {
        Ok(Self {
            client: Client::new(settings)?,
            backoff: Backoff::new(settings.node.clone(), settings.interval),
            standing: Standing::new(settings),
            spread: Duration::ZERO,
            place: share(&settings.node, 0),
        })
    }

    /// Sends whatever comes, for ever. May be dropped at any point: a frame whose answer was not
    /// seen is still in the outbox, and harmless when sent again.
    pub(crate) async fn deliver(&mut self, outbox: &Outbox) -> Infallible {
        loop {
            let frame = outbox.first().await;
            if outbox.free() == 1 {
                // All nodes tick at once. Thousands of frames at once would make each wait for all.
                sleep(self.spread.mul_f64(self.place)).await;
            }
            self.attempt(&frame, outbox).await;
            // One a tick, so that a server whose clock is wrong has little more to do. Where it is
            // taken, all others may be.
            if outbox.free() == 0
                && let Some(held) = outbox.due()
                && self.attempt(&held, outbox).await
            {
                outbox.release();
            }
        }
    }

    /// Sends what there is, from short waits on.
    pub(crate) async fn flush(&mut self, outbox: &Outbox) {
        self.backoff.reset();
        outbox.release();
        while let Some(frame) = outbox.peek() {
            self.attempt(&frame, outbox).await;
        }
    }

    /// One attempt, and the wait before the next if the server takes nothing now. Says whether the
    /// frame was taken.
    async fn attempt(&mut self, frame: &Frame, outbox: &Outbox) -> bool {
        let begun = Instant::now();
        let answer = self.client.post(frame).await;
        let is_taken = matches!(answer, Answer::Taken { .. });
        match answer {
            Answer::Taken { spread } => {
                self.spread = spread;
                outbox.remove(frame.sequence);
                debug!(sequence = frame.sequence, bytes = frame.bytes.len(), "sent");
            }
            Answer::Refused(why) => {
                outbox.remove(frame.sequence);
                self.standing.refused(frame.sequence, &why);
            }
            Answer::WrongTime(why) => {
                outbox.hold(frame.sequence);
                self.standing.wrong_time(frame.sequence, &why);
            }
            Answer::Later { obstacle, why, after } => {
                self.standing.lost(obstacle, &why);
                let wait = match after {
                    Some(after) => self.backoff.after_request(after),
                    // An attempt that took long was a wait already.
                    None => self.backoff.after_failure().saturating_sub(begun.elapsed()),
                };
                sleep(wait).await;
                return false;
            }
        }
        self.backoff.reset();
        self.standing.reached(outbox);
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

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
        Sender::new(&settings).expect("a client")
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
    async fn what_somebody_has_to_mend_loses_nothing() {
        for status in [401, 403, 404, 409] {
            let server = Server::start([Reply::Status(status)]).await;
            let outbox = outbox(1..=3);
            deliver(&server.url(), &outbox);
            server.takes(3).await;
            assert_eq!(server.sequences(), [1, 1, 2, 3], "{status}");
        }
    }

    #[tokio::test]
    async fn a_frame_of_a_wrong_time_lets_others_pass_and_none_is_lost() {
        let server = Server::start([425, 425, 204, 425, 204].map(Reply::Status)).await;
        let outbox = Outbox::new(Capacity { frames: 100, bytes: 1 << 20 });
        let outbox = Arc::new(outbox.holding_for(Duration::ZERO));
        (1..=3).for_each(|sequence| outbox.push(frame(sequence)));
        deliver(&server.url(), &outbox);
        server.receives(4).await;
        // One that was held back is tried after each that was taken, and all when it is taken too.
        outbox.push(frame(4));
        server.takes(4).await;
        assert_eq!(server.sequences(), [1, 2, 3, 1, 4, 2, 1]);
        assert_eq!((outbox.len(), outbox.take_lost()), (0, 0));
    }

    #[tokio::test]
    async fn while_no_time_is_taken_a_tick_costs_one_more_request_at_most() {
        let server = Server::start([Reply::Status(425); 100]).await;
        let outbox = Outbox::new(Capacity { frames: 100, bytes: 1 << 20 });
        let outbox = Arc::new(outbox.holding_for(Duration::ZERO));
        deliver(&server.url(), &outbox);
        for sequence in 1..=5 {
            outbox.push(frame(sequence));
            server.receives(2 * usize::try_from(sequence).expect("few")).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!((server.received().len(), outbox.len()), (10, 5));
    }

    #[tokio::test]
    async fn the_flush_tries_each_frame_of_a_wrong_time_once() {
        let server = Server::start([Reply::Status(425); 4]).await;
        let outbox = outbox(1..=4);
        sender(&server.url()).flush(&outbox).await;
        assert_eq!((server.sequences(), outbox.len()), (vec![1, 2, 3, 4], 4));
    }

    #[tokio::test]
    async fn an_outbox_that_runs_over_loses_the_oldest_and_sends_the_rest_once() {
        let server = Server::start([Reply::Silence]).await;
        let outbox = Arc::new(Outbox::new(Capacity { frames: 10, bytes: 1 << 20 }));
        outbox.push(frame(1));
        let delivery = deliver(&server.url(), &outbox);
        server.receives(1).await;
        (2..=30).for_each(|sequence| outbox.push(frame(sequence)));
        delivery.abort();
        sender(&server.url()).flush(&outbox).await;
        assert_eq!(server.taken(), (21..=30).collect::<Vec<u64>>());
        assert_eq!(outbox.len(), 0);
    }

    #[tokio::test]
    async fn answers_that_get_lost_are_all_that_is_sent_twice() {
        let lost = [Reply::HangUp, Reply::Status(204), Reply::HangUp, Reply::HangUp];
        let server = Server::start(lost).await;
        deliver(&server.url(), &outbox(1..=3));
        server.takes(3).await;
        assert_eq!(server.sequences(), [1, 1, 2, 2, 2, 3]);
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
