//! Letters, from a reminder to the mail server: a real hub, and a server of the test's that speaks SMTP.
//! What a letter looks like, and what each reply means, is told where letters are made.

use std::sync::Arc;

use serde_json::{Value, json};
use syncline_tests::certificate::{ONE, OTHER};
use syncline_tests::endpoint::Endpoint;
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use self::smtp::{Manners, Says, Smtp};
use super::running::Running;

#[allow(
    dead_code,
    reason = "the tests of letters have it misbehave in more ways"
)]
#[path = "../../../compute/src/mail/tests/server.rs"]
mod smtp;

/// Within which a server has to take a letter: one that works, and one that hangs.
const TIMEOUT_MS: u64 = 20_000;
const HANGS_MS: u64 = 300;

fn config(url: &str) -> String {
    cutting(url, TIMEOUT_MS)
}

fn cutting(url: &str, timeout_ms: u64) -> String {
    format!(
        r#"
        [app.todo.reminders]

        [mail]
        url = "{url}"
        from = "Todo <todo@example.com>"
        timeout_ms = {timeout_ms}
        private = true
        "#
    )
}

fn plainly(server: &Smtp) -> String {
    format!("smtp://127.0.0.1:{}", server.port)
}

fn mail() -> Value {
    json!({"app": "todo", "kind": "mail"})
}

fn is_done(last: &Value) -> bool {
    last["receipts"]["done"] == true
}

/// How often it was asked to take a letter for somebody.
fn asked(server: &Smtp) -> usize {
    let heard = server.heard();
    heard.iter().filter(|verb| *verb == "RCPT").count()
}

fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[tokio::test]
async fn a_reminder_is_a_letter_to_the_address_of_the_token() {
    let (mut server, dir) = (Smtp::new().await, TempDir::new().unwrap());
    let url = format!("smtp://todo:p%40ss@127.0.0.1:{}", server.port);
    let hub = Running::start(dir.path(), &config(&url), &[]).await;
    hub.register(&mail()).await;
    hub.remind("milk").await;
    let letter = server.letter().await;
    assert_eq!(letter.from, "todo@example.com");
    assert_eq!(letter.to, ["ada@example.com"]);
    assert_eq!(letter.login, Some(("todo".to_owned(), "p@ss".to_owned())));
    assert_eq!(header(&letter.text, "Subject: "), "milk");
    let last = hub.last_once(is_done).await;
    assert_eq!(
        last["receipts"],
        json!({"mail": {"sent": 1, "failed": 0, "gone": 0}, "done": true})
    );
    let id = header(&letter.text, "Message-ID: ");
    // It follows from the notification and the device, so it is the same in every try.
    let local = id
        .strip_prefix('<')
        .and_then(|id| id.strip_suffix("@example.com>"));
    let is_digest = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(local.is_some_and(is_digest), "{id}");
    let heard = server.heard();
    assert_eq!(heard[..5], ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"]);
    hub.end().await;
    // That an operator looked is told, and nothing of what was seen.
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(
        log.contains("an operator looked at a user's notifications"),
        "{log}"
    );
    for secret in ["milk", "ada@example.com", "p@ss"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

fn tls() -> Arc<ServerConfig> {
    let cert = CertificateDer::from_pem_slice(ONE.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(ONE.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    Arc::new(config)
}

/// A hub that trusts this certificate alone, and a server with one.
async fn encrypted(dir: &TempDir, from_start: bool, trusted: &str) -> (Running, Smtp) {
    let server = Smtp::with(Manners {
        tls: Some(tls()),
        is_encrypted_from_start: from_start,
        ..Manners::default()
    })
    .await;
    let (scheme, query) = match from_start {
        true => ("smtps", ""),
        false => ("smtp", "?tls=required"),
    };
    let url = format!("{scheme}://todo:hidden@127.0.0.1:{}{query}", server.port);
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, trusted).unwrap();
    let variables = [("SSL_CERT_FILE", roots.to_str().unwrap())];
    let hub = Running::start(dir.path(), &config(&url), &variables).await;
    hub.register(&mail()).await;
    hub.remind("milk").await;
    (hub, server)
}

#[tokio::test]
async fn a_server_whose_certificate_is_trusted_is_told_by_tls() {
    for from_start in [false, true] {
        let dir = TempDir::new().unwrap();
        let (hub, mut server) = encrypted(&dir, from_start, ONE.cert).await;
        let letter = server.letter().await;
        assert!(letter.is_encrypted && letter.login.is_some());
        let before: &[&str] = match from_start {
            true => &["EHLO", "AUTH"],
            false => &["EHLO", "STARTTLS", "EHLO", "AUTH"],
        };
        assert_eq!(server.heard()[..before.len()], *before);
        let last = hub.last_once(is_done).await;
        assert_eq!(last["receipts"]["mail"]["sent"], 1);
        hub.end().await;
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_is_told_nothing() {
    for from_start in [false, true] {
        let dir = TempDir::new().unwrap();
        let (hub, server) = encrypted(&dir, from_start, OTHER.cert).await;
        let is_tried = |last: &Value| last["deliveries"][0]["tries"] == 1;
        let last = hub.last_once(is_tried).await;
        assert_eq!(last["deliveries"][0]["state"], "waiting");
        assert_eq!(last["receipts"], Value::Null);
        let heard = server.heard();
        assert!(!heard.iter().any(|verb| verb == "AUTH" || verb == "MAIL"));
        hub.end().await;
    }
}

#[tokio::test]
async fn a_recipient_who_is_refused_is_given_up_at_once() {
    let refusing = Manners {
        rcpt: Says::Line("550 5.1.1 nobody here"),
        ..Manners::default()
    };
    let (server, dir) = (Smtp::with(refusing).await, TempDir::new().unwrap());
    let hub = Running::start(dir.path(), &config(&plainly(&server)), &[]).await;
    hub.register(&mail()).await;
    hub.remind("milk").await;
    let last = hub.last_once(is_done).await;
    let failed = json!({"sent": 0, "failed": 1, "gone": 0});
    assert_eq!(last["receipts"]["mail"], failed);
    // The next one is tried, and once.
    hub.remind("bread").await;
    let other = |last: &Value| is_done(last) && last["keys"].to_string().contains("bread");
    hub.last_once(other).await;
    assert_eq!((asked(&server), server.waiting()), (2, 0));
    assert_eq!(hub.dead().await, 0);
    hub.end().await;
}

/// Greylisting: who comes again is let in.
#[tokio::test]
async fn a_letter_that_is_put_off_is_handed_over_later_and_once() {
    let put_off = Manners {
        rcpt: Says::Line("451 4.7.1 come again"),
        ..Manners::default()
    };
    let mut server = Smtp::each(vec![put_off, Manners::default()]).await;
    let dir = TempDir::new().unwrap();
    let hub = Running::start(dir.path(), &config(&plainly(&server)), &[]).await;
    hub.register(&mail()).await;
    hub.remind("milk").await;
    let is_waiting = |last: &Value| last["deliveries"][0]["state"] == "waiting";
    let waiting = hub.last_once(is_waiting).await;
    let delivery = &waiting["deliveries"][0];
    assert_eq!(
        (&delivery["channel"], &delivery["tries"]),
        (&json!("mail"), &json!(1))
    );
    assert!(
        delivery["at"].as_str() > waiting["at"].as_str(),
        "{waiting}"
    );
    let letter = server.letter().await;
    assert_eq!(letter.to, ["ada@example.com"]);
    let last = hub.last_once(is_done).await;
    assert_eq!(last["receipts"]["mail"]["sent"], 1);
    assert_eq!(last["deliveries"], json!([]));
    assert_eq!((asked(&server), server.waiting()), (2, 0));
    hub.end().await;
}

/// Whatever a mail server does, the user's other devices are told.
#[tokio::test]
async fn a_server_that_hangs_is_cut_and_holds_up_no_other_channel() {
    let hanging = Manners {
        data: Says::Hangs,
        ..Manners::default()
    };
    let mut server = Smtp::each(vec![hanging, Manners::default()]).await;
    let (endpoint, dir) = (Endpoint::start().await, TempDir::new().unwrap());
    let pager = format!(
        r#"
        [webhooks.pager]
        url = "{}"
        secret = "a secret of thirty-two bytes or so"
        private = true
        notifications = true
        "#,
        endpoint.url
    );
    let config = cutting(&plainly(&server), HANGS_MS) + &pager;
    let hub = Running::start(dir.path(), &config, &[]).await;
    hub.register(&mail()).await;
    hub.register(&super::delivering::pager()).await;
    hub.remind("milk").await;
    let is_cut = |last: &Value| {
        let deliveries = last["deliveries"].as_array();
        let mut deliveries = deliveries.into_iter().flatten();
        deliveries.any(|one| one["state"] == "waiting" && one["tries"] == 1)
    };
    let cut = hub.last_once(is_cut).await;
    let state = |channel: &str| {
        let deliveries = cut["deliveries"].as_array().unwrap().iter();
        let mut of_channel = deliveries.filter(|one| one["channel"] == channel);
        of_channel.next().unwrap()["state"].clone()
    };
    assert_eq!(
        (state("mail"), state("webhook")),
        (json!("waiting"), json!("sent"))
    );
    server.letter().await;
    let last = hub.last_once(is_done).await;
    let sent = json!({"sent": 1, "failed": 0, "gone": 0});
    assert_eq!(
        last["receipts"],
        json!({"mail": sent, "webhook": sent, "done": true})
    );
    // Who had it was not told again.
    assert_eq!((endpoint.posted().len(), server.waiting()), (1, 0));
    hub.end().await;
}
