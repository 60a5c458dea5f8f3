//! Questions about recurrences that are none. No data is touched, so what is taken may be asked in
//! Ada's name too.

use serde_json::{Value, json};

use super::request::{Expect, NO_OBJECT, Request};
use super::{ADA, Hub};

const ROUTES: [&str; 3] = ["next-occurrence", "validate", "expand"];

pub(super) fn requests(hub: &Hub) -> Vec<Request> {
    [
        unreadable(hub),
        rules(hub),
        times(hub),
        windows(hub),
        taken(hub),
        strangers(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ask(hub: &Hub, (route, name): (&str, &str), body: &[u8], expect: Expect) -> Request {
    let path = format!("/api/v1/compute/{route}");
    let request = Request::new(format!("{route}: {name}"), "POST", &path);
    request.by(hub, ADA).body(body).expect(expect)
}

/// A question that `/expand` takes.
fn window() -> Value {
    json!({
        "rrule": "FREQ=DAILY", "dtstart": "2026-01-01T00:00:00", "timezone": "UTC",
        "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "limit": 3,
    })
}

/// The same with one member written so.
fn with(name: &str, text: &str) -> String {
    let window = window();
    let others = window.as_object().unwrap().iter();
    let others = others.filter(|(other, _)| *other != name);
    let others: Vec<String> = others
        .map(|(name, value)| format!(r#""{name}":{value}"#))
        .collect();
    format!(r#"{{"{name}":{text},{}}}"#, others.join(","))
}

/// Not JSON, not an object, or a rule of another type.
fn unreadable(hub: &Hub) -> Vec<Request> {
    let mut requests = Vec::new();
    for route in ROUTES {
        for (name, body) in NO_OBJECT {
            requests.push(ask(hub, (route, name), body, Expect::Error(400)));
        }
        let deep = format!(r#"{}"x"{}"#, "[".repeat(100_000), "]".repeat(100_000));
        for rule in [
            "7",
            "null",
            "true",
            "[]",
            "{}",
            "1e400",
            r#""\ud800""#,
            &deep,
        ] {
            let body = with("rrule", rule);
            requests.push(ask(
                hub,
                (route, &body),
                body.as_bytes(),
                Expect::Error(400),
            ));
        }
        let twice = with("rrule", r#""FREQ=DAILY","rrule":"""#);
        requests.push(ask(
            hub,
            (route, &twice),
            twice.as_bytes(),
            Expect::Error(400),
        ));
    }
    requests
}

/// Rules that are none, are too long, or would take for ever.
fn rules(hub: &Hub) -> Vec<Request> {
    let mut requests = Vec::new();
    let long = format!("FREQ=DAILY;BYHOUR={}1", "0".repeat(500));
    let huge = "FREQ=DAILY;".repeat(100_000);
    for rule in [
        "",
        " ",
        "FREQ=",
        "FREQ=NEVER",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=99999999999999999999",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=1e3",
        "FREQ=DAILY;UNTIL=NaN",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=YEARLY;BYWEEKNO=54",
        "FREQ=DAILY;__proto__=1",
        "FREQ=DAILY\u{0}",
        "FREQ=DAILY\r\n\r\nGET / HTTP/1.1",
        "\u{202e}YLIAD=QERF",
        "FREQ=D\u{c4}ILY",
        "../../etc/passwd",
        &long,
        &huge,
    ] {
        let question = json!({"rrule": rule});
        let name: String = rule.chars().take(60).collect();
        for (route, question, expect) in [
            ("next-occurrence", question.clone(), Expect::Error(400)),
            ("validate", question, Expect::Invalid),
            (
                "expand",
                serde_json::from_str(&with("rrule", &json!(rule).to_string())).unwrap(),
                Expect::Error(400),
            ),
        ] {
            let body = question.to_string();
            requests.push(ask(hub, (route, &name), body.as_bytes(), expect));
        }
    }
    let never = r#"{"rrule":"FREQ=SECONDLY;INTERVAL=2;BYSECOND=0;BYSETPOS=2"}"#;
    for (route, expect) in [
        ("next-occurrence", Expect::Error(400)),
        ("validate", Expect::Invalid),
    ] {
        requests.push(ask(hub, (route, "never"), never.as_bytes(), expect));
    }
    requests
}

/// Times that are none.
fn times(hub: &Hub) -> Vec<Request> {
    let mut requests = Vec::new();
    for time in [
        r#""""#,
        r#""yesterday""#,
        r#""2026-02-30T00:00:00Z""#,
        r#""2026-01-01T25:00:00Z""#,
        r#""+275760-09-13T00:00:00Z""#,
        r#""99999-01-01T00:00:00Z""#,
        r#""2026-01-01T00:00:00Z\u0000""#,
        r#""\ud800""#,
        "7",
        "-1",
        "1e400",
        "[]",
        "{}",
        "false",
    ] {
        for member in ["after", "recurrenceEndDate"] {
            let body = format!(r#"{{"rrule":"FREQ=DAILY","{member}":{time}}}"#);
            let case = ("next-occurrence", body.as_str());
            requests.push(ask(hub, case, body.as_bytes(), Expect::Error(400)));
        }
        for member in ["dtstart", "from", "to"] {
            let body = with(member, time);
            requests.push(ask(
                hub,
                ("expand", &body),
                body.as_bytes(),
                Expect::Error(400),
            ));
        }
    }
    requests
}

/// Windows, zones and limits that are none.
fn windows(hub: &Hub) -> Vec<Request> {
    let long = format!(r#""{}""#, "Europe/".repeat(10_000));
    let mut requests = Vec::new();
    for (member, text) in [
        ("timezone", r#""""#),
        ("timezone", r#""Europe/Atlantis""#),
        ("timezone", r#""../../../../etc/passwd""#),
        ("timezone", r#""/etc/localtime""#),
        ("timezone", r#""UTC\u0000""#),
        ("timezone", r#""__proto__""#),
        ("timezone", "null"),
        ("timezone", "0"),
        ("timezone", &long),
        ("limit", "0"),
        ("limit", "5001"),
        ("limit", "-1"),
        ("limit", "1.5"),
        ("limit", r#""3""#),
        ("limit", "null"),
        ("limit", "1e400"),
        ("limit", "18446744073709551615"),
        ("limit", "18446744073709551616"),
        ("dtstart", "null"),
        ("from", "null"),
        ("to", "null"),
        ("to", r#""2026-01-01T00:00:00Z""#),
        ("to", r#""2025-01-01T00:00:00Z""#),
        ("to", r#""2036-01-02T00:00:01Z""#),
    ] {
        let body = with(member, text);
        requests.push(ask(
            hub,
            ("expand", &body),
            body.as_bytes(),
            Expect::Error(400),
        ));
    }
    for member in ["dtstart", "timezone", "from", "to"] {
        let mut question = window();
        question.as_object_mut().unwrap().remove(member);
        let name = format!("without {member}");
        let body = question.to_string();
        requests.push(ask(
            hub,
            ("expand", &name),
            body.as_bytes(),
            Expect::Error(400),
        ));
    }
    requests
}

/// What looks odd and is taken.
fn taken(hub: &Hub) -> Vec<Request> {
    let mut requests = Vec::new();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for route in ROUTES {
        let taken =
            |name: &str, body: &str| ask(hub, (route, name), body.as_bytes(), Expect::Status(200));
        let body = window().to_string();
        let odd = with("__proto__", r#"{"rrule":7},"x":1e400"#);
        requests.extend([
            taken("unknown members", &odd),
            taken("an unknown member 100,000 deep", &with("x", &deep)),
            taken("a form", &body).header("content-type: application/x-www-form-urlencoded"),
            taken("no type of anything", &body).header("content-type: \u{fffd}"),
        ]);
    }
    requests
}

/// Whoever has no token is told so, whatever else is wrong.
fn strangers() -> Vec<Request> {
    let ask = |route: &str, body: &str| {
        let path = format!("/api/v1/compute/{route}");
        let request = Request::new(format!("{route} of a stranger: {body}"), "POST", &path);
        request
            .body(body)
            .expect(Expect::Code(401, "token_invalid"))
    };
    let all = ROUTES.into_iter().flat_map(|route| {
        let query = format!("{route}?token=a.b.c");
        [
            ask(route, r#"{"rrule":"FREQ=DAILY"}"#),
            ask(route, "{"),
            ask(route, "x.y").header("authorization: Bearer x.y.z"),
            ask(route, "basic").header("authorization: Basic YWRhOmFkYQ=="),
            ask(&query, "{}"),
        ]
    });
    all.collect()
}
