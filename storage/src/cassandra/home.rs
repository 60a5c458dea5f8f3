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
    let asked = said(options, home);
    if let Some(recorded) = recorded(session, options, options.quorum()).await? {
        return agree(options, (recorded, asked));
    }
    let mut put = Statement::new(format!(
        "UPDATE {}.meta SET said = ? WHERE name = 'home' IF said = null",
        options.keyspace
    ));
    put.set_consistency(Consistency::Quorum);
    put.set_serial_consistency(Some(SerialConsistency::Serial));
    let put = session.query_unpaged(put, (&asked,)).await;
    put.map_err(|error| refused(&error))?;
    // Another may have been faster whose record is not in this datacenter yet.
    let recorded = recorded(session, options, Consistency::Serial).await?;
    agree(options, (there(recorded)?, asked))
}

/// Errors: another one is recorded. None is one that nobody has committed with.
pub(super) async fn check(
    session: &Session,
    options: &CassandraOptions,
    home: Option<&str>,
) -> Result<(), OpenError> {
    match recorded(session, options, options.quorum()).await? {
        Some(recorded) => agree(options, (recorded, said(options, home))),
        None => Ok(()),
    }
}

/// What is recorded, now that somebody recorded it.
fn there(recorded: Option<String>) -> Result<String, OpenError> {
    let gone = || "who agrees on commits was recorded, and the record is gone".to_owned();
    recorded.ok_or_else(|| OpenError::Server(gone()))
}

fn agree(options: &CassandraOptions, (recorded, asked): (String, String)) -> Result<(), OpenError> {
    match recorded == asked {
        true => Ok(()),
        false => Err(OpenError::Home {
            recorded,
            asked,
            keyspace: options.keyspace.clone(),
        }),
    }
}

async fn recorded(
    session: &Session,
    options: &CassandraOptions,
    level: Consistency,
) -> Result<Option<String>, OpenError> {
    let mut asked = Statement::new(format!(
        "SELECT said FROM {}.meta WHERE name = 'home'",
        options.keyspace
    ));
    asked.set_consistency(level);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_recorded_it_and_finds_nothing_does_not_begin() {
        assert!(matches!(there(None), Err(OpenError::Server(_))));
        let options = CassandraOptions::parse("cassandra://localhost/").unwrap();
        let said = |recorded: &str| {
            let recorded = there(Some(recorded.to_owned())).unwrap();
            agree(&options, (recorded, "local here".to_owned()))
        };
        assert!(said("local here").is_ok());
        assert!(matches!(said("local there"), Err(OpenError::Home { .. })));
    }
}
