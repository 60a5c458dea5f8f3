//! Reading what is remembered of clients.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::codec;
use syncline_protocol::ids::{ClientKey, SpaceKey, WriterNo};
use syncline_protocol::verdict::{Mark, PayloadHash, Remembered};
use tokio_postgres::Row;

use super::batch::slot;
use super::call::{Call, space_and_rows};
use super::connection::Connection;
use super::error::{Failure, damaged, unreadable};
use crate::types::{MarksRead, StoreError, VerdictsRead};

/// `no` is a client's place among those asked.
pub(super) const MARKS: &str = "SELECT asked.no, c.writer, c.last, c.given
    FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS asked(usr, client, no)
    JOIN syncline.clients c
        ON c.sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
        AND c.usr = asked.usr AND c.client = asked.client";

pub(super) const VERDICTS: &str = "SELECT v.m, v.hash, v.verdict
    FROM unnest($4::bigint[]) AS asked(slot)
    JOIN syncline.verdicts v
        ON v.sid = (SELECT sid FROM syncline.spaces WHERE app = $1 AND space = $2)
        AND v.writer = $3 AND v.slot = asked.slot";

/// [`crate::Store::marks`].
pub(super) struct Marks<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) clients: &'a [ClientKey],
}

impl Call for Marks<'_> {
    type Answer = MarksRead;

    async fn run(&self, connection: &Connection) -> Result<MarksRead, Failure> {
        let users: Vec<&str> = self.clients.iter().map(|key| key.user.as_str()).collect();
        let clients: Vec<&str> = self.clients.iter().map(|key| key.client.as_str()).collect();
        let statement = &connection.statements.marks;
        let asked = (statement, &[&users as _, &clients as _][..]);
        let (row, rows) = space_and_rows(connection, self.space, asked).await?;
        let mut marks = vec![None; self.clients.len()];
        for found in &rows {
            let (no, mark) = mark(found)?;
            let place = usize::try_from(no - 1).ok();
            if let Some(place) = place.and_then(|place| marks.get_mut(place)) {
                *place = Some(mark);
            }
        }
        let view = row.view;
        Ok(MarksRead { view, marks })
    }
}

fn mark(row: &Row) -> Result<(i64, Mark), StoreError> {
    let damaged = |error| unreadable(&error);
    let writer: i64 = row.try_get(1).map_err(damaged)?;
    let last: Option<i64> = row.try_get(2).map_err(damaged)?;
    let bytes: Option<&[u8]> = row.try_get(3).map_err(damaged)?;
    let given = bytes.map(codec::decode_given).transpose();
    let given = given.map_err(|e| StoreError::Damaged(e.to_string()))?;
    let mark = Mark {
        writer: writer_no(writer)?,
        last: last.map(|last| last as u64),
        given: given.map(Arc::new),
    };
    Ok((row.try_get(0).map_err(damaged)?, mark))
}

/// A writer number as stored.
pub(super) fn writer_no(stored: i64) -> Result<WriterNo, StoreError> {
    let number = u32::try_from(stored);
    number
        .map(WriterNo)
        .map_err(|_| StoreError::Damaged(format!("{stored} is no writer's number")))
}

/// [`crate::Store::verdicts`].
pub(super) struct Verdicts<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) writer: WriterNo,
    pub(super) ms: &'a [u64],
}

impl Call for Verdicts<'_> {
    type Answer = VerdictsRead;

    async fn run(&self, connection: &Connection) -> Result<VerdictsRead, Failure> {
        let mut slots: Vec<i64> = self.ms.iter().map(|m| slot(*m)).collect();
        slots.sort_unstable();
        slots.dedup();
        let writer = i64::from(self.writer.0);
        let statement = &connection.statements.verdicts;
        let asked = (statement, &[&writer as _, &slots as _][..]);
        let (row, rows) = space_and_rows(connection, self.space, asked).await?;
        let stored: HashMap<u64, Remembered> = rows
            .iter()
            .map(|found| remembered(found, row.sid).map(|one| (one.m, one)))
            .collect::<Result<_, _>>()?;
        let verdicts = self.ms.iter().map(|m| stored.get(m).cloned()).collect();
        let view = row.view;
        Ok(VerdictsRead { view, verdicts })
    }
}

pub(super) fn remembered(row: &Row, sid: i64) -> Result<Remembered, StoreError> {
    let bytes = |at| row.try_get::<_, &[u8]>(at).map_err(|e| unreadable(&e));
    let m: i64 = row.try_get(0).map_err(|e| unreadable(&e))?;
    let hash = PayloadHash::try_from(bytes(1)?)
        .map_err(|_| StoreError::Damaged(format!("a hash in space number {sid}")))?;
    let verdict = codec::decode_verdict(bytes(2)?).map_err(|e| damaged("a verdict", sid, &e))?;
    Ok(Remembered {
        m: m as u64,
        hash,
        verdict,
    })
}
