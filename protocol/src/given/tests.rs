use proptest::prelude::*;

use super::*;
use crate::samples::cases;

/// A claim of this number, at its stamp.
fn claim(number: u64) -> (Claimed, Hlc) {
    (Claimed(number), Hlc::from_bits(number))
}

fn fresh(numbers: impl IntoIterator<Item = u64>) -> Carried {
    Carried {
        again: Vec::new(),
        fresh: numbers.into_iter().map(claim).collect(),
        ..Carried::default()
    }
}

/// A whole request, or the last part of one of which a part is remembered.
fn part(of: Of) -> Part {
    Part {
        of,
        is_rest: of == Of::LastRequest,
        ..Part::whole(Seq(1))
    }
}

/// Which of these numbers are remembered.
fn known(given: &Given, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let stamps = given.by_claim();
    let known = numbers.into_iter().filter(|number| {
        let (claimed, at) = claim(*number);
        stamps
            .get(&claimed)
            .inspect(|stamp| assert_eq!(**stamp, at))
            .is_some()
    });
    known.collect()
}

#[test]
fn the_last_claims_are_kept_however_many_requests_they_came_in() {
    let given = Given::default();
    assert!(given.is_empty());
    let kept = CLAIMS_KEPT as u64;
    let given = (0..kept + 3).fold(given, |given, i| {
        given.and(fresh([i]), part(Of::NewRequest))
    });
    assert_eq!(given.count, kept + 3);
    assert_eq!(known(&given, 0..=kept + 3), Vec::from_iter(3..kept + 3));
}

#[test]
fn the_last_requests_are_kept_however_large() {
    let large = 3 * CLAIMS_KEPT as u64;
    let mut given = Given::default().and(fresh(0..large), part(Of::NewRequest));
    for i in 1..REQUESTS_KEPT as u64 {
        given = given.and(fresh([large + i]), part(Of::NewRequest));
        assert_eq!(known(&given, 0..large).len(), large as usize);
    }
    given = given.and(fresh([2 * large]), part(Of::NewRequest));
    let left = CLAIMS_KEPT as u64 - REQUESTS_KEPT as u64;
    assert_eq!(known(&given, 0..large), Vec::from_iter(large - left..large));
}

#[test]
fn what_a_request_brings_again_is_kept_with_it() {
    let large = 3 * CLAIMS_KEPT as u64;
    let mut given = Given::default().and(fresh(0..large), part(Of::NewRequest));
    for i in 0..3 * REQUESTS_KEPT as u64 {
        let again = given.claims().collect();
        let fresh = vec![claim(large + i)];
        given = given.and(
            Carried {
                again,
                fresh,
                ..Carried::default()
            },
            part(Of::NewRequest),
        );
    }
    let all = large + 3 * REQUESTS_KEPT as u64;
    assert_eq!(known(&given, 0..all), Vec::from_iter(0..all));
    assert_eq!(given.claims().count(), all as usize);
}

#[test]
fn parts_of_a_request_are_one() {
    let large = 3 * CLAIMS_KEPT as u64;
    let mut given = Given::default().and(fresh(0..large), part(Of::NewRequest));
    for i in 0..3 * REQUESTS_KEPT as u64 {
        given = given.and(fresh([large + i]), part(Of::LastRequest));
    }
    assert_eq!(known(&given, 0..large).len(), large as usize);
    // Also of a client whose memory was lost meanwhile.
    let lost = Given::default().and(fresh([1]), part(Of::LastRequest));
    assert_eq!(known(&lost, [1]), [1]);
}

#[test]
fn a_claim_is_known_by_all_its_change_says_and_its_place_among_equal_ones() {
    let update = |id: &str, value: u32, at: &str| {
        format!(
            r#"{{"table":"t","id":"{id}","op":"update","fields":{{"a":{{"value":{value},"updatedAt":{at}}}}}}}"#
        )
    };
    let at = |ms, counter| Some(Hlc::new(ms, counter));
    let of = |text: &str, at: Claim, earlier| ChangeHash::of(text).claimed(at, earlier);
    let known = of(&update("k1", 1, "5"), at(5, 0), 0);
    assert_eq!(of(&update("k1", 1, "5"), at(5, 1), 0), known);
    // What gives no time is still what it says.
    assert_ne!(
        of(&update("k1", 1, "6"), None, 0),
        of(&update("k1", 1, "7"), None, 0)
    );
    for other in [
        of(&update("k1", 1, "5"), at(5, 0), 1),
        of(&update("k1", 1, "5"), None, 0),
        of(&update("k1", 1, "5"), at(6, 0), 0),
        of(&update("k2", 1, "5"), at(5, 0), 0),
        of(&update("k1", 2, "5"), at(5, 0), 0),
    ] {
        assert_ne!(other, known);
    }
}

/// Claims with a usable time, each a millisecond.
fn timely(claims: &[(WallMs, u64)]) -> Carried {
    let timely = claims.iter().map(|(ms, number)| {
        let (claimed, _) = claim(*number);
        (*ms, claimed, Hlc::new(*ms, 0))
    });
    Carried {
        timely: timely.collect(),
        last: claims.last().map(|(_, number)| claim(*number).0),
        ..Carried::default()
    }
}

fn numbers(given: &Given) -> (WallMs, Vec<u64>) {
    let latest = given.latest();
    let claims = latest.claims().map(|(of, _)| of.to_bits());
    (latest.ms(), claims.collect())
}

#[test]
fn of_usable_times_only_claims_at_the_latest_are_remembered() {
    let and = |given: Given, claims: &[(WallMs, u64)]| {
        let newest_ms = claims.iter().map(|(ms, _)| *ms).max().unwrap_or(0);
        given.and(
            timely(claims),
            Part {
                newest_ms,
                ..part(Of::NewRequest)
            },
        )
    };
    let given = and(Given::default(), &[(5, 1), (6, 2), (6, 3)]);
    assert_eq!(numbers(&given), (6, vec![2, 3]));
    assert_eq!(given.last(), Some((Seq(1), claim(3).0)));
    let given = and(given, &[(6, 4)]);
    assert_eq!(numbers(&given), (6, vec![2, 3, 4]));
    let given = and(given, &[(6, 4), (7, 5)]);
    assert_eq!(numbers(&given), (7, vec![5]));
    // A clock that stands still costs no more than claims that were given a stamp.
    let still = (0..2 * CLAIMS_KEPT as u64).fold(given, |given, no| and(given, &[(9, no)]));
    assert_eq!(still.latest().claims().count(), CLAIMS_KEPT);
    assert!(still.is_empty());
}

#[test]
fn the_latest_time_stays_until_a_request_that_is_merged_in_parts_ends() {
    let first = Part {
        goes_on: true,
        newest_ms: 8,
        ..part(Of::NewRequest)
    };
    let given = Given::default().and(
        timely(&[(5, 1)]),
        Part {
            newest_ms: 5,
            ..part(Of::NewRequest)
        },
    );
    let given = given.and(timely(&[(8, 2)]), first);
    assert_eq!(numbers(&given), (5, vec![1, 2]));
    let last = Part {
        is_rest: true,
        newest_ms: 8,
        ..part(Of::NewRequest)
    };
    let given = given.and(timely(&[(5, 3)]), last);
    let (from_ms, kept) = numbers(&given);
    assert!(from_ms == 8 && kept.contains(&2));
}

/// What a client does between two requests that bring something new.
#[derive(Clone, Debug)]
struct Round {
    /// New claims, more than are kept anyway or few.
    new: u64,
    /// The last request was answered: its claims are the client's no more.
    answered: bool,
    /// In how many parts it is merged.
    parts: usize,
    /// An old request comes again, of so many rounds before.
    duplicate: Option<usize>,
}

fn round() -> impl Strategy<Value = Round> {
    let new = prop_oneof![3 => 1..5u64, 1 => 1_000..1_500u64];
    let duplicate = prop::option::of(1..REQUESTS_KEPT);
    (new, any::<bool>(), 1..4usize, duplicate).prop_map(|(new, answered, parts, duplicate)| Round {
        new,
        answered,
        parts,
        duplicate,
    })
}

proptest! {
    #![proptest_config(cases(200))]

    /// A client as they are made: it sends all that is unanswered. Everything it, or a late copy
    /// of one of its last requests, brings again has exactly the stamp it had, and nothing it says
    /// for the first time is taken for old.
    #[test]
    fn what_comes_again_keeps_its_stamp_and_what_is_new_is_new(
        rounds in prop::collection::vec(round(), 1..12),
    ) {
        let (mut given, mut next) = (Given::default(), 0);
        let (mut queue, mut sent): (Vec<u64>, Vec<Vec<u64>>) = (Vec::new(), Vec::new());
        for round in rounds {
            let ago = round.duplicate.and_then(|ago| sent.len().checked_sub(ago));
            if let Some(late) = ago.map(|at| &sent[at]) {
                prop_assert_eq!(&known(&given, late.iter().copied()), late);
            }
            if round.answered {
                queue.clear();
            }
            prop_assert_eq!(&known(&given, queue.iter().copied()), &queue);
            queue.extend(next..next + round.new);
            next += round.new;
            prop_assert!(known(&given, next - round.new..next).is_empty());
            let mut of = Of::NewRequest;
            for some in queue.chunks(queue.len().div_ceil(round.parts)) {
                let stamps = given.by_claim();
                let claims = some.iter().map(|number| claim(*number));
                let (again, fresh) = claims.partition(|(claimed, _)| stamps.contains_key(claimed));
                given = given.and(Carried { again, fresh, ..Carried::default() }, part(of));
                of = Of::LastRequest;
            }
            prop_assert!(given.claims().count() <= CLAIMS_KEPT.max(
                given.requests.iter().map(Vec::len).sum()
            ));
            sent.push(queue.clone());
        }
    }
}
