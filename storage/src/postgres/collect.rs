//! Removing what has grown too old.

use syncline_protocol::codec;
use syncline_protocol::ids::{Seq, SpaceKey};
use tokio_postgres::Row;

use super::call::{Call, transaction};
use super::commit::BEGIN;
use super::connection::Connection;
use super::error::{Failure, unreadable};
use super::records::{bigint, record_there};
use super::space::{FIND, SpaceRow, find, opened};
use crate::types::{Collect, Collected, Keys, NEVER_MS, SpaceView, StoreError};

/// The oldest dead records. One more than is wanted tells whether there are more.
pub(super) const DEAD: &str = "SELECT tbl, id, seq,
        octet_length(state) + coalesce(octet_length(data), 0)
    FROM syncline.record_states
    WHERE sid = $1 AND dead_at < $2 ORDER BY dead_at LIMIT $3";

const REMOVE: &str = "DELETE FROM syncline.record_states r
    USING unnest($2::text[], $3::text[]) AS gone(tbl, id)
    WHERE r.sid = $1 AND r.tbl = gone.tbl AND r.id = gone.id";

/// In the order asked.
const STATES: &str = "SELECT r.state, r.data
    FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS asked(tbl, id, no)
    JOIN syncline.record_states r ON r.sid = $1 AND r.tbl = asked.tbl AND r.id = asked.id
    ORDER BY asked.no";

const STRIP: &str = "UPDATE syncline.record_states r
    SET state = kept.state, data = kept.data, dead_at = $6
    FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[]) AS kept(tbl, id, state, data)
    WHERE r.sid = $1 AND r.tbl = kept.tbl AND r.id = kept.id";

/// The clients not used for the longest time.
pub(super) const UNUSED: &str = "SELECT usr, client, writer, last IS NOT NULL FROM syncline.clients
    WHERE sid = $1 AND used_at < $2 ORDER BY used_at LIMIT $3";

const FORGET: &str = "UPDATE syncline.clients c SET last = NULL, used_at = $4
    FROM unnest($2::text[], $3::text[]) AS unused(usr, client)
    WHERE c.sid = $1 AND c.usr = unused.usr AND c.client = unused.client";

const FORGET_VERDICTS: &str = "DELETE FROM syncline.verdicts
    WHERE sid = $1 AND writer = ANY($2::bigint[])";

const SWEPT: &str = "UPDATE syncline.spaces SET head = $2, swept = $2, gc_seq = $3 WHERE sid = $1";

/// [`crate::Store::collect`]. Asked seldom, so nothing of it stays prepared.
pub(super) struct Collecting<'a> {
    pub(super) space: &'a SpaceKey,
    pub(super) collect: Collect,
}

impl Call for Collecting<'_> {
    type Answer = Collected;

    async fn run(&self, connection: &Connection) -> Result<Collected, Failure> {
        transaction(connection, BEGIN, self.in_transaction(connection)).await
    }
}

impl Collecting<'_> {
    async fn in_transaction(&self, connection: &Connection) -> Result<Collected, Failure> {
        let limit = self.collect.limit;
        // A lock is a write, so one is taken only where there is something to do.
        let row = opened(find(connection, self.space).await?)?;
        let look = Collect {
            limit: 0,
            ..self.collect
        };
        let dead = Dead::read(connection, (row.sid, look)).await?;
        let unused = Unused::read(connection, (row.sid, look)).await?;
        if dead.seqs.is_empty() && unused.writers.is_empty() {
            return Ok(Collected::nothing(row.view));
        }
        let row = lock(connection, self.space).await?;
        let mut dead = Dead::read(connection, (row.sid, self.collect)).await?;
        let mut unused = Unused::read(connection, (row.sid, self.collect)).await?;
        let fit = self.collect.fit(dead.bytes.iter().copied());
        let more = dead.seqs.len() > fit || unused.writers.len() > limit;
        dead.truncate(fit);
        unused.truncate(limit);
        let mut view = row.view;
        if !dead.seqs.is_empty() {
            let gc_seq = match self.collect.keys {
                Keys::Remove => dead.remove(connection, row.sid).await?.max(view.gc_seq),
                Keys::Keep => {
                    dead.strip(connection, row.sid).await?;
                    view.gc_seq
                }
            };
            let head = view.head.next();
            let moved = [
                &row.sid as _,
                &(head.0 as i64) as _,
                &(gc_seq.0 as i64) as _,
            ];
            connection.client.execute(SWEPT, &moved).await?;
            view = SpaceView {
                head,
                swept: head,
                gc_seq,
                ..view
            };
        }
        unused.forget(connection, row.sid).await?;
        Ok(Collected {
            view,
            tombstones: dead.seqs.len(),
            marks: unused.numbered.iter().filter(|is| **is).count(),
            more,
        })
    }
}

/// The space, held until the transaction ends.
pub(super) async fn lock(connection: &Connection, space: &SpaceKey) -> Result<SpaceRow, Failure> {
    let find = format!("{FIND} FOR UPDATE");
    let names = [&space.app.as_str() as _, &space.space.as_str() as _];
    let found = connection.client.query_opt(&find, &names).await?;
    Ok(opened(found.as_ref().map(SpaceRow::read).transpose()?)?)
}

fn text(row: &Row, at: usize) -> Result<String, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

fn number(row: &Row, at: usize) -> Result<i64, StoreError> {
    row.try_get(at).map_err(|error| unreadable(&error))
}

/// Dead records, a list a column.
#[derive(Default)]
struct Dead {
    tables: Vec<String>,
    ids: Vec<String>,
    seqs: Vec<Seq>,
    /// Of state and values, as they are before they are compressed.
    bytes: Vec<usize>,
}

impl Dead {
    async fn read(connection: &Connection, (sid, of): (i64, Collect)) -> Result<Dead, Failure> {
        let (before_ms, limit) = (of.dead_before_ms as i64, bigint(of.limit).saturating_add(1));
        let asked = [&sid as _, &before_ms as _, &limit as _];
        let mut dead = Dead::default();
        for row in connection.client.query(DEAD, &asked).await? {
            dead.tables.push(text(&row, 0)?);
            dead.ids.push(text(&row, 1)?);
            dead.seqs.push(Seq(number(&row, 2)? as u64));
            let bytes: i32 = row.try_get(3).map_err(|error| unreadable(&error))?;
            dead.bytes.push(bytes as usize);
        }
        Ok(dead)
    }

    fn truncate(&mut self, limit: usize) {
        self.tables.truncate(limit);
        self.ids.truncate(limit);
        self.seqs.truncate(limit);
        self.bytes.truncate(limit);
    }

    /// Removes them; returns the greatest of their seqs.
    async fn remove(&self, connection: &Connection, sid: i64) -> Result<Seq, Failure> {
        let asked = [&sid as _, &self.tables as _, &self.ids as _];
        connection.client.execute(REMOVE, &asked).await?;
        Ok(self.seqs.iter().copied().max().unwrap_or_default())
    }

    /// Takes their fields away.
    async fn strip(&self, connection: &Connection, sid: i64) -> Result<(), Failure> {
        let asked = [&sid as _, &self.tables as _, &self.ids as _];
        let (mut states, mut values) = (Vec::new(), Vec::new());
        for row in connection.client.query(STATES, &asked).await? {
            let mut record = record_there(&row, (0, 1), sid)?;
            record.fields.clear();
            let split = codec::encode_split(&record);
            states.push(split.state);
            values.push(split.values);
        }
        let written = [
            &sid as _,
            &self.tables as _,
            &self.ids as _,
            &states as _,
            &values as _,
            &NEVER_MS as _,
        ];
        connection.client.execute(STRIP, &written).await?;
        Ok(())
    }
}

/// Clients not used for long, a list a column.
#[derive(Default)]
struct Unused {
    users: Vec<String>,
    clients: Vec<String>,
    writers: Vec<i64>,
    /// Whether it has a last number.
    numbered: Vec<bool>,
}

impl Unused {
    async fn read(connection: &Connection, (sid, of): (i64, Collect)) -> Result<Unused, Failure> {
        let (before_ms, limit) = (
            of.marks_before_ms as i64,
            bigint(of.limit).saturating_add(1),
        );
        let asked = [&sid as _, &before_ms as _, &limit as _];
        let mut unused = Unused::default();
        for row in connection.client.query(UNUSED, &asked).await? {
            unused.users.push(text(&row, 0)?);
            unused.clients.push(text(&row, 1)?);
            unused.writers.push(number(&row, 2)?);
            let is_numbered = row.try_get(3).map_err(|error| unreadable(&error))?;
            unused.numbered.push(is_numbered);
        }
        Ok(unused)
    }

    fn truncate(&mut self, limit: usize) {
        self.users.truncate(limit);
        self.clients.truncate(limit);
        self.writers.truncate(limit);
        self.numbered.truncate(limit);
    }

    async fn forget(&self, connection: &Connection, sid: i64) -> Result<(), Failure> {
        if self.writers.is_empty() {
            return Ok(());
        }
        let client = &connection.client;
        let asked = [
            &sid as _,
            &self.users as _,
            &self.clients as _,
            &NEVER_MS as _,
        ];
        client.execute(FORGET, &asked).await?;
        let asked = [&sid as _, &self.writers as _];
        client.execute(FORGET_VERDICTS, &asked).await?;
        Ok(())
    }
}
