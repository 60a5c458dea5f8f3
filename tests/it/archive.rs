//! Everything of a store as a file, and devices that go on with another store.

mod command;
mod damaged;
mod moving;
mod new_epoch;
mod restoring;
mod survivor;

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use syncline_hub::config::StoreUrl;
use syncline_tests::node::{Setup, TestNode};
use tempfile::TempDir;

use crate::process::hub;

/// The archive in a directory.
const ARCHIVE: &str = "all.jsonl";

/// A node on a store.
pub(crate) async fn node_on(store: StoreUrl) -> TestNode {
    let mut setup = Setup::default();
    setup.config.store.url = Some(store);
    TestNode::start_with(setup).await
}

/// A node on the file `hub.db` of a directory.
pub(crate) async fn node_in(dir: &Arc<TempDir>) -> TestNode {
    let setup = Setup {
        dir: Some(dir.clone()),
        ..Setup::default()
    };
    TestNode::start_with(setup).await
}

pub(crate) fn directory() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

/// The URL of a node's file.
pub(crate) fn file_of(dir: &Path) -> String {
    format!("sqlite:{}", dir.join("hub.db").display())
}

/// Runs the program on a store, in a directory.
pub(crate) fn run(dir: &Path, store: &str, args: &[&str]) -> Output {
    let mut command = hub(dir, args);
    command.env("HUB__STORE__URL", store).output().unwrap()
}

/// The same; it must do what it is asked. Returns what it says.
pub(crate) fn done(dir: &Path, store: &str, args: &[&str]) -> String {
    let output = run(dir, store, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same; it must refuse with this code. Returns the whole sentence.
pub(crate) fn refused(dir: &Path, store: &str, (args, code, exit): (&[&str], &str, i32)) -> String {
    let output = run(dir, store, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {said}");
    let sentence = said.lines().last().unwrap_or_default().to_owned();
    assert!(sentence.starts_with(&format!("hub: {code}: ")), "{said}");
    sentence
}

fn export(dir: &Path, store: &str) -> String {
    done(dir, store, &["export", "--out", ARCHIVE])
}

fn import(dir: &Path, store: &str) -> String {
    done(dir, store, &["import", "--in", ARCHIVE])
}
