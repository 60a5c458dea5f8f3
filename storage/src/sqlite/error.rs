//! Errors of SQLite and of the codec, split by what the caller does.

use rusqlite::ErrorCode;
use syncline_protocol::codec::DecodeError;

use crate::types::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let damaged = match &error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => true,
            _ => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
        };
        if damaged {
            StoreError::Damaged(error.to_string())
        } else {
            StoreError::Unavailable(error.to_string())
        }
    }
}

/// A stored value that cannot be read. Names its place, never its content.
pub(super) fn damaged(what: &str, sid: i64, error: &DecodeError) -> StoreError {
    StoreError::Damaged(format!("{what} in space number {sid}: {error}"))
}
