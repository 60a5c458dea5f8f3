//! A pool whose jobs go to servers that answer, hang, and change: what is delivered to those that answer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use syncline_storage::faulty::Prng;

use super::super::desk::Ticket;
use super::*;

const POOL: usize = 256;

/// How long a push service that hangs is waited for, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;

/// Claiming a job and giving it back takes a worker so long, in milliseconds.
const CLAIM_MS: u64 = 1;

/// How a server answers.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Well,
    Hangs,
    /// It takes everything, just before nobody waits any more.
    Slow,
    /// It hangs as often as not.
    Sometimes,
    /// It hangs from a time on, in milliseconds.
    Until(u64),
}

/// A job: which server, and whose.
#[derive(Clone, Debug)]
struct Job {
    server: usize,
    user: SpaceKey,
}

#[derive(Debug)]
enum Event {
    /// A job is due, at its number.
    Due(usize),
    /// A worker has ended.
    Free,
    Answered(usize, Grant, Said),
    GivenUp(usize, Ticket),
}

struct World {
    desk: Desk,
    random: Prng,
    servers: Vec<(String, Manner)>,
    jobs: Vec<Job>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    events: BinaryHeap<Reverse<(u64, usize)>>,
    all: Vec<Option<Event>>,
    waiting: HashMap<Ticket, usize>,
    free: usize,
    now_ms: u64,
    delivered: Vec<usize>,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            desk: Desk::of(POOL),
            random: Prng::new(seed),
            servers: Vec::new(),
            jobs: Vec::new(),
            due: BinaryHeap::new(),
            events: BinaryHeap::new(),
            all: Vec::new(),
            waiting: HashMap::new(),
            free: POOL,
            now_ms: 0,
            delivered: Vec::new(),
        }
    }

    /// A server, for which so many jobs are due from a time on, each of another of so many users.
    fn server(&mut self, manner: Manner, jobs: usize, (from_ms, users): (u64, usize)) -> usize {
        let server = self.servers.len();
        self.servers
            .push((format!("https://s{server}.example"), manner));
        self.delivered.push(0);
        for n in 0..jobs {
            let prefix = matches!(manner, Manner::Well);
            let user = space(&format!("{prefix}{}", n % users));
            self.jobs.push(Job { server, user });
            // Within the first seconds, as when many are due at once.
            let at_ms = from_ms + self.random.below(5_000);
            self.due.push(Reverse((at_ms, self.jobs.len() - 1)));
        }
        server
    }

    /// Hosts of an attacker with many accounts.
    fn hostile(&mut self, hosts: usize, manner: Manner) {
        for _ in 0..hosts {
            self.server(manner, 500, (0, 100));
        }
    }

    fn at(&mut self, at_ms: u64, event: Event) {
        self.all.push(Some(event));
        self.events.push(Reverse((at_ms, self.all.len() - 1)));
    }

    /// Goes on until then.
    fn until(&mut self, end_ms: u64) {
        loop {
            self.begin();
            let next_event = self.events.peek().map(|Reverse((at_ms, _))| *at_ms);
            let next_due = self.due.peek().map(|Reverse((at_ms, _))| *at_ms);
            let next_due = next_due.filter(|_| self.free > 0);
            let Some(next_ms) = next_event.into_iter().chain(next_due).min() else {
                break;
            };
            if next_ms > end_ms {
                break;
            }
            self.now_ms = self.now_ms.max(next_ms);
            if next_event != Some(next_ms) {
                continue;
            }
            let Some(Reverse((_, event))) = self.events.pop() else {
                continue;
            };
            if let Some(event) = self.all[event].take() {
                self.happens(event);
            }
        }
    }

    /// Workers that are free take what is due.
    fn begin(&mut self) {
        while self.free > 0 {
            match self.due.peek() {
                Some(Reverse((at_ms, _))) if *at_ms <= self.now_ms => {}
                _ => return,
            }
            let Some(Reverse((_, job))) = self.due.pop() else {
                return;
            };
            self.free -= 1;
            self.happens(Event::Due(job));
        }
    }

    fn happens(&mut self, event: Event) {
        let now_ms = self.now_ms;
        match event {
            Event::Due(job) => {
                let Job { server, user } = self.jobs[job].clone();
                let name = self.servers[server].0.clone();
                match self.desk.ask((&name, Whose::Users), &user, now_ms) {
                    Asked::Placed(grant) => self.send(job, grant),
                    Asked::InLine(ticket, for_ms) => {
                        self.waiting.insert(ticket, job);
                        self.at(now_ms + for_ms, Event::GivenUp(job, ticket));
                    }
                    Asked::TurnedAway(wait_ms) => self.later(job, wait_ms),
                }
                self.check(&name, &user);
            }
            Event::Free => self.free += 1,
            Event::Answered(job, grant, said) => {
                match said {
                    Said::Answered => self.delivered[self.jobs[job].server] += 1,
                    // It is tried again, later and later.
                    _ => self.due.push(Reverse((now_ms + 30_000, job))),
                }
                let told = self.desk.give_back(&grant, said, now_ms);
                self.free += 1;
                for ticket in told {
                    let job = self.waiting.remove(&ticket).unwrap();
                    let name = self.servers[self.jobs[job].server].0.clone();
                    let grant = self.desk.leave(&name, ticket, now_ms).unwrap();
                    self.send(job, grant);
                }
            }
            Event::GivenUp(job, ticket) => {
                if self.waiting.remove(&ticket).is_some() {
                    let name = self.servers[self.jobs[job].server].0.clone();
                    let wait_ms = self.desk.leave(&name, ticket, now_ms).unwrap_err();
                    self.later(job, wait_ms);
                }
            }
        }
    }

    fn later(&mut self, job: usize, wait_ms: u64) {
        self.due.push(Reverse((self.now_ms + wait_ms, job)));
        self.at(self.now_ms + CLAIM_MS, Event::Free);
    }

    fn send(&mut self, job: usize, grant: Grant) {
        let well = (50 + self.random.below(100), Said::Answered);
        let hangs = (TIMEOUT_MS, Said::Failed);
        let (took_ms, said) = match self.servers[self.jobs[job].server].1 {
            Manner::Well => well,
            Manner::Hangs => hangs,
            Manner::Slow => (TIMEOUT_MS - 100, Said::Answered),
            Manner::Sometimes if self.random.below(2) == 0 => well,
            Manner::Sometimes => hangs,
            Manner::Until(at_ms) if self.now_ms < at_ms => well,
            Manner::Until(_) => hangs,
        };
        self.at(self.now_ms + took_ms, Event::Answered(job, grant, said));
    }

    fn check(&self, name: &str, user: &SpaceKey) {
        assert!(
            self.desk.taken(name) <= self.desk.per_server_max(),
            "{name}"
        );
        for shared in [self.desk.shared_new(), self.desk.shared_small()] {
            assert!(shared.taken() <= shared.most());
            assert!(shared.taken_of(user) <= shared.per_space());
        }
    }
}

/// What a healthy server with more to do than it can is delivered in half a minute, beside others.
fn delivered_beside(seed: u64, others: impl Fn(&mut World)) -> usize {
    let mut world = World::new(seed);
    let well = world.server(Manner::Well, 60_000, (0, 60_000));
    others(&mut world);
    world.until(30_000);
    world.delivered[well]
}

/// By the pool's half at 100 ms a push it could be 38,000.
#[test]
fn a_healthy_server_has_what_it_can_do() {
    for seed in 1..=3 {
        let delivered = delivered_beside(seed, |_| {});
        assert!(delivered > 34_000, "seed {seed}: {delivered}");
    }
}

#[test]
fn a_healthy_server_has_nearly_all_of_it_beside_one_that_hangs() {
    for seed in 1..=3 {
        for (manner, least) in [
            (Manner::Hangs, 34_000),
            (Manner::Slow, 34_000),
            (Manner::Sometimes, 31_000),
            (Manner::Until(10_000), 31_000),
        ] {
            let delivered = delivered_beside(seed, |world| {
                world.server(manner, 20_000, (0, 20_000));
            });
            assert!(delivered > least, "seed {seed}, {manner:?}: {delivered}");
        }
    }
}

/// Those that hang as often as not cost most, since they answer well until that is found out.
#[test]
fn a_healthy_server_has_most_of_it_beside_a_hundred_hostile_hosts() {
    for seed in 1..=3 {
        for (manner, least) in [
            (Manner::Hangs, 34_000),
            (Manner::Slow, 34_000),
            (Manner::Sometimes, 20_000),
            (Manner::Until(10_000), 31_000),
        ] {
            let delivered = delivered_beside(seed, |world| world.hostile(100, manner));
            assert!(delivered > least, "seed {seed}, {manner:?}: {delivered}");
        }
    }
}

/// Nobody knows it while they hold what those have that nobody knows.
#[test]
fn a_server_that_comes_among_a_hundred_hostile_hosts_is_soon_known() {
    for seed in 1..=3 {
        for manner in [Manner::Hangs, Manner::Slow, Manner::Sometimes] {
            let mut world = World::new(seed);
            world.hostile(100, manner);
            let comes = world.server(Manner::Well, 5_000, (10_000, 5_000));
            world.until(60_000);
            let delivered = world.delivered[comes];
            assert!(delivered > 4_900, "seed {seed}, {manner:?}: {delivered}");
        }
    }
}

/// One that comes back is told what it missed.
#[test]
fn a_server_that_hung_for_a_while_comes_back() {
    for seed in 1..=3 {
        let mut world = World::new(seed);
        let back = world.server(Manner::Hangs, 5_000, (0, 5_000));
        world.until(40_000);
        world.servers[back].1 = Manner::Well;
        world.until(400_000);
        assert_eq!(world.delivered[back], 5_000, "seed {seed}");
        assert!(world.desk.is_idle());
        assert_eq!(world.free, POOL);
    }
}
