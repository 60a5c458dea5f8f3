//! Who agrees on commits: recorded in the keyspace by the first hub, so that no other agrees with others.
//!
//! What is agreed on by the nodes of one datacenter is not known in another. The record itself is
//! agreed on by all of them, once.

use scylla::client::session::Session;
use scylla::statement::{Consistency, SerialConsistency, Statement};

use super::connect::refused;
use super::options::{CassandraOptions, OpenError, Serial};
use super::value::Cells;

/// As it is recorded.
fn said(options: &CassandraOptions, home: Option<&str>) -> String {
    match options.serial {
        Serial::Local => format!("local {}", home.unwrap_or_default()),
        Serial::Global => "global".to_owned(),
    }
}

/// Records it, unless somebody did. Errors: also if that was something else.
pub(super) async fn keep(
    session: &Session,
    options: &CassandraOptions,
    home: Option<&str>,
) -> Result<(), OpenError> {
    if recorded(session, options).await?.is_none() {
        let mut put = Statement::new(format!(
            "UPDATE {}.meta SET said = ? WHERE name = 'home' IF said = null",
            options.keyspace
        ));
        put.set_consistency(Consistency::Quorum);
        put.set_serial_consistency(Some(SerialConsistency::Serial));
        let put = session.query_unpaged(put, (said(options, home),)).await;
        put.map_err(|error| refused(&error))?;
    }
    check(session, options, home).await
}

/// Errors: another one is recorded.
pub(super) async fn check(
    session: &Session,
    options: &CassandraOptions,
    home: Option<&str>,
) -> Result<(), OpenError> {
    let asked = said(options, home);
    match recorded(session, options).await? {
        Some(recorded) if recorded != asked => Err(OpenError::Home {
            recorded,
            asked,
            keyspace: options.keyspace.clone(),
        }),
        _ => Ok(()),
    }
}

async fn recorded(
    session: &Session,
    options: &CassandraOptions,
) -> Result<Option<String>, OpenError> {
    let mut asked = Statement::new(format!(
        "SELECT said FROM {}.meta WHERE name = 'home'",
        options.keyspace
    ));
    asked.set_consistency(options.quorum());
    let answer = session.query_unpaged(asked, ()).await;
    let answer = answer.map_err(|error| refused(&error))?;
    let rows = answer.into_rows_result().map_err(|error| refused(&error))?;
    let first = rows.maybe_first_row::<Cells<'_>>();
    let Some(cells) = first.map_err(|error| refused(&error))? else {
        return Ok(None);
    };
    let text = cells.bytes(0).map(|_| cells.text(0)).transpose();
    Ok(text.map_err(|error| refused(&error))?.map(str::to_owned))
}
