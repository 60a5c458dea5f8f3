//! TLS to the server, and nobody else in its place.

use std::path::Path;

use syncline_storage::Store;
use syncline_storage::postgres::{OpenError, PostgresOptions, PostgresStore};
use syncline_tests::certificate::{ONE, OTHER};
use syncline_tests::load::space_key;
use tokio_postgres::NoTls;

use super::server::Server;

/// Of the server's connections, how many are encrypted.
const ENCRYPTED: &str = "SELECT count(*) FROM pg_stat_ssl WHERE ssl";

async fn open(url: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(&PostgresOptions::parse(url).unwrap()).await
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn only_a_server_whose_certificate_is_trusted_is_spoken_to() {
    let dir = tempfile::tempdir().unwrap();
    let cert = write(dir.path(), "one.crt", ONE.cert);
    let key = write(dir.path(), "one.key", ONE.key);
    let other = write(dir.path(), "other.crt", OTHER.cert);
    let server = Server::start(&["--tls", &cert, &key]);
    let url = server.url();
    let store = open(&format!("{url}?sslrootcert={cert}")).await.unwrap();
    store.open_space(&space_key(0), 0).await.unwrap();
    let (raw, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let encrypted = raw.query_one(ENCRYPTED, &[]).await.unwrap();
    assert!(encrypted.get::<_, i64>(0) > 0);
    for untrusted in [format!("sslrootcert={other}"), "sslmode=require".to_owned()] {
        let refused = open(&format!("{url}?{untrusted}")).await.unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("certificate"), "{untrusted}: {said}");
    }
    let empty = write(dir.path(), "empty.crt", "");
    let refused = open(&format!("{url}?sslrootcert={empty}"))
        .await
        .unwrap_err();
    assert!(matches!(refused, OpenError::Tls(_)), "{refused}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let database = Server::shared().database().await;
    let refused = open(&format!("{}?sslmode=require", database.url())).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("TLS"), "{said}");
}
