//! Which job of a lane comes before another.

use crate::jobs::{Ahead, LEASED, Lease, LeaseLost};
use crate::postgres::call::Call;
use crate::postgres::connection::Connection;
use crate::postgres::error::{Failure, unreadable};

/// The first of the lane that is not dead.
pub(in crate::postgres) const AHEAD: &str = "SELECT ahead.at FROM syncline.jobs mine
    LEFT JOIN LATERAL (SELECT j.at FROM syncline.jobs j
        WHERE j.sid = mine.sid AND j.kind = mine.kind AND j.lane = mine.lane
            AND j.no < mine.no AND j.at IS NOT NULL
        ORDER BY j.no LIMIT 1) AS ahead ON true
    WHERE mine.no = $1 AND mine.lease = $2 AND mine.state = $3";

/// [`crate::JobStore::ahead`].
pub(in crate::postgres) struct Asking<'a>(pub(in crate::postgres) &'a Lease);

impl Call for Asking<'_> {
    type Answer = Ahead;

    async fn run(&self, connection: &Connection) -> Result<Ahead, Failure> {
        let (no, lease) = (self.0.no.0 as i64, self.0.number as i64);
        let asked = [&no as _, &lease as _, &LEASED as _];
        let statement = &connection.statements.jobs.ahead;
        let row = connection.client.query_opt(statement, &asked).await?;
        let Some(row) = row else {
            return Ok(Err(LeaseLost));
        };
        let at: Option<i64> = row.try_get(0).map_err(|error| unreadable(&error))?;
        Ok(Ok(at.map(|at| at as u64)))
    }
}
