//! Leasing what is due, space by space, as `turns` has them.

use std::collections::HashSet;

use futures_util::future::join_all;
use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::Kept;
use super::change::write;
use super::changing::in_time;
use super::places::{self, Ordered};
use super::row::{found, ordered};
use super::seen::Asked;
use super::turns::{self, Turn};
use crate::cassandra::failure::Failure;
use crate::cassandra::hold::Hold;
use crate::cassandra::interlude::Step;
use crate::cassandra::row::Found;
use crate::cassandra::server::{Level, Server, Span};
use crate::cassandra::space::find;
use crate::cassandra::statements::Text;
use crate::cassandra::tries::Tries;
use crate::jobs::{CLAIM_PASSES_MAX, Claim, JobKind, JobName, Lease, LeasedJob, Wanted};

/// Spaces that one claim visits at once.
const SPACES_MAX: usize = 64;

/// Jobs that one visit leases: their arguments are read at once.
const JOBS_MAX: usize = 128;

/// Turns of a part that are read beyond those of spaces that may be visited.
const MORE_TURNS_MAX: usize = 2_048;

/// See [`crate::JobStore::claim`]. What was leased is told, whatever else failed.
pub(super) async fn claim(server: &Server, claim: &Claim) -> Result<Vec<LeasedJob>, Failure> {
    let (mut leased, mut failed) = (Vec::new(), None);
    for wanted in claim.wanted.iter().filter(|wanted| wanted.jobs > 0) {
        match claim_kind(server, claim, wanted).await {
            Ok(more) => leased.extend(more),
            Err(failure) => failed = Some(failure),
        }
    }
    match failed {
        Some(failure) if leased.is_empty() => Err(failure),
        _ => Ok(leased),
    }
}

/// A pass looks at the turns that come first and visits their spaces, each once in a claim. Spaces that are
/// full or [failing](super::failing) are passed over, and so many more turns are read. One may have several
/// turns, of which nobody names more than one: where they cut what was read, the next pass reads more. What a
/// claim reads and visits is bounded by its passes, whoever fails.
async fn claim_kind(
    server: &Server,
    claim: &Claim,
    wanted: &Wanted,
) -> Result<Vec<LeasedJob>, Failure> {
    let spaces_max = wanted.jobs.min(SPACES_MAX);
    // Their turns stay where they are, before those of others.
    let mut passed_over: HashSet<SpaceKey> = wanted.passed_over().iter().cloned().collect();
    passed_over.extend(server.failing().of(&wanted.kind, claim.now_ms));
    let mut more = passed_over.len();
    let mut failed = None;
    for _ in 0..CLAIM_PASSES_MAX {
        let asked = (claim.now_ms, spaces_max + more);
        let mut turns = turns::until(server, &wanted.kind, asked).await?;
        let read = turns.len();
        turns.retain(|turn| !passed_over.contains(&turn.space));
        let mut turns_passed = read - turns.len();
        let spaces = by_space(turns, spaces_max);
        let share = wanted.jobs / spaces.len().max(1);
        let share = share.clamp(1, claim.per_space.max(1)).min(JOBS_MAX);
        let visits = spaces.iter().map(|(space, turns)| {
            let visit = Visit {
                claim,
                kind: &wanted.kind,
                space,
                turns,
                share,
            };
            async move { in_time(visit.lease(server)).await }
        });
        let mut leased = Vec::new();
        for ((space, turns), visited) in spaces.iter().zip(join_all(visits).await) {
            let queue = (&wanted.kind, space);
            match visited {
                Ok(more) => {
                    server.failing().went_well(queue);
                    leased.extend(more);
                }
                Err(failure) => {
                    server.failing().note(queue, claim.now_ms);
                    passed_over.insert(space.clone());
                    turns_passed += turns.len();
                    failed = Some(failure);
                }
            }
        }
        if !leased.is_empty() {
            return Ok(leased);
        }
        // Behind spaces that had nothing, or were passed over, there may be others.
        if spaces.len() < spaces_max && turns_passed <= more {
            break;
        }
        more = more.max(4 * turns_passed).min(MORE_TURNS_MAX);
    }
    failed.map_or(Ok(Vec::new()), Err)
}

/// The first spaces, each with all of its turns.
fn by_space(turns: Vec<Turn>, spaces_max: usize) -> Vec<(SpaceKey, Vec<Turn>)> {
    let mut spaces: Vec<(SpaceKey, Vec<Turn>)> = Vec::new();
    for turn in turns {
        match spaces.iter().position(|(space, _)| *space == turn.space) {
            Some(at) => spaces[at].1.push(turn),
            None if spaces.len() == spaces_max => {}
            None => spaces.push((turn.space.clone(), vec![turn])),
        }
    }
    spaces
}

/// A space whose turn it is.
struct Visit<'a> {
    claim: &'a Claim,
    kind: &'a JobKind,
    space: &'a SpaceKey,
    turns: &'a [Turn],
    share: usize,
}

impl Visit<'_> {
    async fn lease(&self, server: &Server) -> Result<Vec<LeasedJob>, Failure> {
        let _alone = server.alone(self.space).await;
        let mut tries = Tries::of(server, self.space);
        loop {
            let hold = tries.next().await?;
            let leased = self.once(server, hold).await;
            tries.end().await;
            if let Some(leased) = leased? {
                return Ok(leased);
            }
        }
    }

    /// `None` if something was written meanwhile.
    async fn once(&self, server: &Server, hold: Hold) -> Result<Option<Vec<LeasedJob>>, Failure> {
        let (begin, end) = places::living_of(self.kind);
        let asked = (Text::Order, Level::Serial, self.share + 1);
        let rows = server.span(asked, self.space, (&begin, &end)).await?;
        let moment = found(&rows)?.space().map(|row| row.last_commit);
        let mut first = Vec::new();
        for (place, _) in ordered(&rows)? {
            first.push((Ordered::of(&place)?, place));
        }
        let now_ms = self.claim.now_ms;
        let is_due = |(ordered, _): &&(Ordered, _)| ordered.at_ms <= now_ms;
        let due: Vec<_> = first.iter().take_while(is_due).take(self.share).collect();
        let asked = Asked {
            names: due
                .iter()
                .map(|(ordered, _)| ordered.name.clone())
                .collect(),
            kinds: [self.kind.clone()].into(),
            puts: 0,
            now_ms,
            space: self.space,
        };
        server.interludes.at(Step::OrderAndLook).await;
        let Some((seen, mut plan)) = asked.look(server, Level::Serial).await? else {
            self.is_gone(server).await?;
            return Ok(Some(Vec::new()));
        };
        let is_of_then = match moment {
            Some(moment) => moment == seen.last_commit,
            // Of what is empty nothing is told. If it still is after the look, and nothing is written until
            // the batch, it was so at the look.
            None => self.is_empty(server, (&begin, &end)).await?,
        };
        if !is_of_then {
            return Ok(None);
        }
        let until_ms = now_ms.saturating_add(self.claim.lease_ms);
        let mut leased = Vec::with_capacity(due.len());
        for (ordered, _) in &due {
            let held = (until_ms, &self.claim.holder);
            match plan.lease(&ordered.name, held) {
                Some(kept) if kept.no == ordered.no => leased.push(self.leased(kept, until_ms)),
                _ => return Ok(None),
            }
        }
        if let Some((_, last)) = due.last().filter(|_| until_ms > now_ms) {
            // What is due is what comes first, so nothing else is up to there.
            plan.spans.push((begin, last.clone()));
        }
        let next_ms = first.get(due.len()).map(|(ordered, _)| ordered.at_ms);
        let again_ms = (!due.is_empty()).then_some(until_ms);
        let next_ms = [next_ms, again_ms].into_iter().flatten().min();
        plan.settle(self.kind, (next_ms, now_ms));
        plan.is_barrier = true;
        if !write(server, (self.space, &seen, hold), &plan).await? {
            return Ok(None);
        }
        let named = plan.queue(self.kind);
        let named = named.map(|queue| Turn::of(self.space, queue));
        let met = self
            .turns
            .iter()
            .filter(|turn| Some(*turn) != named.as_ref());
        join_all(met.map(|turn| turns::remove(server, self.kind, turn))).await;
        Ok(Some(leased))
    }

    /// Whether no job of the kind lives.
    async fn is_empty(&self, server: &Server, span: Span<'_>) -> Result<bool, Failure> {
        let asked = (Text::Order, Level::Serial, 1);
        let rows = server.span(asked, self.space, span).await?;
        Ok(ordered(&rows)?.is_empty())
    }

    /// An import may be about to make it; else nobody is.
    async fn is_gone(&self, server: &Server) -> Result<(), Failure> {
        if let Found::Nothing { importing: None } = find(server, self.space).await? {
            let turns = self.turns.iter();
            join_all(turns.map(|turn| turns::remove(server, self.kind, turn))).await;
        }
        Ok(())
    }

    fn leased(&self, kept: Kept, until_ms: WallMs) -> LeasedJob {
        LeasedJob {
            lease: Lease {
                name: JobName {
                    space: self.space.clone(),
                    kind: self.kind.clone(),
                    key: kept.stored.job.key.clone(),
                },
                no: kept.no,
                number: kept.lease,
            },
            job: kept.stored.job,
            attempt: kept.stored.attempt,
            has_failed: kept.stored.error.is_some(),
            until_ms,
        }
    }
}
