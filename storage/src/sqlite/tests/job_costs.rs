//! What a claim steps through follows what it leases, whatever waits.

use rusqlite::{Connection, StatementStatus};
use syncline_protocol::ids::{Epoch, NodeId, Seq, SpaceKey};

use super::costs::assert_equal_steps;
use crate::conformance::space::{NOW, space_key};
use crate::jobs::{
    Claim, Ended, IfThere, Job, JobArgs, JobKey, JobKind, JobLane, JobMove, LeasedJob, Origin,
    Outcome, TriggerId, Wanted,
};
use crate::sqlite::connection::{self, Role};
use crate::sqlite::jobs::{claim, finish, lanes, people};
use crate::sqlite::{SqliteOptions, commit, schema, space};
use crate::types::Commit;

struct Filled {
    conn: Connection,
    /// Spaces that claims pass over.
    full: Vec<SpaceKey>,
    _dir: tempfile::TempDir,
}

fn webhook() -> JobKind {
    JobKind::trusted("webhook")
}

/// Spaces with so many jobs each, due since then.
fn filled(spaces: usize, jobs: usize, due_at_ms: u64) -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    let mut conn = connection::open(&options, Role::Write).unwrap();
    schema::migrate(&mut conn).unwrap();
    let mut filled = Filled {
        conn,
        full: Vec::new(),
        _dir: dir,
    };
    for n in 0..spaces {
        filled.put(&format!("{n:06}"), jobs, due_at_ms);
    }
    filled
}

impl Filled {
    fn put(&mut self, name: &str, jobs: usize, due_at_ms: u64) {
        self.put_jobs(name, jobs, (None, due_at_ms));
    }

    /// All of one lane.
    fn put_in_lane(&mut self, name: &str, jobs: usize) {
        self.put_jobs(name, jobs, (Some("a record"), NOW - 9));
    }

    fn put_jobs(&mut self, name: &str, jobs: usize, (lane, due_at_ms): (Option<&str>, u64)) {
        let key = space_key("todo", name);
        let view = space::create(&mut self.conn, &key, Epoch(1), NOW).unwrap();
        let job = |n: usize| Job {
            kind: webhook(),
            key: JobKey::trusted(&format!("{n:06}")),
            lane: lane.map(JobLane::trusted),
            due_at_ms,
            args: JobArgs::trusted("null"),
            depth: 0,
            origin: Origin {
                epoch: Epoch(1),
                seq: Seq(1),
                trigger: TriggerId::trusted("t"),
            },
        };
        let put = |n| JobMove::Put {
            job: job(n),
            if_there: IfThere::Keep,
        };
        let commit = Commit {
            space: key,
            expect_epoch: Epoch(1),
            expect_head: view.head,
            head: view.head,
            clock: view.clock,
            live: 0,
            writers: view.writers,
            now_ms: NOW.min(due_at_ms),
            records: Vec::new(),
            stood: Vec::new(),
            marks: Vec::new(),
            dead_letters: Vec::new(),
            ends: Vec::new(),
            jobs: (0..jobs).map(put).collect(),
        };
        assert!(commit::group(&mut self.conn, &[commit]).unwrap()[0].is_ok());
    }

    /// Steps of the statements that search, when a claim leases ten jobs.
    fn steps_of_ten(&mut self) -> i32 {
        let searches = [claim::QUEUES, claim::DUE, claim::NEXT];
        let status = |conn: &Connection, which| {
            searches.map(|sql| conn.prepare_cached(sql).unwrap().get_status(which))
        };
        let before: i32 = status(&self.conn, StatementStatus::VmStep).iter().sum();
        assert_eq!(self.claim_ten().len(), 10);
        for which in [StatementStatus::Sort, StatementStatus::FullscanStep] {
            assert_eq!(status(&self.conn, which), [0; 3]);
        }
        status(&self.conn, StatementStatus::VmStep)
            .iter()
            .sum::<i32>()
            - before
    }

    fn claim_ten(&mut self) -> Vec<LeasedJob> {
        let mut wanted = Wanted::of(webhook(), 10);
        wanted.full = self.full.clone();
        let ten = Claim {
            wanted: vec![wanted],
            holder: NodeId::trusted("n1"),
            now_ms: NOW,
            lease_ms: 60_000,
            per_space: 10,
        };
        claim::claim(&mut self.conn, &ten).unwrap()
    }
}

#[test]
fn a_claim_costs_what_it_leases_and_not_what_waits_in_a_space() {
    let small = filled(1, 20, NOW - 9).steps_of_ten();
    let large = filled(1, 20_000, NOW - 9).steps_of_ten();
    assert_equal_steps(small, large);
}

#[test]
fn a_claim_costs_what_it_leases_and_not_how_many_spaces_wait() {
    let small = filled(10, 2, NOW - 9).steps_of_ten();
    let large = filled(2_000, 2, NOW - 9).steps_of_ten();
    assert_equal_steps(small, large);
}

/// Steps of a claim of ten beside so many full spaces with so many jobs each, which come first.
fn steps_beside_full(spaces: usize, jobs: usize) -> i32 {
    let mut filled = filled(0, 0, NOW);
    for n in 0..spaces {
        let name = format!("full {n}");
        filled.put(&name, jobs, NOW - 99);
        filled.full.push(space_key("todo", &name));
    }
    for n in 0..10 {
        filled.put(&format!("{n}"), 2, NOW - 9);
    }
    filled.steps_of_ten()
}

#[test]
fn full_spaces_cost_a_claim_a_row_each_whatever_waits_in_them() {
    let beside_few = steps_beside_full(5, 2);
    let beside_many = steps_beside_full(5, 2_000);
    assert_equal_steps(beside_few, beside_many);
    let alone = steps_beside_full(0, 0);
    let each = (beside_few - alone) / 5;
    assert!(
        (1..=12).contains(&each),
        "{each} steps for each that is full"
    );
}

#[test]
fn what_is_not_due_yet_costs_a_claim_nothing() {
    let mut small = filled(1, 20, NOW - 9);
    let mut large = filled(2_000, 2, NOW + 9);
    large.put("due", 20, NOW - 9);
    assert_equal_steps(small.steps_of_ten(), large.steps_of_ten());
    small.put("later", 5_000, NOW + 9);
    assert_equal_steps(small.steps_of_ten(), large.steps_of_ten());
}

/// Claims and ends that drain a lane, and the steps of their searches.
fn drained(jobs: usize) -> (usize, i32) {
    let mut filled = filled(1, 0, NOW - 9);
    filled.put_in_lane("drained", jobs);
    let searches = [
        claim::QUEUES,
        claim::DUE,
        claim::NEXT,
        lanes::FIRST_BEHIND,
        lanes::FIRST,
    ];
    let status = |conn: &Connection, which| {
        let of = searches.map(|sql| conn.prepare_cached(sql).unwrap().get_status(which));
        of.iter().sum::<i32>()
    };
    let mut claims = 0;
    loop {
        let leased = filled.claim_ten();
        claims += 1;
        if leased.is_empty() {
            break;
        }
        let end = |one: LeasedJob| Ended {
            lease: one.lease,
            outcome: Outcome::Done,
        };
        let ended: Vec<Ended> = leased.into_iter().map(end).collect();
        let answers = finish::finish(&mut filled.conn, &ended, NOW).unwrap();
        assert!(answers.iter().all(Result::is_ok));
    }
    for which in [StatementStatus::Sort, StatementStatus::FullscanStep] {
        assert_eq!(status(&filled.conn, which), 0);
    }
    (claims, status(&filled.conn, StatementStatus::VmStep))
}

#[test]
fn a_lane_is_drained_by_a_claim_a_job_however_long_it_is() {
    let (few, steps_of_few) = drained(100);
    let (many, steps_of_many) = drained(1_000);
    assert_eq!((few, many), (101, 1_001));
    assert_equal_steps(steps_of_few / 100, steps_of_many / 1_000);
}

#[test]
fn counting_is_bounded() {
    let mut filled = filled(1, 5_500, NOW - 9);
    filled.put_in_lane("behind", 5_000);
    let counts = people::counts(&filled.conn, &webhook());
    assert_eq!(counts.unwrap().scheduled, crate::jobs::JOBS_COUNTED_MAX);
}
