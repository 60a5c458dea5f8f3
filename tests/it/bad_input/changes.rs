//! Bad changes, each sent by every way a change can come in: the native push over HTTP and over
//! a socket, and the first user's changeset.

mod table;

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Value, json};
use syncline_tests::socket::Socket;

use super::request::{Expect, Request};
use super::{ADA, BOB, CAROL, Hub};

/// Where a device of the first user begins.
const EMPTY: &str = "1970-01-01T00:00:00.000Z";

/// What becomes of a change by the native protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Native {
    Applied,
    Rejected(&'static str),
}

/// What becomes of a change by the first user's.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Compat {
    Stored,
    /// Set aside as a dead letter and named in `conflicts`.
    Aside(&'static str),
    /// The request is 400.
    Refused,
    /// Not sent: it means something else there.
    NotSent,
}

use Compat::{Aside, NotSent, Refused, Stored};
use Native::{Applied, Rejected};

struct Case {
    name: String,
    change: String,
    native: Native,
    compat: Compat,
}

fn case(name: &str, change: impl Into<String>, native: Native, compat: Compat) -> Case {
    Case {
        name: name.into(),
        change: change.into(),
        native,
        compat,
    }
}

/// Sends every case every way. Returns how many were sent.
pub(super) async fn send_all(hub: &Hub) -> usize {
    let cases = table::cases();
    let mut sent = 0;
    for (at, case) in cases.iter().enumerate() {
        let (user, expect) = match case.native {
            Applied => (BOB, Expect::Applied),
            Rejected(code) => (ADA, Expect::Rejected(code)),
        };
        let body = format!(
            r#"{{"client":"h{at}","muts":[{{"m":1,"changes":[{}]}}]}}"#,
            case.change
        );
        let push = Request::new(&case.name, "POST", "/v1/todo/push").by(hub, user);
        push.body(body).expect(expect).check(hub).await;
        let (user, expect) = match case.compat {
            Stored => (CAROL, Expect::Stored),
            Aside(code) => (ADA, Expect::Aside(code)),
            Refused => (ADA, Expect::Sentence(400)),
            NotSent => continue,
        };
        let body = format!(
            r#"{{"clientId":"s{at}","since":"{EMPTY}","changes":[{}]}}"#,
            case.change
        );
        let sync = Request::new(&case.name, "POST", "/sync/todo").by(hub, user);
        sync.body(body).expect(expect).check(hub).await;
        sent += 1;
    }
    sent + cases.len() + over_a_socket(hub, &cases).await
}

/// All that is rejected, one after another by one client: none blocks the ones behind it.
async fn over_a_socket(hub: &Hub, cases: &[Case]) -> usize {
    let mut socket = Socket::connect_at(hub.process.public).await;
    let token = hub.issuer.token(ADA);
    socket
        .send(&json!({"t": "hello", "v": 1, "app": "todo", "client": "socket", "token": token}))
        .await;
    assert_eq!(socket.message().await["t"], "welcome");
    let mut m = 0;
    for case in cases {
        let Rejected(code) = case.native else {
            continue;
        };
        m += 1;
        let push = format!(
            r#"{{"t":"push","muts":[{{"m":{m},"changes":[{}]}}]}}"#,
            case.change
        );
        socket.send_text(push).await;
        let verdicts = socket.message_of("verdicts").await;
        let result = &verdicts["results"][0];
        let right = result["m"] == m && result["code"] == code;
        hub.note(&case.name, right.then_some(()).context(result.to_string()));
    }
    m
}

/// What was taken is there, as it was meant, and nothing else.
pub(super) async fn check_taken(hub: &Hub) {
    let cases = table::cases();
    let native = cases.iter().filter(|case| case.native == Applied);
    check_space(hub, BOB, native).await;
    let compat = cases.iter().filter(|case| case.compat == Stored);
    check_space(hub, CAROL, compat).await;
}

async fn check_space<'a>(hub: &Hub, user: &str, cases: impl Iterator<Item = &'a Case>) {
    let snapshot: Value = serde_json::from_str(&hub.snapshot(user).await).unwrap();
    let key = |change: &Value| {
        let text = |name: &str| change[name].as_str().unwrap().to_owned();
        (text("table"), text("id"))
    };
    let changes = snapshot["changes"].as_array().unwrap();
    let mut held: BTreeMap<_, _> = changes
        .iter()
        .map(|c| (key(c), c["data"].clone()))
        .collect();
    assert_eq!(
        held.remove(&("tasks".into(), "base".into())),
        Some(json!({"title": "a"}))
    );
    let mut named = held.remove(&("tasks".into(), "named".into())).unwrap();
    for case in cases {
        let change: Value = serde_json::from_str(&case.change).unwrap();
        let mut data = change["data"].clone();
        if change["id"] == "named" {
            let (name, value) = data.as_object().unwrap().iter().next().unwrap();
            let taken = named.as_object_mut().unwrap().remove(name);
            let right = taken.as_ref() == Some(value);
            hub.note(
                &case.name,
                right
                    .then_some(())
                    .context(format!("{taken:?} in {user}'s")),
            );
            continue;
        }
        let found = held.remove(&key(&change));
        if let Some(number) = data.get_mut("x").filter(|x| x.is_f64()) {
            // -0 and 1e-400 are 0 in every browser.
            let double = number.as_f64().unwrap();
            if double == 0.0 {
                *number = json!(0);
            }
        }
        let data = if data.is_null() { json!({}) } else { data };
        let right = found.as_ref() == Some(&data);
        hub.note(
            &case.name,
            right
                .then_some(())
                .context(format!("{found:?} in {user}'s")),
        );
    }
    assert_eq!(named, json!({}));
    assert!(held.is_empty(), "nobody sent {held:?}");
}
