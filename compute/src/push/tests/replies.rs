//! What becomes of a message by what comes back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::outgoing::names::Names;
use crate::outgoing::tests::names::Answers;

async fn delivered_by(service: &PushService, endpoint: &str) -> Delivery {
    let text = Browser::new().subscribes(endpoint);
    let to = service.subscription(&text).unwrap();
    service.send(&to, &push(b"x"), NOW).await
}

async fn answered(head: &str, body: &str) -> Delivery {
    let server = Server::saying(head, body).await;
    delivered_by(&service(), &server.url).await
}

fn waits(delivery: Delivery) -> (String, u64) {
    match delivery {
        Delivery::Failed { error, wait_ms } => (error.as_str().to_owned(), wait_ms),
        other => panic!("did not fail: {other:?}"),
    }
}

/// Soon over, if nothing comes.
fn hasty() -> PushService {
    within(TIMEOUT_MS_MIN)
}

fn within(timeout_ms: u64) -> PushService {
    let config = PushConfig {
        timeout_ms,
        ..config()
    };
    PushService::of(&config).unwrap()
}

/// Enough for what comes at once, on a machine that has much else to do.
const SHORT_MS: u64 = 2_000;

#[tokio::test]
async fn what_is_taken_is_delivered() {
    for head in [
        "201 Created",
        "200 OK",
        "202 Accepted",
        "201 Created\r\nlocation: https://push.example/m/1",
        "201 Created\r\nretry-after: 10",
    ] {
        assert_eq!(answered(head, "").await, Delivery::Delivered, "{head}");
        assert_eq!(answered(head, "{}").await, Delivery::Delivered, "{head}");
    }
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_gone() {
    for head in ["404 Not Found", "410 Gone", "410 Gone\r\nretry-after: 10"] {
        assert_eq!(answered(head, "no").await, Delivery::Gone, "{head}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_tried_again() {
    let Delivery::TooLarge(error) = answered("413 Payload Too Large", "4096").await else {
        panic!("another end");
    };
    assert_eq!(
        error.as_str(),
        "push_too_large: 413 Payload Too Large: 4096"
    );
    let text = Browser::new().subscribes("http://127.0.0.1:1/");
    let to = service().subscription(&text).unwrap();
    let more = push(&vec![0; PAYLOAD_BYTES_MAX + 1]);
    let Delivery::TooLarge(error) = service().send(&to, &more, NOW).await else {
        panic!("another end");
    };
    assert!(error.as_str().starts_with("payload_too_large: 3994"));
}

#[tokio::test]
async fn what_may_go_well_later_waits_as_it_is_asked_to() {
    for (head, wait_ms) in [
        ("429 Too Many Requests", 0),
        ("429 Too Many Requests\r\nretry-after: 120", 120_000),
        ("503 Service Unavailable\r\nretry-after: 7", 7_000),
        ("500 Internal Server Error\r\nretry-after: 1", 1_000),
        ("502 Bad Gateway", 0),
        ("408 Request Timeout", 0),
        (
            "429 Too Many Requests\r\nretry-after: Tue, 24 Nov 2026 10:00:30 GMT",
            29_877,
        ),
        (
            "429 Too Many Requests\r\nretry-after: Tue, 24 Nov 2026 09:00:00 GMT",
            0,
        ),
        ("429 Too Many Requests\r\nretry-after: 86400", 86_400_000),
        ("429 Too Many Requests\r\nretry-after: 86401", 86_400_000),
        (
            "429 Too Many Requests\r\nretry-after: 99999999999999999999",
            86_400_000,
        ),
        ("503 Service Unavailable\r\nretry-after: soon", 0),
    ] {
        let (said, found) = waits(answered(head, "later").await);
        assert_eq!(found, wait_ms, "{head}");
        let status = head.lines().next().unwrap();
        assert_eq!(said, format!("push_failed: {status}: later"));
    }
}

#[tokio::test]
async fn what_is_refused_otherwise_is_hopeless() {
    for head in [
        "400 Bad Request",
        "401 Unauthorized",
        "403 Forbidden\r\nretry-after: 10",
        "406 Not Acceptable",
    ] {
        let Delivery::Hopeless(error) = answered(head, "VapidPkHashMismatch").await else {
            panic!("{head}: another end");
        };
        let status = head.lines().next().unwrap();
        let expected = format!("push_refused: {status}: VapidPkHashMismatch");
        assert_eq!(error.as_str(), expected);
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::saying("201 Created", "").await;
    for status in ["301 Moved Permanently", "307 Temporary Redirect"] {
        let head = format!("{status}\r\nlocation: {}", other.url);
        let Delivery::Hopeless(error) = answered(&head, "").await else {
            panic!("another end");
        };
        assert!(error.as_str().starts_with("push_redirected: "));
    }
    assert_eq!(other.waiting(), 0);
}

#[tokio::test]
async fn a_service_that_hangs_is_cut() {
    for begun in ["", "HTTP/1.1 201", "HTTP/1.1 201 Created\r\nx: "] {
        let server = Server::answering(Answer::Stuck(begun)).await;
        let (said, wait_ms) = waits(delivered_by(&hasty(), &server.url).await);
        assert_eq!(
            (&*said, wait_ms),
            ("push_failed: no answer within 100 ms", 0)
        );
    }
    let begun = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\nsoo";
    let server = Server::answering(Answer::Stuck(begun)).await;
    let (said, _) = waits(delivered_by(&within(SHORT_MS), &server.url).await);
    assert_eq!(said, "push_failed: 503 Service Unavailable: soo");
}

/// It said that it has the message: what it says then, and how long, is of no account.
#[tokio::test]
async fn an_answer_that_does_not_end_is_over_with_its_status() {
    let endless = Server::answering(Answer::Endless).await;
    assert_eq!(
        delivered_by(&service(), &endless.url).await,
        Delivery::Delivered
    );
    let begun = "HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n";
    let stuck = Server::answering(Answer::Stuck(begun)).await;
    assert_eq!(
        delivered_by(&within(SHORT_MS), &stuck.url).await,
        Delivery::Delivered
    );
}

#[tokio::test]
async fn heads_without_end_are_no_answer() {
    let mut head = String::from("HTTP/1.1 201 Created\r\n");
    for n in 0..100_000 {
        head.push_str(&format!("x-{n}: y\r\n"));
    }
    let server = Server::answering(Answer::Bytes(head.into_bytes())).await;
    waits(delivered_by(&service(), &server.url).await);
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let gone = Server::saying("201 Created", "").await.url.clone();
    let (said, _) = waits(delivered_by(&service(), &gone).await);
    assert!(said.starts_with("push_failed: "), "{said}");
    let broken = Server::answering(Answer::Bytes(b"SSH-2.0\r\n".to_vec())).await;
    waits(delivered_by(&service(), &broken.url).await);
}

/// Who knows the address can send to it, so what quotes it is not kept.
#[tokio::test]
async fn the_address_of_a_browser_is_not_shown() {
    let page = "no /hook/abcdefgh-secret?token=hidden-word here";
    let server = Server::answering(Answer::Bytes(reply("400 Bad Request", page))).await;
    let endpoint = format!("{}/abcdefgh-secret?token=hidden-word", server.url);
    let said = format!("{:?}", delivered_by(&service(), &endpoint).await);
    assert!(said.contains("no …?… here"), "{said}");
    let refused = "http://127.0.0.1:1/abcdefgh-secret?token=hidden-word";
    let said = format!("{:?}", delivered_by(&service(), refused).await);
    assert!(
        !said.contains("secret") && !said.contains("hidden"),
        "{said}"
    );
}

/// The name is looked at when it is connected to, not when the browser subscribes.
#[tokio::test]
async fn nothing_is_sent_to_a_name_of_this_machine() {
    let server = Server::saying("201 Created", "").await;
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let names = Answers::of(&[&[address]]);
        let public = PushConfig {
            private: false,
            ports: vec![server.port],
            ..config()
        };
        let service = PushService::named_by(&public, &(names.clone() as Arc<dyn Names>)).unwrap();
        let endpoint = format!("https://push.example:{}/p", server.port);
        let (said, _) = waits(delivered_by(&service, &endpoint).await);
        assert!(
            said.contains(&format!("address_refused: {address} is")),
            "{said}"
        );
        assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(server.waiting(), 0);
}
