//! What an inventory of a large cluster costs, measured in a process of its own, so that the memory
//! of the API server it follows does not count.
//!
//! The largest cluster that Kubernetes supports takes a minute or two:
//! `cargo nextest run --cargo-profile quick -p kubemonitor-inventory --test large_cluster --run-ignored all --no-capture`

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod follower;
mod objects;

use std::time::{Duration, Instant};

use follower::Follower;
use kubemonitor_fake_kubernetes::{FakeKubernetes, Verb};
use objects::Size;

/// The largest that Kubernetes supports.
#[test]
#[ignore = "takes a minute in an optimised build, and several in another"]
fn five_thousand_nodes_fit_300_mebibytes() {
    follow(
        "five_thousand_nodes_fit_300_mebibytes",
        Size { nodes: 5_000, pods: 150_000, deployments: 15_000 },
        300,
    );
}

#[test]
fn a_hundred_nodes_fit_50_mebibytes() {
    follow(
        "a_hundred_nodes_fit_50_mebibytes",
        Size { nodes: 100, pods: 3_000, deployments: 300 },
        50,
    );
}

/// Follows a cluster of this size in another process that runs the same test, lists everything a
/// second time, and holds the peak of that process' memory against the limit.
fn follow(test: &str, size: Size, limit_mebibytes: u64) {
    if let Some(url) = follower::is_wanted() {
        return follower::run(&url);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fake = FakeKubernetes::start().await;
        size.make_up(&fake);
        let begin = Instant::now();
        let mut follower = Follower::start(test, &fake.url());
        let synced = follower.report();
        let seconds = begin.elapsed().as_secs_f64();
        assert_eq!((synced.nodes, synced.pods, synced.joined), (size.nodes, size.pods, size.pods));

        fake.forget_history();
        let begin = Instant::now();
        let pages = size.pods.div_ceil(500);
        let listed = || {
            let of_pods = |request: &&_| objects::is_pods(request, Verb::List);
            fake.requests().iter().filter(of_pods).count()
        };
        while listed() < 2 * pages {
            assert!(begin.elapsed() < Duration::from_secs(600), "the second list takes too long");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let listed_again = follower.report();
        assert_eq!((listed_again.pods, listed_again.joined), (size.pods, size.pods));

        let per_pod = (synced.rss_kib - synced.rss_kib_before) * 1024 / size.pods as u64;
        println!(
            "{size:?}: listed in {seconds:.1} s with {:.1} s of CPU; {} MiB of memory, {} MiB before, {per_pod} bytes a \
             pod; at most {} MiB; after a second list {} MiB, at most {} MiB",
            synced.cpu_centiseconds as f64 / 100.0,
            synced.rss_kib / 1024,
            synced.rss_kib_before / 1024,
            synced.peak_kib / 1024,
            listed_again.rss_kib / 1024,
            listed_again.peak_kib / 1024,
        );
        assert!(listed_again.peak_kib <= limit_mebibytes * 1024);
    });
}
