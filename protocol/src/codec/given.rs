//! The binary form of what is remembered of a client's claims.
//!
//! A claim takes the eight bytes of its hash. Stamps given in one request follow each other, so
//! they are written as runs.

use serde::{Deserialize, Serialize};

use super::{DecodeError, decode_first, decode_versioned_as, encode_versioned_as};
use crate::given::{Claimed, Given, Latest};
use crate::ids::Seq;
use crate::stamp::Hlc;

/// The version that is written. Those before knew claims by less than they say: of them only the
/// count is read, and what they remembered is forgotten.
const VERSION: u8 = 3;

const FORGOTTEN_VERSIONS: [u8; 2] = [1, 2];

/// Bytes that hold the [`Given::count`] of [`encode_given`], whatever follows.
pub const GIVEN_COUNT_BYTES: usize = 16;

#[derive(Serialize, Deserialize)]
struct GivenV3<'a> {
    count: u64,
    /// How many claims came in each of the last requests, which follow those before them.
    requests: Vec<u64>,
    /// The latest usable time in milliseconds, that in the last request, and how many claims are
    /// at it: the last of all.
    latest: (u64, u64, u64),
    /// The commit of the last request, and its last claim.
    last: Option<(u64, u64)>,
    /// By how much a stamp is more than one more than the one before (the first: than 0), and how
    /// many that are one more each follow. Together as many as there are claims.
    runs: Vec<(i64, u64)>,
    /// The claims, eight bytes each.
    #[serde(borrow)]
    claims: &'a [u8],
}

/// Given stamps at rest.
pub fn encode_given(given: &Given) -> Vec<u8> {
    let (mut runs, mut claims): (Vec<(i64, u64)>, Vec<u8>) = (Vec::new(), Vec::new());
    let mut next = 0u64;
    let latest = given.latest.claims.iter().copied();
    for (claimed, at) in given.claims().chain(latest) {
        let at = at.to_bits();
        match runs.last_mut() {
            Some((_, more)) if at == next => *more += 1,
            _ => runs.push((at.wrapping_sub(next) as i64, 0)),
        }
        next = at.wrapping_add(1);
        claims.extend(claimed.to_bits().to_le_bytes());
    }
    let requests = given.requests.iter().map(|request| request.len() as u64);
    let last = given.last.map(|(seq, last)| (seq.0, last.to_bits()));
    let stored = GivenV3 {
        count: given.count,
        requests: requests.collect(),
        latest: (
            given.latest.from_ms,
            given.latest.newest_ms,
            given.latest.claims.len() as u64,
        ),
        last,
        runs,
        claims: &claims,
    };
    encode_versioned_as(VERSION, &stored)
}

/// Reads [`encode_given`].
pub fn decode_given(bytes: &[u8]) -> Result<Given, DecodeError> {
    if forgotten_version(bytes).is_some() {
        let count = decode_given_count(bytes)?;
        return Ok(Given {
            count,
            ..Given::default()
        });
    }
    let stored: GivenV3<'_> = decode_versioned_as(VERSION, bytes)?;
    let (claims, odd) = stored.claims.as_chunks::<8>();
    // Damage may say runs of any length: no more is made of them than there are claims.
    let claimed = claims.iter().map(|bits| u64::from_le_bytes(*bits));
    let mut claims = claimed.map(Claimed::from_bits).zip(stamps(&stored.runs));
    let mut take = |count: u64| {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let taken: Vec<(Claimed, Hlc)> = claims.by_ref().take(wanted).collect();
        (taken.len() == wanted).then_some(taken)
    };
    let damaged = || DecodeError::Damaged("given stamps that do not add up".into());
    let all = stored.claims.len() as u64 / 8;
    let after_before = stored
        .requests
        .iter()
        .chain([&stored.latest.2])
        .try_fold(0u64, |sum, n| sum.checked_add(*n));
    let before = after_before.and_then(|sum| all.checked_sub(sum));
    let before = before.and_then(&mut take).ok_or_else(damaged)?;
    let requests = stored.requests.iter().map(|count| take(*count));
    let requests = requests.collect::<Option<_>>().ok_or_else(damaged)?;
    let latest = Latest {
        from_ms: stored.latest.0,
        newest_ms: stored.latest.1,
        claims: take(stored.latest.2).ok_or_else(damaged)?,
    };
    if !odd.is_empty() {
        return Err(damaged());
    }
    let last = stored.last;
    Ok(Given {
        count: stored.count,
        requests,
        before,
        latest,
        last: last.map(|(seq, claimed)| (Seq(seq), Claimed::from_bits(claimed))),
    })
}

fn forgotten_version(bytes: &[u8]) -> Option<u8> {
    let version = bytes.first()?;
    FORGOTTEN_VERSIONS.contains(version).then_some(*version)
}

/// The [`Given::count`] of [`encode_given`], without reading the rest: [`GIVEN_COUNT_BYTES`] of it
/// are enough.
pub fn decode_given_count(bytes: &[u8]) -> Result<u64, DecodeError> {
    let version = forgotten_version(bytes).unwrap_or(VERSION);
    let (count, _) = decode_first(version, bytes)?;
    Ok(count)
}

/// The stamps of runs, one after another.
fn stamps(runs: &[(i64, u64)]) -> impl Iterator<Item = Hlc> {
    let firsts = runs.iter().scan(0u64, |next, (by, more)| {
        let first = next.wrapping_add_signed(*by);
        *next = first.wrapping_add(*more).wrapping_add(1);
        Some((first, *more))
    });
    firsts.flat_map(|(first, more)| (0..=more).map(move |i| Hlc::from_bits(first.wrapping_add(i))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::given::{CLAIMS_KEPT, Carried, ChangeHash, Part, REQUESTS_KEPT};
    use crate::limits::HTTP_BODY_BYTES_MAX;
    use crate::samples::{cases, mutated_bytes};

    /// A memory of requests of so many claims, which came so many milliseconds apart.
    fn given(requests: &[usize], apart_ms: u64) -> Given {
        let mut clock = Hlc::new(1_795_514_400_000, 0);
        let mut given = Given::default();
        for (no, count) in requests.iter().enumerate() {
            let fresh = (0..*count).map(|_| {
                clock = clock.tick(clock.wall_ms());
                (claimed(clock.to_bits()), clock)
            });
            let again = given.claims().filter(|_| no % 3 == 2).take(1).collect();
            let fresh: Vec<_> = fresh.collect();
            let timely = fresh.iter().take(no % 2);
            let timely = timely.map(|(of, at)| (at.wall_ms(), claimed(!of.to_bits()), *at));
            let carried = Carried {
                again,
                timely: timely.collect(),
                last: fresh.last().map(|(claimed, _)| *claimed),
                fresh,
            };
            let part = Part {
                newest_ms: clock.wall_ms(),
                ..Part::whole(Seq(no as u64))
            };
            given = given.and(carried, part);
            clock = Hlc::new(clock.wall_ms() + apart_ms, 0);
        }
        given
    }

    /// Of a change that says this.
    fn claimed(what: u64) -> Claimed {
        ChangeHash::of(&what.to_string()).claimed(None, 0)
    }

    /// What is written with every commit that gives a stamp: edits of one claim, minutes apart.
    #[test]
    fn a_thousand_claims_take_eighteen_bytes_each() {
        let given = given(&[1; 2 * CLAIMS_KEPT], 100_000);
        assert_eq!(given.claims().count(), CLAIMS_KEPT);
        let bytes = encode_given(&given).len();
        assert!(
            (17 * CLAIMS_KEPT..19 * CLAIMS_KEPT).contains(&bytes),
            "{bytes}"
        );
    }

    /// As many claims as the largest request can hold, in as many requests as are kept.
    #[test]
    fn the_largest_requests_take_a_quarter_of_their_bytes() {
        let smallest = r#"{"table":"t","id":"k","op":"delete"},"#;
        let claims = HTTP_BODY_BYTES_MAX / smallest.len();
        let given = given(&[claims; REQUESTS_KEPT + 1], 100_000);
        assert!(given.claims().count() >= REQUESTS_KEPT * claims);
        let stored = encode_given(&given);
        let bytes = stored.len();
        assert!(bytes < REQUESTS_KEPT * HTTP_BODY_BYTES_MAX / 4, "{bytes}");
        assert!(bytes > REQUESTS_KEPT * HTTP_BODY_BYTES_MAX / 5, "{bytes}");
        assert_eq!(decode_given(&stored).unwrap(), given);
    }

    #[test]
    fn of_earlier_versions_the_count_alone_is_read() {
        for version in FORGOTTEN_VERSIONS {
            let stored = encode_versioned_as(version, &(300u64, vec![(0u32, 7u64)], None::<u8>));
            assert_eq!(decode_given_count(&stored).unwrap(), 300);
            let read = decode_given(&stored).unwrap();
            assert_eq!((read.count, read.is_empty()), (300, true));
        }
    }

    #[test]
    fn what_does_not_add_up_is_damage() {
        let with = |requests: &[u64], runs: &[(i64, u64)], claims: &[u8]| {
            let stored = GivenV3 {
                count: 1,
                requests: requests.to_vec(),
                latest: (7, 7, 0),
                last: None,
                runs: runs.to_vec(),
                claims,
            };
            decode_given(&encode_versioned_as(VERSION, &stored))
        };
        assert!(with(&[1], &[(5, 1)], &[0; 16]).is_ok());
        for (requests, runs, claims) in [
            (&[3][..], &[(5, 1)][..], &[0; 16][..]),
            (&[1], &[(5, 0)], &[0; 16]),
            (&[1], &[(5, 1)], &[0; 17]),
            (&[1, u64::MAX], &[(5, 1)], &[0; 16]),
        ] {
            let read = with(requests, runs, claims);
            assert!(matches!(read, Err(DecodeError::Damaged(_))), "{read:?}");
        }
        // A run of any length costs nothing.
        let longest = with(&[1], &[(5, u64::MAX)], &[0; 8]).unwrap();
        assert_eq!(longest.claims().count(), 1);
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn given_stamps_survive(
            requests in prop::collection::vec(0..400usize, 0..8), apart_ms in 0..100_000u64,
        ) {
            let given = given(&requests, apart_ms);
            let stored = encode_given(&given);
            prop_assert_eq!(decode_given(&stored).unwrap(), given.clone());
            let begin = &stored[..stored.len().min(GIVEN_COUNT_BYTES)];
            prop_assert_eq!(decode_given_count(begin).unwrap(), given.count);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in mutated_bytes(encode_given(&given(&[3, 3], 9)))) {
            drop(decode_given(&bytes));
            drop(decode_given_count(&bytes));
        }
    }
}
