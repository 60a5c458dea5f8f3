//! What people ask of jobs: looking at one, cancelling, another time, the dead ones, how many.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::Kept;
use super::changing::change;
use super::dead::{self, Dead, From, Place};
use super::places::{self, Name, Ordered};
use super::plan::Plan;
use super::row::{ordered, state_of};
use super::seen::Asked;
use super::turns;
use crate::cassandra::failure::Failure;
use crate::cassandra::row::Place as Position;
use crate::cassandra::server::{Level, Server};
use crate::cassandra::statements::Text;
use crate::jobs::{
    DEAD, DeadCursor, DeadJob, JOBS_COUNTED_MAX, JobCounts, JobKind, JobName, LEASED, RETRY,
    StoredJob,
};

/// Dead jobs looked up at once.
const DEAD_PAGE: usize = 200;

/// Spaces of a kind that are counted, those first that are to be looked at first: each takes two reads, and
/// every hub counts every few seconds.
pub(in crate::cassandra) const SPACES_COUNTED_MAX: usize = 200;

/// Turns of a part that are looked through for jobs that wait.
const SPACES_SEARCHED_MAX: usize = 5_000;

/// Spaces counted at once.
const COUNTED_AT_ONCE: usize = 32;

fn parts(name: &JobName) -> Name {
    (name.kind.clone(), name.key.clone())
}

fn asked<'a>(
    space: &'a SpaceKey,
    names: impl IntoIterator<Item = Name>,
    now_ms: WallMs,
) -> Asked<'a> {
    let names: BTreeSet<Name> = names.into_iter().collect();
    Asked {
        kinds: names.iter().map(|(kind, _)| kind.clone()).collect(),
        names,
        puts: 0,
        now_ms,
        space,
    }
}

/// See [`crate::JobStore::job`].
pub(super) async fn job(server: &Server, name: &JobName) -> Result<Option<StoredJob>, Failure> {
    let asked = asked(&name.space, [parts(name)], 0);
    let Some((_, plan)) = asked.look(server, Level::Serial).await? else {
        return Ok(None);
    };
    Ok(plan.job(&parts(name)).map(|kept| kept.stored.clone()))
}

/// See [`crate::JobStore::cancel`].
pub(super) async fn cancel(server: &Server, name: &JobName) -> Result<bool, Failure> {
    let asked = asked(&name.space, [parts(name)], 0);
    let make = |plan: &mut Plan| plan.cancel(&parts(name));
    Ok(change(server, &asked, make).await?.unwrap_or(false))
}

/// See [`crate::JobStore::snooze`].
pub(super) async fn snooze(
    server: &Server,
    name: &JobName,
    due_at_ms: WallMs,
) -> Result<bool, Failure> {
    let asked = asked(&name.space, [parts(name)], 0);
    let make = |plan: &mut Plan| plan.snooze(&parts(name), due_at_ms);
    Ok(change(server, &asked, make).await?.unwrap_or(false))
}

/// See [`crate::JobStore::replay`].
pub(super) async fn replay(
    server: &Server,
    name: &JobName,
    now_ms: WallMs,
) -> Result<bool, Failure> {
    let asked = asked(&name.space, [parts(name)], now_ms);
    let make = |plan: &mut Plan| plan.replay(&parts(name), now_ms);
    Ok(change(server, &asked, make).await?.unwrap_or(false))
}

/// Whether what the table says is so.
fn is_so(plan: &Plan, dead: &Dead) -> bool {
    let kept = plan.job(&dead.name);
    // A program of before says of none whose row it is.
    let is_its = |kept: &Kept| dead.id.is_none() || dead.id == kept.dead_id;
    kept.is_some_and(|kept| {
        kept.is_dead() && (kept.at_ms, kept.no) == (dead.at_ms, dead.no) && is_its(kept)
    })
}

/// See [`crate::JobStore::dead_jobs`].
pub(super) async fn dead_jobs(
    server: &Server,
    kind: &JobKind,
    (after, limit): (Option<DeadCursor>, usize),
) -> Result<Vec<DeadJob>, Failure> {
    let mut place = after.map_or(Place::LAST, Place::of_cursor);
    let mut told = Vec::new();
    while told.len() < limit {
        let page = DEAD_PAGE.min(limit - told.len());
        let from = From::Newest(place);
        let listed = dead::list(server, kind, (from, page)).await?;
        let mut found = Vec::new();
        for (space, all) in dead::by_space(&listed) {
            let asked = asked(space, all.iter().map(|dead| dead.name.clone()), 0);
            let Some((_, plan)) = asked.look(server, Level::Serial).await? else {
                continue;
            };
            let all = all.into_iter().filter(|dead| is_so(&plan, dead));
            found.extend(all.filter_map(|dead| {
                Some(DeadJob {
                    space: space.clone(),
                    cursor: dead.cursor(),
                    stored: plan.job(&dead.name)?.stored.clone(),
                })
            }));
        }
        found.sort_by_key(|dead| std::cmp::Reverse((dead.cursor.at_ms, dead.cursor.no)));
        told.extend(found);
        match listed.last() {
            Some(last) if listed.len() == page => place = last.place(),
            _ => break,
        }
    }
    Ok(told)
}

/// Does something to the oldest dead jobs of a kind up to a time, at most `limit`. What is not dead
/// any more, although the table says so, goes from there.
async fn oldest(
    server: &Server,
    (kind, to_ms, limit): (&JobKind, Option<WallMs>, usize),
    (now_ms, make): (WallMs, impl Fn(&mut Plan, &Name) -> bool),
) -> Result<usize, Failure> {
    let Some(to_ms) = to_ms else {
        return Ok(0);
    };
    let (mut place, mut done) = (Place::FIRST, 0);
    while done < limit {
        let page = DEAD_PAGE.min(limit - done);
        let listed = dead::list(server, kind, (From::Oldest(place, to_ms), page)).await?;
        for (space, all) in dead::by_space(&listed) {
            let asked = asked(space, all.iter().map(|dead| dead.name.clone()), now_ms);
            let made = change(server, &asked, |plan| {
                let (so, stale): (Vec<&Dead>, Vec<&Dead>) =
                    all.iter().copied().partition(|dead| is_so(plan, dead));
                // Who is about to have one die must begin anew before its row goes.
                plan.is_barrier = !stale.is_empty();
                let made = so.iter().filter(|dead| make(plan, &dead.name)).count();
                let stale: Vec<Dead> = stale.into_iter().cloned().collect();
                (made, stale)
            });
            let gone = || (0, all.iter().map(|dead| (*dead).clone()).collect());
            let (made, stale) = made.await?.unwrap_or_else(gone);
            done += made;
            join_all(stale.iter().map(|dead| dead::forget(server, dead))).await;
        }
        match listed.last() {
            Some(last) if listed.len() == page => place = last.place(),
            _ => break,
        }
    }
    Ok(done)
}

/// See [`crate::JobStore::replay_all`].
pub(super) async fn replay_all(
    server: &Server,
    kind: &JobKind,
    (now_ms, limit): (WallMs, usize),
) -> Result<usize, Failure> {
    let make = |plan: &mut Plan, name: &Name| plan.replay(name, now_ms);
    oldest(server, (kind, Some(now_ms), limit), (now_ms, make)).await
}

/// See [`crate::JobStore::forget_dead`].
pub(super) async fn forget_dead(
    server: &Server,
    kind: &JobKind,
    (before_ms, limit): (WallMs, usize),
) -> Result<usize, Failure> {
    let make = |plan: &mut Plan, name: &Name| plan.cancel(name);
    let to_ms = before_ms.checked_sub(1);
    oldest(server, (kind, to_ms, limit), (before_ms, make)).await
}

/// See [`crate::JobStore::waiting_jobs`].
pub(super) async fn waiting_jobs(
    server: &Server,
    kind: &JobKind,
    (between_ms, limit): ((WallMs, WallMs), usize),
) -> Result<Vec<JobName>, Failure> {
    let turns = turns::until(server, kind, (WallMs::MAX, SPACES_SEARCHED_MAX)).await?;
    let spaces: BTreeSet<SpaceKey> = turns.into_iter().map(|turn| turn.space).collect();
    let spaces: Vec<SpaceKey> = spaces.into_iter().collect();
    let spans = places::waiting_of(kind, between_ms);
    let mut names = Vec::new();
    for some in spaces.chunks(COUNTED_AT_ONCE) {
        let reading = some.iter().flat_map(|space| {
            let asked = (Text::Order, Level::Hint, limit);
            let reading = spans.iter();
            reading.map(move |(begin, end)| async move {
                let rows = server.span(asked, space, (begin, end)).await?;
                Ok::<_, Failure>((space, ordered(&rows)?))
            })
        });
        for found in join_all(reading).await {
            let (space, found) = found?;
            for (place, phase) in found {
                if state_of(phase) != LEASED {
                    let (kind, key) = Ordered::of(&place)?.name;
                    let space = space.clone();
                    names.push(JobName { space, kind, key });
                }
            }
        }
        if names.len() >= limit {
            break;
        }
    }
    names.truncate(limit);
    Ok(names)
}

/// See [`crate::JobStore::next_due`].
pub(super) async fn next_due(
    server: &Server,
    kinds: &[JobKind],
) -> Result<Option<WallMs>, Failure> {
    let mut first = None;
    for kind in kinds {
        let turns = turns::until(server, kind, (WallMs::MAX, 1)).await?;
        let of_kind = turns.first().map(|turn| turn.at_ms);
        first = [first, of_kind].into_iter().flatten().min();
    }
    Ok(first)
}

/// Jobs of a space that are not counted yet.
struct Uncounted<'a> {
    space: &'a SpaceKey,
    /// Behind this.
    from: Position,
    to: &'a Position,
}

/// Counts of each its share of what is left, so that no more is held at once. Returns those of which there
/// is more.
async fn count_some<'a>(
    server: &Server,
    uncounted: Vec<Uncounted<'a>>,
    (counts, left): (&mut JobCounts, &mut usize),
) -> Result<Vec<Uncounted<'a>>, Failure> {
    let share = (*left / uncounted.len()).max(1);
    let asked = (Text::Order, Level::Hint, share);
    let reading = uncounted.iter();
    let reading = reading.map(|one| server.span(asked, one.space, (&one.from, one.to)));
    let answers = join_all(reading).await;
    let mut more = Vec::new();
    for (mut one, rows) in uncounted.into_iter().zip(answers) {
        let rows = ordered(&rows?)?;
        let is_full = rows.len() == share;
        for (position, phase) in rows.into_iter().take(*left) {
            one.from = position;
            match state_of(phase) {
                LEASED => counts.leased += 1,
                RETRY => counts.retry += 1,
                DEAD => continue,
                _ => counts.scheduled += 1,
            }
            *left -= 1;
        }
        if is_full {
            more.push(one);
        }
    }
    Ok(more)
}

/// See [`crate::JobStore::job_counts`]: spaces that have any are asked, up to so many spaces and jobs.
pub(super) async fn counts(server: &Server, kind: &JobKind) -> Result<JobCounts, Failure> {
    let most = JOBS_COUNTED_MAX as usize;
    let mut counts = JobCounts::default();
    let turns = turns::until(server, kind, (WallMs::MAX, SPACES_COUNTED_MAX)).await?;
    let mut seen = BTreeSet::new();
    let spaces = turns.into_iter().map(|turn| turn.space);
    let spaces = spaces.filter(|space| seen.insert(space.clone()));
    let spaces: Vec<SpaceKey> = spaces.take(SPACES_COUNTED_MAX).collect();
    let mut left = most;
    for some in spaces.chunks(COUNTED_AT_ONCE) {
        let spans = [places::living_of(kind), places::behind_of(kind)];
        let uncounted = |space| {
            let spans = spans.iter();
            spans.map(move |(begin, end)| Uncounted {
                space,
                from: begin.clone(),
                to: end,
            })
        };
        let mut uncounted: Vec<_> = some.iter().flat_map(uncounted).collect();
        while left > 0 && !uncounted.is_empty() {
            uncounted = count_some(server, uncounted, (&mut counts, &mut left)).await?;
        }
        if left == 0 {
            break;
        }
    }
    let newest = From::Newest(Place::LAST);
    counts.dead = dead::list(server, kind, (newest, most)).await?.len() as u64;
    Ok(counts)
}
