use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::*;
use crate::clock::ManualClock;
use crate::config::source::Sources;

const NOW_MS: u64 = 1_800_000_000_000;

struct Node {
    app: App,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

async fn node(env: &[(&str, &str)]) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(env).unwrap();
    config.data_dir = dir.path().join("data");
    let clock = Arc::new(ManualClock::new(NOW_MS));
    Node {
        app: App::start_with(
            config,
            Parts {
                clock: Some(clock),
                ..Parts::default()
            },
        )
        .await
        .unwrap(),
        http: reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .unwrap(),
        _dir: dir,
    }
}

fn config(env: &[(&str, &str)]) -> Result<Config, crate::config::ConfigError> {
    let free = [
        ("HUB__LISTEN", "127.0.0.1:0"),
        ("HUB__ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let env = free.iter().chain(env);
    Config::load(&Sources {
        file: None,
        env: env
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        dev: true,
        ..Sources::default()
    })
}

impl Node {
    async fn get(&self, address: SocketAddr, path: &str) -> reqwest::Response {
        let url = format!("http://{address}{path}");
        self.http.get(url).send().await.unwrap()
    }

    async fn post_token(&self, body: &str) -> reqwest::Response {
        let url = format!("http://{}/dev/token", self.app.public_addr());
        self.http
            .post(url)
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
    }
}

async fn json_of(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn plain_routes_answer_on_both_listeners() {
    let node = node(&[]).await;
    assert_ne!(node.app.public_addr().port(), 0);
    assert_ne!(node.app.public_addr(), node.app.admin_addr());
    for address in [node.app.public_addr(), node.app.admin_addr()] {
        let (status, health) = json_of(node.get(address, "/health").await).await;
        assert_eq!((status, &health["status"]), (200, &json!("ok")));
        assert_eq!(health["timestamp"], "2027-01-15T08:00:00.000Z");
        assert_eq!(node.get(address, "/ready").await.status(), 200);
        let metrics = node.get(address, "/metrics").await;
        assert!(metrics.text().await.unwrap().contains("syncline_sockets 0"));
    }
    let page = node.get(node.app.public_addr(), "/").await;
    assert!(page.text().await.unwrap().contains("/dev/token"));
    assert_eq!(node.get(node.app.admin_addr(), "/").await.status(), 404);
}

#[tokio::test]
async fn metrics_can_be_kept_from_the_public() {
    let node = node(&[("HUB__METRICS__PUBLIC", "false")]).await;
    let public = node.get(node.app.public_addr(), "/metrics").await;
    assert_eq!(public.status(), 404);
    let admin = node.get(node.app.admin_addr(), "/metrics").await;
    assert_eq!(admin.status(), 200);
}

#[tokio::test]
async fn development_token_is_given_and_verifies() {
    let node = node(&[]).await;
    let (status, given) = json_of(node.post_token(r#"{"user":"ada","ttl_s":60}"#).await).await;
    assert_eq!(status, 200, "{given}");
    let token = given["token"].as_str().unwrap();
    let identity = node.app.verifier().verify(token, NOW_MS).await.unwrap();
    assert_eq!(identity.user.as_str(), "ada");
    assert_eq!(identity.expires_at_ms, NOW_MS + 60_000);
}

#[tokio::test]
async fn another_hub_verifies_by_the_published_key() {
    let issuer = node(&[]).await;
    let url = format!("http://{}/api/v1/auth/jwks", issuer.app.public_addr());
    let mut other = config(&[("HUB__AUTH__JWKS_URL", &url)]).unwrap();
    other.auth.dev = false;
    let dir = tempfile::tempdir().unwrap();
    other.data_dir = dir.path().to_owned();
    let other = App::start(other).await.unwrap();
    let (_, given) = json_of(issuer.post_token(r#"{"user":"ada"}"#).await).await;
    let token = given["token"].as_str().unwrap();
    assert!(other.verifier().verify(token, NOW_MS).await.is_ok());
    assert!(other.dev_issuer().is_none());
    other.shutdown().await;
}

#[tokio::test]
async fn a_node_is_not_ready_before_it_has_read_a_key() {
    let issuer = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", issuer.local_addr().unwrap());
    let mut config = config(&[("HUB__AUTH__JWKS_URL", &url)]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    config.data_dir = dir.path().to_owned();
    let http = || reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let ready = async |app: &App| {
        let url = format!("http://{}/ready", app.admin_addr());
        json_of(http().build().unwrap().get(url).send().await.unwrap()).await
    };
    // The development issuer needs no other.
    let app = App::start(config.clone()).await.unwrap();
    let unanswered = issuer.accept().await.unwrap();
    assert_eq!(ready(&app).await.0, 200);
    app.shutdown().await;
    drop(unanswered);

    config.auth.dev = false;
    let app = App::start(config).await.unwrap();
    let (mut asked, _) = issuer.accept().await.unwrap();
    let (status, refusal) = ready(&app).await;
    assert_eq!(
        (status, &refusal["code"]),
        (503, &json!("issuer_unavailable"))
    );
    let keys = r#"{"keys":[]}"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{keys}",
        keys.len()
    );
    asked.write_all(answer.as_bytes()).await.unwrap();
    let is_ready = async {
        while ready(&app).await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), is_ready).await;
    assert!(waited.is_ok(), "it never is");
    app.shutdown().await;
}

#[tokio::test]
async fn bad_token_requests_are_refused() {
    let node = node(&[]).await;
    for (body, expected) in [
        ("", (400, "bad_message")),
        (r#"{"ttl_s":60}"#, (400, "bad_message")),
        (r#"{"user":"ada","ttl_s":0}"#, (400, "bad_message")),
        (
            r#"{"user":"ada","ttl_s":99999999999}"#,
            (400, "bad_message"),
        ),
        (r#"{"user":""}"#, (422, "name_invalid")),
        (r#"{"user":"@hub"}"#, (422, "name_invalid")),
    ] {
        let (status, refusal) = json_of(node.post_token(body).await).await;
        assert_eq!(
            (status, refusal["code"].as_str().unwrap()),
            expected,
            "{body}"
        );
    }
}

#[tokio::test]
async fn web_page_of_a_stranger_gets_no_token() {
    let node = node(&[]).await;
    let url = format!("http://{}/dev/token", node.app.public_addr());
    for (header, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let asked = node.http.post(&url).header(header, value);
        let answer = asked.body(r#"{"user":"ada"}"#).send().await.unwrap();
        let (status, refusal) = json_of(answer).await;
        assert_eq!((status, &refusal["code"]), (403, &json!("forbidden")));
    }
    let local = node
        .http
        .post(&url)
        .header("origin", "http://localhost:5173");
    let answer = local.body(r#"{"user":"ada"}"#).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn development_routes_exist_only_in_development() {
    let mut config = config(&[("HUB__AUTH__JWKS_URL", "http://127.0.0.1:9/jwks")]).unwrap();
    config.auth.dev = false;
    let dir = tempfile::tempdir().unwrap();
    config.data_dir = dir.path().to_owned();
    let app = App::start(config).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let url = format!("http://{}/dev/token", app.public_addr());
    let answer = http.build().unwrap().post(url).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(!dir.path().join(crate::auth::DEV_KEY_FILE).exists());
    app.shutdown().await;
}

#[tokio::test]
async fn development_issuer_never_starts_where_others_can_reach_it() {
    let mut config = config(&[]).unwrap();
    config.listen = ([0, 0, 0, 0], 0).into();
    let refused = App::start(config).await.unwrap_err();
    assert!(matches!(refused, StartError::Config(_)), "{refused}");
}

#[tokio::test]
async fn taken_address_is_named() {
    let node = node(&[]).await;
    let mut second = config(&[]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    second.data_dir = dir.path().to_owned();
    second.admin_listen = node.app.admin_addr();
    let refused = App::start(second).await.unwrap_err().to_string();
    assert!(refused.starts_with("admin_listen 127.0.0.1:"), "{refused}");
}

#[tokio::test]
async fn a_database_is_one_hubs_until_it_ends() {
    let node = node(&[]).await;
    let mut second = config(&[]).unwrap();
    second.data_dir = node._dir.path().join("data");
    let refused = App::start(second.clone()).await.unwrap_err();
    assert!(
        matches!(refused, StartError::StoreInUse { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("hub.db"), "{refused}");
    node.app.shutdown().await;
    App::start(second).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_database_is_one_hubs_whatever_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("real")).unwrap();
    // One link leads to the directory, one to the file that is not there yet.
    std::os::unix::fs::symlink(at("real"), at("linked")).unwrap();
    std::os::unix::fs::symlink(at("real/hub.db"), at("link.db")).unwrap();
    let config = |name: &str| {
        let mut config = config(&[]).unwrap();
        config.data_dir = at("data");
        config.store.url = Some(crate::config::StoreUrl::Sqlite(at(name)));
        config
    };
    let names = [
        "link.db",
        "real/hub.db",
        "linked/hub.db",
        "real/../real/hub.db",
    ];
    for first in names {
        let app = App::start(config(first)).await.unwrap();
        for second in names {
            let refused = App::start(config(second)).await.unwrap_err();
            let in_use = matches!(refused, StartError::StoreInUse { .. });
            assert!(in_use, "{second} beside {first}: {refused}");
        }
        app.shutdown().await;
        // The next name finds no file again.
        std::fs::remove_file(at("real/hub.db")).unwrap();
    }
    let refused = App::start(config("real")).await.unwrap_err();
    assert!(matches!(refused, StartError::Config(_)), "{refused}");
}

#[tokio::test]
async fn a_database_with_two_names_of_its_own_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut config = config(&[]).unwrap();
    config.data_dir = at("data");
    config.store.url = Some(crate::config::StoreUrl::Sqlite(at("hub.db")));
    std::fs::write(at("hub.db"), "").unwrap();
    std::fs::hard_link(at("hub.db"), at("again.db")).unwrap();
    let refused = App::start(config.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("hub.db has hard links"), "{refused}");
    std::fs::remove_file(at("again.db")).unwrap();
    App::start(config).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn shutdown_frees_both_addresses() {
    let node = node(&[]).await;
    let addresses = [node.app.public_addr(), node.app.admin_addr()];
    node.app.shutdown().await;
    for address in addresses {
        bind(address).unwrap();
    }
}

#[tokio::test]
async fn shutdown_cuts_off_what_outlives_the_drain_time() {
    let node = node(&[("HUB__DRAIN_S", "0")]).await;
    let url = format!("http://{}/dev/token", node.app.public_addr());
    // A body that never ends.
    let body = reqwest::Body::wrap(http_body_util::combinators::BoxBody::new(Endless));
    let asked = tokio::spawn(node.http.post(url).body(body).send());
    let metrics = node.app.metrics().clone();
    while metrics.http_connections.get() == 0 {
        tokio::task::yield_now().await;
    }
    node.app.shutdown().await;
    // Nothing runs on after the store has closed.
    assert_eq!(metrics.http_connections.get(), 0);
    assert!(asked.await.unwrap().is_err());
}

/// Announces data that does not come.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
