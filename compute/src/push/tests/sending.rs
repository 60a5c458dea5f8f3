//! What a push service is sent.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use super::*;
use crate::push::text::decoded;

/// A request as a push service reads it.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    async fn next(server: &mut Server) -> Request {
        let bytes = server.request_bytes().await;
        let at = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        Request {
            head: String::from_utf8(bytes[..at].to_vec()).unwrap(),
            body: bytes[at + 4..].to_vec(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// Every header but those that a test looks at one by one.
    fn names(&self) -> Vec<String> {
        let lines = self.head.lines().skip(1);
        let mut names: Vec<String> = lines
            .filter_map(|line| Some(line.split_once(": ")?.0.to_ascii_lowercase()))
            .collect();
        names.sort();
        names
    }

    /// The claims of who sent it, if they are signed by the key that apps subscribe with.
    fn claims(&self, public: &str) -> Value {
        let token = self.header("authorization").unwrap();
        let token = token.strip_prefix("vapid t=").unwrap();
        let (token, key) = token.split_once(", k=").unwrap();
        assert_eq!(key, public);
        let (text, signature) = token.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decoded(key).unwrap());
        key.verify(text.as_bytes(), &decoded(signature).unwrap())
            .unwrap();
        let (_, claims) = text.split_once('.').unwrap();
        serde_json::from_slice(&decoded(claims).unwrap()).unwrap()
    }
}

async fn sent(push: &Push) -> (Request, Browser, Server) {
    let mut server = Server::saying("201 Created", "").await;
    let (service, browser) = (service(), Browser::new());
    let endpoint = format!("{}/p/token?x=1", server.url);
    let to = service
        .subscription(&browser.subscribes(&endpoint))
        .unwrap();
    assert_eq!(service.send(&to, push, NOW).await, Delivery::Delivered);
    assert_eq!(server.waiting(), 1);
    (Request::next(&mut server).await, browser, server)
}

#[tokio::test]
async fn a_message_is_posted_encrypted_and_signed() {
    let payload = "{\"title\":\"Milch für Käthe\"}".as_bytes();
    let (request, browser, server) = sent(&push(payload)).await;
    let begins = "POST /hook/p/token?x=1 HTTP/1.1\r\n";
    assert!(request.head.starts_with(begins), "{}", request.head);
    for (name, value) in [
        ("ttl", "3600"),
        ("urgency", "high"),
        ("topic", Topic::of("reminders/r1@1").as_str()),
        ("content-encoding", "aes128gcm"),
        ("content-type", "application/octet-stream"),
        ("content-length", "359"),
        ("host", &format!("127.0.0.1:{}", server.port)),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    let expected = [
        "accept",
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "topic",
        "ttl",
        "urgency",
        "user-agent",
    ];
    assert_eq!(request.names(), expected);
    let expected = json!({
        "aud": format!("http://127.0.0.1:{}", server.port),
        "exp": NOW / 1_000 + 43_200,
        "sub": "mailto:ada@example.com",
    });
    assert_eq!(request.claims(service().public_key()), expected);
    let message = browser.read(&request.body).unwrap();
    assert_eq!(
        (&*message.payload, message.padding),
        (payload, 256 - payload.len())
    );
    assert_eq!(request.body.len(), 359);
}

#[tokio::test]
async fn what_is_not_said_of_a_message_is_not_sent() {
    let plain = Push {
        payload: Vec::new(),
        ttl_s: 0,
        urgency: Urgency::VeryLow,
        topic: None,
    };
    let (request, browser, _) = sent(&plain).await;
    assert_eq!(request.header("ttl"), Some("0"));
    assert_eq!(request.header("urgency"), Some("very-low"));
    assert_eq!(request.header("topic"), None);
    assert_eq!(browser.read(&request.body).unwrap().payload, b"");
}

#[tokio::test]
async fn a_message_is_held_for_four_weeks_at_most() {
    for (ttl_s, sent_s) in [
        (2_419_200, "2419200"),
        (2_419_201, "2419200"),
        (u32::MAX, "2419200"),
    ] {
        let long = Push {
            ttl_s,
            ..push(b"x")
        };
        assert_eq!(sent(&long).await.0.header("ttl"), Some(sent_s));
    }
}

#[tokio::test]
async fn all_messages_to_an_origin_carry_one_token() {
    let mut server = Server::saying("201 Created", "").await;
    let (service, browser) = (service(), Browser::new());
    let mut tokens = std::collections::HashSet::new();
    for n in 0..3 {
        let endpoint = format!("{}/{n}", server.url);
        let to = service
            .subscription(&browser.subscribes(&endpoint))
            .unwrap();
        service.send(&to, &push(b"x"), NOW + n).await;
        let request = Request::next(&mut server).await;
        tokens.insert(request.header("authorization").unwrap().to_owned());
    }
    assert_eq!(tokens.len(), 1);
}
