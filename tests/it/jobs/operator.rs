//! What an operator sees of jobs and does about them, on the admin listener.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use syncline_tests::HUNG;
use syncline_tests::device::Device;
use syncline_tests::endpoint::{Endpoint, Reply};
use syncline_tests::node::TestNode;

use super::{KEY, insert, posts_tasks, setup};

fn url(node: &TestNode, path: &str) -> String {
    format!("http://{}/api/v1/admin/jobs{path}", node.app.admin_addr())
}

/// What a question is answered.
pub(super) async fn asked(node: &TestNode, path: &str) -> (StatusCode, Value) {
    let question = Client::new()
        .get(url(node, path))
        .header("x-service-key", KEY);
    let answer = question.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

pub(super) async fn told(node: &TestNode, path: &str, body: &Value) -> (StatusCode, Value) {
    let order = Client::new()
        .post(url(node, path))
        .header("x-service-key", KEY);
    let answer = order.body(body.to_string()).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Waits until so many webhooks were given up.
pub(super) async fn until_dead(node: &TestNode, count: usize) -> Vec<Value> {
    let looking = async {
        loop {
            let (status, listed) = asked(node, "/dead?kind=webhook").await;
            assert_eq!(status, 200, "{listed}");
            let dead = listed["jobs"].as_array().unwrap();
            if dead.len() >= count {
                return dead.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HUNG, looking)
        .await
        .expect("none is given up")
}

fn name(dead: &Value) -> Value {
    let members = ["app", "space", "kind", "key"];
    members
        .map(|member| (member.to_owned(), dead[member].clone()))
        .into_iter()
        .collect()
}

/// A node on which two tasks were posted to a server that refused both for good.
async fn two_dead(endpoint: &Endpoint) -> (TestNode, Vec<Value>) {
    for _ in 0..2 {
        endpoint.reply(Reply::With(400, json!({"why": "no"})));
    }
    let node = TestNode::start_with(setup(endpoint, &posts_tasks())).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    for id in ["k1", "k2"] {
        phone.edit(&insert(id, &json!({"title": id})));
    }
    phone.push().await;
    let dead = until_dead(&node, 2).await;
    (node, dead)
}

#[tokio::test]
async fn a_job_that_was_given_up_is_listed_with_its_reason_and_done_when_it_is_replayed() {
    let endpoint = Endpoint::start().await;
    let (node, dead) = two_dead(&endpoint).await;
    let error = dead[0]["error"].as_str().unwrap();
    assert!(error.contains("400"), "{error}");
    let (_, counted) = asked(&node, "").await;
    let kinds = counted["kinds"].as_array().unwrap();
    let dead_of: Vec<(&str, u64)> = kinds
        .iter()
        .map(|one| (one["kind"].as_str().unwrap(), one["dead"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("notify", 0),
        ("recurrence", 0),
        ("reminder", 0),
        ("webhook", 2),
    ];
    assert_eq!(dead_of, expected);

    let (status, done) = told(&node, "/replay", &name(&dead[0])).await;
    assert_eq!((status, done), (StatusCode::OK, json!({"done": true})));
    let posted = endpoint.until_posted(3).await;
    let before = posted[..2].iter().filter(|one| one.id() == posted[2].id());
    assert_eq!(before.count(), 1, "it is the same event");
    // It is not dead any more.
    let (_, done) = told(&node, "/replay", &name(&dead[0])).await;
    assert_eq!(done, json!({"done": false}));
    let (_, done) = told(&node, "/replay", &json!({"kind": "webhook"})).await;
    assert_eq!(done, json!({"done": 1}));
    endpoint.until_posted(4).await;
    node.app.shutdown().await;
}

#[tokio::test]
async fn a_job_is_cancelled_by_its_name() {
    let endpoint = Endpoint::start().await;
    let (node, dead) = two_dead(&endpoint).await;
    for done in [true, false] {
        let (status, answer) = told(&node, "/cancel", &name(&dead[1])).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({"done": done})));
    }
    assert_eq!(until_dead(&node, 1).await, [dead[0].clone()]);
    node.app.shutdown().await;
}

/// As what a clock that ran ahead has put off: its times are named, and it is done now.
#[tokio::test]
async fn what_waits_for_times_that_are_named_is_done_when_it_is_snoozed() {
    let endpoint = Endpoint::start().await;
    endpoint.reply(Reply::With(503, json!({})));
    let mut setup = setup(&endpoint, &posts_tasks());
    let hour_ms = 3_600_000;
    setup.config.jobs.retry_first_ms = hour_ms;
    setup.config.jobs.retry_longest_ms = hour_ms;
    let node = TestNode::start_with(setup).await;
    let mut phone = Device::new("ada", "phone");
    phone.connect(&node).await;
    phone.edit(&insert("k1", &json!({"title": "k1"})));
    phone.push().await;
    let waits = async {
        loop {
            let (_, counted) = asked(&node, "").await;
            let mut kinds = counted["kinds"].as_array().unwrap().iter();
            if kinds.any(|of| of["kind"] == "webhook" && of["retry"] == 1) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HUNG, waits).await.expect("it waits");
    let snooze = |kind: &str| {
        json!({"kind": kind, "after": "2021-01-02T00:00:00Z", "upTo": "2100-01-01T00:00:00Z",
            "dueAt": "2021-01-01T00:00:00Z"})
    };
    for (kind, done) in [("reminder", 0), ("webhook", 1)] {
        let (status, answer) = told(&node, "/snooze", &snooze(kind)).await;
        let expected = json!({"done": done, "more": false});
        assert_eq!((status, answer), (StatusCode::OK, expected), "{kind}");
    }
    endpoint.until_posted(2).await;
    node.app.shutdown().await;
}

#[tokio::test]
async fn dead_jobs_are_listed_page_by_page() {
    let endpoint = Endpoint::start().await;
    let (node, dead) = two_dead(&endpoint).await;
    let (_, first) = asked(&node, "/dead?kind=webhook&limit=1").await;
    assert_eq!(first["jobs"], json!([dead[0]]));
    let next = first["next"].as_str().unwrap();
    let (_, second) = asked(&node, &format!("/dead?kind=webhook&limit=1&after={next}")).await;
    assert_eq!(second["jobs"], json!([dead[1]]));
    let next = second["next"].as_str().unwrap();
    let (_, third) = asked(&node, &format!("/dead?kind=webhook&limit=1&after={next}")).await;
    assert_eq!(third, json!({"jobs": [], "next": null}));
    node.app.shutdown().await;
}

#[tokio::test]
async fn dead_jobs_are_listed_by_app_and_space() {
    let endpoint = Endpoint::start().await;
    let (node, dead) = two_dead(&endpoint).await;
    endpoint.reply(Reply::With(400, json!({"why": "no"})));
    let mut phone = Device::new("bob", "phone");
    phone.connect(&node).await;
    phone.edit(&insert("k1", &json!({"title": "k1"})));
    phone.push().await;
    let all = until_dead(&node, 3).await;
    let listed = async |of: &str| {
        let (status, listed) = asked(&node, &format!("/dead?kind=webhook{of}")).await;
        assert_eq!(status, 200, "{listed}");
        (listed["jobs"].clone(), listed["next"].clone())
    };
    assert_eq!(listed("&app=todo").await, (json!(all), Value::Null));
    assert_eq!(
        listed("&app=todo&space=ada").await,
        (json!(dead), Value::Null)
    );
    assert_eq!(listed("&space=bob").await, (json!([all[0]]), Value::Null));
    for nobody in ["&app=chat", "&space=carol"] {
        assert_eq!(listed(nobody).await, (json!([]), Value::Null), "{nobody}");
    }
    // At the limit there may be more, one past it there is not.
    let (jobs, next) = listed("&space=ada&limit=2").await;
    assert_eq!(jobs, json!(dead));
    let rest = format!("&space=ada&limit=2&after={}", next.as_str().unwrap());
    assert_eq!(listed(&rest).await, (json!([]), Value::Null));
    let (jobs, next) = listed("&space=ada&limit=1").await;
    assert_eq!(jobs, json!([dead[0]]));
    let rest = format!("&space=ada&limit=1&after={}", next.as_str().unwrap());
    assert_eq!(listed(&rest).await.0, json!([dead[1]]));
    let (status, _) = asked(&node, "/dead?kind=webhook&app=").await;
    assert_eq!(status, 422);
    node.app.shutdown().await;
}

/// An answer that is of a space looks at a thousand dead jobs, and says where to go on.
#[tokio::test]
async fn a_space_behind_a_thousand_dead_jobs_of_others_is_found_by_the_next_answer() {
    let endpoint = Endpoint::start().await;
    for _ in 0..1_001 {
        endpoint.reply(Reply::With(400, json!({})));
    }
    let node = TestNode::start_with(setup(&endpoint, &posts_tasks())).await;
    let mut first = Device::new("ada", "phone");
    first.connect(&node).await;
    first.edit(&insert("k1", &json!({"title": "k1"})));
    first.push().await;
    until_dead(&node, 1).await;
    let mut other = Device::new("bob", "phone");
    other.connect(&node).await;
    let until = async |count: u64| {
        let looking = async {
            while asked(&node, "").await.1["kinds"][3]["dead"] != count {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(HUNG, looking).await;
        found.expect("they are not given up");
    };
    let many = (0..999).map(|n| insert(&format!("k{n}"), &json!({"title": "k"}))[0].clone());
    other.edit(&Value::from_iter(many));
    other.push().await;
    until(1_000).await;
    let (_, listed) = asked(&node, "/dead?kind=webhook&space=ada").await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    other.edit(&insert("last", &json!({"title": "k"})));
    other.push().await;
    until(1_001).await;
    let (_, listed) = asked(&node, "/dead?kind=webhook&space=ada").await;
    assert_eq!(listed["jobs"], json!([]));
    let rest = format!(
        "/dead?kind=webhook&space=ada&after={}",
        listed["next"].as_str().unwrap()
    );
    let (_, listed) = asked(&node, &rest).await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(listed["next"], Value::Null);
    node.app.shutdown().await;
}

#[tokio::test]
async fn only_the_operator_s_servers_may_and_what_cannot_be_read_is_told() {
    let endpoint = Endpoint::start().await;
    let node = TestNode::start_with(setup(&endpoint, &posts_tasks())).await;
    let http = Client::new();
    for path in ["", "/dead?kind=webhook"] {
        let answer = http.get(url(&node, path)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }
    for path in ["/replay", "/cancel", "/snooze"] {
        let answer = http.post(url(&node, path)).body("{}").send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        // And nobody on the public listener.
        let path = node.url(&format!("/api/v1/admin/jobs{path}"));
        let order = http.post(path).header("x-service-key", KEY);
        assert_eq!(order.send().await.unwrap().status(), 404);
    }
    let whole = json!({"app": "todo", "space": "ada", "kind": "webhook", "key": "k"});
    let wrong = [
        ("/replay", json!([])),
        ("/replay", json!({"key": "k"})),
        // Meant for one, misspelt or cut short: nothing is done to all.
        ("/replay", json!({"kind": "webhook", "keys": "k"})),
        (
            "/replay",
            json!({"kind": "webhook", "app": "todo", "space": "ada"}),
        ),
        ("/cancel", json!({"kind": "webhook", "key": "k"})),
        (
            "/cancel",
            json!({"app": "", "space": "ada", "kind": "webhook", "key": "k"}),
        ),
        ("/snooze", whole.clone()),
        (
            "/snooze",
            json!({"app": "todo", "space": "ada", "kind": "w", "key": "k", "dueAt": "soon"}),
        ),
        // All, and of no times, of those of one space, or again and again.
        (
            "/snooze",
            json!({"kind": "webhook", "dueAt": "2021-01-01T00:00:00Z"}),
        ),
        (
            "/snooze",
            json!({"kind": "webhook", "app": "todo", "space": "ada", "dueAt": "2021-01-01T00:00:00Z",
                "after": "2022-01-01T00:00:00Z", "upTo": "2023-01-01T00:00:00Z"}),
        ),
        (
            "/snooze",
            json!({"kind": "webhook", "dueAt": "2022-06-01T00:00:00Z",
                "after": "2022-01-01T00:00:00Z", "upTo": "2023-01-01T00:00:00Z"}),
        ),
    ];
    for (path, body) in wrong {
        let (status, answer) = told(&node, path, &body).await;
        let expected = match answer["code"].as_str() {
            Some("bad_message") => 400,
            Some("name_invalid") => 422,
            _ => panic!("{path} {body}: {answer}"),
        };
        assert_eq!(status, expected, "{path} {body}: {answer}");
    }
    let (status, _) = asked(&node, "/dead?kind=webhook&after=last").await;
    assert_eq!(status, 400);
    let (status, answer) = told(&node, "/cancel", &whole).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({"done": false})));
    node.app.shutdown().await;
}
