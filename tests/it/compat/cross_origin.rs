//! Pages of other origins, as the browser lets them call.

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use syncline_hub::app::Parts;
use syncline_storage::faulty::{Fault, FaultyStore, Operation};
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use syncline_tests::node::{Setup, TestNode};

const ORIGIN: &str = "http://localhost:5173";

/// What a device without data asks.
const EMPTY: &str = "/sync/todo/pull?collection=tasks&since=1970-01-01T00:00:00.000Z";

#[tokio::test]
async fn pages_of_listed_origins_may_call_with_credentials() {
    let node = TestNode::start().await;
    let http = Client::new();
    let preflight = async |origin: &str| {
        let request = http.request(reqwest::Method::OPTIONS, node.url("/sync/todo"));
        let request = request.header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let asked = "authorization,content-type,x-client-id";
        let request = request.header("access-control-request-headers", asked);
        request.send().await.unwrap().headers().clone()
    };
    for origin in ["http://localhost:5173", "http://localhost:5188"] {
        let allowed = preflight(origin).await;
        assert_eq!(allowed["access-control-allow-origin"], origin);
        assert_eq!(allowed["access-control-allow-credentials"], "true");
        assert_eq!(allowed["access-control-max-age"], "7200");
        for (name, expected) in [
            ("access-control-allow-methods", &["get", "post", "options"]),
            (
                "access-control-allow-headers",
                &["authorization", "content-type", "x-client-id"],
            ),
        ] {
            let listed = allowed[name].to_str().unwrap().to_lowercase();
            let listed: Vec<&str> = listed.split(',').map(str::trim).collect();
            assert!(
                expected.iter().all(|one| listed.contains(one)),
                "{listed:?}"
            );
        }
    }
    let refused = preflight("https://evil.example").await;
    assert!(!refused.contains_key("access-control-allow-origin"));
}

/// Else it is told of a network that failed, and not to sign in again or to wait.
#[tokio::test]
async fn and_read_why_they_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db"))).unwrap();
    let store = Arc::new(FaultyStore::scripted(sqlite));
    let setup = Setup {
        parts: Parts {
            store: Some(store.clone()),
            ..Parts::default()
        },
        ..Setup::default()
    };
    let node = TestNode::start_with(setup).await;
    let (http, token) = (Client::new(), node.token("ada"));
    let asks = |method: Method, path: &str| http.request(method, node.url(path));
    let device = |asked: RequestBuilder| asked.header("x-client-id", "phone");
    let signed = |method, path| device(asks(method, path)).bearer_auth(&token);
    let is_readable = async |asked: RequestBuilder, status: StatusCode| {
        let answer = asked.header("origin", ORIGIN).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let allowed = answer.headers().get("access-control-allow-origin");
        assert_eq!(allowed.expect("a page may read it"), ORIGIN, "{status}");
    };
    is_readable(signed(Method::GET, EMPTY), StatusCode::OK).await;
    is_readable(asks(Method::GET, EMPTY), StatusCode::UNAUTHORIZED).await;
    is_readable(
        signed(Method::GET, "/sync/todo/pull"),
        StatusCode::BAD_REQUEST,
    )
    .await;
    is_readable(signed(Method::GET, "/nothing"), StatusCode::NOT_FOUND).await;
    is_readable(
        signed(Method::DELETE, "/sync/todo"),
        StatusCode::METHOD_NOT_ALLOWED,
    )
    .await;
    let large = signed(Method::POST, "/sync/todo").body("x".repeat((10 << 20) + 1));
    is_readable(large, StatusCode::PAYLOAD_TOO_LARGE).await;
    for operation in [Operation::Space, Operation::OpenSpace] {
        (0..20).for_each(|_| store.script(operation, Some(Fault::Refused)));
    }
    let write = r#"{"since":"1970-01-01T00:00:00.000Z","changes":[]}"#;
    let asked = signed(Method::POST, "/sync/todo").body(write);
    is_readable(asked, StatusCode::SERVICE_UNAVAILABLE).await;
}
