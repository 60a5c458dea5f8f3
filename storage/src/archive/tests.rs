//! Archives as they must not be.

use super::*;
use crate::conformance::space::{client, key, space_key, titled, tombstone};
use crate::jobs::{
    Job, JobArgs, JobError, JobKey, JobKind, JobState, Origin, StoredJob, TriggerId,
};
use crate::transfer::{ClientImage, Part, RecordImage, Since, SpaceImage};
use crate::types::{DeadLetter, SpaceView};

use syncline_protocol::error::Code;
use syncline_protocol::ids::{Epoch, Seq, WriterNo};
use syncline_protocol::verdict::Mark;

fn space(name: &str) -> SpaceImage {
    SpaceImage {
        key: space_key("todo", name),
        view: SpaceView {
            epoch: Epoch(7),
            head: Seq(3),
            ..SpaceView::NEVER_OPENED
        },
        erased_at_ms: 0,
    }
}

fn records(ids: &[&str]) -> Part {
    let image = |id: &&str| RecordImage {
        key: key("tasks", id),
        record: titled(id, 1),
        dead: None,
        committed_at_ms: Some(5),
    };
    Part::Records(ids.iter().map(image).collect())
}

fn letters(changes: &[&str]) -> Part {
    let letter = |change: &&str| DeadLetter {
        at_ms: 9,
        client: client("ada", "c1"),
        table: "t\u{0}".to_owned(),
        id: String::new(),
        code: Code::NulInString,
        change: (*change).to_owned(),
    };
    Part::DeadLetters(changes.iter().map(letter).collect())
}

fn jobs(keys: &[&str]) -> Part {
    let stored = |key: &&str| StoredJob {
        job: Job {
            kind: JobKind::trusted("webhook"),
            key: JobKey::trusted(key),
            lane: None,
            due_at_ms: 5,
            args: JobArgs::trusted(r#"{"a":[1,"\u0000"]}"#),
            depth: 1,
            origin: Origin {
                epoch: Epoch(7),
                seq: Seq(3),
                trigger: TriggerId::trusted("t"),
            },
        },
        state: JobState::Dead { at_ms: 9 },
        attempt: 3,
        error: Some(JobError::new("no answer")),
    };
    Part::Jobs(keys.iter().map(stored).collect())
}

fn clients(names: &[&str]) -> Part {
    let image = |(at, name): (usize, &&str)| ClientImage {
        key: client("ada", name),
        mark: Mark {
            writer: WriterNo(at as u32 + 1),
            last: Some(4),
            given: None,
        },
        used: Since::Never,
    };
    Part::Clients(names.iter().enumerate().map(image).collect())
}

fn begun() -> ArchiveWriter<Vec<u8>> {
    ArchiveWriter::begin(Vec::new(), 17).unwrap()
}

fn of(spaces: &[(&str, &[Part])]) -> Vec<u8> {
    let mut writer = begun();
    for (name, parts) in spaces {
        writer.begin_space(&space(name)).unwrap();
        for part in *parts {
            writer.part(part).unwrap();
        }
        writer.end_space().unwrap();
    }
    writer.finish().unwrap().0
}

fn sample() -> Vec<u8> {
    let dead = RecordImage {
        key: key("z", "\u{e9}\u{1f600}\"\\"),
        record: tombstone(2),
        dead: Some(Since::At(8)),
        committed_at_ms: None,
    };
    let parts = [
        clients(&["a", "b"]),
        records(&["1", "2"]),
        Part::Records(vec![dead]),
        letters(&["x", "x"]),
        jobs(&["a", "b"]),
    ];
    of(&[("ada", &parts), ("bob", &[])])
}

/// The line a byte is in, from 1.
fn line_of(archive: &[u8], at: usize) -> u64 {
    let before = archive[..at].iter().filter(|byte| **byte == b'\n');
    before.count() as u64 + 1
}

#[test]
fn what_is_written_is_whole() {
    let archive = sample();
    let summary = verify(&archive[..]).unwrap();
    let counts = Counts {
        clients: 2,
        verdicts: 0,
        records: 3,
        dead_letters: 2,
        jobs: 2,
    };
    assert_eq!((summary.spaces, summary.begun_ms), (2, 17));
    assert_eq!(summary.counts, counts);
}

#[test]
fn a_changed_bit_is_found_in_its_line() {
    let archive = sample();
    for at in 0..archive.len() {
        for bit in 0..8 {
            let mut changed = archive.clone();
            changed[at] ^= 1 << bit;
            let line = line_of(&archive, at);
            let is_last = at == archive.len() - 1;
            match verify(&changed[..]) {
                Err(ArchiveError::Damaged { line: found, .. }) => assert_eq!(found, line, "{at}"),
                Err(ArchiveError::NoArchive | ArchiveError::Format(_)) => assert_eq!(line, 1),
                // Its line feed.
                Err(ArchiveError::Cut(_)) => assert!(is_last, "byte {at}"),
                other => panic!("byte {at}, bit {bit}: {other:?}"),
            }
        }
    }
}

#[test]
fn an_archive_that_was_cut_is_told_after_which_line() {
    let archive = sample();
    let header = archive.iter().position(|byte| *byte == b'\n').unwrap();
    for at in 0..archive.len() {
        match verify(&archive[..at]) {
            Err(ArchiveError::Cut(after)) => assert_eq!(after, line_of(&archive, at) - 1),
            Err(ArchiveError::NoArchive) => assert!(at <= header),
            other => panic!("{at}: {other:?}"),
        }
    }
}

/// With whole lines moved, each of which is as it was written.
#[test]
fn lines_that_are_missing_doubled_or_swapped_are_found() {
    let archive = sample();
    let lines: Vec<&[u8]> = archive.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 1..lines.len() {
        let without = [&lines[..at], &lines[at + 1..]].concat().concat();
        assert!(verify(&without[..]).is_err(), "without {at}");
        let doubled = [&lines[..at], &lines[at - 1..]].concat().concat();
        assert!(verify(&doubled[..]).is_err(), "twice {}", at - 1);
        let mut swapped = lines.clone();
        swapped.swap(at - 1, at);
        assert!(verify(&swapped.concat()[..]).is_err(), "swapped {at}");
    }
    let twice = [&archive[..], &archive[..]].concat();
    assert!(matches!(
        verify(&twice[..]),
        Err(ArchiveError::Damaged { .. })
    ));
}

#[test]
fn another_format_is_told_before_anything_of_it_is_tested() {
    let newer = br#"{"t":"archive","format":4,"begun_ms":1,"sum":"of another kind"}"#;
    let newer = [&newer[..], b"\nwhatever\n"].concat();
    assert!(matches!(verify(&newer[..]), Err(ArchiveError::Format(4))));
}

/// As an earlier version wrote it: without jobs, and without a word of them.
#[test]
fn an_archive_of_the_first_format_is_read() {
    let mut sum = sum::RunningSum::default();
    let mut archive = String::new();
    let mut line = |text: &str| {
        let end = sum.close(text);
        archive.push_str(&format!("{text}{end}\n"));
        crate::transfer::hex(&sum.digest())
    };
    line(r#"{"t":"archive","format":1,"begun_ms":17"#);
    line(
        r#"{"t":"space","app":"todo","space":"ada","epoch":"0000000000000007","epoch_at_ms":1,"lost_at_ms":0,"erased_at_ms":0,"head":3,"gc_seq":0,"swept":0,"clock":[0,0],"live":0,"writers":0"#,
    );
    let sha256 = line(r#"{"t":"space_end","clients":0,"verdicts":0,"records":0,"dead_letters":0"#);
    line(&format!(
        r#"{{"t":"end","spaces":1,"clients":0,"verdicts":0,"records":0,"dead_letters":0,"sha256":"{sha256}""#
    ));
    let summary = verify(archive.as_bytes()).unwrap();
    assert_eq!((summary.spaces, summary.counts), (1, Counts::default()));
}

#[test]
fn what_is_no_archive_is_told_so() {
    for text in [
        "",
        "\n",
        "hello\n",
        "{}\n",
        "[1]\n",
        "{\"t\":\"space\",\"format\":1}\n",
    ] {
        let refused = verify(text.as_bytes());
        assert!(matches!(refused, Err(ArchiveError::NoArchive)), "{text:?}");
    }
    assert!(matches!(
        verify(&[0xff, b'\n'][..]),
        Err(ArchiveError::NoArchive)
    ));
}

#[test]
fn counts_that_disagree_are_told_with_their_line() {
    let more = Counts {
        records: 1,
        ..Counts::default()
    };
    let mut writer = begun();
    writer.begin_space(&space("ada")).unwrap();
    writer.part(&records(&["1"])).unwrap();
    writer.here.add(more);
    writer.end_space().unwrap();
    let archive = writer.finish().unwrap().0;
    let refused = verify(&archive[..]);
    assert!(
        matches!(refused, Err(ArchiveError::Counts { line: 4, told, found })
            if (told.records, found.records) == (2, 1))
    );

    let mut writer = begun();
    writer.total.add(more);
    let archive = writer.finish().unwrap().0;
    let refused = verify(&archive[..]);
    assert!(matches!(refused, Err(ArchiveError::Counts { line: 2, .. })));

    let mut writer = begun();
    writer.spaces += 1;
    let archive = writer.finish().unwrap().0;
    let refused = verify(&archive[..]);
    assert!(matches!(
        refused,
        Err(ArchiveError::Damaged { line: 2, .. })
    ));
}

/// Each would be an error of the store only when half of it is written.
#[test]
fn what_stands_twice_or_in_another_place_is_refused() {
    let wrong: [&[Part]; 6] = [
        &[records(&["1", "1"])],
        &[records(&["2", "1"])],
        &[clients(&["b", "a"])],
        &[records(&["1"]), clients(&["a"])],
        &[letters(&["x"]), records(&["1"])],
        &[jobs(&["a"]), letters(&["x"])],
    ];
    for parts in wrong {
        let refused = verify(&of(&[("ada", parts)])[..]);
        assert!(
            matches!(refused, Err(ArchiveError::Damaged { .. })),
            "{parts:?}"
        );
    }
    for spaces in [["ada", "ada"], ["bob", "ada"]] {
        let refused = verify(&of(&spaces.map(|name| (name, &[][..])))[..]);
        assert!(matches!(refused, Err(ArchiveError::Damaged { .. })));
    }
}

#[test]
fn rows_belong_to_a_space_that_begins_and_ends() {
    let mut writer = begun();
    writer.part(&records(&["1"])).unwrap();
    let archive = writer.finish().unwrap().0;
    assert!(verify(&archive[..]).is_err(), "of no space");

    let mut writer = begun();
    writer.begin_space(&space("ada")).unwrap();
    let archive = writer.finish().unwrap().0;
    assert!(verify(&archive[..]).is_err(), "not ended");

    let mut writer = begun();
    writer.end_space().unwrap();
    let archive = writer.finish().unwrap().0;
    assert!(verify(&archive[..]).is_err(), "not begun");
}
