//! Rows of an account's partition.

use syncline_protocol::ids::AppId;
use syncline_protocol::json::Json;
use syncline_protocol::stamp::WallMs;

use crate::cassandra::value::{Cells, Value};
use crate::ledger::{
    ACCOUNT_NUMBERS, About, Account, AccountId, Credits, Line, LineKind, Order, OrderKey,
    PostingId, Reservation, Spent, account_of, code_of, credits_of, kind_of, posting_of,
    state_code, state_of,
};
use crate::types::StoreError;

/// What is read of a partition, static columns first.
pub(in crate::cassandra) const LEDGER_COLUMNS: &str = "owner, closed, last_write, lines, balance, \
    reserved, in_transit, granted, purchased, received, consumed, expired, sent, kind, n, id, posting, \
    what, amount, balance_after, at, of_posting, other, app, description, metadata, line, hash, \
    refunded, expires_at, state, key, to_owner";

/// What a row is of, in the order in which they stand.
pub(super) mod kind {
    /// A line, by its number.
    pub(in crate::cassandra::ledger) const LINE: i8 = 1;
    /// What people are shown of a line, by its number; only where there is anything.
    pub(in crate::cassandra::ledger) const ABOUT: i8 = 2;
    /// An order, by its key: its line, or what is under way of it.
    pub(in crate::cassandra::ledger) const KEY: i8 = 3;
    /// What was used and may be refunded, by its posting.
    pub(in crate::cassandra::ledger) const USED: i8 = 4;
    /// What came from another account, by its posting.
    pub(in crate::cassandra::ledger) const RECEIVED: i8 = 5;
    /// A reservation, by its posting.
    pub(in crate::cassandra::ledger) const RESERVED: i8 = 6;
    /// A transfer that is under way, by its posting.
    pub(in crate::cassandra::ledger) const UNDER_WAY: i8 = 7;
    /// Nothing: beside it the server tells the static columns.
    pub(in crate::cassandra::ledger) const ROOT: i8 = 8;
}

/// Where a row stands.
pub(super) type Place = (i8, i64, Vec<u8>);

pub(super) fn root() -> Place {
    (kind::ROOT, 0, Vec::new())
}

pub(super) fn of_key(key: &OrderKey) -> Place {
    (kind::KEY, 0, key.as_str().as_bytes().to_vec())
}

pub(super) fn of_posting(kind: i8, posting: PostingId) -> Place {
    (kind, 0, posting.0.to_be_bytes().to_vec())
}

pub(super) fn of_line(kind: i8, no: u64) -> Place {
    (kind, no as i64, Vec::new())
}

/// An account as a look has found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// As it stands; all 0 if it was never written.
    pub(super) account: Account,
    /// Whose it is; `None` if it was never written, or is nobody's.
    pub(super) owner: Option<String>,
    /// It is nobody's, and is never written again.
    pub(super) is_closed: bool,
    /// The last write of it; `None` if there was none.
    pub(super) last_write: Option<i64>,
}

impl Found {
    pub(super) fn read(cells: &Cells<'_>) -> Result<Found, StoreError> {
        let mut numbers = [0; ACCOUNT_NUMBERS];
        for (place, number) in numbers.iter_mut().enumerate() {
            *number = cells.number(3 + place)?.unwrap_or(0);
        }
        let owner = cells.bytes(0).map(|_| cells.text(0)).transpose()?;
        Ok(Found {
            account: account_of(numbers)?,
            owner: owner.map(str::to_owned),
            is_closed: cells.number(1)?.is_some(),
            last_write: cells.number(2)?,
        })
    }
}

/// A row's own cells.
pub(super) struct Row<'a, 'f>(pub(super) &'a Cells<'f>);

/// What is known of an order's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// What the order was.
    pub(super) hash: Vec<u8>,
    /// Its line; `None` while its transfer is under way.
    pub(super) line: Option<u64>,
    /// Its posting.
    pub(super) posting: PostingId,
}

/// A transfer that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnderWay {
    pub(super) posting: PostingId,
    /// The number of the receiver's account.
    pub(super) to: u128,
    /// Whose that is.
    pub(super) to_owner: String,
    pub(super) amount: Credits,
    pub(super) at_ms: WallMs,
    /// The order's key.
    pub(super) key: OrderKey,
    pub(super) hash: Vec<u8>,
    pub(super) about: About,
}

impl<'f> Row<'_, 'f> {
    pub(super) fn kind(&self) -> Result<i8, StoreError> {
        Ok(self.0.number(13)?.unwrap_or(0) as i8)
    }

    pub(super) fn n(&self) -> Result<i64, StoreError> {
        self.0.number_there(14)
    }

    fn posting(&self) -> Result<PostingId, StoreError> {
        posting_of(self.0.bytes_there(16)?)
    }

    pub(super) fn what(&self) -> Result<LineKind, StoreError> {
        kind_of(self.0.number_there(17)?)
    }

    pub(super) fn amount(&self) -> Result<Credits, StoreError> {
        credits_of(self.0.number_there(18)?)
    }

    fn maybe_text(&self, at: usize) -> Result<Option<&'f str>, StoreError> {
        self.0.bytes(at).map(|_| self.0.text(at)).transpose()
    }

    pub(super) fn about(&self) -> Result<About, StoreError> {
        let (app, metadata) = (self.maybe_text(23)?, self.maybe_text(25)?);
        Ok(About::trusted(app, self.0.text(24)?, metadata))
    }

    /// A line without what people are shown of it, and the number of the account that it names.
    pub(super) fn line(&self) -> Result<(Line, Option<u128>), StoreError> {
        let line = Line {
            no: self.n()? as u64,
            posting: self.posting()?,
            kind: self.what()?,
            amount: self.amount()?,
            balance_after: credits_of(self.0.number_there(19)?)?,
            at_ms: self.0.number_there(20)? as u64,
            of: self.0.bytes(21).map(posting_of).transpose()?,
            other: None,
            about: About::default(),
        };
        let other = self.0.bytes(22).map(number_of).transpose()?;
        Ok((line, other))
    }

    pub(super) fn known(&self) -> Result<Known, StoreError> {
        Ok(Known {
            hash: self.0.bytes_there(27)?.to_vec(),
            line: self.0.number(26)?.map(|no| no as u64),
            posting: self.posting()?,
        })
    }

    pub(super) fn spent(&self) -> Result<Spent, StoreError> {
        Ok(Spent {
            kind: self.what()?,
            amount: self.amount()?,
            refunded: credits_of(self.0.number_there(28)?)?,
        })
    }

    pub(super) fn reservation(&self) -> Result<Reservation, StoreError> {
        Ok(Reservation {
            posting: self.posting()?,
            amount: self.amount()?,
            expires_at_ms: self.0.number_there(29)? as u64,
            state: state_of(self.0.number_there(30)?)?,
        })
    }

    pub(super) fn under_way(&self) -> Result<UnderWay, StoreError> {
        Ok(UnderWay {
            posting: self.posting()?,
            to: number_of(self.0.bytes_there(22)?)?,
            to_owner: self.0.text(32)?.to_owned(),
            amount: self.amount()?,
            at_ms: self.0.number_there(20)? as u64,
            key: OrderKey::trusted(self.0.text(31)?),
            hash: self.0.bytes_there(27)?.to_vec(),
            about: self.about()?,
        })
    }
}

/// An account's number from its 16 bytes.
pub(super) fn number_of(bytes: &[u8]) -> Result<u128, StoreError> {
    Ok(posting_of(bytes)?.0)
}

pub(super) fn number_value(number: u128) -> Value<'static> {
    Value::Blob(number.to_be_bytes().to_vec())
}

/// Columns of a row after the partition and the place, in the order of the statement that puts it:
/// `posting` and all that follow it in [`LEDGER_COLUMNS`]. What is not said stays as it is.
struct Put(Vec<Value<'static>>);

/// Columns that a row has.
const COLUMNS: usize = 17;

impl Put {
    fn new() -> Put {
        Put(vec![Value::Unset; COLUMNS])
    }

    /// Sets a column, by its place in [`LEDGER_COLUMNS`].
    fn set(mut self, at: usize, value: Value<'static>) -> Put {
        self.0[at - 16] = value;
        self
    }

    fn posting(self, posting: PostingId) -> Put {
        self.set(16, number_value(posting.0))
    }

    fn amount(self, amount: Credits) -> Put {
        self.set(18, Value::Int(amount.get() as i64))
    }

    fn about(self, about: &About) -> Put {
        let text = |text: &str| Value::Made(text.to_owned());
        let app = about.app().map(AppId::as_str);
        let metadata = about.metadata().map(Json::as_str);
        self.set(23, app.map_or(Value::Unset, text))
            .set(24, text(about.description()))
            .set(25, metadata.map_or(Value::Unset, text))
    }
}

/// A row that is to be put: where, and its columns.
pub(super) struct NewRow {
    pub(super) place: Place,
    pub(super) columns: Vec<Value<'static>>,
}

impl NewRow {
    fn new(place: Place, Put(columns): Put) -> NewRow {
        NewRow { place, columns }
    }

    pub(super) fn root() -> NewRow {
        NewRow::new(root(), Put::new())
    }

    pub(super) fn line(line: &Line, other: Option<u128>) -> NewRow {
        let put = Put::new()
            .posting(line.posting)
            .set(17, Value::Int(code_of(line.kind)))
            .amount(line.amount)
            .set(19, Value::Int(line.balance_after.get() as i64))
            .set(20, Value::Int(line.at_ms as i64))
            .set(21, line.of.map_or(Value::Unset, |of| number_value(of.0)))
            .set(22, other.map_or(Value::Unset, number_value));
        NewRow::new(of_line(kind::LINE, line.no), put)
    }

    /// What people are shown of it, if there is anything.
    pub(super) fn about(line: &Line) -> Option<NewRow> {
        let is_there = line.about != About::default();
        is_there.then(|| {
            let put = Put::new().about(&line.about);
            NewRow::new(of_line(kind::ABOUT, line.no), put)
        })
    }

    /// That something was used, if it was.
    pub(super) fn used(line: &Line) -> Option<NewRow> {
        let is_use = matches!(line.kind, LineKind::Used | LineKind::Settled);
        is_use.then(|| NewRow::spent(line.posting, (line.kind, line.amount), Credits::ZERO))
    }

    pub(super) fn spent(
        posting: PostingId,
        (what, amount): (LineKind, Credits),
        refunded: Credits,
    ) -> NewRow {
        let put = Put::new()
            .posting(posting)
            .set(17, Value::Int(code_of(what)))
            .amount(amount)
            .set(28, Value::Int(refunded.get() as i64));
        NewRow::new(of_posting(kind::USED, posting), put)
    }

    /// That an order is done, or under way.
    pub(super) fn key(
        (key, hash): (&OrderKey, Vec<u8>),
        posting: PostingId,
        line: Option<u64>,
    ) -> NewRow {
        let put = Put::new()
            .posting(posting)
            .set(26, Value::maybe(line.map(|no| no as i64)))
            .set(27, Value::Blob(hash));
        NewRow::new(of_key(key), put)
    }

    pub(super) fn reservation(reservation: &Reservation) -> NewRow {
        let expires_at = i64::try_from(reservation.expires_at_ms).unwrap_or(i64::MAX);
        let put = Put::new()
            .posting(reservation.posting)
            .amount(reservation.amount)
            .set(29, Value::Int(expires_at))
            .set(30, Value::Int(state_code(reservation.state)));
        NewRow::new(of_posting(kind::RESERVED, reservation.posting), put)
    }

    pub(super) fn under_way(
        order: &Order,
        posting: PostingId,
        (to, owner, amount): (u128, &AccountId, Credits),
    ) -> NewRow {
        let put = Put::new()
            .posting(posting)
            .amount(amount)
            .set(32, Value::Made(owner.stored()))
            .set(20, Value::Int(order.at_ms as i64))
            .set(22, number_value(to))
            .about(&order.about)
            .set(27, Value::Blob(order.hash().to_vec()))
            .set(31, Value::Made(order.key.as_str().to_owned()));
        NewRow::new(of_posting(kind::UNDER_WAY, posting), put)
    }

    pub(super) fn received(posting: PostingId) -> NewRow {
        let put = Put::new().posting(posting);
        NewRow::new(of_posting(kind::RECEIVED, posting), put)
    }
}
