//! Requests beside sync, and to the admin listener.

use super::request::{Expect, NO_OBJECT, Request};
use super::{ADA, Hub};

pub(super) fn requests(hub: &Hub) -> Vec<Request> {
    let token = |name: &str, body: &[u8], expect| {
        let request = Request::new(format!("token: {name}"), "POST", "/dev/token");
        request.body(body).expect(expect)
    };
    let bad = Expect::Code(400, "bad_message");
    let name = Expect::Code(422, "name_invalid");
    let forbidden = Expect::Code(403, "forbidden");
    let mut requests: Vec<Request> = NO_OBJECT
        .iter()
        .map(|(name, body)| token(name, body, bad))
        .collect();
    let long = format!(r#"{{"user":"{}"}}"#, "n".repeat(129));
    for (body, expect) in [
        ("{}", bad),
        (r#"["ada",60]"#, bad),
        (r#"{"user":7}"#, bad),
        (r#"{"user":null}"#, bad),
        (r#"{"user":"ada","user":"bob"}"#, bad),
        (r#"{"user":"\ud800"}"#, bad),
        (r#"{"user":"ada","ttl_s":0}"#, bad),
        (r#"{"user":"ada","ttl_s":-1}"#, bad),
        (r#"{"user":"ada","ttl_s":"60"}"#, bad),
        (r#"{"user":"ada","ttl_s":31622401}"#, bad),
        (r#"{"user":"ada","ttl_s":18446744073709551615}"#, bad),
        (r#"{"user":"ada","ttl_s":1e400}"#, bad),
        (r#"{"user":""}"#, name),
        (r#"{"user":"@service"}"#, name),
        (r#"{"user":"__proto__"}"#, name),
        (r#"{"user":"a\u0000"}"#, name),
        (&long, name),
        (r#"{"user":"ada","ttl_s":31622400}"#, Expect::Status(200)),
    ] {
        requests.push(token(body, body.as_bytes(), expect));
    }
    let good = br#"{"user":"ada"}"#;
    requests.push(token("of a page", good, forbidden).header("origin: https://evil.example"));
    requests.push(token("of no page", good, forbidden).header("origin: null"));
    let all = ["/health", "/ready", "/metrics"];
    for path in all {
        requests.push(
            Request::new(path, "GET", path)
                .body("{")
                .header("content-type: x"),
        );
        requests.push(Request::new(
            path,
            "GET",
            &format!("{path}?__proto__=1&x=%FF"),
        ));
        requests.push(Request::new(path, "GET", path).by_admin());
        requests.push(
            Request::new(path, "POST", path)
                .by_admin()
                .expect(Expect::Code(405, "method_not_allowed")),
        );
    }
    // What the public listener has, the operators' has not.
    for path in [
        "/",
        "/admin",
        "/admin/",
        "/admin/../health",
        "/v1/todo/snapshot",
        "/v1/ws",
        "/ws/todo",
        "/sync/todo/pull",
        "/dev/token",
    ] {
        let request = Request::new(format!("admin: {path}"), "GET", path).by(hub, ADA);
        requests.push(request.by_admin().expect(Expect::Code(404, "not_found")));
    }
    requests
}
