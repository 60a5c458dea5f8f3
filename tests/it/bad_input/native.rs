//! Requests of the native protocol over HTTP that are not what the route takes.

use serde_json::json;

use super::request::{Expect, NO_OBJECT, Request};
use super::{ADA, BOB, EVE, Hub};

pub(super) fn requests(hub: &Hub) -> Vec<Request> {
    [pushes(hub), taken_pushes(hub), reads(hub), keys(hub)]
        .into_iter()
        .flatten()
        .collect()
}

fn pushes(hub: &Hub) -> Vec<Request> {
    let push = |name: &str, body: &[u8], expect| {
        let request = Request::new(format!("push: {name}"), "POST", "/v1/todo/push");
        request.by(hub, ADA).body(body).expect(expect)
    };
    let bad = Expect::Code(400, "bad_message");
    let mut requests: Vec<Request> = NO_OBJECT
        .iter()
        .map(|(name, body)| push(name, body, bad))
        .collect();
    let change = r#"{"table":"tasks","id":"x","op":"insert","data":{}}"#;
    for body in [
        r#"{"client":"c"}"#,
        r#"{"muts":[]}"#,
        r#"{"client":null,"muts":[]}"#,
        r#"{"client":5,"muts":[]}"#,
        r#"{"client":["c"],"muts":[]}"#,
        r#"{"client":"c","muts":null}"#,
        r#"{"client":"c","muts":{}}"#,
        r#"{"client":"c","muts":"x"}"#,
        r#"{"client":"c","muts":[7]}"#,
        r#"{"client":"c","muts":[null]}"#,
        r#"{"client":"c","muts":[{}]}"#,
        r#"{"client":"c","client":"d","muts":[]}"#,
        r#"{"client":"c","muts":[],"muts":[]}"#,
        r#"{"client":"\ud800","muts":[]}"#,
        r#"{"muts":[{"key":7,"changes":[]}]}"#,
        r#"{"muts":[{"key":"a","changes":[]},{"m":1,"changes":[]}]}"#,
        // An object by position.
        &format!(r#"["c",[{{"m":1,"changes":[{change}]}}]]"#),
        &format!(r#"{{"client":"c","muts":[[1,[{change}]]]}}"#),
    ] {
        requests.push(push(body, body.as_bytes(), bad));
    }
    for m in [
        "0",
        "-1",
        "-0",
        "1.5",
        "1.0",
        "1e0",
        "1e400",
        "9007199254740992",
        "18446744073709551616",
        "\"1\"",
        "null",
        "true",
        "[1]",
        "{}",
    ] {
        let body = format!(r#"{{"client":"c","muts":[{{"m":{m},"changes":[{change}]}}]}}"#);
        requests.push(push(&format!("m {m}"), body.as_bytes(), bad));
    }
    let long = "n".repeat(129);
    for client in ["", "__proto__", r"a\u0000", r"a\n", "key:c", &long] {
        let body = format!(r#"{{"client":"{client}","muts":[{{"m":1,"changes":[{change}]}}]}}"#);
        let invalid = Expect::Code(422, "name_invalid");
        requests.push(push(&format!("client {client}"), body.as_bytes(), invalid));
    }
    for (at, changes) in ["null", "{}", "7", r#""x""#].into_iter().enumerate() {
        let body = format!(r#"{{"client":"v{at}","muts":[{{"m":1,"changes":{changes}}}]}}"#);
        let rejected = Expect::Rejected("change_invalid");
        requests.push(push(
            &format!("changes {changes}"),
            body.as_bytes(),
            rejected,
        ));
    }
    let gap = format!(r#"{{"client":"gap","muts":[{{"m":5,"changes":[{change}]}}]}}"#);
    requests.push(push("a gap", gap.as_bytes(), Expect::Code(409, "gap")));
    let many: Vec<_> = (1..=257).map(|m| json!({"m": m, "changes": []})).collect();
    let many = json!({"client": "many", "muts": many}).to_string();
    let expect = Expect::Code(413, "too_many_mutations");
    requests.push(push("257 mutations", many.as_bytes(), expect));
    let body = push_of(&[4_999, 2]);
    let expect = Expect::Code(413, "too_many_changes");
    requests.push(push("5,001 changes", body.as_bytes(), expect));
    let body = push_of(&[5_001]);
    let expect = Expect::Rejected("too_many_changes");
    requests.push(push(
        "5,001 changes in one mutation",
        body.as_bytes(),
        expect,
    ));
    requests
}

/// A push of deletes that nothing comes of: mutations of so many changes.
fn push_of(mutations: &[usize]) -> String {
    let change = json!({"table": "tasks", "id": "many", "op": "insert", "data": {}});
    let muts: Vec<_> = mutations
        .iter()
        .zip(1..)
        .map(|(count, m)| json!({"m": m, "changes": vec![&change; *count]}))
        .collect();
    json!({"client": format!("of-{}", mutations.len()), "muts": muts}).to_string()
}

/// What looks odd and is taken.
fn taken_pushes(hub: &Hub) -> Vec<Request> {
    let push = |name: &str, body: String| {
        let request = Request::new(format!("push: {name}"), "POST", "/v1/other/push");
        request.by(hub, BOB).body(body)
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let none = r#""client":"c","muts":[]"#;
    vec![
        push("exactly 5,000 changes", push_of(&[5_000])).expect(Expect::Applied),
        push("nothing", format!("{{{none}}}")),
        push(
            "unknown members",
            format!(r#"{{{none},"__proto__":{{"a":1}},"x":1e400}}"#),
        ),
        push(
            "an unknown member 100,000 deep",
            format!(r#"{{{none},"x":{deep}}}"#),
        ),
        push("text", format!("{{{none}}}")).header("content-type: text/plain"),
        push("a form", format!("{{{none}}}"))
            .header("content-type: application/x-www-form-urlencoded"),
        push("no type of anything", format!("{{{none}}}")).header("content-type: \u{fffd}"),
    ]
}

fn reads(hub: &Hub) -> Vec<Request> {
    let get = |user: &str, query: &str, expect| {
        let path = format!("/v1/todo/{query}");
        Request::new(query, "GET", &path)
            .by(hub, user)
            .expect(expect)
    };
    let bad = Expect::Code(400, "bad_message");
    let cursor = Expect::Code(400, "cursor_invalid");
    let reset = Expect::Code(410, "reset");
    let mut requests = Vec::new();
    for after in ["", "-1", "1.5", "x", "1e3", "%00", "18446744073709551616"] {
        requests.push(get(
            ADA,
            &format!("changes?epoch=0123456789abcdef&after={after}"),
            bad,
        ));
    }
    for query in [
        "changes?epoch=x&after=0&after=1",
        "changes?epoch=x&after=0&limit=x",
        "changes?epoch=x&after=0&limit=-1",
        "snapshot?limit=1.5",
    ] {
        requests.push(get(ADA, query, bad));
    }
    for query in [
        "changes",
        "changes?epoch=x",
        "changes?after=0",
        "changes?epoch=x&after=0&limit=0",
        "changes?epoch=x&after=0&limit=5001",
        "changes?epoch=x&after=0&limit=18446744073709551615",
        "snapshot?limit=0",
        "snapshot?limit=5001",
        "snapshot?next=",
        "snapshot?next=zz",
        "snapshot?next=00",
    ] {
        requests.push(get(ADA, query, cursor));
    }
    for epoch in [
        "",
        "x",
        "0123456789abcdef",
        "0123456789ABCDEF",
        "__proto__",
        "%00",
        "%F0%9F%98%80",
    ] {
        requests.push(get(ADA, &format!("changes?epoch={epoch}&after=0"), reset));
    }
    for after in [u64::from(u32::MAX), 1 << 53, i64::MAX as u64, u64::MAX] {
        requests.push(get(
            ADA,
            &format!("changes?epoch=0123456789abcdef&after={after}"),
            reset,
        ));
    }
    let forbidden = Expect::Code(403, "forbidden");
    let name = Expect::Code(422, "name_invalid");
    for (space, expect) in [
        ("bob", forbidden),
        ("%40service", forbidden),
        ("ADA", forbidden),
        ("", name),
        ("%00", name),
        ("__proto__", name),
    ] {
        requests.push(get(ADA, &format!("snapshot?space={space}"), expect));
        requests.push(get(
            ADA,
            &format!("changes?epoch=x&after=0&space={space}"),
            expect,
        ));
    }
    for query in [
        "snapshot?space=%FF",
        "snapshot?next=%C3%28",
        "snapshot?%FF=1",
        "changes?epoch=%FF&after=0",
        "changes?epoch=0123456789abcdef&after=0&next=%ED%A0%80",
    ] {
        requests.push(get(ADA, query, Expect::Code(400, "bad_message")));
    }
    let push = Request::new("push: space no UTF-8", "POST", "/v1/todo/push?space=%FF");
    let push = push.by(hub, ADA).body(r#"{"client":"c","muts":[]}"#);
    requests.push(push.expect(Expect::Code(400, "bad_message")));
    requests.push(get(
        EVE,
        "snapshot?unknown=1&__proto__=2",
        Expect::Status(200),
    ));
    requests
}

/// The servers' key.
fn keys(hub: &Hub) -> Vec<Request> {
    let push = |name: &str, space: &str, key: &[u8], expect| {
        let path = format!("/v1/todo/push{space}");
        let header = [b"x-service-key: ", key].concat();
        let request = Request::new(format!("key: {name}"), "POST", &path);
        request
            .header(header)
            .body(r#"{"client":"c","muts":[]}"#)
            .expect(expect)
    };
    let refused = Expect::Code(401, "token_invalid");
    let user_data = |name: &str, method: &str| {
        let path = "/api/v1/admin/user-data/ada";
        let request = Request::new(format!("{method} user data: {name}"), method, path);
        request.expect(refused)
    };
    let mut requests: Vec<Request> = ["GET", "DELETE"]
        .into_iter()
        .flat_map(|method| {
            [
                user_data("no key", method),
                user_data("a token alone", method).by(hub, ADA),
                user_data("wrong key", method).header("x-service-key: hus"),
                user_data("key no ASCII", method).header(b"x-service-key: \xff"),
            ]
        })
        .collect();
    let read = Request::new("key: not for the other protocol", "POST", "/sync/todo");
    requests.extend([
        push("empty", "?space=ada", b"", refused),
        push("wrong", "?space=ada", b"hus", refused),
        push("longer", "?space=ada", b"hushh", refused),
        push("no ASCII", "?space=ada", b"\xff", refused),
        push("no space", "", b"hush", Expect::Code(400, "bad_message")),
        push(
            "space empty",
            "?space=",
            b"hush",
            Expect::Code(422, "name_invalid"),
        ),
        // A wrong key is not made good by a good token.
        push("wrong beside a token", "?space=ada", b"wrong", refused).by(hub, ADA),
        read.header("x-service-key: hush")
            .body("{}")
            .expect(Expect::Sentence(401)),
    ]);
    requests
}
