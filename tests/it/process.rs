//! The program as a person or a supervisor meets it: what it prints, how it ends.

mod asleep;
mod logging;
mod memory;
mod read_only;
mod store_trouble;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use syncline_tests::hub_process::HubProcess;

/// `hub` in a directory of its own, with no variables but ours.
pub(crate) fn hub(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub-under-test"));
    command
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("HUB__LISTEN", "127.0.0.1:0")
        .env("HUB__ADMIN_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null());
    command
}

/// A metric without labels.
async fn metric(node: &HubProcess, name: &str) -> u64 {
    let answer = reqwest::get(format!("http://{}/metrics", node.admin)).await;
    let text = answer.expect("it answers").text().await.expect("text");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.expect(name).parse().expect("a number")
}

fn output(dir: &Path, args: &[&str]) -> Output {
    hub(dir, args).output().expect("hub runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A node of `serve --dev` in a directory.
fn start(dir: &Path) -> HubProcess {
    HubProcess::start(hub(dir, &["serve", "--dev"]))
}

fn request(node: &HubProcess, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(node.public).expect("it listens");
    let (address, length) = (node.public, body.len());
    write!(
        stream,
        "{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn serve_says_what_to_try_and_ends_with_0_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let dir = tempfile::tempdir().expect("a directory");
        let node = start(dir.path());
        assert!(request(&node, "GET /ready", "").starts_with("HTTP/1.1 200 "));
        let address = node.public;
        let (code, printed) = node.end(signal);
        assert_eq!(code, Some(0), "{signal}");
        assert!(
            printed.contains(&format!("http://{address}/dev/token")),
            "{printed}"
        );
        assert!(TcpStream::connect(address).is_err());
    }
}

#[test]
fn metrics_are_looked_for_where_they_are() {
    for is_public in ["true", "false"] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = hub(dir.path(), &["serve", "--dev"]);
        command.env("HUB__METRICS__PUBLIC", is_public);
        let node = HubProcess::start(command);
        let address = match is_public {
            "true" => node.public,
            _ => node.admin,
        };
        let (_, printed) = node.end("TERM");
        let line = format!("curl -s http://{address}/metrics\n");
        assert!(printed.contains(&line), "{printed}");
    }
}

#[test]
fn a_second_signal_does_not_wait() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command
        .env("HUB__DRAIN_S", "3600")
        .env("HUB__GATEWAY__BODY_TIMEOUT_MS", "600000")
        .env("HUB__GATEWAY__STALLED_MS", "600000");
    let node = HubProcess::start(command);
    // A request whose body does not come is finished before a stop.
    let mut open = TcpStream::connect(node.public).expect("it listens");
    let head = "POST /dev/token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n";
    open.write_all(head.as_bytes()).expect("it reads");
    while !request(&node, "GET /metrics", "").contains("syncline_http_connections 2") {
        std::thread::yield_now();
    }
    let address = node.public;
    node.signal("TERM");
    // The first one has been heard when nobody new is let in.
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(node.end("TERM").0, Some(0));
    // It was cut off: nobody answered.
    let mut answer = String::new();
    let read = open.read_to_string(&mut answer);
    assert!(read.is_err() || answer.is_empty(), "{answer}");
}

#[test]
fn a_signal_ends_a_hub_that_waits_for_its_database() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("a directory in it");
    // Who reads in this mode keeps the hub from turning WAL on.
    let other = rusqlite::Connection::open(data.join("hub.db")).expect("a database");
    let held = "CREATE TABLE t(x); BEGIN; SELECT * FROM t;";
    other.execute_batch(held).expect("it reads");
    let mut waiting = hub(dir.path(), &["serve", "--dev"]);
    let mut waiting = waiting.stdout(Stdio::null()).spawn().expect("hub runs");
    while !data.join("hub.db.lock").exists() {
        std::thread::yield_now();
    }
    let id = waiting.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(waiting.wait().expect("it ends").code(), Some(0));
    drop(other);
}

#[test]
fn a_database_held_by_another_program_does_not_hold_up_a_stop() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.env("HUB__DRAIN_S", "1");
    let node = HubProcess::start(command);
    let given = request(&node, "POST /dev/token", r#"{"user":"ada"}"#);
    let token = given.split("\"token\":\"").nth(1).expect("a token");
    let token = token.split('"').next().expect("its end").to_owned();
    let push = |m: u64| {
        let head = format!("POST /v1/todo/push HTTP/1.1\r\nauthorization: Bearer {token}");
        let changes = format!(r#"[{{"table":"t","id":"k{m}","op":"insert","data":{{}}}}]"#);
        let body = format!(r#"{{"client":"c","muts":[{{"m":{m},"changes":{changes}}}]}}"#);
        let mut stream = TcpStream::connect(node.public).expect("it listens");
        let length = body.len();
        let rest = format!("host: localhost\r\ncontent-length: {length}\r\n\r\n{body}");
        write!(stream, "{head}\r\nconnection: close\r\n{rest}").expect("it reads");
        stream
    };
    let read = |mut stream: TcpStream| {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        read.map(|_| answer)
    };
    let applied = |answer: &str| answer.contains(r#""status":"applied""#);
    assert!(applied(&read(push(1)).expect("an answer")));
    let file = dir.path().join("data/hub.db");
    let held = rusqlite::Connection::open(&file).expect("a database");
    held.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let waits = push(2);
    while !request(&node, "GET /metrics", "").contains("syncline_http_connections 2") {
        std::thread::yield_now();
    }
    assert_eq!(node.end("TERM").0, Some(0));
    assert!(!read(waits).is_ok_and(|answer| applied(&answer)));
    // What was acknowledged is there, and only that.
    held.execute_batch("COMMIT").expect("nothing");
    let count = "SELECT count(*) FROM records";
    let count: i64 = held
        .query_row(count, [], |row| row.get(0))
        .expect("a number");
    assert_eq!(count, 1);
}

#[test]
fn token_prints_only_the_token_of_the_key_the_node_publishes() {
    let dir = tempfile::tempdir().expect("a directory");
    let given = output(
        dir.path(),
        &["token", "--user", "ada", "--ttl", "60", "--dev"],
    );
    assert!(given.status.success(), "{}", text(&given.stderr));
    let token = text(&given.stdout);
    let parts: Vec<_> = token.trim_end().split('.').collect();
    assert_eq!((parts.len(), token.lines().count()), (3, 1), "{token}");
    let node = start(dir.path());
    let other = request(&node, "POST /dev/token", r#"{"user":"bob"}"#);
    assert!(
        other.contains(&format!("\"token\":\"{}.", parts[0])),
        "one key: {other}"
    );
    assert_eq!(node.end("TERM").0, Some(0));
}

#[test]
fn configuration_that_cannot_be_used_ends_with_1_and_a_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("hub.toml"), "drian_s = 3").expect("a file");
    for command in ["serve", "check-config"] {
        let refused = output(dir.path(), &[command, "--dev"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.stdout.is_empty());
        let said = text(&refused.stderr);
        assert!(
            said.contains("hub.toml") && said.contains("drian_s"),
            "{said}"
        );
    }
    assert!(!dir.path().join("data").exists(), "nothing was begun");
}

#[test]
fn only_no_file_at_all_is_no_configuration() {
    let refused = |make: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().expect("a directory");
        make(&dir.path().join("hub.toml"));
        let refused = output(dir.path(), &["check-config", "--dev"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.starts_with("hub: configuration: hub.toml: "), "{said}");
    };
    refused(&|file| std::fs::create_dir(file).expect("a directory"));
    refused(&|file| std::os::unix::fs::symlink("nowhere.toml", file).expect("a link"));
    refused(&|file| std::os::unix::fs::symlink("hub.toml", file).expect("a link"));
    refused(&|file| std::fs::write(file, b"node = \"\xff\"").expect("a file"));
}

#[test]
fn a_file_of_a_longer_name_is_not_read() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("hub.toml.toml"), "drian_s = 3").expect("a file");
    let shown = output(dir.path(), &["check-config", "--dev"]);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
}

#[test]
fn variables_of_ours_that_are_no_text_are_refused_by_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().expect("a directory");
    for (name, value, said) in [
        (&b"HUB__DRAIN_S"[..], &b"\xff"[..], "HUB__DRAIN_S"),
        (b"HUB__\xff", b"1", "HUB__\u{fffd}"),
    ] {
        let mut command = hub(dir.path(), &["check-config", "--dev"]);
        command.env(OsStr::from_bytes(name), OsStr::from_bytes(value));
        let refused = command.output().expect("hub runs");
        assert_eq!(refused.status.code(), Some(1), "{said}");
        let told = text(&refused.stderr);
        assert!(told.contains(&format!("environment: {said}: ")), "{told}");
    }
    let mut of_others = hub(dir.path(), &["check-config", "--dev"]);
    of_others.env("PATHS", OsStr::from_bytes(b"\xff"));
    assert!(of_others.output().expect("hub runs").status.success());
}

#[test]
fn check_config_shows_the_effective_values() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("hub.toml"), "drain_s = 3").expect("a file");
    let shown = output(dir.path(), &["check-config", "--dev"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(
        text(&shown.stdout)
            .lines()
            .any(|line| line == "drain_s = 3")
    );
}

#[test]
fn version_is_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    let shown = output(dir.path(), &["--version"]);
    assert_eq!(
        text(&shown.stdout).trim(),
        concat!("hub ", env!("CARGO_PKG_VERSION"))
    );
}
