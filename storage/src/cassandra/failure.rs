//! What the driver's errors mean to callers.

use scylla::errors::{
    DbError, ExecutionError, IntoRowsResultError, RequestAttemptError, RowsError,
};

use crate::types::{CommitError, StoreError};

/// Bytes of a server's message that are passed on.
const MESSAGE_BYTES_MAX: usize = 200;

/// The server's code for a conditional write of which it does not know the end.
const CAS_WRITE_UNKNOWN: i32 = 0x1700;

/// Why something was not done, or may not have been.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// It was refused before anything was done.
    Refused(String),
    /// The same, because it is more than is taken at once.
    TooLarge(String),
    /// The server gave up in the middle. Nothing of it is under way any more, so that a read at
    /// the serial level tells what became of it.
    GivenUp(String),
    /// The answer did not come. What was asked may still be under way.
    Lost(String),
    /// A read met more deletions than the server wants to step over.
    Tombstones(String),
    /// The server answered, and that is the answer.
    Store(StoreError),
}

impl Failure {
    /// Whether nothing of what was asked is under way any more.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Failure::GivenUp(_))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Store(error)
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Failure {
        let told = short(&error.to_string()).to_owned();
        match &error {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, said)) => {
                of_database(error, said, told)
            }
            ExecutionError::LastAttemptError(
                RequestAttemptError::CqlRequestSerialization(_)
                | RequestAttemptError::SerializationError(_)
                | RequestAttemptError::UnableToAllocStreamId,
            )
            | ExecutionError::BadQuery(_)
            | ExecutionError::EmptyPlan
            | ExecutionError::ConnectionPoolError(_)
            | ExecutionError::PrepareError(_) => Failure::Refused(told),
            ExecutionError::RequestTimeout(_) => Failure::Lost("no answer in time".to_owned()),
            _ => Failure::Lost(told),
        }
    }
}

fn of_database(error: &DbError, said: &str, told: String) -> Failure {
    match error {
        DbError::ReadFailure { .. } if is_of_tombstones(said) => Failure::Tombstones(told),
        DbError::WriteTimeout { .. }
        | DbError::WriteFailure { .. }
        | DbError::ReadTimeout { .. }
        | DbError::ReadFailure { .. }
        | DbError::Other(CAS_WRITE_UNKNOWN) => Failure::GivenUp(told),
        DbError::ServerError | DbError::Other(_) => Failure::Lost(told),
        _ => Failure::Refused(told),
    }
}

/// The protocol has a reason a replica; the driver passes on the server's sentence, which names it.
fn is_of_tombstones(said: &str) -> bool {
    said.contains("READ_TOO_MANY_TOMBSTONES")
}

impl From<IntoRowsResultError> for Failure {
    fn from(error: IntoRowsResultError) -> Failure {
        Failure::Lost(short(&error.to_string()).to_owned())
    }
}

impl From<RowsError> for Failure {
    fn from(error: RowsError) -> Failure {
        Failure::Store(StoreError::Damaged(short(&error.to_string()).to_owned()))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        match failure {
            Failure::Store(error) => error,
            Failure::Refused(why)
            | Failure::TooLarge(why)
            | Failure::GivenUp(why)
            | Failure::Lost(why)
            | Failure::Tombstones(why) => StoreError::Unavailable(why),
        }
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> CommitError {
        match failure {
            Failure::TooLarge(why) => CommitError::TooLarge(why),
            failure => CommitError::Store(failure.into()),
        }
    }
}

/// A text, cut where it becomes too long.
pub(super) fn short(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

/// What only one of several that try at once gets, and this one did not, time after time.
pub(super) fn contended() -> StoreError {
    StoreError::Unavailable("the space is written by too many at once".to_owned())
}
