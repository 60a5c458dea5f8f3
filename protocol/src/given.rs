//! What the hub remembers of the claims to which it gave a stamp itself: times too far ahead, and
//! changes without a time.
//!
//! A client whose writes carry no numbers sends them again and again. Without this memory a
//! claim that comes again would get a newer stamp, and win over what was written meanwhile.
//!
//! The last [`GIVEN_MAX`] are remembered one by one. What is older is only known to have been
//! there, in a filter that is never wrong in saying so and seldom in saying it of another; all of
//! it becomes the lowest stamp that any of it had. So nothing ever wins twice, and the price
//! is paid by those who have claimed very much: an honest claim may be taken for an old one.
//! Nothing is forgotten with time: a claim that was clamped is above what was written between
//! its stamp and itself, however late it comes.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::change::{ClaimedChange, Op};
use crate::stamp::{Hlc, WallMs};

/// Claims of a client that are remembered one by one, each with its stamp.
pub const GIVEN_MAX: usize = 256;

/// Bytes of the filter of older claims. A thousand of them are told from others but for one in
/// 80,000, five thousand but for one in 200, twenty thousand but for one in four.
pub(crate) const FILTER_BYTES: usize = 8 << 10;

/// A claim to which the hub gave a stamp, as it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Claimed {
    /// A time too far ahead. Its counter follows the order of a request, so that of a resend may
    /// be another.
    Wall(WallMs),
    /// A change without a time: 64 bits of its hash. See [`Claimed::change`].
    Change(u64),
}

/// Claims of one client and the stamps they were given, in one history of a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How many were given so far: of two memories of one history, the greater is the later.
    pub count: u64,
    /// The last ones, each once, in the order they were given.
    pub(crate) kept: Vec<(Claimed, Hlc)>,
    /// Those before.
    pub(crate) older: Option<Older>,
}

/// Claims that are no longer remembered one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Older {
    /// The lowest stamp that one of them was given.
    pub(crate) became: Hlc,
    /// The lowest and the highest wall time among them: outside, none was.
    pub(crate) walls: Option<(WallMs, WallMs)>,
    /// Four bits a claim, of [`FILTER_BYTES`].
    pub(crate) filter: Vec<u8>,
}

impl Claimed {
    /// A change without a time, by its table, id, op and payload in canonical form; `earlier`
    /// counts equal ones before it in its request, so that what is switched on, off and on again
    /// ends on.
    pub fn change(change: &ClaimedChange, earlier: u32) -> Claimed {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        part(change.key.table.as_str());
        part(change.key.id.as_str());
        match &change.op {
            Op::Insert { data, .. } => {
                part("insert");
                for (name, value) in data {
                    part(name.as_str());
                    part(value.as_str());
                }
            }
            Op::Update { fields } => {
                part("update");
                for (name, value, at) in fields {
                    part(name.as_str());
                    part(value.as_str());
                    part(&at.map_or(String::new(), |at| at.wall_ms().to_string()));
                }
            }
            Op::Delete { .. } => part("delete"),
        }
        hash.update(earlier.to_le_bytes());
        let digest = hash.finalize();
        let first = digest.first_chunk().expect("SHA-256 has 32 bytes");
        Claimed::Change(u64::from_le_bytes(*first))
    }

    /// The bits of the filter that say it was there.
    fn bits(self) -> [u16; 4] {
        let spread = match self {
            Claimed::Wall(ms) => spread(ms),
            Claimed::Change(hash) => hash,
        };
        [0, 16, 32, 48].map(|shift| (spread >> shift) as u16)
    }
}

/// A number whose bits all depend on all of `ms`: neighbouring times share nothing
/// (MurmurHash3's 64-bit finalizer).
fn spread(ms: u64) -> u64 {
    let mixed = (ms ^ (ms >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

impl Given {
    /// The stamp a claim was given; at most that, where it is no longer remembered by itself.
    pub fn became(&self, claimed: Claimed) -> Option<Hlc> {
        let kept = self.kept.iter().find(|(kept, _)| *kept == claimed);
        let older = || self.older.as_ref().filter(|older| older.may_hold(claimed));
        kept.map(|(_, at)| *at)
            .or_else(|| older().map(|older| older.became))
    }

    /// Remembers claims with the stamps they were given, in ascending order of stamp. Of equal
    /// ones the lowest stamp counts.
    #[must_use]
    pub fn and(&self, fresh: impl IntoIterator<Item = (Claimed, Hlc)>) -> Given {
        let mut given = self.clone();
        let places = given.kept.iter().enumerate();
        let mut places: HashMap<Claimed, usize> = places
            .map(|(place, (claimed, _))| (*claimed, place))
            .collect();
        for (claimed, at) in fresh {
            given.count += 1;
            let place = *places.entry(claimed).or_insert(given.kept.len());
            match given.kept.get_mut(place) {
                Some((_, kept)) => *kept = at.min(*kept),
                None => given.kept.push((claimed, at)),
            }
        }
        let past = given.kept.len().saturating_sub(GIVEN_MAX);
        for (claimed, at) in given.kept.drain(..past) {
            let older = given.older.get_or_insert_with(|| Older::new(at));
            older.add(claimed, at);
        }
        given
    }

    /// What is remembered one by one, in the order it was given.
    pub fn kept(&self) -> &[(Claimed, Hlc)] {
        &self.kept
    }
}

impl Older {
    fn new(became: Hlc) -> Older {
        Older {
            became,
            walls: None,
            filter: vec![0; FILTER_BYTES],
        }
    }

    fn add(&mut self, claimed: Claimed, at: Hlc) {
        self.became = self.became.min(at);
        if let Claimed::Wall(ms) = claimed {
            let (from, to) = self.walls.unwrap_or((ms, ms));
            self.walls = Some((from.min(ms), to.max(ms)));
        }
        for bit in claimed.bits() {
            self.filter[usize::from(bit / 8)] |= 1 << (bit % 8);
        }
    }

    fn may_hold(&self, claimed: Claimed) -> bool {
        if let Claimed::Wall(ms) = claimed
            && self
                .walls
                .is_none_or(|(from, to)| !(from..=to).contains(&ms))
        {
            return false;
        }
        let is_set = |bit: u16| self.filter[usize::from(bit / 8)] >> (bit % 8) & 1 == 1;
        claimed.bits().into_iter().all(is_set)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::FieldName;
    use crate::json::Json;
    use crate::samples::{cases, key};

    fn at(tick: u64) -> Hlc {
        Hlc::from_bits(tick)
    }

    fn walls(from: u64, count: u64) -> impl Iterator<Item = (Claimed, Hlc)> {
        (0..count).map(move |i| (Claimed::Wall(from + i), at(1_000 + i)))
    }

    #[test]
    fn the_last_claims_are_remembered_one_by_one() {
        let given = Given::default().and(walls(10, GIVEN_MAX as u64));
        assert_eq!(given.older, None);
        for (claimed, stamp) in walls(10, GIVEN_MAX as u64) {
            assert_eq!(given.became(claimed), Some(stamp));
        }
        assert_eq!(given.became(Claimed::Wall(9)), None);
        assert_eq!(given.became(Claimed::Change(10)), None);
    }

    #[test]
    fn one_more_is_remembered_with_the_lowest_stamp() {
        let given = Given::default().and(walls(10, GIVEN_MAX as u64 + 2));
        assert_eq!(
            (given.kept.len(), given.count),
            (GIVEN_MAX, GIVEN_MAX as u64 + 2)
        );
        for old in [10, 11] {
            assert_eq!(given.became(Claimed::Wall(old)), Some(at(1_000)));
        }
        assert_eq!(given.became(Claimed::Wall(12)), Some(at(1_002)));
        let next = given.and([(Claimed::Wall(5_000), at(9_000))]);
        assert_eq!(next.became(Claimed::Wall(12)), Some(at(1_000)));
    }

    #[test]
    fn what_was_never_claimed_is_seldom_taken_for_old() {
        let changes = (0..5_000u64).map(|i| (Claimed::Change(spread(i)), at(i)));
        let given = Given::default().and(changes);
        let taken =
            (10_000..20_000).filter(|i| given.became(Claimed::Change(spread(*i))).is_some());
        let taken = taken.count();
        assert!(taken < 100, "{taken} of 10,000");
        // No wall time was claimed.
        assert!((0..1_000).all(|ms| given.became(Claimed::Wall(ms)).is_none()));
    }

    #[test]
    fn of_equal_claims_the_lowest_stamp_counts() {
        let twice = [(Claimed::Wall(7), at(1)), (Claimed::Wall(7), at(2))];
        let given = Given::default().and(twice);
        assert_eq!(given.kept(), [(Claimed::Wall(7), at(1))]);
    }

    #[test]
    fn a_change_is_known_by_all_it_says_and_its_place_among_equal_ones() {
        let change = |id: &str, value: &str, wall: Option<u64>| {
            let name = |name: &str| FieldName::trusted(name);
            let at = |counter| wall.map(|ms| Hlc::new(ms, counter));
            let fields = |counter| {
                vec![
                    (name("a"), Json::trusted(value), None),
                    (name("b"), Json::trusted("1"), at(counter)),
                ]
            };
            [0, 1].map(|counter| ClaimedChange {
                key: key(id),
                op: Op::Update {
                    fields: fields(counter),
                },
            })
        };
        let [one, other_counter] = change("k1", "1", Some(5));
        let known = Claimed::change(&one, 0);
        assert_eq!(Claimed::change(&other_counter, 0), known);
        assert_ne!(Claimed::change(&one, 1), known);
        for [other, _] in [
            change("k2", "1", Some(5)),
            change("k1", "2", Some(5)),
            change("k1", "1", Some(6)),
            change("k1", "1", None),
        ] {
            assert_ne!(Claimed::change(&other, 0), known, "{other:?}");
        }
        let delete = ClaimedChange {
            key: key("k1"),
            op: Op::Delete { at: None },
        };
        let insert = ClaimedChange {
            key: key("k1"),
            op: Op::Insert {
                at: None,
                data: Vec::new(),
            },
        };
        assert_ne!(Claimed::change(&delete, 0), Claimed::change(&insert, 0));
    }

    proptest! {
        #![proptest_config(cases(200))]

        #[test]
        fn nothing_ever_becomes_more_than_it_was_given(
            batches in prop::collection::vec(
                prop::collection::vec((any::<bool>(), 0..2_000u64), 0..300), 0..8,
            ),
        ) {
            let (mut given, mut tick) = (Given::default(), 0);
            let mut ever: HashMap<Claimed, Hlc> = HashMap::new();
            for batch in batches {
                let mut fresh = Vec::new();
                for (is_wall, number) in batch {
                    let claimed = if is_wall {
                        Claimed::Wall(number)
                    } else {
                        Claimed::Change(spread(number))
                    };
                    if let Some(became) = given.became(claimed) {
                        // It may be taken for an old one; what it has been given it keeps.
                        prop_assert!(ever.get(&claimed).is_none_or(|first| became <= *first));
                        continue;
                    }
                    prop_assert!(fresh.iter().any(|(known, _)| *known == claimed) || !ever.contains_key(&claimed));
                    tick += 1;
                    ever.entry(claimed).or_insert(at(tick));
                    fresh.push((claimed, at(tick)));
                }
                given = given.and(fresh);
                prop_assert!(given.kept.len() <= GIVEN_MAX);
            }
        }
    }
}
