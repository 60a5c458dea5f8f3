//! Looking at an account, and writing it if nothing was written since.

use std::time::Duration;

use super::row::{Found, NewRow, Place, Row, kind, number_value, root};
use crate::cassandra::alone::AloneIn;
use crate::cassandra::failure::{Failure, contended};
use crate::cassandra::server::{Level, Server, Writes};
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::ledger::{Account, Decided, numbers_of};
use crate::random;
use crate::types::StoreError;

/// Tries of what fails only because others of this account were faster, or because nobody knows.
const TRIES_MAX: usize = 24;

/// Half of the longest pause before the second try, in milliseconds: about what an agreement takes. It
/// doubles up to 32 times as much.
const PAUSE_MS: u64 = 4;

/// The tries of a change of one account. One hub makes one change of it at a time, since several would
/// only make each other begin anew.
pub(super) struct Tries<'a> {
    begun: usize,
    _alone: AloneIn<'a, u128>,
}

impl<'a> Tries<'a> {
    pub(super) async fn of(server: &'a Server, number: u128) -> Tries<'a> {
        Tries {
            begun: 0,
            _alone: server.alone_in_account(number).await,
        }
    }

    /// Begins the next one, once its time has come. Errors: it was tried too often.
    pub(super) async fn next(&mut self) -> Result<(), Failure> {
        match self.begun {
            0 => {}
            TRIES_MAX.. => return Err(contended().into()),
            begun => {
                let longest_ms = PAUSE_MS << begun.min(6);
                let ms = 1 + random()? % longest_ms;
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
        }
        self.begun += 1;
        Ok(())
    }
}

/// The account and its rows at these places, of one moment.
pub(super) async fn look<T>(
    server: &Server,
    (number, mut places): (u128, Vec<Place>),
    mut read: impl FnMut(i8, &Row<'_, '_>) -> Result<Option<T>, StoreError>,
) -> Result<(Found, Vec<T>), Failure> {
    places.push(root());
    let asked = (number.to_be_bytes().to_vec(), places);
    let rows = server.ask((Text::LedgerAt, Level::Serial), asked).await?;
    let (mut found, mut all) = (Found::default(), Vec::new());
    for cells in rows.cells()? {
        found = Found::read(&cells)?;
        let row = Row(&cells);
        all.extend(read(row.kind()?, &row)?);
    }
    Ok((found, all))
}

/// The account alone.
pub(super) async fn account(server: &Server, number: u128) -> Result<Found, Failure> {
    let (found, _) = look::<()>(server, (number, Vec::new()), |_, _| Ok(None)).await?;
    Ok(found)
}

/// A batch that writes an account.
pub(super) struct Change {
    number: u128,
    writes: Writes<'static>,
}

/// What an account becomes.
pub(super) struct Becomes {
    pub(super) account: Account,
    pub(super) owner: Option<String>,
    pub(super) is_closed: bool,
}

impl Change {
    /// One that is written if nothing was since the look.
    pub(super) fn of(number: u128, seen: &Found, becomes: &Becomes) -> Result<Change, Failure> {
        let mut writes = Writes::default();
        let owner = becomes.owner.clone();
        let mut values = vec![
            owner.map_or(Value::Null, Value::Made),
            Value::maybe(becomes.is_closed.then_some(1)),
        ];
        values.extend(numbers_of(&becomes.account).map(Value::Int));
        values.push(Value::Int(random()? as i64));
        values.push(number_value(number));
        values.push(Value::maybe(seen.last_write));
        writes.push(Text::MoveAccount, values);
        let mut change = Change { number, writes };
        if seen.last_write.is_none() {
            change.put(NewRow::root());
        }
        Ok(change)
    }

    pub(super) fn put(&mut self, row: NewRow) {
        let mut values = self.place(row.place);
        values.extend(row.columns);
        self.writes.push(Text::PutLedger, values);
    }

    pub(super) fn remove(&mut self, place: Place) {
        let values = self.place(place);
        self.writes.push(Text::RemoveLedger, values);
    }

    /// Removes all rows of a kind.
    pub(super) fn remove_all(&mut self, kind: i8) {
        let values = vec![number_value(self.number), Value::Kind(kind)];
        self.writes.push(Text::RemoveLedgerKind, values);
    }

    fn place(&self, (kind, n, id): Place) -> Vec<Value<'static>> {
        vec![
            number_value(self.number),
            Value::Kind(kind),
            Value::Int(n),
            Value::Blob(id),
        ]
    }

    /// The lines that were decided, which name the account of this number, and the reservation.
    pub(super) fn put_decided(&mut self, decided: &Decided, other: Option<u128>) {
        for line in &decided.lines {
            self.put(NewRow::line(line, other));
            NewRow::about(line)
                .into_iter()
                .for_each(|row| self.put(row));
            NewRow::used(line).into_iter().for_each(|row| self.put(row));
        }
        if let Some(reservation) = &decided.reservation {
            self.put(NewRow::reservation(reservation));
        }
    }

    /// Writes all or nothing. False: it was not, or nobody knows; another look tells.
    pub(super) async fn write(&self, server: &Server) -> Result<bool, Failure> {
        match server.write(&self.writes).await {
            Err(Failure::GivenUp(_) | Failure::Lost(_)) => Ok(false),
            answer => answer,
        }
    }
}

/// Has everything fail that is under way and stands on what was seen of an account. What names it in
/// vain can go then.
pub(super) async fn touch(server: &Server, number: u128, seen: &Found) -> Result<bool, Failure> {
    let becomes = Becomes {
        account: seen.account,
        owner: seen.owner.clone(),
        is_closed: seen.is_closed,
    };
    Change::of(number, seen, &becomes)?.write(server).await
}

/// Kinds whose rows say what an owner was shown or has called something.
pub(super) const PERSONAL: [i8; 2] = [kind::ABOUT, kind::KEY];
