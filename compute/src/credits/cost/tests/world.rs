//! Jobs of one user who has not enough for all of them, on a ledger that is a map, whose answers are lost,
//! with tries that end anywhere and tries of one job beside each other. A seed is a world.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::jobs::retry::mixed;

const SEEDS: u64 = 2_000;
const JOBS: usize = 6;
const COST: u64 = 3;
/// Enough for four of the six jobs.
const CREDITS: u64 = 4 * COST;
/// Tries of a job that ever begin.
const TRIES_MAX: u64 = 8;

/// What the ledger remembers of a key.
#[derive(Clone, PartialEq)]
enum Posted {
    Reserved(ReservationId),
    Settled(ReservationId),
    Released(ReservationId),
}

#[derive(Default)]
struct Ledger {
    balance: u64,
    consumed: u64,
    /// Those that are open.
    open: BTreeMap<ReservationId, u64>,
    keys: BTreeMap<String, Posted>,
    last: u128,
}

impl Ledger {
    fn reserve(&mut self, key: &str, credits: u64) -> Result<ReservationId, NotDone> {
        match self.keys.get(key) {
            Some(Posted::Reserved(id)) => return Ok(*id),
            Some(_) => return Err(NotDone::KeyUsed),
            None => {}
        }
        self.balance = self.balance.checked_sub(credits).ok_or(NotDone::Short)?;
        self.last += 1;
        let id = ReservationId(self.last);
        self.open.insert(id, credits);
        self.keys.insert(key.to_owned(), Posted::Reserved(id));
        Ok(id)
    }

    /// Ends a reservation, of which so many are used.
    fn close(&mut self, key: &str, used: u64, posted: Posted) -> Result<(), NotDone> {
        match self.keys.get(key) {
            Some(before) if *before == posted => return Ok(()),
            Some(_) => return Err(NotDone::KeyUsed),
            None => {}
        }
        let (Posted::Reserved(id) | Posted::Settled(id) | Posted::Released(id)) = posted;
        let credits = self.open.remove(&id).ok_or(NotDone::Over)?;
        self.consumed += used;
        self.balance += credits - used;
        self.keys.insert(key.to_owned(), posted);
        Ok(())
    }

    fn answer(&mut self, effect: &Effect) -> Event {
        match effect {
            Effect::Reserve { key, credits } => Event::Reserved(self.reserve(key, *credits)),
            Effect::Settle {
                key,
                reservation,
                credits,
            } => Event::Settled(self.close(key, *credits, Posted::Settled(*reservation))),
            Effect::Release { key, reservation } => {
                Event::Released(self.close(key, 0, Posted::Released(*reservation)))
            }
            Effect::Work | Effect::End(_) => panic!("it is nothing for the ledger"),
        }
    }

    fn reserved(&self) -> u64 {
        self.open.values().sum()
    }
}

/// What is said where an answer is lost.
fn unknown(effect: &Effect) -> Event {
    match effect {
        Effect::Reserve { .. } => Event::Reserved(Err(NotDone::Unknown)),
        Effect::Settle { .. } => Event::Settled(Err(NotDone::Unknown)),
        Effect::Release { .. } => Event::Released(Err(NotDone::Unknown)),
        Effect::Work | Effect::End(_) => panic!("it is nothing for the ledger"),
    }
}

/// A try on its way.
struct Try {
    job: usize,
    lease: u64,
    charge: Charge,
    next: Effect,
    went: Went,
}

#[derive(Default, Clone)]
struct Job {
    /// The lease that may end it.
    lease: u64,
    is_done: bool,
    /// A try of it went well, whatever came of that.
    went_well: bool,
}

struct World {
    seed: u64,
    steps: u64,
    ledger: Ledger,
    jobs: Vec<Job>,
    tries: Vec<Try>,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            seed,
            steps: 0,
            ledger: Ledger {
                balance: CREDITS,
                ..Ledger::default()
            },
            jobs: vec![Job::default(); JOBS],
            tries: Vec::new(),
        }
    }

    /// A number below `n`.
    fn pick(&mut self, n: usize) -> usize {
        self.steps += 1;
        let random = mixed(self.seed ^ mixed(self.steps));
        usize::try_from(random % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.pick(n) == 0
    }

    fn begin(&mut self) {
        let job = self.pick(JOBS);
        if self.jobs[job].is_done || self.jobs[job].lease == TRIES_MAX {
            return;
        }
        self.jobs[job].lease += 1;
        let lease = self.jobs[job].lease;
        let (charge, next) = Charge::of(format!("job_{job}"), format!("{job}.{lease}"), COST);
        self.tries.push(Try {
            job,
            lease,
            charge,
            next,
            went: Went::Badly,
        });
    }

    /// One effect of one try, or its end without a word.
    fn go_on(&mut self) {
        let at = self.pick(self.tries.len());
        let mut one = self.tries.swap_remove(at);
        if self.one_in(12) {
            return;
        }
        let event = match one.next.clone() {
            Effect::End(ending) => return self.end(&one, ending),
            Effect::Work => {
                one.went = match self.one_in(3) {
                    true => Went::Badly,
                    false => Went::Well,
                };
                self.jobs[one.job].went_well |= one.went == Went::Well;
                Event::Worked(one.went)
            }
            effect => match self.pick(16) {
                // Lost on its way there, and on its way back.
                0 => unknown(&effect),
                1 => {
                    self.ledger.answer(&effect);
                    unknown(&effect)
                }
                _ => self.ledger.answer(&effect),
            },
        };
        one.next = one.charge.step(event);
        self.tries.push(one);
    }

    /// The commit that ends a lease is refused if another lease came after it.
    fn end(&mut self, one: &Try, ending: Ending) {
        assert_ne!(ending, Ending::Unpaid, "nothing ran out under a try");
        let job = &mut self.jobs[one.job];
        if ending == Ending::AsWorked && one.went == Went::Well && one.lease == job.lease {
            job.is_done = true;
        }
    }

    fn is_paid(&self, job: usize) -> bool {
        self.ledger.keys.contains_key(&format!("job_{job}"))
    }

    fn check(&self) {
        let (seed, ledger) = (self.seed, &self.ledger);
        let all = ledger.balance + ledger.consumed + ledger.reserved();
        assert_eq!(all, CREDITS, "seed {seed}: credits came or went");
        let paid = (0..JOBS).filter(|job| self.is_paid(*job)).count() as u64;
        assert_eq!(ledger.consumed, paid * COST, "seed {seed}");
        for (n, job) in self.jobs.iter().enumerate() {
            let is_paid = self.is_paid(n);
            assert!(!job.is_done || is_paid, "seed {seed}: {n} was for nothing");
            assert!(
                !is_paid || job.went_well,
                "seed {seed}: {n} paid for nothing"
            );
        }
    }

    /// Some hours go by: what tries left behind runs out.
    fn run_out(&mut self) {
        let held = self.held();
        let before = self.ledger.reserved();
        self.ledger.open.retain(|id, _| held.contains(id));
        self.ledger.balance += before - self.ledger.reserved();
        self.check();
    }

    /// What tries on their way have set aside.
    fn held(&self) -> BTreeSet<ReservationId> {
        let of = |one: &Try| match (one.charge.at, &one.next) {
            (Place::Working(id) | Place::Settling(id), _) => Some(id),
            (_, Effect::Release { reservation, .. }) => Some(*reservation),
            _ => None,
        };
        self.tries.iter().filter_map(of).collect()
    }
}

#[test]
fn work_is_paid_once_and_only_if_it_went_well() {
    let (mut done, mut short) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..300 {
            match world.tries.is_empty() || world.one_in(6) {
                true => world.begin(),
                false => world.go_on(),
            }
            world.check();
            if world.one_in(30) {
                world.run_out();
            }
        }
        world.tries.clear();
        world.run_out();
        assert_eq!(world.ledger.reserved(), 0, "seed {seed}");
        done += world.jobs.iter().filter(|job| job.is_done).count();
        short += usize::from(world.ledger.balance < COST);
    }
    // The worlds are worth something: jobs end, and credits do too.
    assert!(done > JOBS * 100, "{done} jobs are done");
    assert!(short > 100, "{short} users ran short");
}
