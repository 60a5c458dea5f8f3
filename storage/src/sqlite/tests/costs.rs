//! Costs by count: what a read steps through must not grow with what it does not return.

use std::sync::Arc;

use rusqlite::{Connection, StatementStatus};
use syncline_protocol::ids::{Epoch, RecordKey, Seq, TableName, WriterNo};
use syncline_protocol::record::Record;

use crate::conformance::space::{
    NOW, UNLIMITED, client, key, records, space_key, titled, tombstone,
};
use crate::sqlite::connection::{self, Role};
use crate::sqlite::{
    SqliteOptions, changes, collect, commit, marks, names, schema, snapshot, space,
};
use crate::types::{After, Collect, Commit, Keys, MarkMove, USED_APART_MS};

/// Steps of the virtual machine that may differ between two equal reads: seeking in a deeper
/// tree is one instruction, so hardly any do.
const STEPS_APART_MAX: i32 = 8;

/// Pages of the file that may differ: the table and each of its two indexes may be a level
/// deeper, and ten rows may lie on one leaf more of each.
const PAGES_APART_MAX: u64 = 6;

/// A space of `records` records, one a commit, in a file of its own.
struct Filled {
    conn: Connection,
    options: SqliteOptions,
    _dir: tempfile::TempDir,
}

fn filled(records: impl IntoIterator<Item = (RecordKey, Record)>) -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(dir.path().join("hub.db"));
    let mut conn = connection::open(&options, Role::Write).unwrap();
    schema::migrate(&mut conn).unwrap();
    let key = space_key("todo", "ada");
    let view = space::create(&mut conn, &key, Epoch(1), NOW).unwrap();
    let commits: Vec<_> = records
        .into_iter()
        .zip(1..)
        .map(|((record_key, record), seq)| {
            let seq = Seq(seq);
            Commit {
                space: key.clone(),
                expect_epoch: Epoch(1),
                expect_head: Seq(seq.0 - 1),
                head: seq,
                clock: view.clock,
                live: seq.0,
                writers: view.writers,
                now_ms: NOW,
                records: vec![(record_key, Arc::new(Record { seq, ..record }))],
                stood: Vec::new(),
                marks: Vec::new(),
                dead_letters: Vec::new(),
                ends: Vec::new(),
                jobs: Vec::new(),
            }
        })
        .collect();
    let answers = commit::group(&mut conn, &commits).unwrap();
    assert!(answers.iter().all(Result::is_ok));
    Filled {
        conn,
        options,
        _dir: dir,
    }
}

fn tasks(count: u64) -> Filled {
    filled((0..count).map(|n| (key("tasks", &format!("{n:06}")), titled("x", 0))))
}

/// Steps a statement takes while `read` runs.
fn steps(conn: &Connection, sql: &str, read: impl FnOnce(&Connection)) -> i32 {
    let status = |which| conn.prepare_cached(sql).unwrap().get_status(which);
    let before = status(StatementStatus::VmStep);
    read(conn);
    assert_eq!(status(StatementStatus::Sort), 0, "rows come sorted");
    assert_eq!(
        status(StatementStatus::FullscanStep),
        0,
        "rows come by index"
    );
    status(StatementStatus::VmStep) - before
}

pub(super) fn assert_equal_steps(small: i32, large: i32) {
    assert!(
        small > 0 && (large - small).abs() <= STEPS_APART_MAX,
        "{small} steps in the small space, {large} in the large one"
    );
}

/// Steps to read `limit` changes after `after`, of which there are `expected`.
fn steps_of_changes(filled: &Filled, after: u64, limit: usize) -> i32 {
    steps(&filled.conn, changes::CHANGES, |conn| {
        let key = space_key("todo", "ada");
        let page = changes::changes(conn, &key, &Seq(after).into(), records(limit)).unwrap();
        assert_eq!(page.records.len(), 10);
    })
}

/// Steps to read ten changes of a commit of `tasks` records from the middle of it on.
fn steps_inside_a_commit(tasks: u64) -> i32 {
    let Filled { mut conn, _dir, .. } = filled([]);
    let all = (0..tasks).map(|n| (key("tasks", &format!("{n:06}")), titled("x", 0)));
    let all = all.map(|(key, record)| {
        (
            key,
            Arc::new(Record {
                seq: Seq(1),
                ..record
            }),
        )
    });
    let view = space::get(&conn, &space_key("todo", "ada")).unwrap().view;
    let commit = Commit {
        space: space_key("todo", "ada"),
        expect_epoch: view.epoch,
        expect_head: Seq(0),
        head: Seq(1),
        clock: view.clock,
        live: tasks,
        writers: view.writers,
        now_ms: NOW,
        records: all.collect(),
        stood: Vec::new(),
        marks: Vec::new(),
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs: Vec::new(),
    };
    assert!(commit::group(&mut conn, &[commit]).unwrap()[0].is_ok());
    let after = After {
        seq: Seq(1),
        key: Some(key("tasks", &format!("{:06}", tasks / 2))),
    };
    steps(&conn, changes::CHANGES, |conn| {
        let page = changes::changes(conn, &space_key("todo", "ada"), &after, records(10));
        let page = page.unwrap();
        assert_eq!(page.records.len(), 10);
        assert!(page.inside.is_some());
    })
}

#[test]
fn a_page_inside_a_commit_costs_the_page_wherever_it_is() {
    assert_equal_steps(steps_inside_a_commit(100), steps_inside_a_commit(20_000));
}

#[test]
fn changes_cost_the_delta_and_not_the_history() {
    let (small, large) = (tasks(100), tasks(20_000));
    let in_small = steps_of_changes(&small, 90, 1_000);
    let in_large = steps_of_changes(&large, 19_990, 1_000);
    assert_equal_steps(in_small, in_large);
}

#[test]
fn a_page_of_changes_costs_the_page_and_not_the_rest() {
    let (small, large) = (tasks(100), tasks(20_000));
    let in_small = steps_of_changes(&small, 0, 10);
    let in_large = steps_of_changes(&large, 0, 10);
    assert_equal_steps(in_small, in_large);
}

/// Steps to read ten records of a snapshot.
fn steps_of_snapshot(filled: &Filled, tables: Option<&[TableName]>, after: &RecordKey) -> i32 {
    let sql = match tables {
        None => snapshot::ALL,
        Some(_) => snapshot::OF_TABLE,
    };
    steps(&filled.conn, sql, |conn| {
        let from = snapshot::From {
            tables,
            after: Some(after),
        };
        let key = space_key("todo", "ada");
        let page = snapshot::snapshot(conn, &key, from, records(10)).unwrap();
        assert_eq!(page.records.len(), 10);
    })
}

#[test]
fn a_part_of_a_snapshot_costs_the_part_wherever_it_is() {
    let (small, large) = (tasks(100), tasks(20_000));
    let in_small = steps_of_snapshot(&small, None, &key("tasks", "000050"));
    let in_large = steps_of_snapshot(&large, None, &key("tasks", "010000"));
    assert_equal_steps(in_small, in_large);
}

#[test]
fn a_snapshot_of_a_table_passes_over_other_tables() {
    let with_others = |others: u64| {
        let other = (0..others).map(|n| (key("files", &format!("{n:06}")), titled("x", 0)));
        let asked = (0..20).map(|n| (key("tasks", &format!("{n:06}")), titled("x", 0)));
        filled(other.chain(asked))
    };
    let (small, large) = (with_others(10), with_others(20_000));
    let tables = [TableName::trusted("tasks")];
    let first = key("files", "000000");
    let in_small = steps_of_snapshot(&small, Some(&tables), &first);
    let in_large = steps_of_snapshot(&large, Some(&tables), &first);
    assert_equal_steps(in_small, in_large);
}

/// They are passed over in the index of keys: a few steps each, and no place in the page.
#[test]
fn a_tombstone_costs_a_snapshot_a_few_steps() {
    let steps_beside = |count: u64| {
        let dead = (0..count).map(|n| (key("tasks", &format!("a{n:06}")), tombstone(0)));
        let live = (0..10).map(|n| (key("tasks", &format!("b{n:06}")), titled("x", 0)));
        let filled = filled(dead.chain(live));
        i64::from(steps_of_snapshot(&filled, None, &key("a", "a")))
    };
    let (few, many) = (steps_beside(50), steps_beside(1_050));
    let each = (many - few) / 1_000;
    assert!((1..=10).contains(&each), "{each} steps a tombstone");
}

/// What a read costs on a connection that has only prepared its statements.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Steps of all its statements.
    steps: i32,
    /// Pages read from the file.
    pages: u64,
}

impl Cost {
    fn of(filled: &Filled, read: impl FnOnce(&Connection)) -> Cost {
        let conn = connection::open(&filled.options, Role::Read).unwrap();
        let status = |which| {
            [
                space::FIND,
                marks::MARK,
                changes::CHANGES,
                changes::CHANGES_OF,
                names::NAME,
            ]
            .map(|sql| conn.prepare_cached(sql).unwrap().get_status(which))
            .into_iter()
            .sum::<i32>()
        };
        assert_eq!(status(StatementStatus::VmStep), 0, "they are prepared");
        let before = bytes_read();
        read(&conn);
        let bytes = bytes_read() - before;
        assert_eq!(status(StatementStatus::FullscanStep), 0);
        let page_bytes: u32 = conn
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .unwrap();
        Cost {
            steps: status(StatementStatus::VmStep),
            pages: bytes / u64::from(page_bytes),
        }
    }
}

/// Bytes this thread has read from files.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap().parse().unwrap()
}

/// Costs of ten changes: a native delta, and a pull of the first user's client.
fn ten_changes(records: u64) -> [Cost; 2] {
    let (filled, key) = (tasks(records), space_key("todo", "ada"));
    let (after, table) = (Seq(records - 10).into(), TableName::trusted("tasks"));
    let native = Cost::of(&filled, |conn| {
        let page = changes::changes(conn, &key, &after, UNLIMITED).unwrap();
        assert_eq!(page.records.len(), 10);
    });
    let pull = Cost::of(&filled, |conn| {
        assert!(space::find(conn, &key).unwrap().is_some());
        marks::marks(conn, &key, &[client("ada", "phone")]).unwrap();
        let page = changes::changes_of(conn, (&key, &table), &after, UNLIMITED).unwrap();
        assert_eq!(page.records.len(), 10);
    });
    [native, pull]
}

#[test]
fn ten_changes_cost_the_same_in_a_space_of_100_and_of_100_000_records() {
    let (small, large) = (ten_changes(100), ten_changes(100_000));
    for (small, large) in small.into_iter().zip(large) {
        assert_equal_steps(small.steps, large.steps);
        assert!(
            small.pages > 0 && large.pages <= small.pages + PAGES_APART_MAX,
            "{small:?} in the small space, {large:?} in the large one"
        );
    }
}

#[test]
fn changes_of_a_table_pass_over_records_of_others_without_reading_them() {
    let long = "x".repeat(20_000);
    let with_others = |others: u64| {
        let other = (0..others).map(|n| (key("files", &format!("{n:06}")), titled(&long, 0)));
        filled(other.chain((0..10).map(|n| (key("tasks", &format!("{n:06}")), titled("x", 0)))))
    };
    let pages = |filled: &Filled| {
        let (key, table) = (space_key("todo", "ada"), TableName::trusted("tasks"));
        let cost = Cost::of(filled, |conn| {
            let of = (&key, &table);
            let page = changes::changes_of(conn, of, &Seq(0).into(), UNLIMITED).unwrap();
            assert_eq!(page.records.len(), 10);
        });
        cost.pages
    };
    // Their rows are five pages each; of the index some fifty entries share one.
    let (small, large) = (pages(&with_others(0)), pages(&with_others(400)));
    assert!(
        large <= small + 400 / 20,
        "{small} pages, {large} with others"
    );
}

/// Commits so many tombstones and new clients at once, at a time.
fn age(conn: &mut Connection, now_ms: u64, count: u64) {
    let view = space::get(conn, &space_key("todo", "ada")).unwrap().view;
    let head = view.head.next();
    let dead = (0..count).map(|n| {
        let record = Record {
            seq: head,
            ..tombstone(0)
        };
        (key("dead", &format!("{head}-{n:06}")), Arc::new(record))
    });
    let marks = (1..=count as u32).map(|n| MarkMove {
        client: client("ada", &format!("{head}-{n:06}")),
        writer: WriterNo(view.writers.0 + n),
        expect_last: None,
        expect_given: None,
        last: Some(1),
        given: None,
        verdicts: Vec::new(),
    });
    let commit = Commit {
        space: space_key("todo", "ada"),
        expect_epoch: view.epoch,
        expect_head: view.head,
        head,
        clock: view.clock,
        live: view.live,
        writers: WriterNo(view.writers.0 + count as u32),
        now_ms,
        records: dead.collect(),
        stood: Vec::new(),
        marks: marks.collect(),
        dead_letters: Vec::new(),
        ends: Vec::new(),
        jobs: Vec::new(),
    };
    assert!(commit::group(conn, &[commit]).unwrap()[0].is_ok());
}

/// Steps to collect ten tombstones and ten marks beside so many live records, kept keys, forgotten
/// clients, and young ones of both.
fn steps_of_collecting(others: u64) -> [i32; 2] {
    let Filled {
        mut conn,
        _dir,
        options: _options,
    } = tasks(others);
    let ada = space_key("todo", "ada");
    let long_ago = NOW - 9 * USED_APART_MS;
    let old = Collect {
        dead_before_ms: NOW,
        marks_before_ms: NOW - USED_APART_MS,
        keys: Keys::Keep,
        limit: usize::MAX,
        bytes: usize::MAX,
    };
    age(&mut conn, long_ago, others);
    let before = collect::collect(&mut conn, &ada, old).unwrap();
    assert_eq!(
        (before.tombstones, before.marks),
        (others as usize, others as usize)
    );
    age(&mut conn, NOW, others);
    age(&mut conn, long_ago, 10);
    let status =
        |conn: &Connection, sql, which| conn.prepare_cached(sql).unwrap().get_status(which);
    let searches = [collect::DEAD, collect::UNUSED];
    let steps = |conn: &Connection| searches.map(|sql| status(conn, sql, StatementStatus::VmStep));
    let before = steps(&conn);
    let collected = collect::collect(&mut conn, &ada, old).unwrap();
    assert_eq!((collected.tombstones, collected.marks), (10, 10));
    for sql in searches {
        assert_eq!(status(&conn, sql, StatementStatus::Sort), 0, "{sql}");
        assert_eq!(
            status(&conn, sql, StatementStatus::FullscanStep),
            0,
            "{sql}"
        );
    }
    let after = steps(&conn);
    [after[0] - before[0], after[1] - before[1]]
}

#[test]
fn collecting_costs_what_is_collected() {
    let (small, large) = (steps_of_collecting(20), steps_of_collecting(5_000));
    for (small, large) in small.into_iter().zip(large) {
        assert_equal_steps(small, large);
    }
}
