//! What goes to the server and what comes from it: values of a statement, cells of a row.

use scylla::cluster::metadata::ColumnType;
use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
use scylla::deserialize::{DeserializationError, TypeCheckError};
use scylla::errors::SerializationError;
use scylla::frame::response::result::ColumnSpec;
use scylla::serialize::value::SerializeValue;
use scylla::serialize::writers::{CellWriter, WrittenCellProof};
use scylla::value::Unset;

use crate::types::StoreError;

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// `bigint`.
    Int(i64),
    /// `int`.
    Small(i32),
    /// `tinyint`.
    Kind(i8),
    /// `text`.
    Text(&'a str),
    /// `text` that was made for it.
    Made(String),
    /// `blob`.
    Blob(Vec<u8>),
    /// Nothing; in a condition: that there is nothing.
    Null,
    /// What is there stays.
    Unset,
}

impl Value<'_> {
    /// A number, or nothing.
    pub(super) fn maybe(number: Option<i64>) -> Value<'static> {
        number.map_or(Value::Null, Value::Int)
    }

    /// Bytes on the wire, about.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Value::Int(_) => 12,
            Value::Small(_) => 8,
            Value::Kind(_) => 5,
            Value::Text(text) => 4 + text.len(),
            Value::Made(text) => 4 + text.len(),
            Value::Blob(blob) => 4 + blob.len(),
            Value::Null | Value::Unset => 4,
        }
    }
}

impl SerializeValue for Value<'_> {
    fn serialize<'b>(
        &self,
        typ: &ColumnType<'_>,
        writer: CellWriter<'b>,
    ) -> Result<WrittenCellProof<'b>, SerializationError> {
        match self {
            Value::Int(number) => number.serialize(typ, writer),
            Value::Small(number) => number.serialize(typ, writer),
            Value::Kind(number) => number.serialize(typ, writer),
            Value::Text(text) => text.serialize(typ, writer),
            Value::Made(text) => text.serialize(typ, writer),
            Value::Blob(blob) => blob.serialize(typ, writer),
            Value::Null => None::<i64>.serialize(typ, writer),
            Value::Unset => Unset.serialize(typ, writer),
        }
    }
}

/// The cells of a row as they came. The schema is ours, so a cell that is not what it should be
/// is damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cells<'f>(Vec<Option<&'f [u8]>>);

impl<'f> DeserializeRow<'f, '_> for Cells<'f> {
    fn type_check(_: &[ColumnSpec<'_>]) -> Result<(), TypeCheckError> {
        Ok(())
    }

    fn deserialize(columns: ColumnIterator<'f, '_>) -> Result<Self, DeserializationError> {
        let cells = columns.map(|column| Ok(column?.slice.map(|slice| slice.as_slice())));
        Ok(Cells(cells.collect::<Result<_, DeserializationError>>()?))
    }
}

impl<'f> Cells<'f> {
    pub(super) fn of(cells: Vec<Option<&'f [u8]>>) -> Cells<'f> {
        Cells(cells)
    }

    pub(super) fn all(&self) -> &[Option<&'f [u8]>] {
        &self.0
    }

    /// Bytes of all of them.
    pub(super) fn size(&self) -> usize {
        self.0.iter().flatten().map(|bytes| bytes.len()).sum()
    }

    /// What a cell holds; `None` for nothing.
    pub(super) fn bytes(&self, at: usize) -> Option<&'f [u8]> {
        self.0.get(at).copied().flatten()
    }

    /// What a cell must hold.
    pub(super) fn bytes_there(&self, at: usize) -> Result<&'f [u8], StoreError> {
        self.bytes(at).ok_or_else(|| unreadable(at))
    }

    /// A whole number of 1, 4 or 8 bytes; `None` for nothing.
    pub(super) fn number(&self, at: usize) -> Result<Option<i64>, StoreError> {
        let Some(bytes) = self.bytes(at) else {
            return Ok(None);
        };
        let number = match *bytes {
            [byte] => i64::from(byte as i8),
            [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
            _ => i64::from_be_bytes(bytes.try_into().map_err(|_| unreadable(at))?),
        };
        Ok(Some(number))
    }

    /// A number that must be there.
    pub(super) fn number_there(&self, at: usize) -> Result<i64, StoreError> {
        self.number(at)?.ok_or_else(|| unreadable(at))
    }

    /// A text; an empty one for nothing.
    pub(super) fn text(&self, at: usize) -> Result<&'f str, StoreError> {
        let bytes = self.bytes(at).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| unreadable(at))
    }
}

fn unreadable(at: usize) -> StoreError {
    StoreError::Damaged(format!("column {at} of a row cannot be read"))
}
