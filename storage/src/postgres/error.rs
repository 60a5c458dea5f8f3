//! What the driver's errors mean to callers.

use syncline_protocol::codec::DecodeError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::ledger::LedgerRefusal;
use crate::types::StoreError;

/// Bytes of a server's message that are passed on.
const MESSAGE_BYTES_MAX: usize = 200;

/// Why a call was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server or the way to it.
    Sql(Error),
    /// No answer in time: what was asked may still be done.
    Late,
    /// The server answered, and that is the answer.
    Store(StoreError),
    /// Of the commits at these places leases are lost, at those places among their `ends`. The
    /// transaction was rolled back.
    LeasesLost(Vec<(usize, Vec<usize>)>),
    /// An order of the ledger may not be done. The transaction was rolled back.
    Refused(LedgerRefusal),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

impl From<LedgerRefusal> for Failure {
    fn from(refusal: LedgerRefusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl Failure {
    /// The transaction lost to another one and was rolled back for certain.
    pub(super) fn is_lost_race(&self) -> bool {
        let Failure::Sql(error) = self else {
            return false;
        };
        let races = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
        ];
        error.code().is_some_and(|code| races.contains(code))
    }

    /// Another transaction held a lock for too long; nothing was done.
    pub(super) fn is_held_lock(&self) -> bool {
        let Failure::Sql(error) = self else {
            return false;
        };
        error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// The connection ended, or the server is about to end it: another one may do better.
    pub(super) fn is_lost_connection(&self) -> bool {
        let Failure::Sql(error) = self else {
            return false;
        };
        match error.code() {
            None => true,
            // Shutdown, crash, start-up; a primary that became a replica.
            Some(code) => {
                let class = code.code();
                class.starts_with("57P0") || class.starts_with("08") || class == "25006"
            }
        }
    }

    /// The connection can be used again: the server answered, and nothing is open.
    pub(super) fn leaves_connection_usable(&self) -> bool {
        match self {
            Failure::Store(_) | Failure::LeasesLost(_) | Failure::Refused(_) => true,
            Failure::Sql(_) => self.is_lost_race() || self.is_held_lock(),
            Failure::Late => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        match failure {
            Failure::Store(error) => error,
            Failure::Late => StoreError::Unavailable("no answer in time".to_owned()),
            Failure::LeasesLost(_) => StoreError::Unavailable("leases are lost".to_owned()),
            Failure::Refused(refusal) => StoreError::Unavailable(refusal.to_string()),
            Failure::Sql(error) => {
                let is_damage = |code: &SqlState| {
                    [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code)
                };
                if error.code().is_some_and(is_damage) {
                    StoreError::Damaged(told(&error))
                } else {
                    StoreError::Unavailable(told(&error))
                }
            }
        }
    }
}

/// An error in a line. The server's own words come without the values they are about, which
/// stand in its details.
pub(crate) fn told(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", short(said.message()), said.code().code());
    }
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(why) = cause {
        told.push_str(": ");
        told.push_str(&why.to_string());
        cause = why.source();
    }
    told
}

/// What is wrong with a URL. The driver's causes name the parameter, never its value.
pub(super) fn of_url(error: &Error) -> String {
    format!("cannot be read: {}", told(error))
}

/// A text, cut where it becomes too long.
pub(super) fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

/// A column that cannot be read as what it must be.
pub(super) fn unreadable(error: &Error) -> StoreError {
    StoreError::Damaged(told(error))
}

/// A stored value that cannot be read. Names its place, never its content.
pub(super) fn damaged(what: &str, sid: i64, error: &DecodeError) -> StoreError {
    StoreError::Damaged(format!("{what} in space number {sid}: {error}"))
}
