//! Which job of a lane comes before another.

use syncline_protocol::stamp::WallMs;

use super::number;
use crate::jobs::{LEASED, Lease};
use crate::postgres::call::Call;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;

/// The first of the lane that is not dead.
pub(in crate::postgres) const AHEAD: &str = "SELECT ahead.at FROM syncline.jobs mine,
    LATERAL (SELECT j.at FROM syncline.jobs j
        WHERE j.sid = mine.sid AND j.kind = mine.kind AND j.lane = mine.lane
            AND j.no < mine.no AND j.at IS NOT NULL
        ORDER BY j.no LIMIT 1) AS ahead
    WHERE mine.no = $1 AND mine.lease = $2 AND mine.state = $3";

/// [`crate::JobStore::ahead`].
pub(in crate::postgres) struct Ahead<'a>(pub(in crate::postgres) &'a Lease);

impl Call for Ahead<'_> {
    type Answer = Option<WallMs>;

    async fn run(&self, connection: &Connection) -> Result<Option<WallMs>, Failure> {
        let (no, lease) = (self.0.no.0 as i64, self.0.number as i64);
        let asked = [&no as _, &lease as _, &LEASED as _];
        let statement = &connection.statements.jobs.ahead;
        let row = connection.client.query_opt(statement, &asked).await?;
        let at = row.map(|row| number(&row, 0)).transpose()?;
        Ok(at.map(|at| at as u64))
    }
}
