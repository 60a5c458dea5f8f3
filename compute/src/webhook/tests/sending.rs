//! What is posted.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::outgoing::tests::server::Server;

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let find = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    head.lines().find_map(find).unwrap_or_default()
}

async fn posted(task: &Task) -> (String, Value) {
    let mut server = Server::saying("200 OK", "").await;
    let worked = at(&server.url, &json!({})).work(task).await;
    assert_eq!(worked, Worked::Done(None));
    assert_eq!(server.waiting(), 1, "what answered was somebody else");
    let (head, body) = server.request().await;
    (head, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn a_triggers_job_is_posted_with_its_record() {
    let (head, mut body) = posted(&task()).await;
    assert!(head.starts_with("post /hook http/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "content-type"), "application/json");
    let agent = format!("syncline/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(header(&head, "user-agent"), agent);
    assert_eq!(header(&head, "webhook-timestamp"), "1795514400");
    let id = body["id"].take();
    assert_eq!(header(&head, "webhook-id"), id);
    let expected = json!({
        "id": null, "trigger": "t", "app": "todo", "space": "ada", "table": "tasks",
        "record": "k1", "when": "update", "who": "ada", "seq": 3, "epoch": "0000000000000007",
        "attempt": 1, "at": "2026-11-24T10:00:00.123Z", "data": {"title": "Buy milk"},
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn an_endpoint_of_other_apps_is_unknown() {
    let mut server = Server::saying("200 OK", "").await;
    let of = |app: &str| {
        let mut config = config(json!({"url": server.url, "private": true}));
        config.apps = vec![AppId::trusted("chat"), AppId::trusted(app)];
        Webhooks::of(&BTreeMap::from([("llm".to_owned(), config)]), POOL).unwrap()
    };
    let (ours, others) = (of("todo"), of("notes"));
    let why = hopeless(others.work(&task()).await);
    assert_eq!(why, "webhook_unknown: \"llm\"");
    assert_eq!(server.waiting(), 0);
    assert_eq!(ours.work(&task()).await, Worked::Done(None));
    server.request().await;
}

#[tokio::test]
async fn a_schedules_job_is_posted_without_one() {
    let task = with_args(&json!({"args": {"to": "llm"}}));
    let (_, body) = posted(&task).await;
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["app", "at", "attempt", "id", "space", "trigger"]);
}

/// Whoever has the body and the secret can tell that it is ours.
#[tokio::test]
async fn what_is_posted_is_signed_by_both_secrets() {
    let old = "fedcba9876543210fedcba9876543210";
    let mut server = Server::saying("200 OK", "").await;
    let webhooks = at(&server.url, &json!({"old_secret": old}));
    webhooks.work(&task()).await;
    let request = server.request_text().await;
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let (id, at_s) = (
        header(head, "webhook-id"),
        header(head, "webhook-timestamp"),
    );
    let signatures: Vec<&str> = header(head, "webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2);
    for (signature, secret) in signatures.iter().zip([SECRET, old]) {
        let tag = STANDARD
            .decode(signature.strip_prefix("v1,").unwrap())
            .unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let text = format!("{id}.{at_s}.{body}");
        assert!(hmac::verify(&key, text.as_bytes(), &tag).is_ok());
    }
}

#[tokio::test]
async fn an_event_has_one_id_in_all_tries_and_stores() {
    let (_, first) = posted(&task()).await;
    let mut again = Task {
        attempt: 5,
        now_ms: NOW + 60_000,
        ..task()
    };
    again.lease.no = JobNo(9);
    let (_, second) = posted(&again).await;
    assert_eq!(first["id"], second["id"]);
    assert_eq!(
        (&second["attempt"], &second["at"]),
        (&json!(5), &json!("2026-11-24T10:01:00.123Z"))
    );
}

#[tokio::test]
async fn other_jobs_commits_firings_and_spaces_have_other_ids() {
    let mut tasks = vec![task(); 7];
    tasks[1].job.key = JobKey::trusted("t/0000000000000007/4/tasks/k1");
    tasks[2].job.due_at_ms += 1;
    tasks[3].lease.name.space.space = SpaceId::trusted("bob");
    tasks[4].lease.name.space.app = AppId::trusted("calendar");
    // The key of what is put anew is the same, and clocks may be too.
    tasks[5].job.origin.seq = Seq(4);
    tasks[6].job.origin.epoch = Epoch(8);
    let mut ids = std::collections::BTreeSet::new();
    for task in &tasks {
        ids.insert(posted(task).await.1["id"].to_string());
    }
    assert_eq!(ids.len(), tasks.len());
}

#[tokio::test]
async fn what_no_endpoint_can_be_asked_is_hopeless() {
    let webhooks = at("http://127.0.0.1:1/", &json!({}));
    for (args, why) in [
        (
            json!({"args": {"to": "other"}}),
            "webhook_unknown: \"other\"",
        ),
        (json!({"args": {}}), "args_invalid: "),
        (json!({"args": {"to": "llm", "url": "x"}}), "args_invalid: "),
        (json!(null), "args_invalid: "),
    ] {
        let said = hopeless(webhooks.work(&with_args(&args)).await);
        assert!(said.starts_with(why), "{said}");
    }
}

/// A proxy would connect for us, to whatever address it finds. The test runs another one, in a
/// process that is told of a proxy.
#[tokio::test]
async fn no_proxy_of_the_environment_is_used() {
    let proxy = Server::saying("200 OK", "").await;
    let test = "webhook::tests::sending::a_schedules_job_is_posted_without_one";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", test])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        child.env(name, format!("http://127.0.0.1:{}", proxy.port));
    }
    let output = tokio::task::spawn_blocking(move || child.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert_eq!(proxy.waiting(), 0);
}
