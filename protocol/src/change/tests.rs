//! The named cases of clamping are in `vectors/stamps.json`; here are its laws.

use proptest::prelude::*;

use super::*;
use crate::ids::Seq;
use crate::samples::{BASE_MS, cases, key};

fn claims() -> impl Strategy<Value = Claim> {
    let near = (-2..3i64).prop_map(|d| STAMP_AHEAD_MS_MAX as i64 + d);
    let ahead = prop_oneof![-300_000..300_000i64, near, Just(1_000_000)];
    prop::option::weighted(
        0.8,
        (ahead, prop_oneof![Just(0), any::<u16>()])
            .prop_map(|(ahead, counter)| Hlc::new(BASE_MS.saturating_add_signed(ahead), counter)),
    )
}

fn ops() -> impl Strategy<Value = Op<Claim>> {
    let value = || Json::trusted("1");
    prop_oneof![
        claims().prop_map(move |at| Op::Insert {
            at,
            data: vec![(FieldName::trusted("a"), value())],
        }),
        claims().prop_map(|at| Op::Delete { at }),
        prop::collection::vec(claims(), 0..5).prop_map(move |claims| Op::Update {
            fields: claims
                .iter()
                .enumerate()
                .map(|(n, at)| (FieldName::trusted(&n.to_string()), value(), *at))
                .collect(),
        }),
    ]
}

fn mutations() -> impl Strategy<Value = Vec<(i64, Vec<ClaimedChange>)>> {
    let change = ops().prop_map(|op| Change { key: key("k1"), op });
    let mutation = (-5_000..5_000i64, prop::collection::vec(change, 1..5));
    prop::collection::vec(mutation, 1..5)
}

fn times<S: Copy>(op: &Op<S>) -> Vec<S> {
    match op {
        Op::Insert { at, .. } | Op::Delete { at } => vec![*at],
        Op::Update { fields } => fields.iter().map(|(_, _, at)| *at).collect(),
    }
}

fn is_kept(claim: Claim, now_ms: WallMs) -> bool {
    claim.is_some_and(|at| at.wall_ms() <= now_ms + STAMP_AHEAD_MS_MAX)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn stamping_keeps_honest_claims_and_orders_the_others(mutations in mutations()) {
        let mut clock = Hlc::default();
        let (mut latest_now, mut last_tick) = (0, Hlc::default());
        for (drift, claimed) in &mutations {
            let now_ms = BASE_MS.saturating_add_signed(*drift);
            latest_now = now_ms.max(latest_now);
            for before in claimed {
                let onto = Record::default();
                let stamped = stamp(before, &onto, (WriterNo(7), now_ms), &mut clock);
                let (after, mut clamped) = (&stamped.change, false);
                let mut pairs: Vec<_> = times(&before.op).into_iter().zip(times(&after.op)).collect();
                pairs.sort();
                let mut previous = None;
                for (claim, stamp) in pairs {
                    prop_assert_eq!(stamp.writer, WriterNo(7));
                    prop_assert!(stamp.at.wall_ms() <= latest_now + STAMP_AHEAD_MS_MAX);
                    if is_kept(claim, now_ms) {
                        prop_assert_eq!(Some(stamp.at), claim);
                    } else if previous == Some(claim) {
                        prop_assert_eq!(stamp.at, last_tick);
                    } else {
                        prop_assert!(stamp.at > last_tick);
                        prop_assert!(stamp.at.wall_ms() >= now_ms);
                        (last_tick, previous) = (stamp.at, Some(claim));
                        clamped |= claim.is_some();
                    }
                }
                prop_assert_eq!(stamped.clamped, clamped);
            }
            prop_assert_eq!(clock, last_tick);
        }
    }

    #[test]
    fn stamping_again_gives_the_same(mutations in mutations()) {
        let all = || {
            let mut clock = Hlc::new(BASE_MS, 3);
            let mut all = Vec::new();
            for (drift, claimed) in &mutations {
                let taken = (WriterNo(1), BASE_MS.saturating_add_signed(*drift));
                for change in claimed {
                    all.push(stamp(change, &Record::default(), taken, &mut clock));
                }
            }
            all
        };
        prop_assert_eq!(all(), all());
    }
}

#[test]
fn keys_names_and_values_are_left_alone() {
    let fields = vec![(FieldName::trusted("a"), Json::trusted("{\"x\":1}"), None)];
    let claimed = Change {
        key: key("k9"),
        op: Op::Update { fields },
    };
    let taken = (WriterNo(1), BASE_MS);
    let stamped = stamp(&claimed, &Record::default(), taken, &mut Hlc::default());
    let Op::Update { fields } = &stamped.change.op else {
        panic!("an update stays one");
    };
    assert_eq!(stamped.change.key, key("k9"));
    assert_eq!(
        (fields[0].0.as_str(), fields[0].1.as_str()),
        ("a", "{\"x\":1}")
    );
}

/// What a clock far ahead of the hub says first is believed, what it says next is not: whatever it
/// edits, the later edit takes effect.
#[test]
fn a_clamped_edit_comes_after_what_its_writer_wrote_before() {
    let believed = Hlc::new(BASE_MS + 50_000, 3);
    let ahead = Some(Hlc::new(BASE_MS + 70_000, 0));
    let fields = |value: &str, at: Claim| Op::Update {
        fields: vec![(FieldName::trusted("a"), Json::trusted(value), at)],
    };
    let insert = |value: &str, at: Claim| Op::Insert {
        at,
        data: vec![(FieldName::trusted("a"), Json::trusted(value))],
    };
    let change = |op| Change { key: key("k1"), op };
    for claim in [ahead, None] {
        let delete = |at: Claim| Op::Delete { at };
        for (first, then) in [
            (insert("1", Some(believed)), fields("2", claim)),
            (insert("1", Some(believed)), delete(claim)),
            (delete(Some(believed)), insert("2", claim)),
            (fields("1", Some(believed)), insert("2", claim)),
            (fields("1", Some(believed)), delete(claim)),
            (delete(Some(believed)), fields("2", claim)),
        ] {
            let (mut record, mut clock) = (Record::default(), Hlc::default());
            for (no, op) in [(1, first), (2, then)] {
                let change = change(op);
                let stamped = stamp(&change, &record, (WriterNo(1), BASE_MS), &mut clock);
                let merged = record.merge(&stamped.change, Seq(no));
                assert!(merged.changed && merged.lost.is_empty(), "{change:?}");
            }
            // The space's clock is not moved ahead by it.
            assert_eq!(clock, Hlc::new(BASE_MS, 0));
        }
    }
}

/// A mutation may wait while the space goes on.
#[test]
fn what_the_clock_of_the_space_has_passed_is_not_ahead() {
    let claim = Hlc::new(BASE_MS + 70_000, 0);
    let op = Op::Delete { at: Some(claim) };
    let change = Change { key: key("k1"), op };
    let mut clock = Hlc::new(BASE_MS + 90_000, 2);
    let stamped = stamp(
        &change,
        &Record::default(),
        (WriterNo(1), BASE_MS),
        &mut clock,
    );
    assert_eq!(times(&stamped.change.op)[0].at, claim);
    assert_eq!((stamped.clamped, clock.counter()), (false, 2));
}

#[test]
fn a_clamped_edit_wins_over_no_other_writers_and_over_none_made_later() {
    let at = |ahead_ms, writer| Stamp {
        at: Hlc::new(BASE_MS + ahead_ms, 0),
        writer: WriterNo(writer),
    };
    let write = |at| Op::Update {
        fields: vec![(FieldName::trusted("a"), Json::trusted("1"), at)],
    };
    let claimed = Change {
        key: key("k1"),
        op: write(Some(at(70_000, 1).at)),
    };
    for stored in [at(50_000, 2), at(80_000, 1)] {
        let mut record = Record::default();
        let op = Op::Update {
            fields: vec![(FieldName::trusted("a"), Json::trusted("2"), stored)],
        };
        record.merge(&Change { key: key("k1"), op }, Seq(1));
        let taken = (WriterNo(1), BASE_MS);
        let stamped = stamp(&claimed, &record, taken, &mut Hlc::default());
        assert_eq!(times(&stamped.change.op), [at(0, 1)]);
    }
}
