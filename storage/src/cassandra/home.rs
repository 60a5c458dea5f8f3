//! Who agrees on commits: recorded in the keyspace by the first hub, so that no other agrees with others.
//!
//! What is agreed on by the nodes of one datacenter is not known in another. The record itself is
//! agreed on by all of them, once. Where that of a datacenter that is lost stands in the way, another one takes
//! its place if that is said, and only once the keyspace has no copies elsewhere.

use std::collections::HashMap;

use scylla::client::session::Session;
use scylla::statement::{Consistency, SerialConsistency, Statement};
use tracing::warn;

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
    let found = recorded(session, options, options.quorum()).await?;
    if options.takes_home {
        return take(session, options, (found, asked)).await;
    }
    if let Some(recorded) = found {
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

/// Has this datacenter be the home, in place of one that is lost. Only its own copies are asked. Errors: there
/// are others, of which a majority may be where the commits of before are agreed on; or somebody else
/// recorded something meanwhile.
async fn take(
    session: &Session,
    options: &CassandraOptions,
    (found, asked): (Option<String>, String),
) -> Result<(), OpenError> {
    let elsewhere = copies_elsewhere(session, options).await?;
    if !elsewhere.is_empty() {
        return Err(OpenError::CopiesElsewhere(elsewhere));
    }
    if found.as_ref() == Some(&asked) {
        return Ok(());
    }
    let mut put = Statement::new(format!(
        "UPDATE {}.meta SET said = ? WHERE name = 'home' IF said = ?",
        options.keyspace
    ));
    put.set_consistency(options.quorum());
    put.set_serial_consistency(Some(options.serial_write()));
    let put = session.query_unpaged(put, (&asked, &found)).await;
    put.map_err(|error| refused(&error))?;
    let recorded = recorded(session, options, options.serial_read()).await?;
    agree(options, (there(recorded)?, asked))?;
    warn!(
        keyspace = options.keyspace,
        before = found,
        "this datacenter is the home from now on: run hub new-epoch before any hub starts"
    );
    Ok(())
}

/// Where else than in the datacenter that is asked the keyspace has copies, as its definition says it.
async fn copies_elsewhere(
    session: &Session,
    options: &CassandraOptions,
) -> Result<String, OpenError> {
    let mut asked = Statement::new(format!(
        "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{}'",
        options.keyspace
    ));
    asked.set_consistency(Consistency::One);
    let answer = session.query_unpaged(asked, ()).await;
    let answer = answer.map_err(|error| refused(&error))?;
    let rows = answer.into_rows_result().map_err(|error| refused(&error))?;
    let row = rows.maybe_first_row::<(HashMap<String, String>,)>();
    let row = row.map_err(|error| refused(&error))?;
    let replication = row.map(|(replication,)| replication).unwrap_or_default();
    Ok(elsewhere(&replication, options.datacenter.as_deref()))
}

/// All that a replication says but its own datacenter. `SimpleStrategy`, which knows none, is elsewhere too.
fn elsewhere(replication: &HashMap<String, String>, home: Option<&str>) -> String {
    let others = replication.iter().filter(|(name, copies)| {
        *name != "class" && Some(name.as_str()) != home && copies.as_str() != "0"
    });
    let mut others: Vec<String> = others
        .map(|(name, copies)| format!("{name}: {copies}"))
        .collect();
    others.sort();
    others.join(", ")
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

    #[test]
    fn a_keyspace_with_copies_elsewhere_is_not_taken() {
        let table = [
            (&[("class", "Network"), ("dc2", "3")][..], ""),
            (&[("class", "Network"), ("dc1", "0"), ("dc2", "3")], ""),
            (
                &[("class", "Network"), ("dc1", "3"), ("dc2", "3")],
                "dc1: 3",
            ),
            (
                &[("class", "Simple"), ("replication_factor", "3")],
                "replication_factor: 3",
            ),
        ];
        for (replication, expected) in table {
            let own = |(name, copies): &(&str, &str)| (name.to_string(), copies.to_string());
            let replication = replication.iter().map(own).collect();
            assert_eq!(elsewhere(&replication, Some("dc2")), expected);
        }
    }
}
