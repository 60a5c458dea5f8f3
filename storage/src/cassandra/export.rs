//! Reading everything of a space, in one state.
//!
//! The server keeps no earlier state for a reader, so all of a space is read before any of it is
//! sent, and read again if something was written meanwhile. A space is as large as a partition may
//! be; that is what an export holds in memory, and only of one at a time.

use std::collections::BTreeSet;

use async_trait::async_trait;
use syncline_protocol::ids::SpaceKey;
use tokio::sync::mpsc::Sender;

use super::CassandraStore;
use super::failure::{Failure, contended};
use super::import::unfinished;
use super::jobs;
use super::reads::letter;
use super::row::{ALIVE, Place, Row, SpaceRow, kind};
use super::server::{Columns, Server};
use super::space::{TRIES_MAX, find, list};
use super::walk::Walk;
use crate::jobs::StoredJob;
use crate::transfer::{
    ClientImage, Export, Filling, Measured, Part, RecordImage, Sent, Since, SpaceImage,
    VerdictImage,
};
use crate::types::{DeadLetter, PageLimit, StoreError};

/// Names read at once.
const NAMES_PAGE: usize = 5_000;

#[async_trait]
impl Export for CassandraStore {
    /// Spaces are not kept in this order: each call looks at all names there are, and keeps no
    /// more of them than it returns.
    async fn exported_spaces(
        &self,
        after: Option<&SpaceKey>,
        limit: usize,
    ) -> Result<Vec<SpaceKey>, StoreError> {
        let mut first = BTreeSet::new();
        let mut seen: Option<SpaceKey> = None;
        loop {
            let some = list(&self.server, seen.as_ref(), NAMES_PAGE).await?;
            let Some(last) = some.last().cloned() else {
                return Ok(first.into_iter().collect());
            };
            seen = Some(last);
            first.extend(some.into_iter().filter(|key| Some(key) > after));
            while first.len() > limit {
                first.pop_last();
            }
        }
    }

    async fn export_space(
        &self,
        space: &SpaceKey,
        page: PageLimit,
        to: Sender<Sent>,
    ) -> Result<(), StoreError> {
        for sent in read(&self.server, space, page).await? {
            // Whoever receives no more is why nothing more is sent.
            if to.send(sent).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn is_half_imported(&self) -> Result<bool, StoreError> {
        Ok(unfinished(&self.server).await?)
    }
}

/// All that is sent of a space; nothing of one that was never opened.
async fn read(server: &Server, space: &SpaceKey, page: PageLimit) -> Result<Vec<Sent>, Failure> {
    for _ in 0..TRIES_MAX {
        let Some(row) = find(server, space).await?.space() else {
            return Ok(Vec::new());
        };
        if let Some(parts) = parts(server, (space, row), page).await? {
            let image = SpaceImage {
                key: space.clone(),
                view: row.view,
                erased_at_ms: row.erased_at_ms,
            };
            let parts = parts.into_iter().map(Sent::Part);
            return Ok(std::iter::once(Sent::Space(image)).chain(parts).collect());
        }
    }
    Err(contended().into())
}

/// `None` if something was written meanwhile.
async fn parts(
    server: &Server,
    (space, row): (&SpaceKey, SpaceRow),
    page: PageLimit,
) -> Result<Option<Vec<Part>>, Failure> {
    let mut reading = Reading {
        walk: Walk::of(server, space, row),
        page,
        parts: Vec::new(),
    };
    reading.rows(kind::CLIENT, Part::Clients, client).await?;
    reading.rows(kind::VERDICT, Part::Verdicts, verdict).await?;
    reading.rows(kind::RECORD, Part::Records, record).await?;
    reading
        .rows(kind::LETTER, Part::DeadLetters, sized_letter)
        .await?;
    if !reading.jobs((server, space, row)).await? {
        return Ok(None);
    }
    Ok((!reading.walk.has_moved()).then_some(reading.parts))
}

struct Reading<'a> {
    walk: Walk<'a>,
    page: PageLimit,
    parts: Vec<Part>,
}

impl Reading<'_> {
    async fn rows<T: Send>(
        &mut self,
        kind: i8,
        part: fn(Vec<T>) -> Part,
        read: fn(&Row<'_>, &Place) -> Measured<T>,
    ) -> Result<(), Failure> {
        let mut filling = Filling::new(self.page);
        let parts = &mut self.parts;
        self.walk
            .all((kind, Columns::All), |row, place| {
                let (row, bytes) = read(row, &place)?;
                parts.extend(filling.take(row, bytes).map(part));
                Ok(())
            })
            .await?;
        self.parts.extend(filling.end().map(part));
        Ok(())
    }

    /// False if something was written meanwhile.
    async fn jobs(&mut self, of: (&Server, &SpaceKey, SpaceRow)) -> Result<bool, Failure> {
        let mut filling = Filling::new(self.page);
        let parts = &mut self.parts;
        let take = |job: StoredJob| {
            let bytes = job.bytes();
            parts.extend(filling.take(job, bytes).map(Part::Jobs));
        };
        let is_whole = jobs::export(of, &mut self.walk, take).await?;
        self.parts.extend(filling.end().map(Part::Jobs));
        Ok(is_whole)
    }
}

fn client(row: &Row<'_>, place: &Place) -> Measured<ClientImage> {
    let (mark, bytes) = row.mark()?;
    let image = ClientImage {
        key: place.client_key(),
        mark,
        used: Since::from_stored(row.used_at()?),
    };
    Ok((image, place.a.len() + place.b.len() + bytes))
}

fn verdict(row: &Row<'_>, place: &Place) -> Measured<VerdictImage> {
    let (remembered, bytes) = row.remembered()?;
    let slots = super::row::verdict_n(syncline_protocol::ids::WriterNo(1), 0);
    let writer = super::row::writer_no(place.n / slots)?;
    Ok((VerdictImage { writer, remembered }, bytes))
}

fn record(row: &Row<'_>, place: &Place) -> Measured<RecordImage> {
    let key = place.record_key();
    let (record, bytes) = row.record().map_err(|error| error.of(&key))?;
    let dead_at = row.dead_at()?;
    let image = RecordImage {
        key,
        record,
        dead: (dead_at != ALIVE).then(|| Since::from_stored(dead_at)),
        committed_at_ms: row.committed_at()?.map(|at| at as u64),
    };
    Ok((image, bytes))
}

fn sized_letter(row: &Row<'_>, place: &Place) -> Measured<DeadLetter> {
    let letter = letter(row, place)?;
    let bytes = letter.bytes();
    Ok((letter, bytes))
}
