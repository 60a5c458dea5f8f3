//! The program as a person or a supervisor meets it: what it prints, how it ends.

mod memory;

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
