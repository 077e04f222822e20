//! Behind a proxy that puts a prefix before all paths.

use kubemonitor_inventory::Inventory;
use serde_json::{Value, json};

use crate::support::{Reply, Running, recent, send, settings};

async fn ask(server: &Running, path: &str, headers: &[(&str, &str)]) -> Reply {
    send(server.address, "GET", path, headers, Vec::new()).await
}

/// The time, as samples have it.
fn now() -> String {
    recent(0).to_string()
}

async fn with_base(base: &str) -> Running {
    let mut settings = settings();
    settings.base_path = base.parse().unwrap();
    let server = Running::with(&settings, Inventory::without_cluster()).await;
    for node in ["a", "b"] {
        let sample = json!({"timestamp": now(), "node": node, "cpu_millicores": 1});
        assert_eq!(server.push(&format!("/api/nodes/{node}"), &sample).await.status, 200);
    }
    server
}

/// Where an answer leads: to the next page, to the API from the description, and on from `/`.
async fn leads(server: &Running, at: &str, headers: &[(&str, &str)]) -> [String; 3] {
    let page = ask(server, &format!("{at}/api/nodes?limit=1"), headers).await;
    let link = page.header("link").unwrap().to_owned();
    let description = ask(server, &format!("{at}/openapi.json"), headers).await.json();
    let json = [headers, &[("accept", "application/json")]].concat();
    let about = ask(server, &format!("{at}/"), &json).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    [link, text(&description["servers"][0]["url"]), text(&about["links"]["nodes"])]
}

#[tokio::test]
async fn a_prefix_that_the_proxy_tells_of_is_before_every_address() {
    let server = with_base("").await;
    let [link, api, nodes] = leads(&server, "", &[("x-forwarded-prefix", "/km/")]).await;
    assert!(link.starts_with("</km/api/nodes?limit=1&continue="), "{link}");
    assert_eq!([api.as_str(), &nodes], ["/km", "/km/api/nodes"]);
    for nonsense in ["", "//evil.example", "/a b", "https://evil.example"] {
        let [link, api, nodes] = leads(&server, "", &[("x-forwarded-prefix", nonsense)]).await;
        assert!(link.starts_with("</api/nodes?"), "{nonsense}: {link}");
        assert_eq!([api.as_str(), &nodes], [".", "/api/nodes"], "{nonsense}");
    }
}

#[tokio::test]
async fn a_base_path_is_taken_off_requests_and_put_before_addresses() {
    let server = with_base("/tools/km").await;
    for at in ["", "/tools/km"] {
        let [link, api, nodes] = leads(&server, at, &[]).await;
        assert!(link.starts_with("</tools/km/api/nodes?limit=1&continue="), "{link}");
        assert_eq!([api.as_str(), &nodes], ["/tools/km", "/tools/km/api/nodes"], "{at}");
        for path in ["/health", "/docs", "/docs/", "/metrics", "/app/main.mjs"] {
            assert_eq!(ask(&server, &format!("{at}{path}"), &[]).await.status, 200, "{at}{path}");
        }
    }
    assert_eq!(ask(&server, "/tools/km", &[]).await.status, 200);
    let problem = server.problem(404, "/tools/other").await;
    assert!(problem["detail"].as_str().unwrap().contains("/tools/other"));
}

#[tokio::test]
async fn redoc_leads_to_the_docs_wherever_they_are() {
    let server = Running::start().await;
    for (path, location) in [("/redoc", "docs"), ("/redoc/", "../docs")] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (307, Some(location)));
    }
}
