//! Reading everything of a space, in one snapshot.
//!
//! Each kind of row is one statement whose rows are taken as they come: the driver reads from the
//! server no faster than they are taken.

use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use syncline_protocol::codec;
use syncline_protocol::ids::{
    ClientId, ClientKey, RecordId, RecordKey, SpaceKey, TableName, UserId,
};
use syncline_protocol::verdict::Mark;
use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;

use super::PostgresStore;
use super::call::{BEGIN_PATIENT_READ, END};
use super::connection::Connection;
use super::dead_letters::letter;
use super::error::{Failure, damaged, unreadable};
use super::import::IsHalf;
use super::jobs;
use super::marks::{remembered, writer_no};
use super::records::record;
use super::space::{List, find};
use crate::jobs::StoredJob;
use crate::transfer::{
    ClientImage, Export, Filling, Measured, Part, RecordImage, Sent, Since, SpaceImage,
    VerdictImage,
};
use crate::types::{DeadLetter, PageLimit, StoreError};

const ERASED_AT: &str = "SELECT erased_at FROM syncline.spaces WHERE sid = $1";

const CLIENTS: &str = "SELECT usr, client, writer, last, used_at, given
    FROM syncline.clients WHERE sid = $1 ORDER BY usr, client";

const VERDICTS: &str = "SELECT m, hash, verdict, writer
    FROM syncline.verdicts WHERE sid = $1 ORDER BY writer, slot";

const RECORDS: &str = "SELECT tbl, id, dead_at, committed_at, state, data
    FROM syncline.record_states WHERE sid = $1 ORDER BY tbl, id";

const DEAD_LETTERS: &str = "SELECT at, usr, client, code, tbl_octets, id_octets, change_octets
    FROM syncline.dead_letters WHERE sid = $1 ORDER BY no";

#[async_trait]
impl Export for PostgresStore {
    async fn exported_spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        self.call(List { after, limit }).await
    }

    async fn export_space(
        &self,
        space: &SpaceKey,
        page: PageLimit,
        to: Sender<Sent>,
    ) -> Result<(), StoreError> {
        let lent = self.calling.lend().await?;
        match send(&lent.connection, space, (page, &to)).await {
            Ok(true) => lent.give_back(),
            // Rows that nobody takes are still under way: the connection is closed.
            Ok(false) => {}
            Err(failure) => {
                self.after(&failure);
                return Err(failure.into());
            }
        }
        Ok(())
    }

    async fn is_half_imported(&self) -> Result<bool, StoreError> {
        self.call(IsHalf).await
    }
}

/// `false` if nobody receives.
async fn send(
    connection: &Connection,
    key: &SpaceKey,
    (page, to): (PageLimit, &Sender<Sent>),
) -> Result<bool, Failure> {
    let client = &connection.client;
    // A statement lasts as long as its rows are taken.
    client.batch_execute(BEGIN_PATIENT_READ).await?;
    if let Some(row) = find(connection, key).await? {
        let erased_at: i64 = client
            .query_one(ERASED_AT, &[&row.sid])
            .await?
            .try_get(0)
            .map_err(|e| unreadable(&e))?;
        let image = SpaceImage {
            key: key.clone(),
            view: row.view,
            erased_at_ms: erased_at as u64,
        };
        let sending = Sending {
            connection,
            sid: row.sid,
            page,
            to,
        };
        let all = to.send(Sent::Space(image)).await.is_ok()
            && sending.rows(CLIENTS, Part::Clients, client_image).await?
            && sending.rows(VERDICTS, Part::Verdicts, verdict).await?
            && sending.rows(RECORDS, Part::Records, record_image).await?
            && sending
                .rows(DEAD_LETTERS, Part::DeadLetters, sized_letter)
                .await?
            && sending.rows(jobs::ALL, Part::Jobs, job).await?;
        if !all {
            return Ok(false);
        }
    }
    client.batch_execute(END).await?;
    Ok(true)
}

struct Sending<'a> {
    connection: &'a Connection,
    sid: i64,
    page: PageLimit,
    to: &'a Sender<Sent>,
}

impl Sending<'_> {
    /// Sends the rows of a statement in pages. `false` if nobody receives.
    async fn rows<T>(
        &self,
        sql: &str,
        part: fn(Vec<T>) -> Part,
        read: fn(&Row, i64) -> Measured<T>,
    ) -> Result<bool, Failure> {
        let rows = self.connection.client.query_raw(sql, [self.sid]).await?;
        let mut rows = pin!(rows);
        let mut filling = Filling::new(self.page);
        while let Some(row) = rows.try_next().await? {
            let (row, bytes) = read(&row, self.sid)?;
            if let Some(full) = filling.take(row, bytes)
                && self.to.send(Sent::Part(part(full))).await.is_err()
            {
                return Ok(false);
            }
        }
        match filling.end() {
            Some(last) => Ok(self.to.send(Sent::Part(part(last))).await.is_ok()),
            None => Ok(true),
        }
    }
}

fn client_image(row: &Row, sid: i64) -> Measured<ClientImage> {
    let text = |at| row.try_get::<_, &str>(at).map_err(|e| unreadable(&e));
    let writer: i64 = row.try_get(2).map_err(|e| unreadable(&e))?;
    let last: Option<i64> = row.try_get(3).map_err(|e| unreadable(&e))?;
    let used_at: i64 = row.try_get(4).map_err(|e| unreadable(&e))?;
    let stored: Option<&[u8]> = row.try_get(5).map_err(|e| unreadable(&e))?;
    let given = stored.map(codec::decode_given).transpose();
    let given = given.map_err(|e| damaged("given stamps", sid, &e))?;
    let image = ClientImage {
        key: ClientKey {
            user: UserId::trusted(text(0)?),
            client: ClientId::trusted(text(1)?),
        },
        mark: Mark {
            writer: writer_no(writer)?,
            last: last.map(|last| last as u64),
            given: given.map(Arc::new),
        },
        used: Since::from_stored(used_at),
    };
    let names = image.key.user.as_str().len() + image.key.client.as_str().len();
    Ok((image, names + stored.map_or(0, <[u8]>::len)))
}

fn verdict(row: &Row, sid: i64) -> Measured<VerdictImage> {
    let stored: &[u8] = row.try_get(2).map_err(|e| unreadable(&e))?;
    let writer: i64 = row.try_get(3).map_err(|e| unreadable(&e))?;
    let image = VerdictImage {
        writer: writer_no(writer)?,
        remembered: remembered(row, sid)?,
    };
    Ok((image, stored.len()))
}

fn record_image(row: &Row, sid: i64) -> Measured<RecordImage> {
    let text = |at| row.try_get::<_, &str>(at).map_err(|e| unreadable(&e));
    let dead_at: Option<i64> = row.try_get(2).map_err(|e| unreadable(&e))?;
    let committed_at: i64 = row.try_get(3).map_err(|e| unreadable(&e))?;
    let missing = || StoreError::Damaged(format!("a record without state in space number {sid}"));
    let key = RecordKey {
        table: TableName::trusted(text(0)?),
        id: RecordId::trusted(text(1)?),
    };
    let read = record(row, (4, 5), sid).and_then(|read| read.ok_or_else(missing));
    let (read, bytes) = read.map_err(|error| error.of(&key))?;
    let image = RecordImage {
        key,
        record: read,
        dead: dead_at.map(Since::from_stored),
        committed_at_ms: Some(committed_at as u64),
    };
    Ok((image, bytes))
}

fn sized_letter(row: &Row, _: i64) -> Measured<DeadLetter> {
    let letter = letter(row)?;
    let bytes = letter.bytes();
    Ok((letter, bytes))
}

fn job(row: &Row, _: i64) -> Measured<StoredJob> {
    let job = jobs::stored(row)?.unleased();
    let bytes = job.bytes();
    Ok((job, bytes))
}
