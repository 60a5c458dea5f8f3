//! Questions about recurrences, over HTTP, as the first user's clients ask them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use syncline_hub::app::Parts;
use syncline_hub::clock::ManualClock;
use syncline_tests::node::{Setup, TestNode};
use tokio::task::JoinSet;

/// 2026-01-01T00:00:00.000Z
const NOW_MS: u64 = 1_767_225_600_000;

struct Asker {
    node: TestNode,
    http: Client,
    token: String,
}

impl Asker {
    async fn new() -> Asker {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let parts = Parts {
            clock: Some(clock),
            ..Parts::default()
        };
        let setup = Setup {
            parts,
            ..Setup::default()
        };
        let node = TestNode::start_with(setup).await;
        let issuer = node.app.dev_issuer().unwrap();
        let token = issuer.token("ada", 3_600, NOW_MS).unwrap();
        let http = Client::new();
        Asker { node, http, token }
    }

    async fn ask(&self, route: &str, body: impl ToString) -> (StatusCode, Value) {
        let url = self.node.url(&format!("/api/v1/compute/{route}"));
        let request = self.http.post(url).bearer_auth(&self.token);
        let answer = request.body(body.to_string()).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn refused(&self, route: &str, body: impl ToString) -> String {
        let (status, answer) = self.ask(route, body).await;
        assert_eq!(status, 400, "{answer}");
        assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
        answer["error"].as_str().unwrap().to_owned()
    }
}

/// A rule of so many characters.
fn rule(chars: usize) -> String {
    let rule = "FREQ=DAILY;BYHOUR=";
    format!("{rule}{}1", "0".repeat(chars - rule.len() - 1))
}

#[tokio::test]
async fn the_next_occurrence_and_how_many_there_are() {
    let asker = Asker::new().await;
    let question = json!({"rrule": "FREQ=WEEKLY;BYDAY=MO"});
    let (status, answer) = asker.ask("next-occurrence", question).await;
    assert_eq!(status, 200);
    let expected = json!({
        "nextDate": "2026-01-05T00:00:00.000Z", "valid": true, "totalOccurrences": 522,
    });
    assert_eq!(answer, expected);
    let question = json!({
        "rrule": "FREQ=DAILY", "after": "2027-06-01T00:00:00.000Z",
        "recurrenceEndDate": "2027-06-01T12:00:00.000Z",
    });
    let (_, answer) = asker.ask("next-occurrence", question).await;
    assert_eq!(answer["nextDate"], Value::Null);
    assert_eq!(answer["valid"], true);
}

#[tokio::test]
async fn a_rule_is_valid_or_the_answer_says_why_not() {
    let asker = Asker::new().await;
    let christmas = json!({"rrule": "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25"});
    let (_, answer) = asker.ask("validate", christmas).await;
    assert_eq!(answer, json!({"valid": true, "occurrences": 10}));
    for (rule, occurrences, error) in [
        ("garbage", 0, "Invalid RRULE"),
        ("", 0, "Missing rrule"),
        ("FREQ=SECONDLY", 5_000, "Too many occurrences"),
        (
            "FREQ=SECONDLY;INTERVAL=2;BYSECOND=0;BYSETPOS=2",
            0,
            "too much work",
        ),
    ] {
        let (status, answer) = asker.ask("validate", json!({"rrule": rule})).await;
        assert_eq!(status, 200, "{rule}");
        assert_eq!(answer["valid"], false, "{rule}");
        assert_eq!(answer["occurrences"], occurrences, "{rule}");
        let told = answer["error"].as_str().unwrap();
        assert!(told.contains(error), "{rule}: {told}");
    }
}

#[tokio::test]
async fn a_window_in_a_zone() {
    let asker = Asker::new().await;
    let mut question = json!({
        "rrule": "FREQ=DAILY", "dtstart": "2026-03-28T02:30:00", "timezone": "Europe/Berlin",
        "from": "2026-03-28T00:00:00Z", "to": "2026-03-31T00:00:00Z", "limit": 3,
    });
    let days = [
        "2026-03-28T01:30:00.000Z",
        "2026-03-29T01:30:00.000Z",
        "2026-03-30T00:30:00.000Z",
    ];
    let (status, answer) = asker.ask("expand", &question).await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({"occurrences": days, "truncated": false}));
    question["limit"] = 2.into();
    let (_, answer) = asker.ask("expand", &question).await;
    assert_eq!(answer, json!({"occurrences": days[..2], "truncated": true}));
    question["timezone"] = "Europe/Atlantis".into();
    assert_eq!(
        asker.refused("expand", &question).await,
        "unknown time zone"
    );
}

#[tokio::test]
async fn limits_hold_at_the_limit_and_one_past() {
    let asker = Asker::new().await;
    let expand = |rrule: &str, to: &str, limit: u64| {
        json!({
            "rrule": rrule, "dtstart": "2026-01-01T00:00:00", "timezone": "UTC",
            "from": "2026-01-01T00:00:00Z", "to": to, "limit": limit,
        })
    };
    // Characters.
    let to = "2036-01-02T00:00:00Z";
    for (route, good, long) in [
        (
            "next-occurrence",
            json!({"rrule": rule(500)}),
            json!({"rrule": rule(501)}),
        ),
        (
            "expand",
            expand(&rule(500), to, 1),
            expand(&rule(501), to, 1),
        ),
    ] {
        assert_eq!(asker.ask(route, good).await.0, 200, "{route}");
        let told = asker.refused(route, long).await;
        assert_eq!(told, "RRULE too long (max 500 chars)", "{route}");
    }
    let (_, answer) = asker.ask("validate", json!({"rrule": rule(500)})).await;
    assert_eq!(answer["valid"], true);
    let (_, answer) = asker.ask("validate", json!({"rrule": rule(501)})).await;
    assert_eq!(answer["valid"], false);
    // Occurrences in ten years.
    let hours = |count: usize| json!({"rrule": format!("FREQ=HOURLY;COUNT={count}")});
    let (_, answer) = asker.ask("next-occurrence", hours(5_000)).await;
    assert_eq!(answer["totalOccurrences"], 5_000);
    let told = asker.refused("next-occurrence", hours(5_001)).await;
    assert_eq!(told, "RRULE generates too many occurrences (max 5000)");
    // Occurrences in an answer.
    let (_, answer) = asker.ask("expand", expand("FREQ=HOURLY", to, 5_000)).await;
    assert_eq!(answer["occurrences"].as_array().unwrap().len(), 5_000);
    for limit in [0, 5_001] {
        let told = asker
            .refused("expand", expand("FREQ=HOURLY", to, limit))
            .await;
        assert!(told.starts_with("limit must be"), "{told}");
    }
    // The window.
    let told = asker.refused("expand", expand("FREQ=DAILY", "2036-01-02T00:00:01Z", 1));
    assert!(told.await.starts_with("from must be before to"));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_an_error() {
    let asker = Asker::new().await;
    for route in ["next-occurrence", "validate", "expand"] {
        for body in [
            "",
            "[]",
            "7",
            "{",
            r#"{"rrule":7}"#,
            r#"{"rrule":"FREQ=DAILY","rrule":""}"#,
        ] {
            asker.refused(route, body).await;
        }
    }
    assert_eq!(
        asker.refused("next-occurrence", "{}").await,
        "Missing rrule parameter"
    );
    let told = asker
        .refused("next-occurrence", json!({"rrule": "not a valid rrule"}))
        .await;
    assert!(told.starts_with("Invalid RRULE: "), "{told}");
    let question = json!({"rrule": "FREQ=DAILY", "after": "yesterday"});
    assert_eq!(
        asker.refused("next-occurrence", question).await,
        "after is no time"
    );
}

#[tokio::test]
async fn only_those_with_a_token_are_answered() {
    let asker = Asker::new().await;
    for route in ["next-occurrence", "validate", "expand"] {
        let url = asker.node.url(&format!("/api/v1/compute/{route}"));
        let body = json!({"rrule": "FREQ=DAILY"}).to_string();
        let none = asker.http.post(&url).body(body.clone());
        assert_eq!(none.send().await.unwrap().status(), 401, "{route}");
        let wrong = asker.http.post(&url).bearer_auth("x.y.z").body(body);
        assert_eq!(wrong.send().await.unwrap().status(), 401, "{route}");
        let get = asker.http.get(&url).bearer_auth(&asker.token);
        assert_eq!(get.send().await.unwrap().status(), 405, "{route}");
    }
}

#[tokio::test]
async fn many_hostile_questions_at_once_leave_the_node_answering() {
    let asker = Arc::new(Asker::new().await);
    let hostile = json!({"rrule": "FREQ=SECONDLY;INTERVAL=2;BYSECOND=0;BYSETPOS=2"});
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (asker, hostile) = (asker.clone(), hostile.clone());
        asked.spawn(async move { asker.refused("next-occurrence", hostile).await });
    }
    let health = asker
        .http
        .get(asker.node.url("/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    let told = asked.join_all().await;
    assert_eq!(told, vec!["the recurrence takes too much work"; 16]);
}

/// Who asks much waits for what is its own.
#[tokio::test]
async fn a_user_who_asks_much_at_once_leaves_others_their_turn() {
    let asker = Arc::new(Asker::new().await);
    let issuer = asker.node.app.dev_issuer().unwrap();
    let bob = issuer.token("bob", 3_600, NOW_MS).unwrap();
    // It never happens, which is found out at the end of all steps.
    let dear = json!({"rrule": "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1"});
    let answered = Arc::new(AtomicUsize::new(0));
    let mut asked = JoinSet::new();
    for _ in 0..60 {
        let (asker, dear, answered) = (asker.clone(), dear.clone(), answered.clone());
        asked.spawn(async move {
            let (status, _) = asker.ask("validate", dear).await;
            answered.fetch_add(1, Ordering::Relaxed);
            status
        });
    }
    asked.join_next().await.unwrap().unwrap();
    let before = answered.load(Ordering::Relaxed);
    let url = asker.node.url("/api/v1/compute/validate");
    let request = Client::new().post(url).bearer_auth(&bob);
    let request = request.body(json!({"rrule": "FREQ=DAILY"}).to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let others = answered.load(Ordering::Relaxed) - before;
    assert!(others < 30, "{others} of the other user's came first");
    while let Some(status) = asked.join_next().await {
        // One that waits for its own too long comes again.
        assert!([200, 429].contains(&status.unwrap().as_u16()));
    }
}
