//! The named cases of clamping are in `vectors/stamps.json`; here are its laws.

use proptest::prelude::*;

use super::*;
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
            let stamped = stamp(claimed, WriterNo(7), now_ms, &mut clock);
            prop_assert_eq!(stamped.changes.len(), claimed.len());
            let mut clamped = false;
            for (before, after) in claimed.iter().zip(&stamped.changes) {
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
            }
            prop_assert_eq!(stamped.clamped, clamped);
            prop_assert_eq!(clock, last_tick);
        }
    }

    #[test]
    fn stamping_again_gives_the_same(mutations in mutations()) {
        let all = || {
            let mut clock = Hlc::new(BASE_MS, 3);
            let stamp = |(drift, claimed): &(i64, Vec<ClaimedChange>)| {
                stamp(claimed, WriterNo(1), BASE_MS.saturating_add_signed(*drift), &mut clock)
            };
            mutations.iter().map(stamp).collect::<Vec<_>>()
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
    let stamped = stamp(&[claimed], WriterNo(1), BASE_MS, &mut Hlc::default());
    let Op::Update { fields } = &stamped.changes[0].op else {
        panic!("an update stays one");
    };
    assert_eq!(stamped.changes[0].key, key("k9"));
    assert_eq!(
        (fields[0].0.as_str(), fields[0].1.as_str()),
        ("a", "{\"x\":1}")
    );
}
