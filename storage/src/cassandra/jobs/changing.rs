//! Changing jobs of a space: to look, to plan and to write, until nothing was written between.

use std::time::Duration;

use super::change::write;
use super::lanes::see_lanes;
use super::plan::Plan;
use super::seen::Asked;
use crate::cassandra::failure::Failure;
use crate::cassandra::hold::Hold;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::tries::Tries;

/// How long a space may take where others are asked in the same call, whose leases end meanwhile. One whose
/// holder is gone takes longer.
const TAKES_MAX: Duration = Duration::from_secs(6);

/// What is asked of a space, given up where it takes so long that others would be told too late. It may be
/// done all the same, and a hold may then have to end by itself.
pub(super) async fn in_time<T>(
    asked: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = || Failure::Lost("the space is written by others".to_owned());
    let told = tokio::time::timeout(TAKES_MAX, asked).await;
    told.unwrap_or_else(|_| Err(late()))
}

/// What became of a try to change something.
enum Changed<T> {
    Made(T),
    /// Something was written between.
    Moved,
    /// The space is not there.
    Gone,
}

/// Makes something of a plan, again in each try. `None` for a space that is not there.
pub(super) async fn change<T>(
    server: &Server,
    asked: &Asked<'_>,
    make: impl FnMut(&mut Plan) -> T,
) -> Result<Option<T>, Failure> {
    until_made(server, (asked, Lanes::Seen), make).await
}

/// The same of what moves nothing in a lane, so that none is looked at.
pub(super) async fn change_beside_lanes<T>(
    server: &Server,
    asked: &Asked<'_>,
    make: impl FnMut(&mut Plan) -> T,
) -> Result<Option<T>, Failure> {
    until_made(server, (asked, Lanes::Unseen), make).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lanes {
    Seen,
    Unseen,
}

async fn until_made<T>(
    server: &Server,
    (asked, lanes): (&Asked<'_>, Lanes),
    mut make: impl FnMut(&mut Plan) -> T,
) -> Result<Option<T>, Failure> {
    let _alone = server.alone(asked.space).await;
    let mut tries = Tries::of(server, asked.space);
    loop {
        let hold = tries.next().await?;
        let changed = make_once(server, (asked, lanes, hold), &mut make).await;
        tries.end().await;
        match changed? {
            Changed::Made(answer) => return Ok(Some(answer)),
            Changed::Moved => {}
            Changed::Gone => return Ok(None),
        }
    }
}

async fn make_once<T>(
    server: &Server,
    (asked, lanes, hold): (&Asked<'_>, Lanes, Hold),
    make: &mut impl FnMut(&mut Plan) -> T,
) -> Result<Changed<T>, Failure> {
    let Some((seen, mut plan)) = asked.look(server, Level::Serial).await? else {
        return Ok(Changed::Gone);
    };
    if lanes == Lanes::Seen {
        see_lanes(server, (asked.space, &mut plan), []).await?;
    }
    let answer = make(&mut plan);
    plan.settle_lanes();
    let done = !plan.has_turned() || write(server, (asked.space, &seen, hold), &plan).await?;
    Ok(match done {
        true => Changed::Made(answer),
        false => Changed::Moved,
    })
}
