//! The program as a person or a supervisor meets it: what it prints, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// `hub` in a directory of its own, with no variables but ours.
fn hub(dir: &Path, args: &[&str]) -> Command {
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

fn output(dir: &Path, args: &[&str]) -> Output {
    hub(dir, args).output().expect("hub runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A node of `serve --dev`; killed if the test fails before it ends.
struct Node {
    child: Child,
    address: String,
    printed: BufReader<std::process::ChildStdout>,
}

impl Node {
    fn start(dir: &Path) -> Node {
        let mut child = hub(dir, &["serve", "--dev"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("hub runs");
        let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            let read = printed.read_line(&mut line).expect("text");
            assert_ne!(read, 0, "it ended without saying where it listens");
        }
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        Node {
            address: address.expect("an address").to_owned(),
            child,
            printed,
        }
    }

    fn request(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let (address, length) = (&self.address, body.len());
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Sends the signal and returns the exit code and what else was printed.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let kill = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("sh runs").success());
        let mut rest = String::new();
        self.printed.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_says_what_to_try_and_ends_with_0_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let dir = tempfile::tempdir().expect("a directory");
        let node = Node::start(dir.path());
        assert!(node.request("GET /ready", "").starts_with("HTTP/1.1 200 "));
        let address = node.address.clone();
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
    let node = Node::start(dir.path());
    let other = node.request("POST /dev/token", r#"{"user":"bob"}"#);
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
