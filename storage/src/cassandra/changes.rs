//! Reading what changed after a place, in pages.
//!
//! Two reads: which records were changed after it, and then those. If none of them moved on between
//! the two, the page is of the state of the first. Else both are made again, by one reader of the space in this
//! hub after the other: each read has replicas agree, which is in the way of who writes. If somebody writes
//! too fast for that, the page is of the state of the second, complete up to the head of the first:
//! what moved on is in a later page.

use std::collections::HashMap;

use syncline_protocol::ids::{RecordKey, Seq, SpaceKey, TableName};

use super::failure::Failure;
use super::interlude::Step;
use super::names;
use super::row::{Place, SpaceRow, kind};
use super::server::{Columns, Level, Server};
use crate::page::{Page, Stored};
use crate::types::{After, ChangesPage, PageLimit};

/// Rows read at once, whatever the page may hold.
const ROWS_MAX: usize = 5_000;

/// Commits of one read after the server said that there is too much between them that was
/// removed; half as many each time it says so again.
const WINDOW: i64 = 1 << 16;

/// What is wanted.
pub(super) struct Changes<'a> {
    pub(super) space: &'a SpaceKey,
    /// Only this table, if given.
    pub(super) table: Option<&'a TableName>,
    pub(super) after: &'a After,
    pub(super) limit: PageLimit,
}

/// Tries of a page of one state.
pub(super) const PAGE_TRIES_MAX: usize = 16;

/// Those that may be in a page.
struct Candidates {
    /// The space at the first look.
    row: SpaceRow,
    /// How far all of them are of that look.
    looked: Looked,
    told: Vec<Place>,
    /// Behind them.
    next: Next,
}

/// How those that may be in a page were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// At one moment, or while nothing was written.
    AtOnce,
    /// While something was written.
    Torn,
    /// Piece by piece, which may take long: whether something was written was not looked at.
    Piecewise,
}

/// The page, and of which state it is.
enum Read {
    /// Of the first look.
    Same(Page),
    /// Only of this one.
    Moved(SpaceRow, Page),
}

enum Next {
    /// The first that does not fit.
    Row(Place),
    /// Nothing up to this commit; whether there is more behind it was not looked at.
    Upto(Seq),
}

impl Changes<'_> {
    pub(super) async fn read(&self, server: &Server) -> Result<ChangesPage, Failure> {
        let mut from = self.from();
        let mut tries = 0;
        let mut alone = None;
        loop {
            let found = self.candidates(server, &from).await?;
            server.interludes.at(Step::CandidatesAndPage).await;
            let (view, mut page) = match self.page(server, &found).await? {
                Read::Same(page) => (found.row.view, page),
                Read::Moved(..) if tries < PAGE_TRIES_MAX && found.looked != Looked::Piecewise => {
                    tries += 1;
                    if alone.is_none() {
                        alone = Some(server.alone_in_page(self.space).await);
                    }
                    continue;
                }
                Read::Moved(row, page) => (row.view, page),
            };
            let (to, inside) = match (&found.next, page.records.is_empty()) {
                // All that were told of had moved on before: the page begins behind them.
                (Next::Row(_), true) => {
                    if let Some(last) = found.told.last() {
                        from = last.clone();
                        continue;
                    }
                    (found.row.view.head, None)
                }
                (Next::Row(next), false) => {
                    if !page.is_cut {
                        page.end_before(Seq(next.n as u64));
                    }
                    page.cut().unwrap_or((found.row.view.head, None))
                }
                (Next::Upto(upto), _) => page.cut().unwrap_or((*upto, None)),
            };
            return Ok(ChangesPage {
                view,
                to,
                inside,
                writers: names::writers(server, self.space, &page.records).await?,
                records: page.records,
            });
        }
    }

    /// The place after which the first change is.
    fn from(&self) -> Place {
        let seq = self.after.seq.0;
        match &self.after.key {
            Some(key) => {
                let names = (key.table.as_str(), key.id.as_str());
                Place::new(kind::CHANGE, seq as i64, names)
            }
            // Names are never empty, so this is before the first record of the next commit.
            None => Place::new(kind::CHANGE, seq.saturating_add(1) as i64, ("", "")),
        }
    }

    /// The first that were changed, up to the head of the first look.
    async fn candidates(&self, server: &Server, begin: &Place) -> Result<Candidates, Failure> {
        let (mut told, mut bytes) = (Vec::<Place>::new(), 0usize);
        let mut from = begin.clone();
        let (mut first, mut window) = (None::<SpaceRow>, None::<i64>);
        let mut looked = Looked::AtOnce;
        loop {
            let wanted = self.limit.records.max(1) - told.len();
            let rows_max = match self.table {
                None => wanted.saturating_add(1).min(ROWS_MAX),
                Some(_) => ROWS_MAX,
            };
            let (to, looked_upto) = upto(&from, first, window);
            let asked = (Columns::Light, Level::Serial, rows_max);
            let rows = match server.range(self.space, (&from, &to), asked).await {
                Err(Failure::Tombstones(why)) => {
                    // A window may hold no row beside which the space stands.
                    if first.is_none() {
                        first = Some(super::space::opened(server, self.space).await?);
                    }
                    looked = Looked::Piecewise;
                    window = Some(window.map_or(WINDOW, |window| window / 2));
                    if window == Some(0) {
                        return Err(Failure::Refused(why));
                    }
                    continue;
                }
                rows => rows?,
            };
            let all = rows.all()?;
            let row = match first {
                Some(row) => row,
                None => *first.insert(rows.found()?.opened()?),
            };
            let head = row.view.head;
            if let Some(last) = all.last()
                && looked == Looked::AtOnce
                && last.found()?.opened()?.last_commit != row.last_commit
            {
                looked = Looked::Torn;
            }
            // Nothing more behind what was looked at.
            let ended = |told, upto| {
                Ok(Candidates {
                    row,
                    looked,
                    told,
                    next: Next::Upto(upto),
                })
            };
            for told_of in &all {
                let place = told_of.place()?;
                if place.is_end() || place.n as u64 > head.0 {
                    return ended(told, head);
                }
                from = place.clone();
                if self.table.is_some_and(|table| table.as_str() != place.a) {
                    continue;
                }
                bytes = bytes.saturating_add(told_of.bytes()?);
                let over = told.len() >= self.limit.records.max(1) || bytes > self.limit.bytes;
                if over && !told.is_empty() {
                    return Ok(Candidates {
                        row,
                        looked,
                        told,
                        next: Next::Row(place),
                    });
                }
                told.push(place);
            }
            if all.len() < rows_max {
                return ended(told, looked_upto.min(head));
            }
            server.interludes.at(Step::LookAndLook).await;
        }
    }

    /// Those of them that are where they were told to be.
    async fn page(&self, server: &Server, found: &Candidates) -> Result<Read, Failure> {
        let seqs: HashMap<RecordKey, i64> = found
            .told
            .iter()
            .map(|place| (place.record_key(), place.n))
            .collect();
        let mut places: Vec<Place> = seqs.keys().map(Place::record).collect();
        places.push(Place::end(kind::RECORD));
        let asked = (Columns::All, Level::Serial);
        let rows = server.at(self.space, &places, asked).await?;
        let space = rows.found()?.opened()?;
        let mut there = HashMap::new();
        let mut seqs_now = HashMap::new();
        for row in rows.all()? {
            let place = row.place()?;
            let Some(seq) = row.seq()?.filter(|_| !place.is_end()) else {
                continue;
            };
            let key = place.record_key();
            if seqs.get(&key) == Some(&(seq.0 as i64)) {
                let read = row.record().map_err(|error| error.of(&key))?;
                there.insert((seq.0 as i64, key.clone()), read);
            }
            seqs_now.insert(key, seq);
        }
        let before = &found.row.view;
        // What was told of it was so at the first look, and is no more.
        let has_moved = |place: &Place| match seqs_now.get(&place.record_key()) {
            Some(seq) => *seq > before.head,
            None => place.n as u64 > before.gc_seq.0,
        };
        let is_same = found.looked == Looked::AtOnce
            && (space.view.epoch, space.view.swept) == (before.epoch, before.swept)
            && !found.told.iter().any(has_moved);
        let mut page = Page::new(self.limit);
        for told in &found.told {
            let key = told.record_key();
            let Some((record, bytes)) = there.remove(&(told.n, key.clone())) else {
                continue;
            };
            let keyed = (key, record);
            if !page.take(Stored { keyed, bytes }) {
                break;
            }
        }
        Ok(match is_same {
            true => Read::Same(page),
            false => Read::Moved(space, page),
        })
    }
}

/// Where a look ends, and up to which commit it is whole then: at the end of all, or so many
/// commits on.
fn upto(from: &Place, first: Option<SpaceRow>, window: Option<i64>) -> (Place, Seq) {
    let last = window.map(|window| from.n.saturating_add(window) as u64);
    match last {
        Some(last) if first.is_none_or(|row| last < row.view.head.0) => {
            // Behind every name of that commit.
            let place = Place::new(kind::CHANGE, last as i64 + 1, ("", ""));
            (place, Seq(last))
        }
        _ => (Place::end(kind::CHANGE), Seq(u64::MAX)),
    }
}
