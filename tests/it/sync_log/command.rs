//! The command as a person meets it.

use crate::archive::{directory, done, file_of, refused};

use super::{OldServer, at};

#[tokio::test]
async fn it_says_what_it_read_and_what_became_of_it() {
    let (dir, old) = (directory(), OldServer::start().await);
    let (one, two) = (at(1), at(2));
    old.add(&[
        [
            "todo",
            "ada",
            "tasks",
            "k1",
            "insert",
            r#"{"a":1}"#,
            "{}",
            "d1",
            &one,
        ],
        [
            "todo", "ada", "tasks", "k1", "delete", "{}", "{}", "d1", &two,
        ],
        ["todo", "ada", "tasks", "", "delete", "{}", "{}", "d1", &two],
        [
            "todo",
            "no\u{1}user",
            "tasks",
            "k1",
            "delete",
            "{}",
            "{}",
            "d1",
            &two,
        ],
    ])
    .await;
    let store = file_of(dir.path());
    let said = old.import_into(&store);
    let expected = "imported: 4 rows read, 2 folded, 2 set aside\n\
        1 spaces (0 imported before), 0 records, 1 tombstones, 0 hidden, 1 clients, \
        1 dead letters\n\
        set aside, name_invalid: 1\nset aside, user_invalid: 1\nno name: user \"no\\u{1}user\"\n\
        rows that came or went since it began: 0\n";
    assert_eq!(said, expected);
    let url = old.database.url();
    let again = ["import", "--from", "sync-changes", &url];
    refused(dir.path(), &store, (&again, "already_imported", 4));
    // It is a store like any other.
    let said = done(dir.path(), &store, &["export", "--out", "all.jsonl"]);
    assert!(
        said.starts_with("exported: 1 spaces, 1 records, 1 clients, 0 verdicts, 1 dead"),
        "{said}"
    );
    let said = done(
        dir.path(),
        "sqlite:copy.db",
        &["import", "--in", "all.jsonl"],
    );
    assert!(said.starts_with("imported: 1 spaces, 1 records"), "{said}");
}

#[tokio::test]
async fn what_it_cannot_read_is_told_with_a_code() {
    let dir = directory();
    let store = file_of(dir.path());
    let no_url = [
        "import",
        "--from",
        "sync-changes",
        "mysql://u:secret@localhost/d",
    ];
    let sentence = refused(dir.path(), &store, (&no_url, "log_unreadable", 6));
    assert!(!sentence.contains("secret"), "{sentence}");
    let nobody = [
        "import",
        "--from",
        "sync-changes",
        "postgres://u@127.0.0.1:1/d",
    ];
    refused(dir.path(), &store, (&nobody, "log_unreadable", 6));
    assert!(!dir.path().join("hub.db").exists(), "nothing was made");
}

/// A store with data is no place for it.
#[tokio::test]
async fn it_needs_an_empty_store() {
    let (dir, old, other) = (
        directory(),
        OldServer::start().await,
        OldServer::start().await,
    );
    let one = at(1);
    old.add(&[[
        "todo", "ada", "tasks", "k1", "insert", "{}", "{}", "d1", &one,
    ]])
    .await;
    let store = file_of(dir.path());
    old.import_into(&store);
    let url = other.database.url();
    let import = ["import", "--from", "sync-changes", &url];
    let sentence = refused(dir.path(), &store, (&import, "store_not_empty", 4));
    assert!(sentence.contains("holds 1 spaces"), "{sentence}");
}
