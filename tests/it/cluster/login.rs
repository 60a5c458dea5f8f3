//! How a hub shows NATS who it is, and what it needs to be allowed there.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::{KeyPair, KeyPairType};
use serde_json::{Value, json};

use syncline_hub::config::Hidden;
use syncline_tests::certificate::{ONE, OTHER, SelfSigned};
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::{HUNG, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::proxy::Proxy;
use super::server::Server;
use super::{all_are_equal, all_write, devices, is_connected, metric, on_bus};
use crate::postgres::server::Server as Postgres;

/// The examples of NATS's own documentation: a user's seed, and its public key.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

/// Two hubs see each other on a server with this in its configuration, and are refused nothing.
async fn works(config: &str, log_in: impl Fn(&mut Setup)) {
    let (database, bus) = (
        Postgres::shared().database().await,
        Server::start_with(config),
    );
    let mut nodes = Vec::new();
    for name in ["n1", "n2"] {
        let mut setup = on_bus(&database, name, bus.url());
        log_in(&mut setup);
        nodes.push(TestNode::start_with(setup).await);
    }
    for node in &nodes {
        is_connected(node).await;
    }
    let mut devices = devices(&nodes).await;
    all_write(&mut devices, "a", 3).await;
    all_are_equal(&mut devices).await;
    for node in &nodes {
        until("it hears the other", || {
            metric(node, "syncline_bus_heard_total{kind=\"commit\"}") > 0
                && metric(node, "syncline_bus_heard_total{kind=\"heads\"}") > 0
        })
        .await;
        assert_eq!(metric(node, "syncline_bus_refusals_total"), 0);
    }
}

/// What the README says of permissions is enough, and these are all.
#[tokio::test]
async fn a_hub_needs_its_own_subjects_and_no_others() {
    for prefix in ["sync", "staging"] {
        let config = format!(
            "authorization {{ users = [{{ user: hub, password: secret, permissions {{
                publish: [\"{prefix}.v1.>\"], subscribe: [\"{prefix}.v1.>\"] }} }}] }}"
        );
        works(&config, |setup| {
            setup.config.nats.prefix = prefix.to_owned();
            setup.config.nats.user = Some("hub".into());
            setup.config.nats.password = Some(Hidden::new("secret"));
        })
        .await;
    }
}

#[tokio::test]
async fn a_hub_that_is_not_allowed_serves_and_counts_refusals() {
    let config = r#"
        authorization {
            users = [{
                user: hub, password: "secret"
                permissions { publish: ["other.>"], subscribe: ["other.>"] }
            }]
        }"#;
    let (database, bus) = (
        Postgres::shared().database().await,
        Server::start_with(config),
    );
    let mut setup = on_bus(&database, "n1", bus.url());
    setup.config.nats.user = Some("hub".into());
    setup.config.nats.password = Some(Hidden::new("secret"));
    let node = TestNode::start_with(setup).await;
    until("it is refused", || {
        metric(&node, "syncline_bus_refusals_total") > 0
    })
    .await;
    let mut devices = devices([&node]).await;
    all_write(&mut devices, "a", 3).await;
    let ready = reqwest::get(node.url("/ready")).await.unwrap();
    assert_eq!(ready.status(), 200);
}

#[tokio::test]
async fn a_hub_shows_a_token() {
    works("authorization { token: \"s3cret\" }", |setup| {
        setup.config.nats.token = Some(Hidden::new("s3cret"));
    })
    .await;
}

#[tokio::test]
async fn a_hub_signs_with_an_nkey() {
    let config = format!("authorization {{ users = [{{ nkey: {PUBLIC} }}] }}");
    works(&config, |setup| {
        setup.config.nats.nkey = Some(Hidden::new(SEED));
    })
    .await;
}

/// A key made of a number.
fn key(kind: KeyPairType, number: u8) -> KeyPair {
    KeyPair::new_from_raw(kind, [number; 32]).unwrap()
}

/// Claims about a subject as a JWT of NATS.
fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: &Value) -> String {
    let head = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let claims = json!({"jti": "1", "iat": 1_795_514_400, "iss": issuer.public_key(),
        "name": "test", "sub": subject.public_key(), "nats": nats});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A server's configuration with one operator and one account, and a file of credentials: of a
/// user of the account, or of one that calls itself so.
fn account_and_credentials(signed_by: u8) -> (String, tempfile::NamedTempFile) {
    let operator = key(KeyPairType::Operator, 1);
    let account = key(KeyPairType::Account, 2);
    let user = key(KeyPairType::User, 3);
    let all = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
        "wildcards": true, "conn": -1, "leaf": -1});
    let of_operator = jwt(
        &operator,
        &operator,
        &json!({"type": "operator", "version": 2}),
    );
    let of_account = json!({"type": "account", "version": 2, "limits": all});
    let of_account = jwt(&operator, &account, &of_account);
    let own = json!({"allow": ["sync.v1.>"]});
    let of_user = json!({"type": "user", "version": 2, "pub": own, "sub": own, "subs": -1,
        "data": -1, "payload": -1});
    let of_user = jwt(&key(KeyPairType::Account, signed_by), &user, &of_user);
    let config = format!(
        "operator: {of_operator}\nresolver: MEMORY\nresolver_preload: {{ {}: {of_account} }}\n",
        account.public_key()
    );
    let credentials = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    fs::write(credentials.path(), text).unwrap();
    (config, credentials)
}

#[tokio::test]
async fn a_hub_shows_credentials_of_a_file() {
    let (config, credentials) = account_and_credentials(2);
    works(&config, |setup| {
        setup.config.nats.credentials = Some(credentials.path().to_owned());
    })
    .await;
}

/// Nothing a server says to a stranger keeps the hub from serving.
#[tokio::test]
async fn a_hub_with_credentials_of_nobody_serves_without_the_bus() {
    let (config, credentials) = account_and_credentials(9);
    let (database, bus) = (
        Postgres::shared().database().await,
        Server::start_with(&config),
    );
    let mut setup = on_bus(&database, "n1", bus.url());
    setup.config.nats.credentials = Some(credentials.path().to_owned());
    let node = TestNode::start_with(setup).await;
    let mut devices = devices([&node]).await;
    all_write(&mut devices, "a", 3).await;
    assert_eq!(metric(&node, "syncline_bus_connected"), 0);
}

/// A certificate and its key in files.
struct Files {
    _dir: TempDir,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(pair: &SelfSigned) -> Files {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        fs::write(&cert, pair.cert).unwrap();
        fs::write(&key, pair.key).unwrap();
        let _dir = dir;
        Files { _dir, cert, key }
    }

    /// The configuration of a server that shows this certificate and asks for the same.
    fn asking(&self) -> String {
        let Files { cert, key, .. } = self;
        format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {cert:?}, verify: true }}")
    }
}

#[tokio::test]
async fn a_hub_verifies_the_server_and_shows_a_certificate() {
    let files = Files::of(&ONE);
    works(&files.asking(), |setup| {
        let nats = &mut setup.config.nats;
        nats.ca = Some(files.cert.clone());
        (nats.cert, nats.key) = (Some(files.cert.clone()), Some(files.key.clone()));
    })
    .await;
}

#[tokio::test]
async fn a_hub_with_another_certificate_or_none_stays_away() {
    let (files, other) = (Files::of(&ONE), Files::of(&OTHER));
    let (database, bus) = (
        Postgres::shared().database().await,
        Server::start_with(&files.asking()),
    );
    for shown in [None, Some(&other)] {
        let proxy = Proxy::start(bus.url()).await;
        let mut setup = on_bus(&database, "n1", &proxy.url());
        let nats = &mut setup.config.nats;
        nats.ca = Some(files.cert.clone());
        nats.cert = shown.map(|files| files.cert.clone());
        nats.key = shown.map(|files| files.key.clone());
        let node = TestNode::start_with(setup).await;
        // Three connections, each of which was refused before.
        until("it tries again", || proxy.accepted() >= 9).await;
        assert_eq!(metric(&node, "syncline_bus_connected"), 0);
    }
}

/// Who greets without TLS may be anybody, also where the server of that name has it: what it says of
/// itself first is not encrypted.
#[tokio::test]
async fn a_hub_with_certificates_says_nothing_without_tls() {
    let files = Files::of(&ONE);
    let database = Postgres::shared().database().await;
    for has_own in [false, true] {
        let anybody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", anybody.local_addr().unwrap());
        let mut setup = on_bus(&database, "n1", &url);
        let nats = &mut setup.config.nats;
        nats.token = Some(Hidden::new("s3cret"));
        match has_own {
            false => nats.ca = Some(files.cert.clone()),
            true => {
                (nats.cert, nats.key) = (Some(files.cert.clone()), Some(files.key.clone()));
            }
        }
        let _node = TestNode::start_with(setup).await;
        let (mut stream, _) = anybody.accept().await.unwrap();
        let info = r#"{"server_id":"x","version":"2.10.0","proto":1,"host":"h","port":1,"max_payload":1048576}"#;
        stream
            .write_all(format!("INFO {info}\r\n").as_bytes())
            .await
            .unwrap();
        let mut first = vec![0; 1_024];
        let read = timeout(HUNG, stream.read(&mut first)).await.unwrap();
        first.truncate(read.unwrap());
        // A handshake of TLS, if anything.
        assert!(first.first().is_none_or(|byte| *byte == 0x16), "{first:?}");
        assert!(!first.windows(6).any(|text| text == b"s3cret"));
    }
}
