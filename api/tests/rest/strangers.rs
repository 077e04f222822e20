//! Tokens at metrics.k8s.io that nobody knows: they cost Kubernetes little, and others nothing.

use std::time::Instant;

use kubemonitor_fake_kubernetes::{Fault, Verb};
use serde_json::json;

use crate::support::{Reply, Top};

const NODES: &str = "/apis/metrics.k8s.io/v1beta1/nodes";
const REVIEWS: &str = "tokenreviews";

async fn with_token(top: &Top, token: &str) -> Reply {
    let authorization = format!("Bearer {token}");
    top.ask(None, "GET", NODES, &[("authorization", &authorization)]).await
}

/// A cluster that knows one token.
async fn knowing(known: &'static str) -> Top {
    let top = Top::after(1).await;
    top.captured.kubernetes.decide(move |resource, spec| match resource {
        REVIEWS if spec["token"] == known => {
            json!({"authenticated": true, "user": {"username": "robot"}})
        }
        REVIEWS => json!({"authenticated": false}),
        _ => json!({"allowed": true}),
    });
    top
}

#[tokio::test]
async fn a_flood_of_tokens_asks_little_and_known_users_do_not_wait() {
    let top = knowing("known").await;
    assert_eq!(with_token(&top, "known").await.status, 200);
    let begun = Instant::now();
    let mut turned_away = 0;
    for number in 0..60 {
        let status = with_token(&top, &format!("stranger-{number}")).await.status;
        assert!([401, 429].contains(&status), "{status}");
        turned_away += usize::from(status == 429);
    }
    // The test has one address, and a good token came from it: 20 at once and 10 a second.
    let asked = top.captured.kubernetes.reviews(REVIEWS);
    let allowed = 1.0 + 20.0 + 10.0 * (begun.elapsed().as_secs_f64() + 1.0);
    assert!((asked as f64) <= allowed, "{asked}, and {allowed} are allowed");
    assert_eq!(asked - 1 + turned_away, 60);
    assert_eq!(with_token(&top, "known").await.status, 200);
}

#[tokio::test]
async fn a_bad_token_is_asked_about_once() {
    let top = knowing("known").await;
    for _ in 0..30 {
        assert_eq!(with_token(&top, "bad").await.status, 401);
    }
    assert_eq!(top.captured.kubernetes.reviews(REVIEWS), 1);
}

#[tokio::test]
async fn a_token_that_many_show_at_once_is_asked_about_once() {
    let top = knowing("known").await;
    let slow = Fault::Slow(std::time::Duration::from_millis(500));
    top.captured.kubernetes.fail(REVIEWS, Verb::Review, slow, 1);
    let asking = (0..10).map(|_| with_token(&top, "known"));
    for reply in futures::future::join_all(asking).await {
        assert_eq!(reply.status, 200);
    }
    assert_eq!(top.captured.kubernetes.reviews(REVIEWS), 1);
}

#[tokio::test]
async fn what_cannot_be_a_token_is_not_asked_about() {
    let top = knowing("known").await;
    for token in ["two words", &"x".repeat(2000)] {
        assert_eq!(with_token(&top, token).await.status, 401);
    }
    assert_eq!(top.captured.kubernetes.reviews(REVIEWS), 0);
}
