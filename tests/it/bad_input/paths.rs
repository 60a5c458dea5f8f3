//! Paths, methods and heads that no route takes.

use super::request::{Expect, Request};
use super::{ADA, EVE, Hub};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"];

pub(super) fn all(hub: &Hub) -> Vec<Request> {
    [paths(hub), methods(hub), heads(hub), upgrades(hub)]
        .into_iter()
        .flatten()
        .collect()
}

fn paths(hub: &Hub) -> Vec<Request> {
    let get = |path: &str, expect| {
        Request::new(format!("path {path}"), "GET", path)
            .by(hub, EVE)
            .expect(expect)
    };
    let unknown = Expect::Code(404, "not_found");
    let name = Expect::Code(422, "name_invalid");
    let mut requests: Vec<Request> = [
        "//",
        "/nowhere",
        "/health/",
        "//health",
        "/./health",
        "/v1/todo/../../health",
        "/%68ealth",
        "/HEALTH",
        "/..",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/v1",
        "/v1/",
        "/v1/todo",
        "/v1/todo/snapshot/",
        "/v1/todo/x/snapshot",
        "/v1/todo/push%00",
        "/sync",
        "/ws",
        "/admin",
        "/admin/nodes",
        "/data/hub.db",
        "/api/v1/compute",
        "/api/v1/compute/",
        "/api/v1/compute/validate/",
        "/api/v1/compute/../validate",
        "/hub.toml",
    ]
    .into_iter()
    .map(|path| get(path, unknown))
    .collect();
    for path in [
        "/sync/",
        "/ws/",
        "/ws//",
        "/sync/todo/pull/x",
        "/sync/../v1/todo/snapshot",
    ] {
        requests.push(get(path, Expect::Sentence(404)));
    }
    let too_long = "n".repeat(129);
    for app in [
        "",
        "%00",
        "%01",
        "a%0Ab",
        "%7F",
        "__proto__",
        "%C2%85",
        &too_long,
    ] {
        requests.push(get(&format!("/v1/{app}/snapshot"), name));
        let path = format!("/sync/{app}/pull?collection=t&since=1970-01-01T00:00:00.000Z");
        requests.push(get(&path, Expect::Sentence(400)).header("x-client-id: c"));
        let status = if app.is_empty() { 404 } else { 400 };
        requests.push(get(&format!("/ws/{app}"), Expect::Sentence(status)));
    }
    requests.push(get("/v1/%FF/snapshot", Expect::Code(400, "bad_message")));
    requests.push(get("/sync/%FF/pull", Expect::Sentence(400)));
    requests.push(get("/ws/%FF", Expect::Sentence(400)));
    for path in [
        "/api/v1/admin/user-data",
        "/api/v1/admin/user-data/",
        "/api/v1/admin/user-data/a/b",
    ] {
        requests.push(get(path, unknown));
    }
    for user in ["%FF", "%00", "a%0Ab", "__proto__", &too_long] {
        for method in ["GET", "DELETE"] {
            let path = format!("/api/v1/admin/user-data/{user}");
            let request = Request::new(format!("{method} {path}"), method, &path);
            let request = request.header("x-service-key: hush");
            requests.push(request.expect(Expect::Code(400, "bad_message")));
        }
    }
    // Names of apps like any other: they lead to spaces of their own, and to no file.
    for app in [
        "..",
        "%2e%2e",
        "%2F",
        "a%2Fb",
        "..%2F..%2Fetc",
        "%25",
        "a%20b",
        "constructor",
    ] {
        requests.push(get(&format!("/v1/{app}/snapshot"), Expect::Status(200)));
    }
    requests.push(get(&format!("/{}", "x".repeat(60_000)), unknown));
    requests.push(get(&format!("/{}", "x".repeat(70_000)), Expect::Http(414)));
    requests
}

fn methods(hub: &Hub) -> Vec<Request> {
    let native = Expect::Code(405, "method_not_allowed");
    let mut requests = Vec::new();
    for (takes, path, expect) in [
        ("POST", "/v1/todo/push", native),
        ("GET", "/v1/todo/changes", native),
        ("GET", "/v1/todo/snapshot", native),
        ("GET", "/v1/ws", native),
        ("POST", "/sync/todo", Expect::Sentence(405)),
        ("GET", "/sync/todo/pull", Expect::Sentence(405)),
        ("GET", "/ws/todo", Expect::Sentence(405)),
        ("GET", "/health", native),
        ("GET", "/ready", native),
        ("GET", "/metrics", native),
        ("GET", "/", native),
        ("POST", "/dev/token", native),
        ("GET", "/api/v1/auth/jwks", native),
        ("POST", "/api/v1/compute/next-occurrence", native),
        ("POST", "/api/v1/compute/validate", native),
        ("POST", "/api/v1/compute/expand", native),
        ("GET DELETE", "/api/v1/admin/user-data/ada", native),
    ] {
        let is_taken = |method: &str| takes.split(' ').any(|taken| taken == method);
        for method in METHODS.into_iter().filter(|method| !is_taken(method)) {
            let request = Request::new(format!("{method} {path}"), method, path);
            requests.push(request.by(hub, ADA).body("{}").expect(expect));
        }
    }
    requests
}

/// What is no request.
fn heads(hub: &Hub) -> Vec<Request> {
    let get = |name: &str| Request::new(name, "GET", "/v1/todo/snapshot").by(hub, ADA);
    let push = |name: &str| Request::new(name, "POST", "/v1/todo/push").by(hub, ADA);
    let bad = Expect::Http(400);
    vec![
        Request::new("a method that is none", "G@T", "/health").expect(bad),
        Request::new("no path", "GET", "").expect(bad),
        Request::new("a path without a slash", "GET", "health")
            .expect(Expect::Code(404, "not_found")),
        Request::new("a path with a space", "GET", "/a b").expect(bad),
        Request::new("a path with NUL", "GET", "/a\0b").expect(bad),
        get("a header without a name").header(": x").expect(bad),
        get("a header with a space in its name")
            .header("a b: x")
            .expect(bad),
        get("a header with NUL").header("x: a\0b").expect(bad),
        get("a folded header").header("x: a\r\n b").expect(bad),
        get("too many headers")
            .header(vec!["x: y"; 200].join("\r\n"))
            .expect(Expect::Http(431)),
        get("a head too large")
            .header(format!("x: {}", "y".repeat(500_000)))
            .expect(Expect::Http(431)),
        push("a length that is none")
            .header("content-length: x")
            .expect(bad),
        push("a negative length")
            .header("content-length: -1")
            .expect(bad),
        push("two lengths")
            .header("content-length: 1\r\ncontent-length: 2")
            .expect(bad),
        push("a length past 64 bits")
            .header("content-length: 18446744073709551616")
            .expect(bad),
        push("a transfer that is none")
            .header("transfer-encoding: gzip")
            .expect(bad),
    ]
}

/// Upgrades that are none.
fn upgrades(hub: &Hub) -> Vec<Request> {
    let mut requests = Vec::new();
    for (path, native) in [("/v1/ws", true), ("/ws/todo", false)] {
        let refusal = |status, code| match native {
            true => Expect::Code(status, code),
            false => Expect::Sentence(status),
        };
        let upgrade = |name: &str, headers: &str| {
            let request = Request::new(format!("{path}: {name}"), "GET", path);
            request.header(headers)
        };
        let good = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        requests.extend([
            upgrade("no upgrade", "x: y").expect(refusal(426, "bad_message")),
            upgrade("another upgrade", "upgrade: h2c\r\nconnection: upgrade")
                .expect(refusal(426, "bad_message")),
            upgrade(
                "no key",
                "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13",
            )
            .expect(refusal(400, "bad_message")),
            upgrade(
                "version 12",
                &format!("{good}\r\nsec-websocket-version: 12"),
            )
            .expect(refusal(426, "bad_message")),
            upgrade("no version", good).expect(refusal(426, "bad_message")),
            upgrade(
                "another page",
                &format!("{good}\r\nsec-websocket-version: 13\r\norigin: https://evil.example"),
            )
            .expect(refusal(403, "forbidden")),
        ]);
    }
    let other = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: syncline.v2, chat";
    let request = Request::new("another protocol", "GET", "/v1/ws")
        .header(other)
        .by(hub, ADA);
    requests.push(request.expect(Expect::Code(400, "version_unsupported")));
    requests
}
