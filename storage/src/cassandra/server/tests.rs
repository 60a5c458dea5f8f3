//! What tests ask of a server beside the engine's own statements.

use syncline_protocol::ids::SpaceKey;

use super::{CassandraOptions, Level, Server, Session, Text, connect, schema};
use crate::cassandra::value::Cells;

impl Server {
    /// Has the keyspace be as a program of before knew it.
    pub(in crate::cassandra) async fn before(options: &CassandraOptions, known: usize) {
        let connected = connect(options).await.expect("it connects");
        let taken = schema::migrate_as_before(&connected, options, known).await;
        taken.expect("the steps are taken");
    }

    pub(in crate::cassandra) fn statement(
        &self,
        text: Text,
        level: Level,
    ) -> &scylla::statement::prepared::PreparedStatement {
        self.statements.reading(text, level)
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

    /// Removes what a test left.
    pub(in crate::cassandra) async fn empty(&self) {
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
}
