//! The rows of a space's partition: their places, and what every read of them returns.
//!
//! A space is one partition. Its static columns are the space itself ([`SpaceRow`]), and each of
//! its rows is of a [`kind`]. The kinds that are read by range end in a row without content
//! ([`Place::end`]), because the server tells the static columns only beside a row.

use std::sync::Arc;

use syncline_protocol::codec;
use syncline_protocol::codec::DecodeError;
use syncline_protocol::ids::{
    ClientId, ClientKey, Epoch, RecordId, RecordKey, Seq, TableName, UserId, WriterNo,
};
use syncline_protocol::record::Record;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_protocol::verdict::{Mark, PayloadHash, Remembered};

use super::value::Cells;
use crate::types::{Erased, SpaceView, StoreError};

/// What a row is of, and in which order the partition holds them.
pub(super) mod kind {
    /// Before all others, without content. The server looks for the first row to tell the static columns,
    /// so whoever removes many rows puts this one before them.
    pub(in super::super) const BEGIN: i8 = 0;
    /// A record: `a` its table, `b` its id, `n` 0.
    pub(in super::super) const RECORD: i8 = 1;
    /// That a record was changed in commit `n`. One that no longer is in that commit says nothing.
    pub(in super::super) const CHANGE: i8 = 2;
    /// That a record was found dead at time `n`. One that lives says nothing.
    pub(in super::super) const DEATH: i8 = 3;
    /// A client: `a` its user, `b` its id, `n` 0.
    pub(in super::super) const CLIENT: i8 = 4;
    /// The client with the writer number `n`.
    pub(in super::super) const WRITER: i8 = 5;
    /// A verdict: `n` is the writer number times 256, plus the mutation's modulo 256.
    pub(in super::super) const VERDICT: i8 = 6;
    /// A dead letter: `n` counts up, `a` its user, `b` its client.
    pub(in super::super) const LETTER: i8 = 7;
    /// A job: `a` its kind, `b` its key, `n` 0. Of this and the next two see [`super::super::jobs`].
    pub(in super::super) const JOB: i8 = 8;
    /// Where a job stands among those that live (`n` 0) and the dead (`n` 1), by kind and time.
    pub(in super::super) const ORDER: i8 = 9;
    /// Where one stands in its lane.
    pub(in super::super) const LANE: i8 = 10;
    /// When the space is to be looked at for jobs of the kind `a`.
    pub(in super::super) const QUEUE: i8 = 11;
    /// That a client was used on day `n` and has not been looked at since: `a` its user, `b` its id. See
    /// [`super::super::used`].
    pub(in super::super) const USED: i8 = 12;

    /// All that an erasure removes.
    pub(in super::super) const ALL: [i8; 12] = [
        RECORD, CHANGE, DEATH, CLIENT, WRITER, VERDICT, LETTER, JOB, ORDER, LANE, QUEUE, USED,
    ];

    /// Those whose end is written with the space. That of [`ORDER`] comes with its first job: spaces
    /// of before there were jobs have none. Nor has that of [`USED`] who was made before.
    pub(in super::super) const ENDED: [i8; 8] =
        [RECORD, CHANGE, DEATH, CLIENT, WRITER, VERDICT, LETTER, USED];
}

/// Verdicts kept of a client, and the modulus of their places.
const VERDICT_SLOTS: u64 = syncline_protocol::limits::MUTATIONS_IN_FLIGHT_MAX as u64;

/// In the place of the time at which a record died.
pub(super) const ALIVE: i64 = -1;

/// Where a row is in its partition. Places are ordered as the server orders them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) kind: i8,
    pub(super) n: i64,
    pub(super) a: String,
    pub(super) b: String,
}

impl Place {
    pub(super) fn new(kind: i8, n: i64, (a, b): (&str, &str)) -> Place {
        let (a, b) = (a.to_owned(), b.to_owned());
        Place { kind, n, a, b }
    }

    /// Before every row of a kind.
    pub(super) fn begin(kind: i8) -> Place {
        Place::new(kind, i64::MIN, ("", ""))
    }

    /// Of the row that ends a kind.
    pub(super) fn end(kind: i8) -> Place {
        Place::new(kind, i64::MAX, ("", ""))
    }

    pub(super) fn is_end(&self) -> bool {
        self.n == i64::MAX
    }

    pub(super) fn record(key: &RecordKey) -> Place {
        Place::new(kind::RECORD, 0, (key.table.as_str(), key.id.as_str()))
    }

    pub(super) fn client(key: &ClientKey) -> Place {
        Place::new(kind::CLIENT, 0, (key.user.as_str(), key.client.as_str()))
    }

    pub(super) fn verdict(writer: WriterNo, m: u64) -> Place {
        Place::new(kind::VERDICT, verdict_n(writer, m), ("", ""))
    }

    /// As the server takes it.
    pub(super) fn tuple(&self) -> (i8, i64, &str, &str) {
        (self.kind, self.n, &self.a, &self.b)
    }

    /// The record it is of, or tells of.
    pub(super) fn record_key(&self) -> RecordKey {
        RecordKey {
            table: TableName::trusted(&self.a),
            id: RecordId::trusted(&self.b),
        }
    }

    /// The client it is of.
    pub(super) fn client_key(&self) -> ClientKey {
        ClientKey {
            user: UserId::trusted(&self.a),
            client: ClientId::trusted(&self.b),
        }
    }
}

/// Where a verdict is kept: it overwrites the one 256 before.
pub(super) fn verdict_n(writer: WriterNo, m: u64) -> i64 {
    i64::from(writer.0) * VERDICT_SLOTS as i64 + (m % VERDICT_SLOTS) as i64
}

/// The range of a writer's verdicts.
pub(super) fn verdicts_of(writer: WriterNo) -> (i64, i64) {
    let begin = verdict_n(writer, 0);
    (begin, begin + VERDICT_SLOTS as i64)
}

/// The static columns, in the order of [`SpaceRow::read`].
pub(super) const SPACE_COLUMNS: &str = "epoch, epoch_at, lost_at, erased_at, head, gc_seq, swept, \
     clock, live, writers, last_commit, importing, job_no, held";

/// Where the columns of a row begin behind them.
pub(super) const ROW_AT: usize = 14;

/// Columns of a place, which come first of a row.
pub(super) const PLACE_COLUMNS: usize = 4;

/// What is small of a row, in the order of [`Row`].
pub(super) const LIGHT_COLUMNS: &str =
    "kind, n, a, b, seq, bytes, dead_at, committed_at, writer, last, used_at, given_count, m, hash";

/// What may be large of it, in the order of [`Row`].
pub(super) const HEAVY_COLUMNS: &str = "state, given, verdict, at, code, tbl, id, change";

/// A space as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpaceRow {
    /// What the contract shows of it.
    pub(super) view: SpaceView,
    /// When everything of it was last erased; 0 for never.
    pub(super) erased_at_ms: WallMs,
    /// Random, of the last write: two reads that show the same one are of one state.
    pub(super) last_commit: i64,
    /// The last number of a job; `None` if it never had one.
    pub(super) job_no: Option<i64>,
    /// The archive that brought it, as [`super::import`] names it; `None` of one that was opened.
    pub(super) brought: Option<i64>,
    /// Random, of who holds it, so that nobody else writes: see [`super::hold`].
    pub(super) held: Option<i64>,
}

impl SpaceRow {
    /// Of two moments with the same one all records are the same.
    pub(super) fn of_records(&self) -> (Epoch, Seq) {
        (self.view.epoch, self.view.head)
    }
}

/// What the static columns say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No space was opened here. An import may be writing one, in this run.
    Nothing { importing: Option<i64> },
    /// It is there.
    Space(SpaceRow),
}

impl Found {
    pub(super) fn read(cells: &Cells<'_>) -> Result<Found, StoreError> {
        let Some(epoch) = cells.number(0)? else {
            let importing = cells.number(11)?;
            return Ok(Found::Nothing { importing });
        };
        let unsigned = |at| cells.number_there(at).map(|stored| stored as u64);
        let erased_at_ms = unsigned(3)?;
        Ok(Found::Space(SpaceRow {
            view: SpaceView {
                epoch: Epoch(epoch as u64),
                epoch_at_ms: unsigned(1)?,
                lost_at_ms: unsigned(2)?,
                erased: Erased::at(erased_at_ms),
                head: Seq(unsigned(4)?),
                gc_seq: Seq(unsigned(5)?),
                swept: Seq(unsigned(6)?),
                clock: clock_of(cells.number_there(7)?),
                live: unsigned(8)?,
                writers: writer_no(cells.number_there(9)?)?,
            },
            erased_at_ms,
            last_commit: cells.number_there(10)?,
            job_no: cells.number(12)?,
            brought: cells.number(11)?,
            held: cells.number(13)?,
        }))
    }

    pub(super) fn space(self) -> Option<SpaceRow> {
        match self {
            Found::Nothing { .. } => None,
            Found::Space(row) => Some(row),
        }
    }

    /// The space, which the caller opened before.
    pub(super) fn opened(self) -> Result<SpaceRow, StoreError> {
        self.space().ok_or_else(never_opened)
    }
}

pub(super) fn never_opened() -> StoreError {
    StoreError::Unavailable("the space was never opened".to_owned())
}

/// A clock as a number that orders as clocks do.
pub(super) fn ordered_clock(clock: Hlc) -> i64 {
    (clock.to_bits() ^ 1 << 63) as i64
}

fn clock_of(stored: i64) -> Hlc {
    Hlc::from_bits(stored as u64 ^ 1 << 63)
}

/// A writer number as stored.
pub(super) fn writer_no(stored: i64) -> Result<WriterNo, StoreError> {
    let number = u32::try_from(stored);
    number
        .map(WriterNo)
        .map_err(|_| StoreError::Damaged(format!("{stored} is no writer's number")))
}

fn damaged(what: &str, error: &DecodeError) -> StoreError {
    StoreError::Damaged(format!("{what}: {error}"))
}

/// The place of a row of a space.
pub(super) fn place_of(cells: &Cells<'_>) -> Result<Place, StoreError> {
    let number = |at| cells.number_there(ROW_AT + at);
    let text = |at| cells.text(ROW_AT + at);
    Ok(Place::new(
        number(0)? as i8,
        number(1)?,
        (text(2)?, text(3)?),
    ))
}

/// A row, with the columns of every kind. Those of [`HEAVY_COLUMNS`] only where they were asked.
#[derive(Clone, Debug)]
pub(super) struct Row<'f> {
    cells: Cells<'f>,
}

impl<'f> Row<'f> {
    pub(super) fn new(cells: Cells<'f>) -> Row<'f> {
        Row { cells }
    }

    pub(super) fn cells(&self) -> &Cells<'f> {
        &self.cells
    }

    /// The space it is in.
    pub(super) fn found(&self) -> Result<Found, StoreError> {
        Found::read(&self.cells)
    }

    pub(super) fn place(&self) -> Result<Place, StoreError> {
        place_of(&self.cells)
    }

    fn maybe(&self, at: usize) -> Result<Option<i64>, StoreError> {
        self.cells.number(ROW_AT + at)
    }

    /// A record's: the commit that last changed it. `None` of what was removed.
    pub(super) fn seq(&self) -> Result<Option<Seq>, StoreError> {
        Ok(self.maybe(4)?.map(|seq| Seq(seq as u64)))
    }

    /// Bytes of the record's state, also of one that is only told of.
    pub(super) fn bytes(&self) -> Result<usize, StoreError> {
        Ok(usize::try_from(self.maybe(5)?.unwrap_or(0)).unwrap_or(0))
    }

    /// When it was found dead; [`ALIVE`] of the living.
    pub(super) fn dead_at(&self) -> Result<i64, StoreError> {
        Ok(self.maybe(6)?.unwrap_or(ALIVE))
    }

    pub(super) fn committed_at(&self) -> Result<Option<i64>, StoreError> {
        self.maybe(7)
    }

    /// A client's number.
    pub(super) fn writer(&self) -> Result<WriterNo, StoreError> {
        writer_no(self.cells.number_there(ROW_AT + 8)?)
    }

    /// A client's last mutation.
    pub(super) fn last(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.maybe(9)?.map(|last| last as u64))
    }

    pub(super) fn used_at(&self) -> Result<i64, StoreError> {
        self.cells.number_there(ROW_AT + 10)
    }

    pub(super) fn given_count(&self) -> Result<u64, StoreError> {
        Ok(self.maybe(11)?.unwrap_or(0) as u64)
    }

    /// SHA-256 of a mutation, or of a dead letter's change.
    pub(super) fn hash(&self) -> &'f [u8] {
        self.cells.bytes(ROW_AT + 13).unwrap_or_default()
    }

    /// The record, and bytes of it.
    pub(super) fn record(&self) -> Result<(Record, usize), StoreError> {
        let state = self.cells.bytes_there(ROW_AT + 14)?;
        let record = codec::decode_record(state).map_err(|e| damaged("a record", &e))?;
        Ok((record, state.len()))
    }

    /// Whether it holds a client at all.
    pub(super) fn is_client(&self) -> Result<bool, StoreError> {
        Ok(self.maybe(8)?.is_some())
    }

    /// What is remembered of the client, and bytes of what it was given.
    pub(super) fn mark(&self) -> Result<(Mark, usize), StoreError> {
        let bytes = self.cells.bytes(ROW_AT + 15);
        let given = bytes.map(codec::decode_given).transpose();
        let mark = Mark {
            writer: self.writer()?,
            last: self.last()?,
            given: given
                .map_err(|e| damaged("given stamps", &e))?
                .map(Arc::new),
        };
        Ok((mark, bytes.map_or(0, <[u8]>::len)))
    }

    /// The verdict, and its bytes.
    pub(super) fn remembered(&self) -> Result<(Remembered, usize), StoreError> {
        let hash = PayloadHash::try_from(self.hash())
            .map_err(|_| StoreError::Damaged("a verdict's hash".to_owned()))?;
        let bytes = self.cells.bytes_there(ROW_AT + 16)?;
        let verdict = codec::decode_verdict(bytes).map_err(|e| damaged("a verdict", &e))?;
        let m = self.cells.number_there(ROW_AT + 12)? as u64;
        Ok((Remembered { m, hash, verdict }, bytes.len()))
    }

    /// A dead letter's time, code and three texts.
    pub(super) fn letter(&self) -> Result<(WallMs, &'f str, [String; 3]), StoreError> {
        let text = |at| {
            let bytes = self.cells.bytes(ROW_AT + at).unwrap_or_default().to_vec();
            String::from_utf8(bytes).map_err(|e| StoreError::Damaged(e.to_string()))
        };
        let at = self.cells.number_there(ROW_AT + 17)? as u64;
        let texts = [text(19)?, text(20)?, text(21)?];
        Ok((at, self.cells.text(ROW_AT + 18)?, texts))
    }
}
