//! Reading everything of a space, in one state.
//!
//! The server keeps no earlier state for a reader, so what is read is kept in a file until all of it
//! is of one. The records, which may be many, are read while others write; then those that were
//! changed meanwhile are read again, and the rest. Once nothing was written during that, everything is of
//! the last look, and is sent. Of a space that others write without pause the last of that is read while it
//! is held, which by then is short. In memory there are an answer of the server and a page.

mod images;
mod records;
mod spool;

use std::collections::BTreeSet;

use async_trait::async_trait;
use syncline_protocol::ids::SpaceKey;
use tokio::sync::mpsc::Sender;

use self::records::{Keeping, Records};
use self::spool::{Frame, Spool, packed};
use super::CassandraStore;
use super::failure::Failure;
use super::hold::Hold;
use super::import::unfinished;
use super::interlude::Step;
use super::jobs;
use super::row::{SpaceRow, kind};
use super::server::{Columns, Server};
use super::space::{find, list};
use super::tries::Tries;
use super::walk::Walk;
use crate::transfer::{Export, Filling, Sent, SpaceImage};
use crate::types::{PageLimit, StoreError};

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
        Ok(export(&self.server, space, (page, &to)).await?)
    }

    async fn is_half_imported(&self) -> Result<bool, StoreError> {
        Ok(unfinished(&self.server).await?)
    }
}

/// Sends nothing of a space that was never opened.
async fn export(
    server: &Server,
    space: &SpaceKey,
    (page, to): (PageLimit, &Sender<Sent>),
) -> Result<(), Failure> {
    let mut image = Image::begin(server, space, page)?;
    let mut tries = Tries::of(server, space);
    loop {
        image.hold = tries.next().await?;
        let looked = look(&mut image).await;
        tries.end().await;
        match looked? {
            None => return Ok(()),
            Some((row, true)) => return image.send(row, to).await,
            Some((_, false)) => {}
        }
    }
}

/// The space, and whether the image is of it. `None` if it is not there.
async fn look(image: &mut Image<'_>) -> Result<Option<(SpaceRow, bool)>, Failure> {
    let server = image.server;
    let Some(row) = find(server, image.space).await?.space() else {
        return Ok(None);
    };
    server.interludes.at(Step::LookAndFollow).await;
    Ok(Some((row, image.follow(row).await?)))
}

/// What was read of a space.
pub(super) struct Image<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    page: PageLimit,
    /// Of who reads it.
    hold: Hold,
    spool: Spool,
    /// `None` until they are read for the first time.
    records: Option<Records>,
    /// What is no record, by kind, in its order.
    rest: Vec<(i8, Frame)>,
    /// Where it begins in the file.
    rest_at: u64,
}

impl<'a> Image<'a> {
    pub(super) fn begin(
        server: &'a Server,
        space: &'a SpaceKey,
        page: PageLimit,
    ) -> Result<Image<'a>, Failure> {
        Ok(Image {
            server,
            space,
            page,
            hold: Hold::NONE,
            spool: Spool::in_directory(&server.options().spool_directory)?,
            records: None,
            rest: Vec::new(),
            rest_at: 0,
        })
    }

    /// Brings it to the state of the last look at the space; false if something was written
    /// meanwhile.
    pub(super) async fn follow(&mut self, row: SpaceRow) -> Result<bool, Failure> {
        let mut walk = Walk::of(self.server, self.space, row).by(self.hold);
        self.rest.clear();
        self.spool.cut(self.rest_at);
        let records = self.records.take().filter(|records| records.are_of(&row));
        if records.is_none() {
            self.spool.cut(0);
        }
        let mut keeping = Keeping {
            spool: &mut self.spool,
            page: self.page,
        };
        self.records = Some(match records {
            None => Records::read(&mut walk, &row, &mut keeping).await?,
            Some(mut records) => {
                records.follow(&mut walk, &row, &mut keeping).await?;
                records
            }
        });
        self.rest_at = self.spool.end();
        for kind in [kind::CLIENT, kind::VERDICT, kind::LETTER] {
            self.read_all(&mut walk, kind).await?;
        }
        self.read_jobs(&mut walk).await?;
        Ok(!walk.has_moved())
    }

    async fn read_all(&mut self, walk: &mut Walk<'_>, kind: i8) -> Result<(), Failure> {
        let mut filling = Filling::new(self.page);
        let (spool, rest) = (&mut self.spool, &mut self.rest);
        walk.all((kind, Columns::All), |row, _| {
            let row = packed(row.cells());
            let bytes = row.len();
            if let Some(full) = filling.take(row, bytes) {
                rest.push((kind, spool.keep(&full)?));
            }
            Ok(())
        })
        .await?;
        if let Some(last) = filling.end() {
            self.rest.push((kind, self.spool.keep(&last)?));
        }
        Ok(())
    }

    async fn read_jobs(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let mut filling = Filling::new(self.page);
        let (spool, rest) = (&mut self.spool, &mut self.rest);
        let take = |job: &super::value::Cells<'_>| {
            let job = packed(job);
            let bytes = job.len();
            if let Some(full) = filling.take(job, bytes) {
                rest.push((kind::JOB, spool.keep(&full)?));
            }
            Ok(())
        };
        jobs::export(walk, take).await?;
        if let Some(last) = filling.end() {
            self.rest.push((kind::JOB, self.spool.keep(&last)?));
        }
        Ok(())
    }

    /// Sends it as of the look that it was brought to.
    pub(super) async fn send(&self, row: SpaceRow, to: &Sender<Sent>) -> Result<(), Failure> {
        let image = SpaceImage {
            key: self.space.clone(),
            view: row.view,
            erased_at_ms: row.erased_at_ms,
        };
        if to.send(Sent::Space(image)).await.is_err() {
            return Ok(());
        }
        for (kind, frame) in self.frames() {
            let part = images::part(kind, &self.spool.read(frame)?)?;
            // Whoever receives no more is why nothing more is sent.
            if to.send(Sent::Part(part)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// All of them, in the order in which they are sent.
    fn frames(&self) -> impl Iterator<Item = (i8, Frame)> {
        let rest = |kind: i8| self.rest.iter().copied().filter(move |(of, _)| *of == kind);
        let records = self.records.iter().flat_map(Records::frames);
        let records = records.map(|frame| (kind::RECORD, frame));
        rest(kind::CLIENT)
            .chain(rest(kind::VERDICT))
            .chain(records)
            .chain(rest(kind::LETTER))
            .chain(rest(kind::JOB))
    }
}
