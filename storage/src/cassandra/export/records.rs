//! The records of a space as they are kept: pieces of their range, one behind the other. A piece in
//! which something was changed since is read again.

use syncline_protocol::ids::{Epoch, Seq};

use super::super::failure::Failure;
use super::super::row::{Place, SpaceRow, kind};
use super::super::server::{Columns, Level};
use super::super::walk::Walk;
use super::spool::{Frame, Spool, packed};
use crate::transfer::Filling;
use crate::types::PageLimit;

/// Small rows read at once.
const LIGHT_ROWS_MAX: usize = 5_000;

/// All records, as of a head or later.
#[derive(Debug)]
pub(super) struct Records {
    /// Under another epoch they may be others, and so if something was collected.
    of: (Epoch, Seq),
    /// What was changed up to here is as it was at this head, or later.
    upto: Seq,
    pieces: Vec<Piece>,
}

/// Records behind those of the piece before.
#[derive(Debug)]
struct Piece {
    /// Up to here.
    to: Place,
    frames: Vec<Frame>,
    /// Something was changed since.
    is_stale: bool,
}

/// Where they are kept, and how many at once.
pub(super) struct Keeping<'a> {
    pub(super) spool: &'a mut Spool,
    pub(super) page: PageLimit,
}

impl Records {
    /// Reads all of them, after a look at the space.
    pub(super) async fn read(
        walk: &mut Walk<'_>,
        row: &SpaceRow,
        keeping: &mut Keeping<'_>,
    ) -> Result<Records, Failure> {
        let (from, to) = (Place::begin(kind::RECORD), Place::end(kind::RECORD));
        Ok(Records {
            of: (row.view.epoch, row.view.swept),
            upto: row.view.head,
            pieces: read_pieces(walk, (&from, &to), keeping).await?,
        })
    }

    /// Whether they may be brought to a later state of the space.
    pub(super) fn are_of(&self, row: &SpaceRow) -> bool {
        self.of == (row.view.epoch, row.view.swept)
    }

    /// Reads again what was changed, after a later look at the space.
    pub(super) async fn follow(
        &mut self,
        walk: &mut Walk<'_>,
        row: &SpaceRow,
        keeping: &mut Keeping<'_>,
    ) -> Result<(), Failure> {
        self.mark_stale(walk).await?;
        let mut from = Place::begin(kind::RECORD);
        for piece in std::mem::take(&mut self.pieces) {
            let to = piece.to.clone();
            if piece.is_stale {
                let again = read_pieces(walk, (&from, &to), keeping).await?;
                self.pieces.extend(again);
            } else {
                self.pieces.push(piece);
            }
            from = to;
        }
        self.upto = row.view.head;
        Ok(())
    }

    /// What is changed again meanwhile moves behind what is still to be looked at.
    async fn mark_stale(&mut self, walk: &mut Walk<'_>) -> Result<(), Failure> {
        let mut from = Place::new(kind::CHANGE, self.upto.next().0 as i64, ("", ""));
        let to = Place::end(kind::CHANGE);
        while !from.is_end() {
            let asked = (Columns::Light, Level::Serial, LIGHT_ROWS_MAX);
            let rows = walk.range((&from, &to), asked).await?;
            let all = rows.all()?;
            if all.is_empty() {
                // The space is gone.
                break;
            }
            for row in all {
                from = row.place()?;
                if from.is_end() {
                    break;
                }
                let record = Place::record(&from.record_key());
                let at = self.pieces.partition_point(|piece| piece.to < record);
                if let Some(piece) = self.pieces.get_mut(at) {
                    piece.is_stale = true;
                }
            }
        }
        Ok(())
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = Frame> {
        self.pieces.iter().flat_map(|piece| piece.frames.clone())
    }
}

/// Reads a range, a page at a time.
async fn read_pieces(
    walk: &mut Walk<'_>,
    (from, to): (&Place, &Place),
    keeping: &mut Keeping<'_>,
) -> Result<Vec<Piece>, Failure> {
    let mut pieces = Vec::new();
    let mut from = from.clone();
    while from != *to {
        let upto = fitting(walk, (&from, to), keeping.page).await?;
        let asked = (Columns::All, Level::Serial, usize::MAX);
        let rows = walk.range((&from, &upto), asked).await?;
        let mut filling = Filling::new(keeping.page);
        let mut frames = Vec::new();
        for row in rows.all()? {
            if row.place()?.is_end() {
                continue;
            }
            // More than fits if something was written between the two.
            if let Some(full) = filling.take(packed(row.cells()), row.bytes()?) {
                frames.push(keeping.spool.keep(&full)?);
            }
        }
        if let Some(last) = filling.end() {
            frames.push(keeping.spool.keep(&last)?);
        }
        pieces.push(Piece {
            to: upto.clone(),
            frames,
            is_stale: false,
        });
        from = upto;
    }
    Ok(pieces)
}

/// The last record of the range that fits into a page, if not all do.
async fn fitting(
    walk: &mut Walk<'_>,
    (from, to): (&Place, &Place),
    page: PageLimit,
) -> Result<Place, Failure> {
    let rows_max = page.records.min(LIGHT_ROWS_MAX);
    let asked = (Columns::Light, Level::Serial, rows_max);
    let rows = walk.range((from, to), asked).await?;
    let (mut upto, mut bytes) = (None, 0usize);
    for row in rows.all()? {
        bytes = bytes.saturating_add(row.bytes()?);
        if upto.is_some() && bytes > page.bytes {
            break;
        }
        upto = Some(row.place()?);
    }
    Ok(upto.unwrap_or_else(|| to.clone()))
}
