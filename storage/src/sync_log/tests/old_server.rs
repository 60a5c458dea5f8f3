//! The old server's database, as it leaves it, and what a store holds.

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use super::super::{Log, LogImportError, LogJob, Summary, import};
use super::{LIMITS, NOW};
use crate::archive::PAGE;
use crate::faulty::Prng;
use crate::postgres::tests::server::{Database, Server};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::transfer::{Part, Sent, Transfer};
use crate::types::PageLimit;

/// Its own says NOT NULL almost everywhere and which ops there are; others kept theirs otherwise.
const TABLE: &str = "CREATE TABLE sync_changes(
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), app_id text, table_name text, record_id text,
    user_id text, op text, data jsonb, field_timestamps jsonb DEFAULT '{}', client_id text,
    created_at timestamptz DEFAULT now())";

const ROW: &str = "INSERT INTO sync_changes(app_id, user_id, table_name, record_id, op, data,
        field_timestamps, client_id, created_at)
    VALUES($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9::text::timestamptz)";

/// App, user, table, id, op, data, stamps, client, arrival.
pub(super) type Row<'a> = [&'a str; 9];

pub(super) struct OldServer {
    pub(super) database: Database,
    pub(super) client: Client,
}

impl OldServer {
    pub(super) async fn with(rows: &[Row<'_>]) -> OldServer {
        let database = Server::shared().new_database().await;
        let client = database.raw().await;
        client.batch_execute(TABLE).await.unwrap();
        let server = OldServer { database, client };
        server.add(rows).await;
        server
    }

    pub(super) async fn add(&self, rows: &[Row<'_>]) {
        for row in rows {
            let row: Vec<_> = row.iter().map(|text| text as _).collect();
            self.client.execute(ROW, &row).await.unwrap();
        }
    }

    /// Removes what a user wrote.
    pub(super) async fn remove(&self, user: &str) {
        let remove = "DELETE FROM sync_changes WHERE user_id = $1";
        self.client.execute(remove, &[&user]).await.unwrap();
    }

    pub(super) async fn log(&self) -> Log {
        Log::open(&self.database.url()).await.unwrap()
    }

    pub(super) async fn import(&self, into: &dyn Transfer) -> Result<Summary, LogImportError> {
        import(&self.log().await, into, (JOB, &mut |_| {})).await
    }
}

pub(super) const JOB: LogJob = LogJob {
    limits: LIMITS,
    page: PAGE,
    now_ms: NOW,
};

/// The same with pages that are soon full.
pub(super) const SMALL_PAGES: LogJob = LogJob {
    page: PageLimit {
        records: 2,
        bytes: 200,
    },
    ..JOB
};

pub(super) fn sqlite() -> (TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db")));
    (dir, store.unwrap())
}

pub(super) fn space(app: &str, user: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted(app),
        space: SpaceId::trusted(user),
    }
}

/// All of a space, the row of it but for its epoch.
pub(super) async fn held(store: &dyn Transfer, key: &SpaceKey) -> (Option<Sent>, Vec<Part>) {
    let (to, mut parts) = mpsc::channel(1_000);
    store.export_space(key, PAGE, to).await.unwrap();
    let mut space = parts.recv().await;
    if let Some(Sent::Space(image)) = &mut space {
        image.view.epoch = syncline_protocol::ids::Epoch(0);
    }
    let mut held = Vec::new();
    while let Some(Sent::Part(part)) = parts.recv().await {
        held.push(part);
    }
    (space, held)
}

/// All of a store.
pub(super) async fn everything(store: &dyn Transfer) -> Vec<(Option<Sent>, Vec<Part>)> {
    let mut all = Vec::new();
    for key in store.exported_spaces(None, 1_000).await.unwrap() {
        all.push(held(store, &key).await);
    }
    all
}

/// What the store shows of a record: `None` if it is not live.
pub(super) async fn shown(store: &dyn Transfer, key: &SpaceKey, id: &str) -> Option<String> {
    let parts = held(store, key).await.1;
    let records = parts.into_iter().filter_map(|part| match part {
        Part::Records(records) => Some(records),
        _ => None,
    });
    let mut records = records.flatten();
    let image = records.find(|image| image.key.id.as_str() == id)?;
    let mut text = String::new();
    syncline_protocol::delta::write_data(&mut text, &image.record);
    image.record.is_live().then_some(text)
}

/// A log of many devices: users, apps, conflicts, deletes, equal times, odd rows.
pub(super) fn some_log(seed: u64) -> Vec<[String; 9]> {
    let mut random = Prng::new(seed);
    let rows = 0..120;
    rows.map(|no| {
        let mut one = |of: &[&str]| of[random.below(of.len() as u64) as usize].to_owned();
        let app = one(&["todo", "contacts", "no\u{1}app"]);
        let (user, client) = (one(&["ada", "bob", "cy"]), one(&["d1", "d2", "key:x", ""]));
        let (table, id) = (one(&["tasks", "labels"]), one(&["k1", "k2", "k3", "k4"]));
        let op = one(&["insert", "update", "update", "delete", "upsert"]);
        let second = random.below(40);
        let time = super::at(second);
        let data = match op.as_str() {
            "delete" => format!(r#"{{"deletedAt": "{time}"}}"#),
            "insert" => format!(r#"{{"a": {no}, "b": 0, "updatedAt": "{time}"}}"#),
            _ if no % 17 == 0 => "[1]".to_owned(),
            _ => format!(r#"{{"a": {no}}}"#),
        };
        let stamps = match op.as_str() {
            "update" => format!(r#"{{"a": "{time}"}}"#),
            _ => "{}".to_owned(),
        };
        let arrived = super::at(40 + random.below(30));
        [app, user, table, id, op, data, stamps, client, arrived]
    })
    .collect()
}

pub(super) fn borrowed(rows: &[[String; 9]]) -> Vec<Row<'_>> {
    rows.iter()
        .map(|row| std::array::from_fn(|column| row[column].as_str()))
        .collect()
}
