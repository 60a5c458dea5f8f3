use proptest::prelude::*;

use super::*;
use crate::ids::FieldName;
use crate::json::Json;
use crate::samples::{cases, key};

/// A claim of this number, at its stamp.
fn claim(number: u64) -> (Claimed, Hlc) {
    (Claimed(number), Hlc::from_bits(number))
}

fn fresh(numbers: impl IntoIterator<Item = u64>) -> Carried {
    Carried {
        again: Vec::new(),
        fresh: numbers.into_iter().map(claim).collect(),
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
    let given = (0..kept + 3).fold(given, |given, i| given.and(fresh([i]), Of::NewRequest));
    assert_eq!(given.count, kept + 3);
    assert_eq!(known(&given, 0..=kept + 3), Vec::from_iter(3..kept + 3));
}

#[test]
fn the_last_requests_are_kept_however_large() {
    let large = 3 * CLAIMS_KEPT as u64;
    let mut given = Given::default().and(fresh(0..large), Of::NewRequest);
    for i in 1..REQUESTS_KEPT as u64 {
        given = given.and(fresh([large + i]), Of::NewRequest);
        assert_eq!(known(&given, 0..large).len(), large as usize);
    }
    given = given.and(fresh([2 * large]), Of::NewRequest);
    let left = CLAIMS_KEPT as u64 - REQUESTS_KEPT as u64;
    assert_eq!(known(&given, 0..large), Vec::from_iter(large - left..large));
}

#[test]
fn what_a_request_brings_again_is_kept_with_it() {
    let large = 3 * CLAIMS_KEPT as u64;
    let mut given = Given::default().and(fresh(0..large), Of::NewRequest);
    for i in 0..3 * REQUESTS_KEPT as u64 {
        let again = given.claims().collect();
        let fresh = vec![claim(large + i)];
        given = given.and(Carried { again, fresh }, Of::NewRequest);
    }
    let all = large + 3 * REQUESTS_KEPT as u64;
    assert_eq!(known(&given, 0..all), Vec::from_iter(0..all));
    assert_eq!(given.claims().count(), all as usize);
}

#[test]
fn parts_of_a_request_are_one() {
    let large = 3 * CLAIMS_KEPT as u64;
    let mut given = Given::default().and(fresh(0..large), Of::NewRequest);
    for i in 0..3 * REQUESTS_KEPT as u64 {
        given = given.and(fresh([large + i]), Of::LastRequest);
    }
    assert_eq!(known(&given, 0..large).len(), large as usize);
    // Also of a client whose memory was lost meanwhile.
    let lost = Given::default().and(fresh([1]), Of::LastRequest);
    assert_eq!(known(&lost, [1]), [1]);
}

/// An update of two fields, of which the second has a time.
fn update(id: &str, value: &str, at: Claim) -> ClaimedChange {
    let name = FieldName::trusted;
    let fields = vec![
        (name("a"), Json::trusted(value), None),
        (name("b"), Json::trusted("1"), at),
    ];
    let op = Op::Update { fields };
    ClaimedChange { key: key(id), op }
}

fn at(ms: u64, counter: u16) -> Claim {
    Some(Hlc::new(ms, counter))
}

#[test]
fn a_claim_is_known_by_all_its_change_says_and_its_place_among_equal_ones() {
    let hash = ChangeHash::of(&update("k1", "1", at(5, 0)));
    let known = hash.claimed(at(5, 0), 0);
    let other_counter = ChangeHash::of(&update("k1", "1", at(5, 1)));
    assert_eq!(other_counter.claimed(at(5, 1), 0), known);
    assert_eq!(other_counter.to_bits(), hash.to_bits());
    assert_ne!(hash.claimed(at(5, 0), 1), known);
    assert_ne!(hash.claimed(None, 0), known);
    let at_five = |op| ClaimedChange { key: key("k1"), op };
    let data = Vec::new;
    for other in [
        update("k2", "1", at(5, 0)),
        update("k1", "2", at(5, 0)),
        update("k1", "1", at(6, 0)),
        update("k1", "1", None),
        at_five(Op::Delete { at: at(5, 0) }),
        at_five(Op::Insert {
            at: at(5, 0),
            data: data(),
        }),
    ] {
        let hash = ChangeHash::of(&other);
        assert_ne!(hash.claimed(at(5, 0), 0), known, "{other:?}");
    }
    let [now, timed] = [None, at(5, 0)].map(|at| Op::Insert { at, data: data() });
    let [now, timed] = [now, timed].map(|op| ChangeHash::of(&at_five(op)).to_bits());
    assert_ne!(now, timed);
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
            for part in queue.chunks(queue.len().div_ceil(round.parts)) {
                let stamps = given.by_claim();
                let claims = part.iter().map(|number| claim(*number));
                let (again, fresh) = claims.partition(|(claimed, _)| stamps.contains_key(claimed));
                given = given.and(Carried { again, fresh }, of);
                of = Of::LastRequest;
            }
            prop_assert!(given.claims().count() <= CLAIMS_KEPT.max(
                given.requests.iter().map(Vec::len).sum()
            ));
            sent.push(queue.clone());
        }
    }
}
