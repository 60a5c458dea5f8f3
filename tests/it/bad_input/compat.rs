//! Requests of the first user's protocol that are not what the route takes.

use super::request::{Expect, NO_OBJECT, Request};
use super::{ADA, CAROL, Hub};

pub(super) fn requests(hub: &Hub) -> Vec<Request> {
    [syncs(hub), taken_syncs(hub), pulls(hub)]
        .into_iter()
        .flatten()
        .collect()
}

const SINCE: &str = r#""since":"1970-01-01T00:00:00.000Z""#;

fn syncs(hub: &Hub) -> Vec<Request> {
    let sync = |name: &str, body: &[u8]| {
        let request = Request::new(format!("sync: {name}"), "POST", "/sync/todo");
        request
            .by(hub, ADA)
            .body(body)
            .expect(Expect::Sentence(400))
    };
    let mut requests: Vec<Request> = NO_OBJECT
        .iter()
        .map(|(name, body)| sync(name, body))
        .collect();
    let change = r#"{"table":"tasks","id":"x","op":"insert","data":{}}"#;
    for body in [
        r#"{"clientId":"c","changes":[]}"#.to_owned(),
        r#"{"clientId":"c","since":null,"changes":[]}"#.to_owned(),
        r#"{"clientId":"c","since":5,"changes":[]}"#.to_owned(),
        r#"{"clientId":"c","since":"","changes":[]}"#.to_owned(),
        r#"{"clientId":"c","since":"soon","changes":[]}"#.to_owned(),
        format!(r#"{{"clientId":"c",{SINCE},{SINCE},"changes":[]}}"#),
        format!(r#"{{"clientId":"c","clientId":"d",{SINCE},"changes":[]}}"#),
        format!(r#"{{"clientId":5,{SINCE},"changes":[]}}"#),
        format!(r#"{{{SINCE},"changes":[{change}]}}"#),
        format!(r#"{{"clientId":"",{SINCE},"changes":[{change}]}}"#),
        format!(r#"{{"clientId":"__proto__",{SINCE},"changes":[{change}]}}"#),
        format!(r#"{{"clientId":"a\u0000",{SINCE},"changes":[{change}]}}"#),
        format!(
            r#"{{"clientId":"{}",{SINCE},"changes":[{change}]}}"#,
            "n".repeat(129)
        ),
        format!(r#"{{"clientId":"c",{SINCE},"changes":{{}}}}"#),
        format!(r#"{{"clientId":"c",{SINCE},"changes":7}}"#),
        format!(r#"{{"clientId":"c",{SINCE},"changes":[7]}}"#),
        format!(r#"{{"clientId":"c",{SINCE},"changes":[{change},{{}}]}}"#),
        format!(r#"["c","1970-01-01T00:00:00.000Z",[{change}]]"#),
    ] {
        requests.push(sync(&body, body.as_bytes()));
    }
    let named = |name: &str, header: &[u8]| {
        let body = format!(r#"{{{SINCE},"changes":[{change}]}}"#);
        sync(name, body.as_bytes()).header(header)
    };
    let long = format!("x-client-id: {}", "n".repeat(129));
    requests.extend([
        named("an empty device", b"x-client-id: "),
        named("a device called __proto__", b"x-client-id: __proto__"),
        named("a device of 129 bytes", long.as_bytes()),
        named("a device that is no text", b"x-client-id: \xff"),
        named("a device called \u{e4}", "x-client-id: \u{e4}".as_bytes()),
    ]);
    // Not even if the body names another.
    let body = format!(r#"{{"clientId":"c",{SINCE},"changes":[{change}]}}"#);
    requests.push(sync("two devices", body.as_bytes()).header(b"x-client-id: \xe4"));
    requests
}

/// What looks odd and is taken.
fn taken_syncs(hub: &Hub) -> Vec<Request> {
    let sync = |name: &str, members: String| {
        let request = Request::new(format!("sync: {name}"), "POST", "/sync/other");
        let body = format!(r#"{{"clientId":"c",{SINCE}{members}}}"#);
        request.by(hub, CAROL).body(body).expect(Expect::Stored)
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        sync("no changes", String::new()),
        sync("null for changes", r#","changes":null"#.into()),
        sync(
            "unknown members",
            r#","__proto__":{"a":1},"appId":"another","x":1e400"#.into(),
        ),
        sync("an unknown member 100,000 deep", format!(r#","x":{deep}"#)),
        sync("a form", String::new()).header("content-type: application/x-www-form-urlencoded"),
        sync("no type of anything", String::new()).header("content-type: \u{fffd}"),
    ]
}

fn pulls(hub: &Hub) -> Vec<Request> {
    let pull = |query: &str| {
        let path = format!("/sync/todo/pull{query}");
        Request::new(format!("pull: {query}"), "GET", &path).by(hub, ADA)
    };
    let since = "since=1970-01-01T00:00:00.000Z";
    let mut requests: Vec<Request> = [
        String::new(),
        "?collection=tasks".into(),
        format!("?{since}"),
        format!("?collection=&{since}"),
        "?collection=tasks&since=".into(),
        "?collection=tasks&since=soon".into(),
        "?collection=tasks&since=%00".into(),
        "?collection=tasks&since=-1".into(),
        "?collection=tasks&since=1e400".into(),
        format!("?collection=tasks&{since}&{since}"),
        format!("?collection=tasks&collection=labels&{since}"),
    ]
    .iter()
    .map(|query| {
        pull(query)
            .header("x-client-id: c")
            .expect(Expect::Sentence(400))
    })
    .collect();
    let good = format!("?collection=tasks&{since}");
    requests.push(pull(&good).expect(Expect::Sentence(400)));
    requests.push(
        pull(&good)
            .header("x-client-id: \u{1}")
            .expect(Expect::Http(400)),
    );
    // Cursors of other servers, other times and other histories.
    for since in [
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00Z",
        "1971-01-01T00:00:00.000000001Z",
        "1999-12-31T23:59:59.999999999Z",
        "2026-03-01T10:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
    ] {
        let path = format!("/sync/todo/pull?collection=tasks&since={since}");
        let request = Request::new(format!("pull since {since}"), "GET", &path);
        let request = request.by(hub, CAROL).header("x-client-id: c");
        requests.push(request.expect(Expect::Stored));
    }
    let long = "n".repeat(129);
    for (table, expect) in [
        ("__proto__", Expect::Sentence(400)),
        ("%00", Expect::Sentence(400)),
        (&long, Expect::Sentence(400)),
        ("..", Expect::Stored),
        ("%FF", Expect::Sentence(400)),
        ("a%C3", Expect::Sentence(400)),
        ("%EF%BF%BD", Expect::Stored),
        ("nothing", Expect::Stored),
    ] {
        let query = format!("?collection={table}&{since}");
        requests.push(pull(&query).header("x-client-id: c").expect(expect));
    }
    requests
}
