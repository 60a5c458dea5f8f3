//! A store in trouble while the hub runs: its disk is full, as far as a process can see it (the
//! system lets its files grow no more), or its file is moved away.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use syncline_tests::hub_process::HubProcess;

use super::{hub, request};

const UNLIMITED: &str = "unlimited:unlimited";

fn let_files_grow_to(node: &HubProcess, bytes: &str) {
    let (id, limit) = (node.id().to_string(), format!("--fsize={bytes}"));
    let set = Command::new("prlimit")
        .args(["--pid", &id, &limit])
        .status();
    assert!(set.expect("prlimit runs").success());
}

/// The status and the body of an answer.
fn answer(node: &HubProcess, head: &str, token: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(node.public).expect("it listens");
    let (address, length) = (node.public, body.len());
    let request = format!(
        "{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\nauthorization: Bearer {token}\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    let body = serde_json::from_str(body.expect("a body")).expect("JSON");
    (status.expect("a status"), body)
}

fn insertion(m: u64) -> String {
    let change = json!({"table": "tasks", "id": format!("t{m}"), "op": "insert",
        "insertedAt": "2026-01-01T00:00:00.000Z", "data": {"title": m}});
    json!({"client": "phone", "muts": [{"m": m, "changes": [change]}]}).to_string()
}

fn push(node: &HubProcess, token: &str, m: u64) -> (u16, Value) {
    answer(node, "POST /v1/todo/push", token, &insertion(m))
}

fn ready(node: &HubProcess) -> (u16, Value) {
    answer(node, "GET /ready", "", "")
}

fn token(node: &HubProcess) -> String {
    let answer = request(node, "POST /dev/token", r#"{"user":"ada","ttl_s":3600}"#);
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    body["token"].as_str().expect("a token").to_owned()
}

/// Its log is on the same disk.
fn start_in(dir: &Path) -> (HubProcess, String) {
    let mut log = OpenOptions::new();
    let log = log.create(true).append(true).open(dir.join("hub.log"));
    let mut command = hub(dir, &["serve", "--dev"]);
    command.stderr(log.expect("a log"));
    let node = HubProcess::start_logging(command);
    let token = token(&node);
    (node, token)
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let (node, token) = start_in(dir.path());
    let (status, first) = push(&node, &token, 1);
    assert_eq!(
        (status, &first["results"][0]["status"]),
        (200, &json!("applied"))
    );

    let_files_grow_to(&node, "1:unlimited");
    let (status, refused) = push(&node, &token, 2);
    assert_eq!(
        (status, &refused["code"]),
        (503, &json!("unavailable")),
        "{refused}"
    );
    // What is there can be read.
    let (status, _) = answer(&node, "GET /v1/todo/snapshot", &token, "");
    assert_eq!(status, 200);
    // The mutation is tried again all the time, so it is found out with no one asking.
    let told = loop {
        let (status, why) = ready(&node);
        if status == 503 {
            break why;
        }
        std::thread::yield_now();
    };
    assert_eq!(told["code"], "unavailable", "{told}");
    assert!(
        told["message"]
            .as_str()
            .expect("a reason")
            .contains("no writes"),
        "{told}"
    );

    let_files_grow_to(&node, UNLIMITED);
    let (status, second) = push(&node, &token, 2);
    assert_eq!(
        (status, &second["results"][0]["seq"]),
        (200, &json!(2)),
        "{second}"
    );
    while ready(&node).0 != 200 {
        std::thread::yield_now();
    }
    assert_eq!(node.end("TERM").0, Some(0));

    let (node, token) = start_in(dir.path());
    let (_, kept) = answer(&node, "GET /v1/todo/snapshot", &token, "");
    let kept = kept["changes"].as_array().map_or(0, Vec::len);
    assert_eq!(kept, 2);
}

#[test]
fn a_hub_that_starts_on_a_full_disk_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("prlimit");
    let program = super::hub(dir.path(), &[]);
    command
        .arg("--fsize=4096:unlimited")
        .arg(program.get_program())
        .args(["serve", "--dev"])
        .current_dir(dir.path())
        .env_clear()
        .env("HUB__LISTEN", "127.0.0.1:0")
        .env("HUB__ADMIN_LISTEN", "127.0.0.1:0");
    let ended = command.output().expect("hub runs");
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let told = super::text(&ended.stderr);
    assert!(told.contains("store"), "{told}");
}

#[test]
fn a_database_that_was_moved_away_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let (node, _) = start_in(dir.path());
    let [here, away] = ["data/hub.db", "data/away.db"].map(|name| dir.path().join(name));
    for (from, to, status) in [(&here, &away, 503), (&away, &here, 200)] {
        std::fs::rename(from, to).expect("it is there");
        let told = loop {
            let (now, why) = ready(&node);
            if now == status {
                break why.to_string();
            }
            std::thread::yield_now();
        };
        assert_eq!(told.contains("no longer names"), status == 503, "{told}");
    }
    assert_eq!(node.end("TERM").0, Some(0));
}
