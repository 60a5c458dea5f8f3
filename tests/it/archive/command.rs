//! The commands as a person or a script meets them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use syncline_tests::hub_process::HubProcess;

use super::{ARCHIVE, directory, done, export, file_of, import, refused, run};
use crate::process::hub;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A directory with an empty store in it, made by a hub.
fn served() -> std::sync::Arc<tempfile::TempDir> {
    let dir = directory();
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.env("HUB__STORE__URL", file_of(dir.path()));
    assert_eq!(HubProcess::start(command).end("TERM").0, Some(0));
    dir
}

#[test]
fn an_export_says_what_it_wrote_and_is_its_owners() {
    let dir = served();
    let said = export(dir.path(), &file_of(dir.path()));
    assert!(
        said.starts_with("exported: 0 spaces, 0 records, "),
        "{said}"
    );
    assert!(said.contains("\nsha256 "), "{said}");
    let mode = fs::metadata(dir.path().join(ARCHIVE))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let verified = done(
        dir.path(),
        "sqlite:nowhere.db",
        &["verify", "--in", ARCHIVE],
    );
    let of = |said: &str| said.lines().nth(1).map(str::to_owned);
    assert_eq!(of(&verified), of(&said), "the same archive");
    assert!(!dir.path().join("nowhere.db").exists());
}

#[test]
fn an_export_to_the_standard_output_is_an_archive() {
    let dir = served();
    let output = run(dir.path(), &file_of(dir.path()), &["export", "--out", "-"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("exported: 0 spaces")
    );
    fs::write(dir.path().join(ARCHIVE), output.stdout).unwrap();
    let said = done(dir.path(), "sqlite:new.db", &["import", "--in", ARCHIVE]);
    assert!(said.starts_with("imported: 0 spaces"), "{said}");
}

#[test]
fn an_import_needs_a_store_that_is_nobodys_and_empty() {
    let dir = directory();
    let store = file_of(dir.path());
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.env("HUB__STORE__URL", &store);
    let node = HubProcess::start(command);
    export(dir.path(), &store);
    let in_use = (&["import", "--in", ARCHIVE][..], "store_in_use", 4);
    refused(dir.path(), &store, in_use);
    assert_eq!(node.end("TERM").0, Some(0));
    import(dir.path(), &store);
    let twice = (&["import", "--in", ARCHIVE][..], "already_imported", 4);
    refused(dir.path(), &store, twice);
}

#[test]
fn what_is_not_there_is_told_with_its_name() {
    let dir = directory();
    let store = file_of(dir.path());
    let export = &["export", "--out", ARCHIVE][..];
    let sentence = refused(dir.path(), &store, (export, "store_unopened", 5));
    assert!(sentence.contains("hub.db"), "{sentence}");
    assert_eq!(names(dir.path()), Vec::<String>::new(), "nothing was made");
    let import = &["import", "--in", "nothing.jsonl"][..];
    let sentence = refused(dir.path(), &store, (import, "file_failed", 6));
    assert!(sentence.contains("nothing.jsonl"), "{sentence}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
    let nowhere = &["export", "--out", "nowhere/all.jsonl"][..];
    let sentence = refused(served().path(), &store, (nowhere, "file_failed", 6));
    assert!(sentence.contains("nowhere/all.jsonl"), "{sentence}");
}

#[test]
fn a_store_with_data_takes_no_import() {
    let dir = served();
    export(dir.path(), &file_of(dir.path()));
    let path = dir.path().join("hub.db");
    let database = rusqlite::Connection::open(path).unwrap();
    let space =
        "INSERT INTO spaces(app, space, epoch, epoch_at, lost_at, head, gc_seq, clock, live,
        writers) VALUES('todo', 'ada', 1, 1, 0, 0, 0, 0, 0, 0)";
    database.execute(space, []).unwrap();
    let import = &["import", "--in", ARCHIVE][..];
    let sentence = refused(
        dir.path(),
        &file_of(dir.path()),
        (import, "store_not_empty", 4),
    );
    assert!(sentence.contains("holds 1 spaces"), "{sentence}");
}

/// It is the one of a hub that is stopped while it writes.
#[test]
fn an_export_that_is_interrupted_leaves_nothing() {
    let dir = served();
    let database = rusqlite::Connection::open(dir.path().join("hub.db")).unwrap();
    // Enough that it is still at work when the signal comes.
    let spaces = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
        INSERT INTO spaces(app, space, epoch, epoch_at, lost_at, head, gc_seq, clock, live, writers)
        SELECT 'todo', printf('u%06d', i), i, 1, 0, 0, 0, 0, 0, 0 FROM n";
    database.execute(spaces, []).unwrap();
    let mut command = hub(dir.path(), &["export", "--out", ARCHIVE]);
    command.env("HUB__STORE__URL", file_of(dir.path()));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = dir.path().join(format!("{ARCHIVE}.part"));
    while !part.exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
        std::thread::yield_now();
    }
    let kill = format!("kill -INT {}", child.id());
    let sent = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let left = names(dir.path());
    assert!(
        !left.iter().any(|name| name.starts_with(ARCHIVE)),
        "{left:?}"
    );
}
