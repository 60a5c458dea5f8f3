//! A backup is restored that is older than what devices have.

use std::process::Stdio;

use syncline_tests::hub_process::HubProcess;

use super::survivor::Survivor;
use super::{ARCHIVE, directory, done, export, file_of, import, node_in, refused, run};
use crate::process::hub;

/// What devices have that the backup does not is offered back; what they hold in common stays.
#[tokio::test]
async fn what_devices_have_that_the_backup_lacks_comes_back() {
    let (old, new) = (directory(), directory());
    let node = node_in(&old).await;
    let mut phone = Survivor::new("ada", "phone");
    let mut laptop = Survivor::new("ada", "laptop");
    phone.insert("k1", "of the backup");
    phone.insert("k2", "of the backup");
    phone.sync(&node).await;
    laptop.sync(&node).await;
    // Beside the running hub.
    export(new.path(), &file_of(old.path()));
    phone.insert("k3", "after the backup");
    phone.title("k1", "after the backup");
    phone.sync(&node).await;
    laptop.sync(&node).await;
    laptop.title("k2", "after the backup, too");
    laptop.sync(&node).await;
    phone.sync(&node).await;
    // Written when the store was lost.
    phone.insert("k4", "offline");
    laptop.title("k3", "offline");
    node.app.shutdown().await;

    import(new.path(), &file_of(new.path()));
    let node = node_in(&new).await;
    for _ in 0..2 {
        phone.sync(&node).await;
        laptop.sync(&node).await;
    }
    // The store's mark of the phone is behind what the phone was told.
    assert_eq!(
        phone.client(),
        "phone.1",
        "it had numbers confirmed that are lost"
    );
    assert_eq!((phone.unanswered(), laptop.unanswered()), (0, 0));
    let titles = phone.titles();
    assert_eq!(titles["k1"], "after the backup");
    assert_eq!(titles["k2"], "after the backup, too");
    assert_eq!(titles["k3"], "offline");
    assert_eq!(titles["k4"], "offline");
    assert_eq!(laptop.titles(), titles);
    let mut fresh = Survivor::new("ada", "fresh");
    fresh.sync(&node).await;
    assert_eq!(fresh.titles(), titles);
    node.app.shutdown().await;
}

/// The backup's mark of a client that numbered nothing since is as far as the client itself.
#[tokio::test]
async fn a_device_that_wrote_nothing_since_the_backup_keeps_its_numbers() {
    let (old, new) = (directory(), directory());
    let node = node_in(&old).await;
    let mut phone = Survivor::new("ada", "phone");
    phone.insert("k1", "milk");
    phone.sync(&node).await;
    export(new.path(), &file_of(old.path()));
    node.app.shutdown().await;
    import(new.path(), &file_of(new.path()));
    let node = node_in(&new).await;
    phone.title("k1", "bread");
    phone.sync(&node).await;
    assert_eq!(
        (phone.client(), &phone.resets[..]),
        ("phone".into(), &["epoch".into()][..])
    );
    assert_eq!(phone.titles()["k1"], "bread");
    node.app.shutdown().await;
}

/// Many spaces, so that a kill finds it at work.
async fn backup_of(spaces: usize, dir: &std::path::Path) {
    let old = directory();
    let node = node_in(&old).await;
    let http = reqwest::Client::new();
    for n in 0..spaces {
        let body = serde_json::json!({"client": "c", "muts": [{"m": 1, "changes": [
            {"table": "tasks", "id": "k", "op": "insert", "data": {"title": n}}]}]});
        let push = http.post(node.url("/v1/todo/push")).json(&body);
        let push = push.bearer_auth(node.token(&format!("user{n:03}")));
        assert_eq!(push.send().await.unwrap().status(), 200);
    }
    export(dir, &file_of(old.path()));
    node.app.shutdown().await;
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on() {
    // One that is faster than the kill has more to do the next time.
    let mut spaces = 60;
    while !is_killed_and_goes_on(spaces).await {
        spaces *= 2;
    }
}

/// Whether the kill came before the end.
async fn is_killed_and_goes_on(spaces: usize) -> bool {
    let dir = directory();
    backup_of(spaces, dir.path()).await;
    let store = file_of(dir.path());
    let imported = || {
        let path = dir.path().join("hub.db");
        let database = rusqlite::Connection::open(path).ok()?;
        let count = database.query_row("SELECT count(*) FROM spaces", [], |row| row.get(0));
        count.ok().filter(|count: &i64| *count > 0)
    };
    let mut command = hub(dir.path(), &["import", "--in", ARCHIVE]);
    command.env("HUB__STORE__URL", &store);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while imported().is_none() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    let before = imported().unwrap();
    if ended.success() {
        return false;
    }
    // A hub does not serve a part of what there was.
    let served = run(dir.path(), &store, &["serve", "--dev"]);
    let said = String::from_utf8(served.stderr).unwrap();
    assert_eq!(served.status.code(), Some(1), "{said}");
    assert!(said.contains("hub import"), "{said}");
    let half = (
        &["export", "--out", "half.jsonl"][..],
        "store_half_imported",
        4,
    );
    refused(dir.path(), &store, half);
    assert!(!dir.path().join("half.jsonl").exists());
    let renewed = (&["new-epoch"][..], "store_half_imported", 4);
    refused(dir.path(), &store, renewed);
    let said = import(dir.path(), &store);
    let goes_on = format!("goes on: {before} spaces were imported before\n");
    assert!(said.starts_with(&goes_on), "{said}, not {goes_on}");
    assert!(
        said.contains(&format!("imported: {spaces} spaces")),
        "{said}"
    );
    let mut command = hub(dir.path(), &["serve", "--dev"]);
    command.env("HUB__STORE__URL", &store);
    assert_eq!(HubProcess::start(command).end("TERM").0, Some(0));
    let again = (&["import", "--in", ARCHIVE][..], "already_imported", 4);
    refused(dir.path(), &store, again);
    let verified = done(dir.path(), &store, &["verify", "--in", ARCHIVE]);
    assert!(
        verified.starts_with(&format!("whole: {spaces} spaces")),
        "{verified}"
    );
    true
}
