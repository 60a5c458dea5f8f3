//! Tokens that must not be taken, at every door: HTTP and sockets of both protocols.

use anyhow::{Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use syncline_protocol::error::close;
use syncline_tests::issuer::{EC_KID, ED_KID, now_s};
use syncline_tests::socket::{Got, Socket};

use super::request::{Expect, Request};
use super::{ADA, BOB, Hub};

/// Tokens under keys nobody has.
const UNKNOWN_KEYS: usize = 100;

/// Fetches of keys they may cause: the node's own, and in 30 s one that unknown keys ask for and
/// one that bad signatures ask for; should the table take so long, others.
const FETCHES_MAX: u64 = 6;

struct Case {
    name: &'static str,
    token: String,
    code: &'static str,
}

fn cases(hub: &Hub) -> Vec<Case> {
    let issuer = &hub.issuer;
    let in_an_hour = now_s() + 3_600;
    let mut cases = Vec::new();
    let mut case = |name, token: String, code| cases.push(Case { name, token, code });
    let good = issuer.token(ADA);
    let parts: Vec<&str> = good.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        panic!("no token: {good}");
    };
    let invalid = "token_invalid";
    case("empty", String::new(), invalid);
    case("garbage", "garbage".into(), invalid);
    case("three parts of garbage", "a.b.c".into(), invalid);
    case("only dots", "..".into(), invalid);
    case("cut", good[..good.len() - 4].into(), invalid);
    case("no signature", format!("{head}.{claims}."), invalid);
    case("four parts", format!("{good}.{signature}"), invalid);
    case(
        "another's signature",
        format!(
            "{head}.{claims}.{}",
            issuer.token(BOB).rsplit('.').next().unwrap()
        ),
        invalid,
    );
    case(
        "another's claims",
        format!(
            "{head}.{}.{signature}",
            issuer.token(BOB).split('.').nth(1).unwrap()
        ),
        invalid,
    );
    // {"alg":"none"}, and the same with capitals.
    case(
        "alg none",
        format!("eyJhbGciOiJub25lIn0.{claims}."),
        invalid,
    );
    case(
        "alg None",
        format!("eyJhbGciOiJOb25lIn0.{claims}."),
        invalid,
    );
    case(
        "alg none with a signature",
        format!("eyJhbGciOiJub25lIn0.{claims}.{signature}"),
        invalid,
    );
    case(
        "signed with the public key",
        issuer.forge(&json!({"sub": ADA, "exp": in_an_hour})),
        invalid,
    );
    case(
        "a key of another algorithm",
        issuer.sign_under(EC_KID, &json!({"sub": ADA, "exp": in_an_hour})),
        invalid,
    );
    case(
        "longer than 16 KiB",
        issuer.sign(&json!({"sub": ADA, "exp": in_an_hour, "x": "y".repeat(16_384)})),
        invalid,
    );
    for (name, claims, code) in [
        (
            "expired",
            json!({"sub": ADA, "exp": now_s() - 1}),
            "token_expired",
        ),
        (
            "expired in 1970",
            json!({"sub": ADA, "exp": 0}),
            "token_expired",
        ),
        (
            "expired before 1970",
            json!({"sub": ADA, "exp": -1}),
            "token_expired",
        ),
        (
            "exp as a text",
            json!({"sub": ADA, "exp": in_an_hour.to_string()}),
            invalid,
        ),
        (
            "exp as a list",
            json!({"sub": ADA, "exp": [in_an_hour]}),
            invalid,
        ),
        ("exp null", json!({"sub": ADA, "exp": null}), invalid),
        ("no exp", json!({"sub": ADA}), invalid),
        (
            "not yet",
            json!({"sub": ADA, "exp": in_an_hour, "nbf": now_s() + 600}),
            invalid,
        ),
        (
            "nbf as a text",
            json!({"sub": ADA, "exp": in_an_hour, "nbf": "soon"}),
            invalid,
        ),
        ("no sub", json!({"exp": in_an_hour}), invalid),
        ("sub null", json!({"sub": null, "exp": in_an_hour}), invalid),
        (
            "sub a number",
            json!({"sub": 7, "exp": in_an_hour}),
            invalid,
        ),
        (
            "sub a list",
            json!({"sub": [ADA], "exp": in_an_hour}),
            invalid,
        ),
        ("sub empty", json!({"sub": "", "exp": in_an_hour}), invalid),
        (
            "sub of the hub",
            json!({"sub": "@service", "exp": in_an_hour}),
            invalid,
        ),
        (
            "sub __proto__",
            json!({"sub": "__proto__", "exp": in_an_hour}),
            invalid,
        ),
        (
            "sub with NUL",
            json!({"sub": "ada\u{0}", "exp": in_an_hour}),
            invalid,
        ),
        (
            "sub of 129 bytes",
            json!({"sub": "n".repeat(129), "exp": in_an_hour}),
            invalid,
        ),
        ("claims a list", json!([ADA, in_an_hour]), invalid),
        ("claims a text", json!("ada"), invalid),
        ("claims null", json!(null), invalid),
    ] {
        case(name, issuer.sign(&claims), code);
    }
    cases
}

/// Tries every token at every door. Returns how many tries there were.
pub(super) async fn send_all(hub: &Hub) -> usize {
    let fetched = hub.issuer.fetches();
    let cases = cases(hub);
    for case in &cases {
        http(hub, case).await;
        hub.note(case.name, native_socket(hub, case).await);
        hub.note(case.name, compat_socket(hub, case).await);
    }
    let odd = headers(hub);
    super::send_all(hub, &odd).await;
    unknown_keys(hub).await;
    unknown_keys_of_a_notice_socket(hub).await;
    assert!(
        fetched >= 1 && hub.issuer.fetches() <= FETCHES_MAX,
        "{} fetches",
        hub.issuer.fetches()
    );
    cases.len() * 6 + odd.len() + 3 * UNKNOWN_KEYS
}

async fn http(hub: &Hub, case: &Case) {
    let bearer = format!("authorization: Bearer {}", case.token);
    let since = "since=1970-01-01T00:00:00.000Z";
    let snapshot = Request::new(case.name, "GET", "/v1/todo/snapshot");
    let snapshot = snapshot.header(bearer.clone());
    snapshot
        .expect(Expect::Code(401, case.code))
        .check(hub)
        .await;
    let pull = format!("/sync/todo/pull?collection=tasks&{since}");
    let pull = Request::new(case.name, "GET", &pull)
        .header("x-client-id: c")
        .header(bearer);
    pull.expect(Expect::Sentence(401)).check(hub).await;
    let sync = Request::new(case.name, "POST", "/sync/todo");
    let sync = sync.header(format!("authorization: Bearer {}", case.token));
    let body = r#"{"clientId":"c","since":"1970-01-01T00:00:00.000Z","changes":[]}"#;
    let sync = sync.body(body).expect(Expect::Sentence(401));
    sync.check(hub).await;
    let push = Request::new(case.name, "POST", "/v1/todo/push");
    let push = push.header(format!("authorization: Bearer {}", case.token));
    let push = push.body(r#"{"client":"c","muts":[]}"#);
    push.expect(Expect::Code(401, case.code)).check(hub).await;
}

async fn native_socket(hub: &Hub, case: &Case) -> Result<()> {
    let mut socket = Socket::connect_at(hub.process.public).await;
    let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "c", "token": case.token});
    socket.send(&hello).await;
    let got = socket.next().await;
    let Got::Message(error) = &got else {
        bail!("{got:?}, not an error");
    };
    ensure!(
        error["t"] == "error" && error["code"] == case.code,
        "{error}, not {}",
        case.code
    );
    ensure!(socket.next().await == Got::Closed(Some(4001)));
    Ok(())
}

async fn compat_socket(hub: &Hub, case: &Case) -> Result<()> {
    let mut socket = Socket::connect_to_at(hub.process.public, "/ws/todo").await;
    socket
        .send(&json!({"type": "auth", "token": case.token}))
        .await;
    let expected = Got::Message(json!({"type": "error", "tables": ["invalid token"]}));
    let got = socket.next().await;
    ensure!(got == expected, "{got:?}");
    ensure!(socket.next().await == Got::Closed(Some(1008)));
    Ok(())
}

/// Where a token is looked for, and where not.
fn headers(hub: &Hub) -> Vec<Request> {
    let good = hub.issuer.token(ADA);
    let get = |name: &str, query: &str| {
        let path = format!("/v1/todo/snapshot{query}");
        Request::new(name, "GET", &path).expect(Expect::Code(401, "token_invalid"))
    };
    let taken = |name: &str, token: &str| {
        let request = get(name, "").header(format!("authorization: Bearer {token}"));
        request.expect(Expect::Status(200))
    };
    let in_an_hour = now_s() + 3_600;
    let bob = |more: Value| {
        let mut claims = json!({"sub": BOB, "exp": in_an_hour});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        hub.issuer.sign(&claims)
    };
    vec![
        get("no token", ""),
        get("in the URL as token", &format!("?token={good}")),
        get(
            "in the URL as access_token",
            &format!("?access_token={good}"),
        ),
        get("another scheme", "").header("authorization: Basic YWRhOmFkYQ=="),
        get("no scheme", "").header(format!("authorization: {good}")),
        get("no token in it", "").header("authorization: Bearer"),
        get("white space in it", "").header("authorization: Bearer  "),
        get("no ASCII", "").header(b"authorization: Bearer \xff".to_vec()),
        get("two headers", "").by(hub, ADA).by(hub, BOB),
        get("a bad header before a good one", "")
            .header("authorization: Bearer x")
            .by(hub, ADA),
        get("a good header before a bad one", "")
            .by(hub, ADA)
            .header("authorization: Bearer x"),
        get("in a cookie", "").header(format!("cookie: token={good}")),
        // When it was issued does not matter; from when on it is good, `nbf` says.
        taken("issued in the future", &bob(json!({"iat": now_s() + 600}))),
        taken("nbf by half a minute", &bob(json!({"nbf": now_s() + 20}))),
        taken("for ever", &bob(json!({"exp": 1e300}))),
        taken(
            "of the other algorithm",
            &hub.issuer.sign_ec(&json!({"sub": BOB, "exp": in_an_hour})),
        ),
        taken(
            "with claims nobody knows",
            &bob(json!({"__proto__": {"sub": ADA}, "role": "admin"})),
        ),
    ]
}

async fn unknown_keys(hub: &Hub) {
    for at in 0..UNKNOWN_KEYS {
        let (kid, token) = under_an_unknown_key(hub, at);
        let bearer = format!("authorization: Bearer {token}");
        // Whoever had the issuer asked is refused; it may know the keys of the others, later.
        let (status, code) = match at {
            0 => (401, "token_invalid"),
            _ => (503, "issuer_unavailable"),
        };
        let request = Request::new(kid.clone(), "GET", "/v1/todo/snapshot").header(bearer.clone());
        request.expect(Expect::Code(status, code)).check(hub).await;
        let pull = "/sync/todo/pull?collection=tasks&since=1970-01-01T00:00:00.000Z";
        let pull = Request::new(kid, "GET", pull).header("x-client-id: c");
        // The very token that had the issuer asked is one of an unknown key by now.
        let pull = pull.header(bearer).expect(Expect::Sentence(503));
        pull.check(hub).await;
    }
}

/// Those clients come back by themselves, with the same token.
async fn unknown_keys_of_a_notice_socket(hub: &Hub) {
    for at in 0..UNKNOWN_KEYS {
        let (kid, token) = under_an_unknown_key(hub, UNKNOWN_KEYS + at);
        let mut socket = Socket::connect_to_at(hub.process.public, "/ws/todo").await;
        socket.send(&json!({"type": "auth", "token": token})).await;
        let got = socket.next().await;
        let outcome = match got {
            Got::Closed(Some(close::TRY_AGAIN_LATER)) => Ok(()),
            _ => Err(anyhow!("{got:?}")),
        };
        hub.note(&kid, outcome);
    }
}

fn under_an_unknown_key(hub: &Hub, at: usize) -> (String, String) {
    let kid = format!("{ED_KID}{at}");
    let claims = json!({"sub": ADA, "exp": now_s() + 3_600});
    let token = hub.issuer.sign_under(&kid, &claims);
    (kid, token)
}
