//! Addresses of stores.

use super::*;

#[test]
fn store_urls_of_no_engine_are_refused() {
    for url in ["sqlite:", "sqlite::memory:", "mysql://x", "/tmp/hub.db"] {
        let said = refused("", &[("HUB__STORE__URL", url)]);
        assert!(said.contains("HUB__STORE__URL"), "{said}");
    }
}

#[test]
fn sqlite_may_keep_neither_nothing_nor_everything() {
    for (kib, is_good) in [
        ("255", false),
        ("256", true),
        ("16777216", true),
        ("16777217", false),
    ] {
        let env = [("HUB__STORE__SQLITE_CACHE_KIB", kib)];
        if is_good {
            let config = load("", &env).unwrap();
            assert_eq!(config.store.sqlite_cache_kib.to_string(), kib);
        } else {
            assert!(refused("", &env).contains("HUB__STORE__SQLITE_CACHE_KIB"));
        }
    }
}

#[test]
fn behind_sqlite_stands_the_path_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let directory = format!("sqlite:{}", dir.path().display());
    for (url, why) in [
        ("sqlite:file:hub.db", "no URI"),
        ("sqlite:file::memory:", "no URI"),
        ("sqlite:file:x?mode=memory&cache=shared", "no URI"),
        ("sqlite://data/hub.db", "right behind sqlite:"),
        ("sqlite:///data/hub.db", "right behind sqlite:"),
        ("sqlite:.", "directory"),
        ("sqlite:..", "directory"),
        ("sqlite:/", "directory"),
        ("sqlite:./not-there/", "directory"),
        (&directory, "directory"),
    ] {
        let said = refused("", &[("HUB__STORE__URL", url)]);
        assert!(said.contains(why), "{url}: {said}");
    }
    for url in ["sqlite:hub.db", "sqlite:./files:x", "sqlite:/a/b?c=d"] {
        assert!(load("", &[("HUB__STORE__URL", url)]).is_ok(), "{url}");
    }
}

#[test]
fn a_database_that_could_not_be_reached_is_refused_without_its_password() {
    for (url, why) in [
        ("postgres://u:secret@db:port/hub", "cannot be read"),
        ("postgres:///hub", "names no host"),
        (
            "postgres://u:secret@db/hub?sslmode=prefer",
            "must be disable",
        ),
        (
            "cassandra://u:secret@db:port/hub",
            "a port that is no number",
        ),
        ("cassandra://u:secret@/hub", "names no host"),
        (
            "scylla://u:secret@db/hub?serial=none",
            "must be local or global",
        ),
    ] {
        let said = refused("", &[("HUB__STORE__URL", url)]);
        assert!(said.contains(why) && !said.contains("secret"), "{said}");
    }
    let url = "cassandra://u:secret@a:9042,b/hub?datacenter=dc1&replication=dc1:3";
    assert!(load("", &[("HUB__STORE__URL", url)]).is_ok());
}
