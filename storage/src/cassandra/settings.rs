//! What the servers were set to, as far as a promise depends on it. It is told in the log: a hub runs all
//! the same, and of each cluster only the node that answers is asked.

use scylla::client::session::Session;
use scylla::statement::{Consistency, Statement};
use tracing::warn;

use super::connect::Connected;
use super::value::Cells;

/// Whether a commit log that is synced so has what was answered after its machine lost power.
fn is_durable(commitlog_sync: &str) -> bool {
    matches!(commitlog_sync, "batch" | "group")
}

/// Warns of what an operator should know.
pub(super) async fn warn_of(connected: &Connected, keyspace: &str) {
    let session = &connected.session;
    if let Some(sync) = commitlog_sync(session).await
        && !is_durable(&sync)
    {
        warn!(
            commitlog_sync = sync,
            "an acknowledged commit may be lost if one machine of the cluster loses power: set \
             commitlog_sync to batch or group"
        );
    }
    if connected.datacenters.len() > 1 && is_simple(session, keyspace).await {
        warn!(
            keyspace,
            "the keyspace has SimpleStrategy, which does not know datacenters: alter it to \
             NetworkTopologyStrategy, and repair"
        );
    }
}

/// `None` where it is not told, as by ScyllaDB.
pub(super) async fn commitlog_sync(session: &Session) -> Option<String> {
    let asked = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'";
    first(session, asked.to_owned()).await
}

async fn is_simple(session: &Session, keyspace: &str) -> bool {
    let asked = format!(
        "SELECT replication['class'] FROM system_schema.keyspaces \
         WHERE keyspace_name = '{keyspace}'"
    );
    let class = first(session, asked).await;
    class.is_some_and(|class| class.ends_with("SimpleStrategy"))
}

/// The first cell, a text.
async fn first(session: &Session, asked: String) -> Option<String> {
    let mut asked = Statement::new(asked);
    asked.set_consistency(Consistency::One);
    let answer = session.query_unpaged(asked, ()).await.ok()?;
    let rows = answer.into_rows_result().ok()?;
    let cells = rows.maybe_first_row::<Cells<'_>>().ok()??;
    let text = cells.text(0).ok()?;
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_that_is_synced_before_the_answer_is_durable() {
        let durable = ["batch", "group"].map(is_durable);
        let others = ["periodic", ""].map(is_durable);
        assert_eq!((durable, others), ([true, true], [false, false]));
    }
}
