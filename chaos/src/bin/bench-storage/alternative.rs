//! What an application would do without a hub: one autocommitted insert a change. It only
//! appends: nothing is tested, merged or answered twice.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::Connection;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use syncline_protocol::delta::write_data;
use syncline_protocol::ids::{Seq, WriterNo};
use syncline_storage::faulty::Prng;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Statement};

use super::engine::{Database, Engine, connect, place};
use super::fill::{SPACE_RECORDS, SPACES, record_key, space_key, task};
use super::server::Server;
use super::timing::{Load, Measured, Times};

/// Connections of the application to Postgres.
const CONNECTIONS: usize = 16;

const SQLITE_TABLE: &str = "CREATE TABLE IF NOT EXISTS plain_changes(
    no INTEGER PRIMARY KEY, space TEXT NOT NULL, tbl TEXT NOT NULL, id TEXT NOT NULL,
    data TEXT NOT NULL) STRICT; CREATE INDEX IF NOT EXISTS plain_space ON plain_changes(space, no)";

const SQLITE_INSERT: &str =
    "INSERT INTO plain_changes(space, tbl, id, data) VALUES(?1, ?2, ?3, ?4)";

const POSTGRES_TABLE: &str = "CREATE TABLE IF NOT EXISTS plain_changes(
    no bigserial PRIMARY KEY, space text NOT NULL, tbl text NOT NULL, id text NOT NULL,
    data jsonb NOT NULL); CREATE INDEX IF NOT EXISTS plain_space ON plain_changes(space, no)";

const POSTGRES_INSERT: &str =
    "INSERT INTO plain_changes(space, tbl, id, data) VALUES($1, $2, $3, $4::text::jsonb)";

const CASSANDRA_TABLE: &str = "CREATE TABLE IF NOT EXISTS KS.plain_changes(
    space text, no timeuuid, tbl text, id text, data text, PRIMARY KEY (space, no))";

const CASSANDRA_INSERT: &str =
    "INSERT INTO KS.plain_changes(space, no, tbl, id, data) VALUES(?, now(), ?, ?, ?)";

/// Where inserts go.
#[derive(Clone)]
enum Way {
    Sqlite(Arc<Mutex<Connection>>),
    Postgres(Arc<(Client, Statement)>),
    Cassandra(Arc<(Session, PreparedStatement)>),
}

/// Runs the load.
pub(crate) async fn run(engine: &Engine, load: Load) -> anyhow::Result<Measured> {
    let ways = match &engine.database {
        Database::File { path, .. } => {
            let conn = Connection::open(path)?;
            conn.pragma_update(None, "synchronous", "FULL")?;
            conn.busy_timeout(load.lasts)?;
            conn.execute_batch(SQLITE_TABLE)?;
            vec![Way::Sqlite(Arc::new(Mutex::new(conn)))]
        }
        Database::Server(server) => postgres_ways(server, load).await?,
        Database::Cluster { url, .. } => cassandra_ways(url, load).await?,
    };
    // A session waits for its connection like any user of a pool.
    let ways: Vec<_> = ways
        .into_iter()
        .map(|way| Arc::new(AsyncMutex::new(way)))
        .collect();
    let began = Instant::now();
    let mut running = JoinSet::new();
    for n in 0..load.sessions {
        running.spawn(session(ways[n % ways.len()].clone(), (load, n as u64)));
    }
    let mut times = Vec::new();
    while let Some(ended) = running.join_next().await {
        times.push(ended??);
    }
    Ok(Measured::new(times, began.elapsed()))
}

async fn postgres_ways(server: &Server, load: Load) -> anyhow::Result<Vec<Way>> {
    let mut ways = Vec::new();
    connect(server).await?.batch_execute(POSTGRES_TABLE).await?;
    for _ in 0..CONNECTIONS.min(load.sessions) {
        let client = connect(server).await?;
        let insert = client.prepare(POSTGRES_INSERT).await?;
        ways.push(Way::Postgres(Arc::new((client, insert))));
    }
    Ok(ways)
}

/// The driver sends what many ask on few connections: each session has a way.
async fn cassandra_ways(url: &str, load: Load) -> anyhow::Result<Vec<Way>> {
    let (address, keyspace) = place(url)?;
    let session = SessionBuilder::new().known_node(address).build().await?;
    let define = CASSANDRA_TABLE.replace("KS", keyspace);
    session.query_unpaged(define, ()).await?;
    let insert = session
        .prepare(CASSANDRA_INSERT.replace("KS", keyspace))
        .await?;
    let way = Way::Cassandra(Arc::new((session, insert)));
    Ok(vec![way; load.sessions])
}

async fn session(way: Arc<AsyncMutex<Way>>, (load, seed): (Load, u64)) -> anyhow::Result<Times> {
    let mut random = Prng::new(seed);
    let mut times = Times::default();
    let began = Instant::now();
    while began.elapsed() < load.lasts {
        let space = space_key(random.below(SPACES as u64) as usize).space;
        let first = random.below(SPACE_RECORDS as u64) as usize;
        let one = Instant::now();
        for at in 0..load.changes {
            let n = (first + at) % SPACE_RECORDS;
            let mut data = String::new();
            write_data(&mut data, &task(n, Seq(1), WriterNo(1)));
            let key = record_key(n);
            let way = way.lock().await;
            insert(
                &way,
                [space.as_str(), key.table.as_str(), key.id.as_str(), &data],
            )
            .await?;
        }
        times.note(one);
    }
    Ok(times)
}

async fn insert(way: &Way, [space, table, id, data]: [&str; 4]) -> anyhow::Result<()> {
    match way {
        Way::Sqlite(conn) => tokio::task::block_in_place(|| {
            let conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
            conn.prepare_cached(SQLITE_INSERT)?
                .execute([space, table, id, data])
        })
        .map(drop)?,
        Way::Postgres(way) => {
            let (client, statement) = &**way;
            client
                .execute(statement, &[&space, &table, &id, &data])
                .await?;
        }
        Way::Cassandra(way) => {
            let (session, statement) = &**way;
            let values = (space, table, id, data);
            session.execute_unpaged(statement, values).await?;
        }
    }
    Ok(())
}
