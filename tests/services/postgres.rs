//! A private PostgreSQL for the tests of one binary; `postgres.sh` beside this file runs it.
//!
//! Included by path where it is needed. The server ends with the test binary, however that ends.
//! A server that does not start fails the test that asked.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_postgres::{Client, NoTls};

#[path = "script.rs"]
pub(crate) mod script;

use self::script::Service;

/// What a store left. Much faster than defining everything again.
const EMPTY: &str = "SET lock_timeout = 1000;
    DELETE FROM syncline.spaces; DELETE FROM syncline.record_states; DELETE FROM syncline.clients;
    DELETE FROM syncline.verdicts; DELETE FROM syncline.dead_letters;
    DELETE FROM syncline.imports; DELETE FROM syncline.job_queues; DELETE FROM syncline.jobs;
    DELETE FROM syncline.ledger_accounts; DELETE FROM syncline.ledger_lines;
    DELETE FROM syncline.ledger_keys; DELETE FROM syncline.ledger_reservations";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Of the database `postgres`.
    url: String,
    service: Service,
    /// How many databases were made, and those nobody uses now.
    databases: Mutex<(usize, Vec<String>)>,
}

impl Server {
    /// The one of this binary.
    pub(crate) fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::start(&[]))
    }

    /// One of its own, for a test that breaks it, with settings such as `wal_buffers=64MB`;
    /// before them may stand `--tls` and the files of a certificate and its key.
    pub(crate) fn start(settings: &[&str]) -> Server {
        let (service, url) = Service::run("postgres.sh", settings, "postgres://");
        Server {
            url,
            service,
            databases: Mutex::default(),
        }
    }

    /// Of the database `postgres`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        let (_, rest) = self.url.split_once('@').expect("a user");
        rest.split('/').next().expect("an address")
    }

    /// Gives the script a command, and waits until it is done: `crash`, `start`, `pause` or
    /// `resume`.
    pub(crate) fn tell(&self, command: &str) {
        self.service.tell(command);
    }

    /// A new database, empty, for a test that leaves another schema.
    pub(crate) async fn new_database(&'static self) -> Database {
        let name = {
            let mut databases = lock(&self.databases);
            databases.0 += 1;
            format!("test{}", databases.0)
        };
        let create = format!("CREATE DATABASE {name}");
        let client = connect(&self.url).await;
        client.batch_execute(&create).await.expect("a database");
        Database {
            name,
            server: self,
            reused: false,
        }
    }

    /// A database without spaces that nobody else uses. It may hold the schema already.
    pub(crate) async fn database(&'static self) -> Database {
        loop {
            let free = lock(&self.databases).1.pop();
            let Some(name) = free else { break };
            let emptied = connect(&self.url_of(&name))
                .await
                .batch_execute(EMPTY)
                .await;
            if emptied.is_ok() {
                return Database {
                    name,
                    server: self,
                    reused: true,
                };
            }
        }
        let mut database = self.new_database().await;
        database.reused = true;
        database
    }

    fn url_of(&self, database: &str) -> String {
        let (server, _) = self.url.rsplit_once('/').expect("a database");
        format!("{server}/{database}")
    }
}

/// A database of one test.
#[derive(Debug)]
pub(crate) struct Database {
    name: String,
    server: &'static Server,
    /// Others take it when it is dropped.
    reused: bool,
}

impl Database {
    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.server.url_of(&self.name)
    }

    /// Another program's connection to it.
    pub(crate) async fn raw(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What a failed test left may still be at work in it.
        if self.reused && !std::thread::panicking() {
            lock(&self.server.databases).1.push(self.name.clone());
        }
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the server answers");
    // It ends with the client; what it ends with, the client is told too.
    tokio::spawn(async move { drop(connection.await) });
    client
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
