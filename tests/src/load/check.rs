//! The checking side of the load: what a store must still hold after an accident.

use std::collections::{BTreeSet, HashMap};

use syncline_protocol::ids::{ClientKey, RecordKey, Seq};
use syncline_protocol::record::Record;
use syncline_protocol::verdict::Mark;
use syncline_storage::Store;
use syncline_storage::types::{ChangesPage, PageLimit, StoreError};

use super::{Ack, CLIENTS, client_key, content, record_key, records_of, space_key};

/// What the store does not hold as it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// An acknowledged commit is gone.
    #[error("acknowledged, but not there: {0:?}")]
    Acknowledged(Ack),
    /// Something is there in part, or not as it was written.
    #[error("not whole: {0}")]
    Torn(String),
    /// It cannot even be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks every space of the load: all that was acknowledged is there, and all that is there is
/// whole, right, dense and there once.
pub async fn check(store: &dyn Store, spaces: usize, acked: &[Ack]) -> Result<(), Loss> {
    for space in 0..spaces {
        let acked: Vec<Ack> = acked
            .iter()
            .filter(|ack| ack.space == space)
            .copied()
            .collect();
        check_space(store, space, &acked).await?;
    }
    Ok(())
}

async fn check_space(store: &dyn Store, space: usize, acked: &[Ack]) -> Result<(), Loss> {
    let key = space_key(space);
    if store.space(&key).await?.is_none() {
        return acked
            .first()
            .map_or(Ok(()), |ack| Err(Loss::Acknowledged(*ack)));
    }
    let clients: [ClientKey; CLIENTS] = std::array::from_fn(client_key);
    let marks = store.marks(&key, &clients).await?.marks;
    let all = PageLimit {
        records: usize::MAX,
        bytes: usize::MAX,
    };
    let page = store.changes(&key, Seq(0).into(), all).await?;
    check_acks(&marks, acked)?;
    check_mutations(space, &marks, &page)?;
    check_rows(&marks, &page)?;
    for mark in marks.into_iter().flatten() {
        check_verdict(store, space, mark).await?;
    }
    Ok(())
}

fn last(mark: Option<&Mark>) -> u64 {
    mark.and_then(|mark| mark.last).unwrap_or(0)
}

fn check_acks(marks: &[Option<Mark>], acked: &[Ack]) -> Result<(), Loss> {
    let lost = acked
        .iter()
        .find(|ack| ack.m > last(marks[ack.client].as_ref()));
    lost.map_or(Ok(()), |ack| Err(Loss::Acknowledged(*ack)))
}

/// Every mutation up to the mark is there with all its records, in one commit.
fn check_mutations(space: usize, marks: &[Option<Mark>], page: &ChangesPage) -> Result<(), Loss> {
    let stored: HashMap<&RecordKey, &Record> = page
        .records
        .iter()
        .map(|(key, record)| (key, record))
        .collect();
    for (client, mark) in marks.iter().enumerate() {
        for m in 1..=last(mark.as_ref()) {
            let mut seqs = BTreeSet::new();
            for at in 0..records_of(m) {
                let key = record_key(client, m, at);
                let value = stored.get(&key).and_then(|record| record.field("content"));
                if value.map(|field| &field.value) != Some(&content(space, client, (m, at))) {
                    return Err(Loss::Torn(format!("record {key} in space {space}")));
                }
                seqs.extend(stored.get(&key).map(|record| record.seq));
            }
            if seqs.len() != 1 {
                return Err(Loss::Torn(format!(
                    "mutation {m} of client {client}: {seqs:?}"
                )));
            }
        }
    }
    Ok(())
}

/// Nothing beyond the marks is there, and the commits are 1, 2, 3… up to the head.
fn check_rows(marks: &[Option<Mark>], page: &ChangesPage) -> Result<(), Loss> {
    let commits: u64 = marks.iter().map(|mark| last(mark.as_ref())).sum();
    let rows: u64 = marks
        .iter()
        .flat_map(|mark| (1..=last(mark.as_ref())).map(records_of))
        .sum();
    let seqs: BTreeSet<u64> = page
        .records
        .iter()
        .map(|(_, record)| record.seq.0)
        .collect();
    let dense = seqs.iter().copied().eq(1..=page.view.head.0);
    let found = (page.view.head.0, page.view.live, page.records.len() as u64);
    if !dense || found != (commits, rows, rows) {
        return Err(Loss::Torn(format!(
            "marks say {commits} commits of {rows} records; head, live, rows are {found:?}"
        )));
    }
    Ok(())
}

/// The last verdict is remembered.
async fn check_verdict(store: &dyn Store, space: usize, mark: Mark) -> Result<(), Loss> {
    let m = last(Some(&mark));
    let read = store.verdicts(&space_key(space), mark.writer, &[m]).await?;
    match read.verdicts.as_slice() {
        [Some(remembered)] if remembered.hash == [m as u8; 32] => Ok(()),
        other => Err(Loss::Torn(format!(
            "verdict {m} of {:?}: {other:?}",
            mark.writer
        ))),
    }
}
