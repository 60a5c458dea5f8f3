//! How a hub shows NATS who it is, and what it needs to be allowed there.

use std::fs;

use syncline_hub::config::Hidden;
use syncline_tests::certificate::ONE;
use syncline_tests::node::{Setup, TestNode};
use syncline_tests::until;

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
    let config = r#"
        authorization {
            users = [{
                user: hub, password: "secret"
                permissions { publish: ["sync.v1.>"], subscribe: ["sync.v1.>"] }
            }]
        }"#;
    works(config, |setup| {
        setup.config.nats.user = Some("hub".into());
        setup.config.nats.password = Some(Hidden::new("secret"));
    })
    .await;
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

#[tokio::test]
async fn a_hub_verifies_the_server_and_shows_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&cert, ONE.cert).unwrap();
    fs::write(&key, ONE.key).unwrap();
    let config = format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}");
    works(&config, |setup| {
        let nats = &mut setup.config.nats;
        (nats.ca, nats.cert, nats.key) =
            (Some(cert.clone()), Some(cert.clone()), Some(key.clone()));
    })
    .await;
}
