//! Carrying a plan out: what is beside the space comes before the batch or goes after it.
//!
//! Whoever puts a job looks at its space, then has a row of `turns` say when it is due, then writes
//! under the condition that nothing was written since the look. Whoever meets a row of `turns` writes
//! to its space before the row goes. So if that was first, the batch that was to name the row fails,
//! and is made again with a row of its own.

use futures_util::future::{join_all, try_join_all};
use syncline_protocol::ids::SpaceKey;

use super::dead::{self, Dead};
use super::plan::Plan;
use super::turns::{self, Turn};
use super::{Queue, places, row};
use crate::cassandra::failure::Failure;
use crate::cassandra::hold::Hold;
use crate::cassandra::interlude::Step;
use crate::cassandra::outcome::{self, Sent};
use crate::cassandra::row::{Place, SpaceRow, kind};
use crate::cassandra::server::{Server, Writes, of};
use crate::cassandra::space::unmoved;
use crate::cassandra::statements::Text;
use crate::cassandra::value::Value;
use crate::jobs::JobKind;
use crate::random;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cassandra) enum Settled {
    Written,
    /// Nothing of it, for good.
    NotWritten,
}

/// Rows of other tables.
#[derive(Debug)]
pub(in crate::cassandra) struct Beside {
    turns: [Vec<(JobKind, Turn)>; 2],
    dead: [Vec<Dead>; 2],
}

impl Beside {
    /// What a plan names, and what it names no more.
    pub(in crate::cassandra) fn of(space: &SpaceKey, plan: &Plan) -> Beside {
        let mut beside = Beside {
            turns: [Vec::new(), Vec::new()],
            dead: [Vec::new(), Vec::new()],
        };
        for (kind, turned) in &plan.queues {
            if turned.has_turned() {
                let of = |queue| (kind.clone(), Turn::of(space, queue));
                beside.turns[0].extend(turned.after.map(of));
                beside.turns[1].extend(turned.before.map(of));
            }
        }
        for (name, turned) in &plan.jobs {
            let of = |kept: &Option<super::Kept>| {
                let kept = kept.as_ref().filter(|kept| kept.is_dead())?;
                Some(Dead {
                    at_ms: kept.at_ms,
                    no: kept.no,
                    id: kept.dead_id,
                    space: space.clone(),
                    name: name.clone(),
                })
            };
            let (before, after) = (of(&turned.before), of(&turned.after));
            if before != after {
                beside.dead[0].extend(after);
                beside.dead[1].extend(before);
            }
        }
        beside
    }

    /// Has what is to be named be there.
    pub(in crate::cassandra) async fn come(&self, server: &Server) -> Result<(), Failure> {
        let turns = self.turns[0].iter();
        try_join_all(turns.map(|(kind, turn)| turns::put(server, kind, turn))).await?;
        let dead = self.dead[0].iter();
        try_join_all(dead.map(|dead| dead::put(server, dead))).await?;
        Ok(())
    }

    /// Removes what nobody names, as far as that can be done now.
    pub(in crate::cassandra) async fn go(&self, server: &Server, settled: Settled) {
        let side = match settled {
            Settled::Written => 1,
            Settled::NotWritten => 0,
        };
        let turns = self.turns[side].iter();
        join_all(turns.map(|(kind, turn)| turns::remove(server, kind, turn))).await;
        let dead = self.dead[side].iter();
        join_all(dead.map(|dead| dead::forget(server, dead))).await;
    }
}

fn at_made<'a>(space: &'a SpaceKey, place: &Place) -> Vec<Value<'a>> {
    let mut values = of(space);
    values.extend([
        Value::Kind(place.kind),
        Value::Int(place.n),
        Value::Made(place.a.clone()),
        Value::Made(place.b.clone()),
    ]);
    values
}

/// The rows of a plan, as statements of a batch that tests that nothing was written since the look.
pub(in crate::cassandra) fn push_rows<'a>(
    writes: &mut Writes<'a>,
    (space, seen): (&'a SpaceKey, Option<&SpaceRow>),
    plan: &Plan,
) {
    if seen.is_some_and(|seen| seen.job_no.is_none()) {
        // The first job of the space: what is read by range ends in a row.
        writes.push(Text::PutPlace, at_made(space, &Place::end(kind::ORDER)));
    }
    for (after, to) in &plan.spans {
        let mut values = of(space);
        values.extend([
            Value::Kind(to.kind),
            Value::Int(to.n),
            Value::Made(after.a.clone()),
            Value::Made(to.a.clone()),
        ]);
        writes.push(Text::RemoveSpan, values);
    }
    let (gone, come) = plan.places();
    for place in &gone {
        writes.push(Text::Remove, at_made(space, place));
    }
    for (place, phase) in &come {
        let mut values = at_made(space, place);
        values.push(Value::Int(*phase));
        writes.push(Text::PutOrder, values);
    }
    for (name, turned) in plan.jobs.iter().filter(|(_, turned)| turned.has_turned()) {
        let place = places::job(name);
        let mut values = at_made(space, &place);
        match &turned.after {
            None => writes.push(Text::Remove, values),
            Some(kept) => {
                values.extend(row::values(kept, turned.before.as_ref()));
                writes.push(Text::PutJob, values);
            }
        }
    }
    for (kind, turned) in plan.queues.iter().filter(|(_, turned)| turned.has_turned()) {
        let place = places::queue(kind);
        match turned.after {
            None => writes.push(Text::Remove, at_made(space, &place)),
            Some(queue) => push_queue(writes, (space, &place), queue),
        }
    }
}

pub(super) fn push_queue<'a>(
    writes: &mut Writes<'a>,
    (space, place): (&'a SpaceKey, &Place),
    queue: Queue,
) {
    let mut values = at_made(space, place);
    values.extend([
        Value::Int(queue.turn_at_ms as i64),
        Value::Int(queue.turn as i64),
        Value::Int(queue.hint),
    ]);
    writes.push(Text::PutQueue, values);
}

/// Writes a plan and nothing else; false if something was written since the look.
pub(super) async fn write(
    server: &Server,
    (space, seen, hold): (&SpaceKey, &SpaceRow, Hold),
    plan: &Plan,
) -> Result<bool, Failure> {
    let id = random()? as i64;
    let mut writes = Writes::by(hold);
    let mut values = vec![plan.last_no(), Value::Int(id)];
    values.extend(of(space));
    values.extend(unmoved(seen));
    values.push(hold.value());
    writes.push(Text::MoveJobs, values);
    push_rows(&mut writes, (space, Some(seen)), plan);
    let beside = Beside::of(space, plan);
    beside.come(server).await?;
    server.interludes.at(Step::PlanAndBatch).await;
    let sent = Sent::unmoved(id, seen);
    let done = outcome::write(server, (space, &writes), sent).await?;
    let settled = match done {
        true => Settled::Written,
        false => Settled::NotWritten,
    };
    beside.go(server, settled).await;
    Ok(done)
}
