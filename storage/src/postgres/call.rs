//! What calls share: the space and what is asked of it, in one snapshot and one message.

use futures_util::future::join4;
use syncline_protocol::ids::SpaceKey;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::connection::Connection;
use super::error::Failure;
use super::space::{SpaceRow, opened};

/// Everything until the end is of one snapshot.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What takes as long as it takes.
pub(super) const BEGIN_PATIENT: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0";

/// The same of one snapshot.
pub(super) const BEGIN_PATIENT_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = 0";

pub(super) const END: &str = "COMMIT";

pub(super) const ROLLBACK: &str = "ROLLBACK";

/// What is asked of the store, but for commits.
pub(super) trait Call: Sync {
    /// What it returns.
    type Answer: Send;

    /// Asks. It may run twice, on two connections, the first time to an end that nobody knows,
    /// unless it is called by `call_patiently`.
    fn run(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// The space and the rows of one statement of which it is told the space's two names first. All
/// is sent before anything is answered.
pub(super) async fn space_and_rows(
    connection: &Connection,
    space: &SpaceKey,
    (statement, more): (&Statement, &[&(dyn ToSql + Sync)]),
) -> Result<(SpaceRow, Vec<Row>), Failure> {
    let client = &connection.client;
    let (app, name) = (space.app.as_str(), space.space.as_str());
    let names: [&(dyn ToSql + Sync); 2] = [&app, &name];
    let all = [&names[..], more].concat();
    // Each is sent when it is first polled, and they are polled in this order.
    let (began, found, rows, ended) = join4(
        client.batch_execute(BEGIN),
        client.query_opt(&connection.statements.find_space, &names),
        client.query(statement, &all),
        client.batch_execute(END),
    )
    .await;
    began?;
    let found = found?;
    let rows = rows?;
    ended?;
    let row = found.as_ref().map(SpaceRow::read).transpose()?;
    Ok((opened(row)?, rows))
}

/// Does `work` in a transaction. If it fails, nothing of it was done and the connection is as it
/// was, unless that is what failed.
pub(super) async fn transaction<T>(
    connection: &Connection,
    begin: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    connection.client.batch_execute(begin).await?;
    let done = work.await;
    let end = if done.is_ok() { END } else { ROLLBACK };
    connection.client.batch_execute(end).await?;
    done
}
