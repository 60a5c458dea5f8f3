//! Servers that are not as they were, or not the ones to take.

use std::time::Duration;

use super::failures::{assert_whole, is_unknown, one_record, said, until_accepted};
use super::server::Server;
use super::{options, runtime};
use crate::Store;
use crate::conformance::space::Space;
use crate::postgres::{PostgresOptions, PostgresStore};

/// What is said of the whole server is read again while hubs run.
#[test]
fn nor_can_it_be_made_to_later() {
    let server = Server::start(&[]);
    runtime().block_on(async {
        let options = PostgresOptions::parse(server.url()).unwrap();
        let store = PostgresStore::open(&options).await.unwrap();
        let lent = store.committing.lend().await.unwrap();
        let (raw, connection) = tokio_postgres::connect(server.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        raw.batch_execute("ALTER SYSTEM SET synchronous_commit = off")
            .await
            .unwrap();
        let reloaded = raw.query_one("SELECT pg_reload_conf()", &[]).await.unwrap();
        assert!(reloaded.get::<_, bool>(0));
        let shown = async |client: &tokio_postgres::Client| {
            let shown = client.query_one("SHOW synchronous_commit", &[]).await;
            shown.unwrap().get::<_, String>(0)
        };
        let is_read = async { while shown(&raw).await != "off" {} };
        let is_read = tokio::time::timeout(Duration::from_secs(20), is_read).await;
        is_read.expect("the server does not read its file again");
        // A session reads it between two statements.
        for _ in 0..100 {
            assert_eq!(shown(&lent.connection.client).await, "on");
        }
    });
}

/// The machine of the first is off: it answers nothing, and refuses nothing.
#[test]
fn of_two_hosts_the_one_that_answers_is_taken() {
    runtime().block_on(async {
        let database = Server::shared().database().await;
        let silent = tokio::net::TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(1).unwrap();
        let address = silent.local_addr().unwrap();
        // It has all the connections that it keeps for later; of more it takes no notice.
        let mut waiting = Vec::new();
        let is_full = async {
            loop {
                let one = tokio::net::TcpStream::connect(address);
                match tokio::time::timeout(Duration::from_millis(500), one).await {
                    Ok(connected) => waiting.push(connected.unwrap()),
                    Err(_) => return,
                }
            }
        };
        is_full.await;
        let url = database.url().replacen("@", &format!("@{address},"), 1);
        let store = PostgresStore::open(&PostgresOptions::parse(&url).unwrap()).await;
        let store = store.expect("the second is never tried");
        assert!(store.spaces(None, 1).await.is_ok());
    });
}

/// As a primary is that became a replica.
#[test]
fn a_server_that_takes_no_writes_is_left_for_one_that_does() {
    runtime().block_on(async {
        let database = Server::shared().new_database().await;
        let store = PostgresStore::open(&options(&database)).await.unwrap();
        let mut space = Space::open(&store).await;
        space.put(&[("t", "a")]).await;
        let name = database.url().rsplit('/').next().unwrap().to_owned();
        let raw = database.raw().await;
        let read_only = format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on;
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        );
        raw.batch_execute(&read_only).await.unwrap();
        assert!(is_unknown(&space.commit(one_record(&space, "lost")).await));
        let why = said(store.space(&space.key).await);
        assert!(why.contains("writes"), "{why}");
        let writes = format!(
            "SET default_transaction_read_only = off;
             ALTER DATABASE {name} RESET default_transaction_read_only"
        );
        raw.batch_execute(&writes).await.unwrap();
        until_accepted(&store, "b").await;
        assert_eq!(assert_whole(&store).await, 2);
    });
}
