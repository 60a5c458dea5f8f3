//! When the store is asked for jobs.
//!
//! It is asked while there is room and there may be something: after a claim that got any, when
//! somebody rang, and when something is due. Else it is asked when that will be, at least every
//! `poll_ms`, so a ring that was lost costs no more than that.

use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::{Claim, LeasedJob, Wanted};
use syncline_storage::types::StoreError;

use super::super::backoff::Backoff;
use super::super::event::{Effect, Now, TryId};
use super::super::told::{StoreCall, Told};
use super::spaces::Place;
use super::suspects::is_suspected;
use super::{RunnerState, Stage, Try, Waits};
use crate::jobs::lease::LeaseStep;

/// The shortest wait after a claim that got nothing although something was due: others hold it. It
/// doubles from claim to claim, up to `poll_ms`.
const EMPTY_PAUSE_MS: u64 = 10;

/// Jobs that are held for each worker, whatever they wait for.
const HELD_PER_WORKER: usize = 2;

/// Jobs in one claim. One that got any is followed by the next.
const CLAIM_MAX: usize = 256;

/// What is asked, and when next.
#[derive(Debug, Default)]
pub(super) struct Asking {
    call: Call,
    backoff: Backoff,
    /// Claims that got nothing, one after the other.
    empty: u32,
    /// Somebody rang while the store was asked.
    rung: bool,
    /// When to look next, in the runner's time.
    look_run_ms: u64,
    /// When something is due, as far as is known.
    due_at_ms: Option<WallMs>,
    /// Whose turn it is to be asked for first.
    first: usize,
}

#[derive(Debug, Default)]
enum Call {
    #[default]
    Nothing,
    Claim {
        /// For these.
        pools: Vec<usize>,
        asked_run_ms: u64,
        lease_ms: u64,
        /// Since which jump of the hub's clock.
        by_jump: u64,
    },
    NextDue,
}

/// What is known of a lease beside what the store says.
#[derive(Clone, Copy, Debug)]
struct LeasedSince {
    until_run_ms: u64,
    by_jump: u64,
}

impl Asking {
    pub(super) fn is_claiming(&self) -> bool {
        matches!(self.call, Call::Claim { .. })
    }
}

impl RunnerState {
    /// How many more jobs of a kind it takes: ahead of the workers half as many as there are, since
    /// each that is leased counts as tried if the node is lost. Only when half of these have begun, so
    /// that claims are not made for one job at a time. What waits for others of its space keeps no
    /// worker from work.
    fn room(&self, pool: usize) -> usize {
        let held = &self.pools[pool];
        let workers = self.workers(pool);
        let ahead = (workers / 2).max(1);
        if held.able > ahead / 2 {
            return 0;
        }
        let able = (workers + ahead).saturating_sub(held.running + held.able);
        able.min((HELD_PER_WORKER * workers).saturating_sub(held.held))
    }

    /// Asks what is to be asked now.
    pub(super) fn ask(&mut self, now: Now) {
        let is_free = matches!(self.asking.call, Call::Nothing);
        if self.draining || !is_free || !self.asking.backoff.is_over(now.run_ms) {
            return;
        }
        if self.is_after_jump() {
            return;
        }
        let is_due = |due_at_ms: WallMs| due_at_ms <= now.wall_ms;
        if now.run_ms >= self.asking.look_run_ms && self.asking.due_at_ms.is_some_and(is_due) {
            self.asking.due_at_ms = None;
            self.asking.look_run_ms = now.run_ms + self.rules.poll_ms;
            self.pools.iter_mut().for_each(|pool| pool.hungry = true);
        }
        let count = self.pools.len();
        let turns = (0..count).map(|turn| (self.asking.first + turn) % count);
        let open: Vec<usize> = turns.filter(|pool| self.room(*pool) > 0).collect();
        let hungry = open.iter().filter(|pool| self.pools[**pool].hungry);
        let hungry: Vec<usize> = hungry.copied().collect();
        if let Some(first) = hungry.first() {
            self.claim(*first, &hungry, now);
        } else if !open.is_empty() && now.run_ms >= self.asking.look_run_ms {
            // What has no room is not asked for, and may have something when it has.
            for (at, pool) in self.pools.iter_mut().enumerate() {
                pool.hungry |= !open.contains(&at);
            }
            let kinds = open.iter().map(|pool| self.rules.kinds[*pool].kind.clone());
            self.effects.push(Effect::NextDue(kinds.collect()));
            self.asking.call = Call::NextDue;
        }
    }

    /// Claims for all that want, whose leases last as long as the first one's, and which take as many
    /// of a space.
    fn claim(&mut self, first: usize, hungry: &[usize], now: Now) {
        let lease_ms = |pool: usize| self.rules.kinds[pool].lease.lease_ms;
        let per_space = |pool: usize| self.pools[pool].per_space(self.workers(pool));
        let same = |pool: usize| (lease_ms(pool), per_space(pool));
        let alike = hungry.iter().filter(|pool| same(**pool) == same(first));
        let (lease_ms, per_space) = same(first);
        let pools: Vec<usize> = alike.copied().collect();
        let each = (CLAIM_MAX / pools.len()).max(1);
        let mut wanted = Vec::with_capacity(pools.len());
        for pool in pools.iter().copied() {
            let workers = self.workers(pool);
            wanted.push(Wanted {
                kind: self.rules.kinds[pool].kind.clone(),
                jobs: self.room(pool).min(each),
                full: self.pools[pool].pass_over_full(workers),
            });
        }
        let claim = Claim {
            wanted,
            holder: self.rules.node.clone(),
            now_ms: now.wall_ms,
            lease_ms,
            per_space,
        };
        self.effects.push(Effect::Claim(claim));
        self.asking.first = first + 1;
        self.asking.rung = false;
        self.asking.call = Call::Claim {
            pools,
            asked_run_ms: now.run_ms,
            lease_ms,
            by_jump: self.clock.jumps,
        };
    }

    /// Somebody put jobs.
    pub(super) fn rung(&mut self, due_at_ms: WallMs, now: Now) {
        if due_at_ms <= now.wall_ms {
            self.asking.rung = true;
            self.asking.empty = 0;
            self.pools.iter_mut().for_each(|pool| pool.hungry = true);
        } else {
            self.look_when_due(due_at_ms, now);
        }
    }

    /// Looks when something is due, or before.
    fn look_when_due(&mut self, due_at_ms: WallMs, now: Now) {
        let known = self.asking.due_at_ms.unwrap_or(WallMs::MAX);
        self.asking.due_at_ms = Some(known.min(due_at_ms));
        let wait_ms = due_at_ms.saturating_sub(now.wall_ms);
        let look_run_ms = now.run_ms.saturating_add(wait_ms);
        self.asking.look_run_ms = self.asking.look_run_ms.min(look_run_ms);
    }

    pub(super) fn claimed(&mut self, answer: Result<Vec<LeasedJob>, StoreError>, now: Now) {
        let call = std::mem::take(&mut self.asking.call);
        let Call::Claim {
            pools,
            asked_run_ms,
            lease_ms,
            by_jump,
        } = call
        else {
            return;
        };
        let leased = match answer {
            Ok(leased) => leased,
            Err(error) => return self.asked_in_vain(StoreCall::Claim, &error, now),
        };
        self.asking.backoff.went_well();
        for pool in pools.iter().copied() {
            let kind = &self.rules.kinds[pool].kind;
            let of_kind = leased.iter().filter(|one| one.job.kind == *kind);
            let of_kind: Vec<&LeasedJob> = of_kind.collect();
            self.pools[pool].note_brought(&of_kind);
        }
        if leased.is_empty() {
            return self.claimed_nothing(&pools, now);
        }
        for pool in pools.iter().copied() {
            let kind = &self.rules.kinds[pool].kind;
            let jobs = leased.iter().filter(|one| one.job.kind == *kind).count();
            if jobs > 0 {
                let kind = kind.clone();
                self.tell(Told::Claimed { kind, jobs });
            }
        }
        let since = LeasedSince {
            until_run_ms: asked_run_ms + lease_ms,
            by_jump,
        };
        let before = self.last_kept;
        for one in leased {
            self.hold(one, since, now);
        }
        if self.last_kept == before {
            // All of it was given back, and more of it may come.
            return self.claimed_nothing(&pools, now);
        }
        self.asking.empty = 0;
    }

    /// A claim brought nothing that can be done now.
    fn claimed_nothing(&mut self, pools: &[usize], now: Now) {
        self.asking.empty = self.asking.empty.saturating_add(1);
        for pool in pools {
            let pool = &mut self.pools[*pool];
            pool.hungry = self.asking.rung || pool.has_place_again;
        }
        self.asking.look_run_ms = now.run_ms;
    }

    /// Takes a job that was leased.
    fn hold(&mut self, leased: LeasedJob, since: LeasedSince, now: Now) {
        let kind = &leased.job.kind;
        let pool = self.rules.kinds.iter().position(|of| of.kind == *kind);
        // Only what was asked for is leased.
        let Some(pool) = pool else { return };
        self.lose_older(&leased, now);
        self.last_id += 1;
        let id = TryId(self.last_id);
        let workers = self.workers(pool);
        let place = self.pools[pool].hold_one(&leased.lease.name.space, workers);
        // Until it has a place in its space.
        let waits = Waits::Space;
        let due_at_ms = leased.job.due_at_ms;
        let is_suspected = is_suspected(&leased);
        let one = Try {
            pool,
            lease: leased.lease.clone(),
            has_lane: leased.job.lane.is_some(),
            due_at_ms,
            attempt: leased.attempt,
            until_run_ms: since.until_run_ms,
            by_jump: since.by_jump,
            extending: None,
            extend_after_run_ms: 0,
            stage: Stage::Waiting { leased, waits },
        };
        // What was asked for before a jump is told by the clock as it was.
        self.clock.mending |= since.by_jump < self.clock.jumps;
        self.last_of.insert(one.lease.name.clone(), id);
        self.tries.insert(id, one);
        let lease = &self.rules.kinds[pool].lease;
        let look_run_ms = match lease.step(since.until_run_ms, now.run_ms) {
            LeaseStep::Wait(at_run_ms) if since.by_jump == self.clock.jumps => at_run_ms,
            _ => now.run_ms,
        };
        self.leases_due_run_ms = self.leases_due_run_ms.min(look_run_ms);
        if self.draining {
            self.give_back(id, now.wall_ms, now);
            return;
        }
        if place == Place::Taken || (is_suspected && self.holds_suspect()) {
            let until_ms = now.wall_ms + self.soon_ms(due_at_ms, now);
            self.give_back(id, until_ms, now);
            return;
        }
        if is_suspected {
            self.suspect = Some(id);
        }
        self.last_kept = id;
        self.offer(id);
    }

    pub(super) fn told_due(&mut self, answer: Result<Option<WallMs>, StoreError>, now: Now) {
        self.asking.call = Call::Nothing;
        let due_at_ms = match answer {
            Ok(due_at_ms) => due_at_ms,
            Err(error) => return self.asked_in_vain(StoreCall::NextDue, &error, now),
        };
        self.asking.backoff.went_well();
        self.asking.due_at_ms = None;
        self.asking.look_run_ms = now.run_ms + self.rules.poll_ms;
        let is_due = due_at_ms.is_some_and(|due_at_ms| due_at_ms <= now.wall_ms);
        if let Some(due_at_ms) = due_at_ms {
            self.look_when_due(due_at_ms, now);
        }
        if !is_due {
            self.asking.empty = 0;
        } else if self.asking.empty > 0 {
            let doublings = (self.asking.empty - 1).min(16);
            let pause_ms = (EMPTY_PAUSE_MS << doublings).min(self.rules.poll_ms);
            self.asking.look_run_ms = now.run_ms + pause_ms;
        }
    }

    fn asked_in_vain(&mut self, call: StoreCall, error: &StoreError, now: Now) {
        let seed = self.draw();
        self.asking.backoff.failed(now.run_ms, seed);
        self.store_failed(call, error);
    }

    pub(super) fn store_failed(&mut self, call: StoreCall, error: &StoreError) {
        let error = error.to_string();
        self.tell(Told::StoreFailed { call, error });
    }

    /// When the store is to be asked, if nothing happens before.
    pub(super) fn ask_at_ms(&self) -> Option<u64> {
        let is_free = matches!(self.asking.call, Call::Nothing);
        if self.draining || !is_free || self.is_after_jump() {
            return None;
        }
        let pools = 0..self.pools.len();
        let is_open = pools.clone().any(|pool| self.room(pool) > 0);
        let wants = |pool: usize| self.pools[pool].hungry && self.room(pool) > 0;
        let is_wanted = pools.clone().any(wants);
        let at_ms = match (is_open, is_wanted) {
            (false, _) => return None,
            (true, true) => self.asking.backoff.until_run_ms,
            (true, false) => self
                .asking
                .look_run_ms
                .max(self.asking.backoff.until_run_ms),
        };
        Some(at_ms)
    }
}
