//! The binary form of the claims of a client to which the hub gave a stamp.

use serde::{Deserialize, Serialize};

use super::{DecodeError, decode_first, decode_versioned, encode_versioned};
use crate::given::{Claimed, FILTER_BYTES, Given, Older};
use crate::stamp::Hlc;

#[derive(Serialize, Deserialize)]
struct GivenV1<'a> {
    count: u64,
    kept: Vec<(ClaimedV1, u64)>,
    #[serde(borrow)]
    older: Option<OlderV1<'a>>,
}

#[derive(Serialize, Deserialize)]
enum ClaimedV1 {
    Wall(u64),
    Change(u64),
}

#[derive(Serialize, Deserialize)]
struct OlderV1<'a> {
    became: u64,
    walls: Option<(u64, u64)>,
    filter: &'a [u8],
}

/// Given stamps at rest.
pub fn encode_given(given: &Given) -> Vec<u8> {
    let kept = given.kept.iter().map(|(claimed, at)| {
        let claimed = match claimed {
            Claimed::Wall(ms) => ClaimedV1::Wall(*ms),
            Claimed::Change(hash) => ClaimedV1::Change(*hash),
        };
        (claimed, at.to_bits())
    });
    encode_versioned(&GivenV1 {
        count: given.count,
        kept: kept.collect(),
        older: given.older.as_ref().map(|older| OlderV1 {
            became: older.became.to_bits(),
            walls: older.walls,
            filter: &older.filter,
        }),
    })
}

/// Reads [`encode_given`].
pub fn decode_given(bytes: &[u8]) -> Result<Given, DecodeError> {
    let stored: GivenV1<'_> = decode_versioned(bytes)?;
    let kept = stored.kept.into_iter().map(|(claimed, at)| {
        let claimed = match claimed {
            ClaimedV1::Wall(ms) => Claimed::Wall(ms),
            ClaimedV1::Change(hash) => Claimed::Change(hash),
        };
        (claimed, Hlc::from_bits(at))
    });
    Ok(Given {
        count: stored.count,
        kept: kept.collect(),
        older: stored.older.as_ref().map(older).transpose()?,
    })
}

/// The [`Given::count`] of [`encode_given`], without reading the rest.
pub fn decode_given_count(bytes: &[u8]) -> Result<u64, DecodeError> {
    let (count, _) = decode_first(bytes)?;
    Ok(count)
}

fn older(stored: &OlderV1<'_>) -> Result<Older, DecodeError> {
    let bytes = stored.filter.len();
    if bytes != FILTER_BYTES {
        return Err(DecodeError::Damaged(format!("a filter of {bytes} bytes")));
    }
    Ok(Older {
        became: Hlc::from_bits(stored.became),
        walls: stored.walls,
        filter: stored.filter.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{cases, mutated_bytes};

    fn given(walls: u64, changes: u64) -> Given {
        let walls = (0..walls).map(|ms| (Claimed::Wall(ms), Hlc::from_bits(ms)));
        let changes = (0..changes).map(|i| (Claimed::Change(i << 40), Hlc::from_bits(9 + i)));
        Given::default().and(walls.chain(changes))
    }

    #[test]
    fn a_filter_of_another_length_is_damage() {
        let mut short = given(200, 100);
        short.older.as_mut().unwrap().filter.pop();
        let read = decode_given(&encode_given(&short));
        assert!(matches!(read, Err(DecodeError::Damaged(_))), "{read:?}");
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn given_stamps_survive(walls in 0..400u64, changes in 0..400u64) {
            let given = given(walls, changes);
            let stored = encode_given(&given);
            prop_assert_eq!(decode_given_count(&stored).unwrap(), given.count);
            prop_assert_eq!(decode_given(&stored).unwrap(), given);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in mutated_bytes(encode_given(&given(3, 3)))) {
            drop(decode_given(&bytes));
            drop(decode_given_count(&bytes));
        }
    }
}
