//! A log that cannot be written, or that nobody reads, costs the log and nothing else.

use std::fs::OpenOptions;
use std::io::{Read, Write, pipe};
use std::process::Stdio;

use syncline_tests::hub_process::HubProcess;

use super::{hub, request, text};

/// What a pipe holds.
const PIPE_BYTES: usize = 64 << 10;

fn serves_and_ends(log: impl Into<Stdio>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.stderr(log);
    let node = HubProcess::start_logging(command);
    for _ in 0..100 {
        assert!(request(&node, "GET /ready", "").starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(node.end("TERM").0, Some(0));
}

#[test]
fn a_log_on_a_full_disk_stops_no_hub() {
    let full = OpenOptions::new().write(true).open("/dev/full");
    serves_and_ends(full.expect("it is there"));
}

#[test]
fn a_log_whose_reader_is_gone_stops_no_hub() {
    let (reader, log) = pipe().expect("a pipe");
    drop(reader);
    serves_and_ends(log);
}

#[test]
fn a_log_that_is_not_read_stops_no_hub() {
    let (reader, mut log) = pipe().expect("a pipe");
    log.write_all(&[b'.'; PIPE_BYTES]).expect("it is empty");
    serves_and_ends(log);
    drop(reader);
}

#[test]
fn errors_that_nobody_reads_are_told_by_the_exit_code() {
    let dir = tempfile::tempdir().expect("a directory");
    let full = OpenOptions::new().write(true).open("/dev/full");
    let mut command = hub(dir.path(), &["serve"]);
    let refused = command.stderr(full.expect("it is there")).status();
    assert_eq!(refused.expect("hub runs").code(), Some(1));
}

#[test]
fn what_is_logged_last_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut reader, log) = pipe().expect("a pipe");
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.stderr(log);
    let node = HubProcess::start_logging(command);
    node.signal("HUP");
    assert_eq!(node.end("TERM").0, Some(0));
    let mut logged = Vec::new();
    reader.read_to_end(&mut logged).expect("it is closed");
    let logged = text(&logged);
    assert!(logged.contains("stopping"), "{logged}");
    assert!(!logged.contains('\u{1b}'), "no colours: {logged}");
}

#[test]
fn a_hub_without_tls_goes_on_after_sighup() {
    let dir = tempfile::tempdir().expect("a directory");
    let node = super::start(dir.path());
    node.signal("HUP");
    assert!(request(&node, "GET /ready", "").starts_with("HTTP/1.1 200 "));
    assert_eq!(node.end("TERM").0, Some(0));
}
