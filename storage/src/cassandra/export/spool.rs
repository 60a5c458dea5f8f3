//! What an export keeps of a space until all of it is of one state: rows as the server told them, in
//! a file that has no name, so that it is gone with whoever reads it, however that ends.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::super::failure::Failure;
use super::super::row::ROW_AT;
use super::super::value::Cells;
use crate::types::StoreError;

/// In the place of a cell's length: nothing.
const NOTHING: u32 = u32::MAX;

/// Rows, written and read in frames. Blocks its thread while the disk does.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    end: u64,
}

/// Rows that are sent as one part: where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    at: u64,
    bytes: usize,
}

impl Spool {
    pub(super) fn in_directory(directory: &Path) -> Result<Spool, Failure> {
        let file = tempfile::tempfile_in(directory).map_err(|error| {
            let directory = directory.display();
            Failure::Refused(format!("an export keeps a file in {directory}: {error}"))
        })?;
        Ok(Spool { file, end: 0 })
    }

    /// Where the next frame will be.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Gives up every frame from here on.
    pub(super) fn cut(&mut self, end: u64) {
        self.end = end;
    }

    /// Keeps rows, each as [`packed`] has it.
    pub(super) fn keep(&mut self, rows: &[Vec<u8>]) -> Result<Frame, Failure> {
        let at = self.end;
        for row in rows {
            let written = self.file.write_all_at(row, self.end);
            written.map_err(|error| unusable(&error))?;
            self.end += row.len() as u64;
        }
        let bytes = (self.end - at) as usize;
        Ok(Frame { at, bytes })
    }

    /// The rows of a frame; [`unpacked`] reads them.
    pub(super) fn read(&self, frame: Frame) -> Result<Vec<u8>, Failure> {
        let mut rows = vec![0; frame.bytes];
        let read = self.file.read_exact_at(&mut rows, frame.at);
        read.map_err(|error| unusable(&error))?;
        Ok(rows)
    }
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::Refused(format!("the file that an export keeps: {error}"))
}

/// A row without the space beside it: how many cells it has, and each after its length.
pub(super) fn packed(cells: &Cells<'_>) -> Vec<u8> {
    let cells = &cells.all()[ROW_AT..];
    let mut row = Vec::new();
    row.extend_from_slice(&(cells.len() as u32).to_le_bytes());
    for cell in cells {
        let length = cell.map_or(NOTHING, |bytes| bytes.len() as u32);
        row.extend_from_slice(&length.to_le_bytes());
        row.extend_from_slice(cell.unwrap_or_default());
    }
    row
}

/// The rows of a frame, with nothing in place of their space.
pub(super) fn unpacked(mut frame: &[u8]) -> Result<Vec<Cells<'_>>, StoreError> {
    let mut rows = Vec::new();
    while !frame.is_empty() {
        let mut cells = vec![None; ROW_AT];
        for _ in 0..number(&mut frame)? {
            let cell = match number(&mut frame)? {
                NOTHING => None,
                length => Some(take(&mut frame, length as usize)?),
            };
            cells.push(cell);
        }
        rows.push(Cells::of(cells));
    }
    Ok(rows)
}

fn number(frame: &mut &[u8]) -> Result<u32, StoreError> {
    let bytes = take(frame, 4)?.first_chunk().copied();
    Ok(u32::from_le_bytes(bytes.unwrap_or_default()))
}

fn take<'f>(frame: &mut &'f [u8], bytes: usize) -> Result<&'f [u8], StoreError> {
    let damaged = || StoreError::Damaged("the file that an export keeps".to_owned());
    let (first, rest) = frame.split_at_checked(bytes).ok_or_else(damaged)?;
    *frame = rest;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[Option<&'static [u8]>]) -> Cells<'static> {
        Cells::of([&[None; ROW_AT], cells].concat())
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::in_directory(dir.path()).unwrap();
        let rows = [row(&[Some(b"a"), None, Some(b"")]), row(&[Some(b"bc")])];
        let first = spool.keep(&rows.each_ref().map(packed)).unwrap();
        let second = spool.keep(&[packed(&rows[1])]).unwrap();
        let read = |frame: Frame| spool.read(frame).unwrap();
        assert_eq!(unpacked(&read(first)).unwrap(), rows);
        assert_eq!(unpacked(&read(second)).unwrap(), rows[1..]);
        assert!(unpacked(&read(first)[1..]).is_err());
    }

    #[test]
    fn what_was_given_up_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::in_directory(dir.path()).unwrap();
        let [kept, given_up, last] = [b"kept", b"gone", b"last"].map(|text| vec![text.to_vec()]);
        let kept = spool.keep(&kept).unwrap();
        let end = spool.end();
        spool.keep(&given_up).unwrap();
        spool.cut(end);
        let last = spool.keep(&last).unwrap();
        assert_eq!(spool.read(kept).unwrap(), b"kept");
        assert_eq!(spool.read(last).unwrap(), b"last");
        assert_eq!(spool.end(), 8);
    }

    #[test]
    fn its_file_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::in_directory(dir.path()).unwrap();
        spool.keep(&[vec![1]]).unwrap();
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_told() {
        let told = Spool::in_directory(Path::new("/nowhere/at/all"));
        let told = StoreError::from(told.unwrap_err()).to_string();
        assert!(told.contains("/nowhere/at/all"), "{told}");
    }
}
