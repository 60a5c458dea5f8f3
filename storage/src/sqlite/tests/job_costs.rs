//! What a claim steps through follows what it leases, whatever waits.

use rusqlite::{Connection, StatementStatus};
use syncline_protocol::ids::{Epoch, NodeId, Seq};

use super::costs::assert_equal_steps;
use crate::conformance::space::{NOW, space_key};
use crate::jobs::{
    Claim, IfThere, Job, JobArgs, JobKey, JobKind, JobLane, JobMove, JobName, JobNo, Lease, Origin,
    TriggerId, Wanted,
};
use crate::sqlite::connection::{self, Role};
use crate::sqlite::jobs::{claim, lanes, people};
use crate::sqlite::{SqliteOptions, commit, schema, space};
use crate::types::Commit;

struct Filled {
    conn: Connection,
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
    let mut filled = Filled { conn, _dir: dir };
    for n in 0..spaces {
        filled.put(&format!("{n:06}"), jobs, due_at_ms);
    }
    filled
}

impl Filled {
    fn put(&mut self, name: &str, jobs: usize, due_at_ms: u64) {
        let key = space_key("todo", name);
        let view = space::create(&mut self.conn, &key, Epoch(1), NOW).unwrap();
        let job = |n: usize| Job {
            kind: webhook(),
            key: JobKey::trusted(&format!("{n:06}")),
            lane: Some(JobLane::trusted("a record")),
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
        let ten = Claim {
            wanted: vec![Wanted {
                kind: webhook(),
                jobs: 10,
            }],
            holder: NodeId::trusted("n1"),
            now_ms: NOW,
            lease_ms: 60_000,
            per_space: 10,
        };
        let leased = claim::claim(&mut self.conn, &ten).unwrap();
        assert_eq!(leased.len(), 10);
        for which in [StatementStatus::Sort, StatementStatus::FullscanStep] {
            assert_eq!(status(&self.conn, which), [0; 3]);
        }
        status(&self.conn, StatementStatus::VmStep)
            .iter()
            .sum::<i32>()
            - before
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

#[test]
fn what_is_not_due_yet_costs_a_claim_nothing() {
    let mut small = filled(1, 20, NOW - 9);
    let mut large = filled(2_000, 2, NOW + 9);
    large.put("due", 20, NOW - 9);
    assert_equal_steps(small.steps_of_ten(), large.steps_of_ten());
    small.put("later", 5_000, NOW + 9);
    assert_equal_steps(small.steps_of_ten(), large.steps_of_ten());
}

/// Steps of looking for what is ahead of the job of a lane that was put last.
fn steps_of_ahead(jobs: usize) -> i32 {
    let mut filled = filled(3, jobs, NOW - 9);
    let lease = "UPDATE jobs SET state = 1 WHERE no = (SELECT max(no) FROM jobs)
        RETURNING no, lease, (SELECT space FROM spaces s WHERE s.sid = jobs.sid)";
    let mut leases = filled.conn.prepare(lease).unwrap();
    let lease = leases.query_row([], |row| {
        let (no, lease): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Lease {
            name: JobName {
                space: space_key("todo", &row.get::<_, String>(2)?),
                kind: webhook(),
                key: JobKey::trusted("last"),
            },
            no: JobNo(no as u64),
            number: lease as u64,
        })
    });
    let lease = lease.unwrap();
    drop(leases);
    let conn = &mut filled.conn;
    assert_eq!(lanes::ahead(conn, &lease), Ok(Ok(Some(NOW - 9))));
    let statement = conn.prepare_cached(lanes::AHEAD).unwrap();
    for which in [StatementStatus::Sort, StatementStatus::FullscanStep] {
        assert_eq!(statement.get_status(which), 0);
    }
    statement.get_status(StatementStatus::VmStep)
}

#[test]
fn what_is_ahead_is_found_however_long_the_lane() {
    assert_equal_steps(steps_of_ahead(20), steps_of_ahead(20_000));
}

#[test]
fn counting_is_bounded() {
    let counts = people::counts(&filled(1, 10_500, NOW - 9).conn, &webhook());
    assert_eq!(counts.unwrap().scheduled, crate::jobs::JOBS_COUNTED_MAX);
}
