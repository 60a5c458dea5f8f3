//! One request by hand, and what must come back.

use anyhow::{Result, ensure};
use serde_json::Value;
use syncline_tests::raw_http::{self, Answer};

use super::Hub;

/// Bytes of an answer that refuses: it may quote, but not send back what came.
pub(super) const REFUSAL_BYTES_MAX: usize = 1_024;

/// What no answer may show of the hub's inside.
const INSIDE: [&str; 9] = [
    "panicked", "unwrap", ".rs", "src/", "SELECT", "sqlite", "hub.db", "/tmp", "Error {",
];

/// Bodies that are no JSON, or not JSON of the right kind at the top.
pub(super) const NO_OBJECT: [(&str, &[u8]); 17] = [
    ("nothing", b""),
    ("white space", b" \n"),
    ("an opening brace", b"{"),
    ("cut in a string", b"{\"client\":\"c"),
    (
        "cut in a list",
        b"{\"clientId\":\"c\",\"client\":\"c\",\"muts\":[{\"m\":1,",
    ),
    ("two objects", b"{} {}"),
    ("NaN", b"{\"muts\":NaN,\"changes\":NaN}"),
    (
        "a number with a zero before it",
        b"{\"since\":01,\"muts\":01}",
    ),
    ("single quotes", b"{'client':'c','muts':[]}"),
    ("a comment", b"{/* */}"),
    ("a byte order mark", b"\xef\xbb\xbf{}"),
    ("a list", b"[]"),
    ("a string", b"\"x\""),
    ("a number", b"7"),
    ("null", b"null"),
    (
        "a control character in a string",
        b"{\"client\":\"a\x01\",\"since\":\"\x01\"}",
    ),
    (
        "no UTF-8",
        b"{\"client\":\"\xff\",\"since\":\"\xc0\x80\",\"muts\":[]}",
    ),
];

/// What must come back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// A refusal of the native protocol: status, and its code in `{code,message,retry}`.
    Code(u16, &'static str),
    /// A refusal of the first user's protocol: status, and a sentence.
    Sentence(u16),
    /// A question about a recurrence that cannot be answered: status, and `{error}`, a sentence.
    Error(u16),
    /// A recurrence that is none, as `/validate` says it.
    Invalid,
    /// A refusal of HTTP itself, before any route.
    Http(u16),
    /// This status, whatever is said.
    Status(u16),
    /// A push whose one mutation is applied.
    Applied,
    /// A push whose one mutation is rejected with this code.
    Rejected(&'static str),
    /// A changeset whose one change is set aside with this code.
    Aside(&'static str),
    /// A changeset whose one change is stored.
    Stored,
}

/// A request and what it must be answered.
#[derive(Clone, Debug)]
pub(super) struct Request {
    name: String,
    line: String,
    headers: Vec<Vec<u8>>,
    /// `None` sends no length either.
    body: Option<Vec<u8>>,
    expect: Expect,
    admin: bool,
}

impl Request {
    /// Expected to be taken.
    pub(super) fn new(name: impl Into<String>, method: &str, path: &str) -> Request {
        Request {
            name: name.into(),
            line: format!("{method} {path} HTTP/1.1"),
            headers: Vec::new(),
            body: None,
            expect: Expect::Status(200),
            admin: false,
        }
    }

    /// With a good token of a user.
    pub(super) fn by(self, hub: &Hub, user: &str) -> Request {
        let token = hub.issuer.token(user);
        self.header(format!("authorization: Bearer {token}"))
    }

    pub(super) fn header(mut self, line: impl Into<Vec<u8>>) -> Request {
        self.headers.push(line.into());
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    pub(super) fn expect(mut self, expect: Expect) -> Request {
        self.expect = expect;
        self
    }

    /// To the admin listener.
    pub(super) fn by_admin(mut self) -> Request {
        self.admin = true;
        self
    }

    pub(super) async fn send(&self, hub: &Hub) -> Answer {
        let address = if self.admin {
            hub.process.admin
        } else {
            hub.process.public
        };
        let mut text = format!("{}\r\n", self.line).into_bytes();
        text.extend_from_slice(format!("host: {address}\r\nconnection: close\r\n").as_bytes());
        for header in &self.headers {
            text.extend_from_slice(header);
            text.extend_from_slice(b"\r\n");
        }
        if let Some(body) = &self.body {
            text.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(self.body.as_deref().unwrap_or_default());
        raw_http::exchange(address, &text).await
    }

    /// Sends it and checks the answer.
    pub(super) async fn check(&self, hub: &Hub) {
        let answer = self.send(hub).await;
        hub.note(&self.name, check(&answer, self.expect));
    }
}

/// Is it the answer expected? Errors: what is wrong with it.
pub(super) fn check(answer: &Answer, expect: Expect) -> Result<()> {
    let Answer { status, head, body } = answer;
    let told: String = body.chars().take(300).collect();
    for inside in INSIDE {
        ensure!(!body.contains(inside), "the answer shows {inside}: {told}");
    }
    let json = serde_json::from_str::<Value>(body).unwrap_or_default();
    let (expected, is_right) = match expect {
        Expect::Code(status, code) => {
            let whole = json["message"].is_string() && json["retry"].is_string();
            let is_json = head.contains("content-type: application/json");
            (status, whole && is_json && json["code"] == code)
        }
        Expect::Sentence(status) => {
            let is_text = head.contains("content-type: text/plain");
            (
                status,
                is_text && !body.is_empty() && !body.starts_with('{'),
            )
        }
        Expect::Error(status) => {
            let is_sentence = json["error"].as_str().is_some_and(|told| !told.is_empty());
            let is_alone = json.as_object().is_some_and(|object| object.len() == 1);
            (status, is_sentence && is_alone)
        }
        Expect::Invalid => (200, json["valid"] == false && json["error"].is_string()),
        Expect::Http(status) => (status, body.is_empty()),
        Expect::Status(status) => (status, true),
        Expect::Applied => (200, json["results"][0]["status"] == "applied"),
        Expect::Rejected(code) => {
            let result = &json["results"][0];
            (
                200,
                result["status"] == "rejected" && result["code"] == code,
            )
        }
        Expect::Aside(code) => (200, json["conflicts"][0]["code"] == code),
        Expect::Stored => (200, json["conflicts"] == Value::Array(Vec::new())),
    };
    ensure!(
        *status == expected && is_right,
        "{status} {told}, not {expect:?}"
    );
    let refuses = *status >= 400 || matches!(expect, Expect::Rejected(_) | Expect::Invalid);
    ensure!(
        !refuses || body.len() <= REFUSAL_BYTES_MAX,
        "the refusal has {} bytes",
        body.len()
    );
    Ok(())
}
