//! What tests ask of a server beside the engine's own statements.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use syncline_protocol::ids::SpaceKey;

use super::{CassandraOptions, Level, Server, Session, Text, connect, schema};
use crate::cassandra::reads;
use crate::cassandra::value::Cells;
use crate::transfer::hex;
use crate::types::{Commit, Stood};

/// What was asked of the cluster.
#[derive(Debug, Default)]
pub(in crate::cassandra) struct Counted {
    asked: AtomicUsize,
    serial: AtomicUsize,
    batches: AtomicUsize,
    whole_rows: AtomicUsize,
    rows: AtomicUsize,
    most_rows: AtomicUsize,
}

impl Counted {
    pub(super) fn answer(&self, (text, level): (Text, Level), rows: usize) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if level == Level::Serial {
            self.serial.fetch_add(1, Ordering::Relaxed);
        }
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.most_rows.fetch_max(rows, Ordering::Relaxed);
        if matches!(text, Text::Range | Text::At) {
            self.whole_rows.fetch_add(rows, Ordering::Relaxed);
        }
    }

    pub(super) fn batch(&self) {
        self.batches.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads of now, which replicas agree on; reads of hints; and batches.
    pub(in crate::cassandra) fn by_level(&self) -> [usize; 3] {
        let [asked, batches] = self.statements();
        let serial = self.serial.load(Ordering::Relaxed);
        [serial, asked - serial, batches]
    }

    /// Rows that were read.
    pub(in crate::cassandra) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// The most rows of an answer since this was last asked.
    pub(in crate::cassandra) fn most_rows(&self) -> usize {
        self.most_rows.swap(0, Ordering::Relaxed)
    }

    /// Whole records that were read.
    pub(in crate::cassandra) fn whole_rows(&self) -> usize {
        self.whole_rows.load(Ordering::Relaxed)
    }

    /// Reads, and batches.
    pub(in crate::cassandra) fn statements(&self) -> [usize; 2] {
        [&self.asked, &self.batches].map(|count| count.load(Ordering::Relaxed))
    }
}

/// What every commit says of how its records stood, whatever it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cassandra) enum Told {
    #[default]
    AsItIs,
    /// As they stand when it is handed in.
    Right,
    /// That they live since the last commit, whether they do or not.
    Wrong,
}

impl Server {
    /// From now on.
    pub(in crate::cassandra) fn tell(&self, told: Told) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// The commit with what it is to say.
    pub(in crate::cassandra) async fn telling(&self, commit: &Commit) -> Commit {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut commit = commit.clone();
        let keys: Vec<_> = commit.records.iter().map(|(key, _)| key.clone()).collect();
        match told {
            Told::AsItIs => {}
            Told::Wrong => commit.stood = vec![Stood::Live(commit.expect_head); keys.len()],
            Told::Right => {
                let asked = (&keys[..], usize::MAX);
                if let Ok(read) = reads::records(self, &commit.space, asked).await {
                    let records = read.records.iter();
                    commit.stood = records.map(|one| Stood::of(one.as_ref())).collect();
                }
            }
        }
        commit
    }

    /// Has the keyspace be as a program of before knew it.
    pub(in crate::cassandra) async fn before(options: &CassandraOptions, known: usize) {
        let connected = connect(options).await.expect("it connects");
        let taken = schema::migrate_as_before(&connected, options, known).await;
        taken.expect("the steps are taken");
    }

    /// From now on an answer may take so long.
    pub(in crate::cassandra) fn wait_for_answers(&self, timeout: Duration) {
        let mut handle = self.session.get_default_execution_profile_handle().clone();
        let profile = handle.pointee_to_builder();
        handle.map_to_another_profile(profile.request_timeout(Some(timeout)).build());
    }

    /// A statement of a test's; `KS` stands for the keyspace.
    pub(in crate::cassandra) async fn raw(&self, statement: &str) {
        let statement = statement.replace("KS", &self.options.keyspace);
        self.session
            .query_unpaged(statement, ())
            .await
            .expect("it is done");
    }

    pub(in crate::cassandra) fn session(&self) -> &Session {
        &self.session
    }

    /// The first cells of the rows of a test's statement, each a number.
    pub(in crate::cassandra) async fn raw_rows(&self, statement: &str) -> Vec<Vec<i64>> {
        let statement = statement.replace("KS", &self.options.keyspace);
        let found = self.session.query_unpaged(statement, ()).await;
        let found = found.expect("it answers").into_rows_result().expect("rows");
        let numbers = |cells: Cells<'_>| {
            let numbers = (0..).map_while(|at| cells.number(at).ok().flatten());
            numbers.collect()
        };
        let rows = found.rows::<Cells<'_>>().expect("rows");
        rows.map(|cells| numbers(cells.expect("cells"))).collect()
    }

    pub(in crate::cassandra) async fn head(&self, space: &SpaceKey) -> syncline_protocol::ids::Seq {
        let found = crate::cassandra::space::opened(self, space)
            .await
            .expect("it is there");
        found.view.head
    }

    /// The tables that are seen, each with its id.
    pub(in crate::cassandra) async fn tables(&self) -> Vec<(String, String)> {
        let keyspace = &self.options.keyspace;
        let listed = format!(
            "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '{keyspace}'"
        );
        let found = self.session.query_unpaged(listed, ()).await;
        let found = found.expect("it answers").into_rows_result().expect("rows");
        let rows = found.rows::<Cells<'_>>().expect("rows");
        let table = |cells: Cells<'_>| {
            let id = cells.bytes(1).expect("an id");
            (cells.text(0).expect("a name").to_owned(), hex(id))
        };
        rows.map(|cells| table(cells.expect("cells"))).collect()
    }

    /// How the files of a table are merged.
    pub(in crate::cassandra) async fn compaction(&self, table: &str) -> String {
        let keyspace = &self.options.keyspace;
        let asked = format!(
            "SELECT compaction FROM system_schema.tables WHERE keyspace_name = '{keyspace}' \
             AND table_name = '{table}'"
        );
        let found = self.session.query_unpaged(asked, ()).await;
        let found = found.expect("it answers").into_rows_result().expect("rows");
        let (compaction,) = found
            .first_row::<(std::collections::HashMap<String, String>,)>()
            .expect("a map");
        compaction["class"].clone()
    }

    /// Makes the keyspace, and nothing in it.
    pub(in crate::cassandra) async fn empty_keyspace(options: &CassandraOptions) {
        let connected = connect(options).await.expect("it connects");
        let made = schema::make_keyspace(&connected, options).await;
        made.expect("it is made");
    }

    /// Removes what a test left.
    pub(in crate::cassandra) async fn empty(&self) {
        self.tell(Told::default());
        self.interludes.clear();
        let keyspace = &self.options.keyspace;
        let found = self
            .session
            .query_unpaged(
                format!("SELECT DISTINCT app, space FROM {keyspace}.spaces"),
                (),
            )
            .await
            .expect("it answers");
        let found = found.into_rows_result().expect("rows");
        for row in found.rows::<(String, String)>().expect("two texts") {
            let (app, space) = row.expect("two texts");
            // As every write of it is: a deletion by the clock could be older than what it is to remove.
            let clear = format!(
                "BEGIN UNLOGGED BATCH
                UPDATE {keyspace}.spaces SET importing = null WHERE app = ? AND space = ? IF epoch != -1;
                DELETE FROM {keyspace}.spaces WHERE app = ? AND space = ?;
                APPLY BATCH"
            );
            self.session
                .query_unpaged(clear, (&app, &space, &app, &space))
                .await
                .expect("it is emptied");
            let clear = format!("DELETE FROM {keyspace}.names WHERE space = ?");
            self.session
                .query_unpaged(clear, (&space,))
                .await
                .expect("it is emptied");
        }
        for (table, place) in [
            ("turns", "kind, shard"),
            ("dead", "kind"),
            ("dead_jobs", "kind"),
        ] {
            let listed = format!("SELECT DISTINCT {place} FROM {keyspace}.{table}");
            let found = self.session.query_unpaged(listed, ()).await;
            let found = found.expect("it answers").into_rows_result().expect("rows");
            for cells in found.rows::<Cells<'_>>().expect("rows") {
                let cells = cells.expect("cells");
                let kind = cells.text(0).expect("a text");
                let clear = match cells.number(1).expect("a number") {
                    Some(shard) => format!("kind = '{kind}' AND shard = {shard}"),
                    None => format!("kind = '{kind}'"),
                };
                self.raw(&format!("DELETE FROM KS.{table} WHERE {clear}"))
                    .await;
            }
        }
        self.empty_ledger().await;
        let clear = format!(
            "BEGIN UNLOGGED BATCH
            UPDATE {keyspace}.imports SET bringing = null WHERE part = 'imports' IF run != -1;
            DELETE FROM {keyspace}.imports WHERE part = 'imports';
            APPLY BATCH"
        );
        self.session
            .query_unpaged(clear, ())
            .await
            .expect("it is emptied");
    }

    /// The first cells of the rows of a test's statement, as they came.
    pub(in crate::cassandra) async fn raw_blobs(&self, statement: &str) -> Vec<Vec<u8>> {
        let statement = statement.replace("KS", &self.options.keyspace);
        let found = self.session.query_unpaged(statement, ()).await;
        let found = found.expect("it answers").into_rows_result().expect("rows");
        let rows = found.rows::<(Vec<u8>,)>().expect("a blob");
        rows.map(|row| row.expect("a blob").0).collect()
    }

    async fn empty_ledger(&self) {
        let keyspace = &self.options.keyspace;
        let listed = format!("SELECT DISTINCT number FROM {keyspace}.ledger");
        let found = self.session.query_unpaged(listed, ()).await;
        let found = found.expect("it answers").into_rows_result().expect("rows");
        for row in found.rows::<(Vec<u8>,)>().expect("a blob") {
            let (number,) = row.expect("a blob");
            let clear = format!(
                "BEGIN UNLOGGED BATCH
                UPDATE {keyspace}.ledger SET closed = null WHERE number = ? IF last_write != -1;
                DELETE FROM {keyspace}.ledger WHERE number = ?;
                APPLY BATCH"
            );
            let cleared = self.session.query_unpaged(clear, (&number, &number)).await;
            cleared.expect("it is emptied");
        }
        let listed = format!("SELECT owner FROM {keyspace}.ledger_owners");
        let found = self.session.query_unpaged(listed, ()).await;
        let found = found.expect("it answers").into_rows_result().expect("rows");
        if found.rows_num() == 0 {
            // Who has a hint has an owner.
            return;
        }
        for row in found.rows::<(String,)>().expect("a text") {
            let (owner,) = row.expect("a text");
            let clear = format!("DELETE FROM {keyspace}.ledger_owners WHERE owner = ? IF EXISTS");
            let cleared = self.session.query_unpaged(clear, (&owner,)).await;
            cleared.expect("it is emptied");
        }
        for (what, shard) in crate::cassandra::ledger::shards_of_hints() {
            let clear = format!("what = {what} AND shard = {shard}");
            self.raw(&format!("DELETE FROM KS.ledger_hints WHERE {clear}"))
                .await;
        }
    }
}
