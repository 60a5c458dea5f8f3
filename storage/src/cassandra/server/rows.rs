//! What the server answers.

use scylla::response::query_result::QueryRowsResult;
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};

use crate::cassandra::failure::{Failure, short};
use crate::cassandra::row::{Found, Row};
use crate::cassandra::value::Cells;
use crate::types::StoreError;

/// Rows as they came.
pub(in crate::cassandra) struct Rows(QueryRowsResult);

impl Rows {
    pub(super) fn of(answer: QueryRowsResult) -> Rows {
        Rows(answer)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.rows_num()
    }

    /// The cells of each of them.
    pub(in crate::cassandra) fn cells(&self) -> Result<Vec<Cells<'_>>, Failure> {
        let rows = self.0.rows::<Cells<'_>>()?;
        rows.map(|cells| cells.map_err(|error| unreadable(&error)))
            .collect()
    }

    /// Each of them, of a statement that reads rows of a space.
    pub(in crate::cassandra) fn all(&self) -> Result<Vec<Row<'_>>, Failure> {
        Ok(self.cells()?.into_iter().map(Row::new).collect())
    }

    /// The space they are of. Only of a read that cannot be empty.
    pub(in crate::cassandra) fn found(&self) -> Result<Found, Failure> {
        match self.0.maybe_first_row::<Cells<'_>>() {
            Ok(Some(cells)) => Ok(Found::read(&cells)?),
            Err(error) => Err(unreadable(&error)),
            Ok(None) => Ok(Found::Nothing { importing: None }),
        }
    }
}

/// The answer to a conditional batch.
impl Rows {
    pub(super) fn is_applied(&self) -> Result<bool, Failure> {
        let first = self.0.first_row::<Cells<'_>>();
        let first = first.map_err(|error| unreadable(&error))?;
        Ok(first.bytes(0) == Some(&[1]))
    }

    /// The space that is held, and by whom, if that was tested.
    pub(super) fn holder(&self) -> Result<Option<(SpaceKey, i64)>, Failure> {
        let specs = self.0.column_specs();
        let at = |name| Some(specs.get_by_name(name)?.0);
        let (Some(app), Some(space), Some(held)) = (at("app"), at("space"), at("held")) else {
            return Ok(None);
        };
        for cells in self.cells()? {
            if let Some(holder) = cells.number(held)? {
                let space = SpaceKey {
                    app: AppId::trusted(cells.text(app)?),
                    space: SpaceId::trusted(cells.text(space)?),
                };
                return Ok(Some((space, holder)));
            }
        }
        Ok(None)
    }
}

fn unreadable(error: &impl ToString) -> Failure {
    Failure::Store(StoreError::Damaged(short(&error.to_string()).to_owned()))
}
