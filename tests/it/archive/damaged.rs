//! An archive that is not whole is refused before anything is written.

use std::fs;
use std::path::Path;

use super::survivor::Survivor;
use super::{ARCHIVE, directory, export, file_of, node_in, refused};

/// An archive of a store with a space in it, and its directory's URL of an empty one.
async fn backup(dir: &Path) {
    let old = directory();
    let node = node_in(&old).await;
    let mut phone = Survivor::new("ada", "phone");
    phone.insert("k1", "milk");
    phone.insert("k2", "bread");
    phone.sync(&node).await;
    node.app.shutdown().await;
    export(dir, &file_of(old.path()));
}

#[tokio::test]
async fn an_archive_that_is_not_whole_writes_nothing() {
    let dir = directory();
    backup(dir.path()).await;
    let path = dir.path().join(ARCHIVE);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let last = lines.len();
    let cases = [
        ("archive_damaged", "line 6", whole.replace("milk", "silk")),
        ("archive_cut", "after line 3", lines[..3].concat()),
        (
            "archive_cut",
            "after line 3",
            whole[..lines[..3].concat().len() + 9].to_owned(),
        ),
        (
            "archive_damaged",
            "line 4",
            [&lines[..3], &lines[4..]].concat().concat(),
        ),
        ("archive_damaged", "line 10", format!("{whole}more\n")),
        (
            "archive_format",
            "format 7",
            whole.replace("\"format\":3", "\"format\":7"),
        ),
        (
            "archive_unknown",
            "no archive",
            "a letter to the editor\n".to_owned(),
        ),
    ];
    assert_eq!(last, 9, "{whole}");
    for (code, says, text) in cases {
        fs::write(&path, text).unwrap();
        let store = file_of(dir.path());
        for args in [["import", "--in", ARCHIVE], ["verify", "--in", ARCHIVE]] {
            let sentence = refused(dir.path(), &store, (&args, code, 3));
            assert!(sentence.contains(says), "{sentence}");
        }
        assert!(!dir.path().join("hub.db").exists(), "{code}");
    }
}
