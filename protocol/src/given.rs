//! What the hub remembers of the claims to which it gave a stamp itself: times too far ahead, and
//! changes without a time.
//!
//! A client whose writes carry no numbers sends them again and again. Without this memory a
//! claim that comes again would get a newer stamp, and win over what was written meanwhile.
//!
//! Such a client sends all that is unanswered in one request and forgets it when that is answered.
//! So a claim comes again only while the requests that carried it are unanswered, and each of these
//! carries all that the one before did. What the last [`REQUESTS_KEPT`] carried is therefore
//! remembered, however much that is, and the last [`CLAIMS_KEPT`] claims anyway. What is forgotten
//! counts as new when it comes again. Nothing is forgotten with time: a claim that was clamped is
//! above what was written between its stamp and itself, however late it comes.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::change::{Claim, ClaimedChange, Op};
use crate::stamp::Hlc;

/// Claims of a client that are remembered at least, whatever requests they came in.
pub const CLAIMS_KEPT: usize = 1_024;

/// Requests of a client of which everything is remembered. The fifth that brings a new claim
/// makes what only the first carried one of the others.
pub const REQUESTS_KEPT: usize = 4;

/// A claim to which the hub gave a stamp, as it is known again: 64 bits of the hash of what it
/// says. See [`ChangeHash::claimed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claimed(u64);

/// What a change says, hashed: record, op, names, values and times.
#[derive(Clone, Debug)]
pub struct ChangeHash(Sha256);

/// Claims of one client and the stamps they were given, in one history of a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How often it moved so far: of two memories of one history, the greater is the later.
    pub count: u64,
    /// The requests of which everything is remembered, the oldest first; of each the claims that
    /// came in it last.
    pub(crate) requests: Vec<Vec<(Claimed, Hlc)>>,
    /// What is left of those before, in the order it came.
    pub(crate) before: Vec<(Claimed, Hlc)>,
}

/// Claims of a request, each with its stamp: those that were remembered, and those that are given
/// one now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// With the stamps they have.
    pub again: Vec<(Claimed, Hlc)>,
    /// With the stamps they are given, ascending.
    pub fresh: Vec<(Claimed, Hlc)>,
}

/// What claims are of: a request, or one that is remembered already and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A request of which nothing is remembered yet.
    NewRequest,
    /// The one that was remembered last.
    LastRequest,
}

impl Claimed {
    /// From [`Claimed::to_bits`].
    pub const fn from_bits(bits: u64) -> Claimed {
        Claimed(bits)
    }

    /// As a number, for storage.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl ChangeHash {
    /// Of a change with its values in canonical form. Of its times the counters are left out: they
    /// follow the order of a request, so those of a resend may be others.
    pub fn of(change: &ClaimedChange) -> ChangeHash {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        let time = |at: &Claim| at.map_or(String::new(), |at| at.wall_ms().to_string());
        part(change.key.table.as_str());
        part(change.key.id.as_str());
        match &change.op {
            Op::Insert { at, data } => {
                part("insert");
                part(&time(at));
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
                    part(&time(at));
                }
            }
            Op::Delete { at } => {
                part("delete");
                part(&time(at));
            }
        }
        ChangeHash(hash)
    }

    /// 64 bits of it: the same for changes that say the same.
    pub fn to_bits(&self) -> u64 {
        first_bits(self.0.clone())
    }

    /// What the change claims at one of its times, or without one. `earlier` counts the changes
    /// before it in its request that say the same, so that what is switched on, off and on again
    /// ends on.
    ///
    /// A claim is known by the whole change and not by its fields: a client that always writes all
    /// fields without a time says much that it said before, and means it.
    pub fn claimed(&self, at: Claim, earlier: u32) -> Claimed {
        let mut hash = self.0.clone();
        hash.update(at.map_or(u64::MAX, Hlc::wall_ms).to_le_bytes());
        hash.update(earlier.to_le_bytes());
        Claimed(first_bits(hash))
    }
}

fn first_bits(hash: Sha256) -> u64 {
    let digest = hash.finalize();
    let first = digest.first_chunk().expect("SHA-256 has 32 bytes");
    u64::from_le_bytes(*first)
}

impl Given {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.requests.iter().all(Vec::is_empty)
    }

    /// All that is remembered, what came last at the end.
    pub fn claims(&self) -> impl Iterator<Item = (Claimed, Hlc)> {
        let requests = self.requests.iter().flatten();
        self.before.iter().chain(requests).copied()
    }

    /// The stamps by claim, for a request's worth of questions.
    pub fn by_claim(&self) -> HashMap<Claimed, Hlc> {
        let mut stamps = HashMap::new();
        for (claimed, at) in self.claims() {
            let stamp = stamps.entry(claimed).or_insert(at);
            *stamp = at.min(*stamp);
        }
        stamps
    }

    /// Remembers what a request carried. What it brought again belongs to it from now on.
    #[must_use]
    pub fn and(&self, carried: Carried, of: Of) -> Given {
        let Carried { again, fresh } = carried;
        let moved: HashSet<Claimed> = again.iter().chain(&fresh).map(|(c, _)| *c).collect();
        let stays = |(claimed, _): &(Claimed, Hlc)| !moved.contains(claimed);
        let rest = |claims: &[(Claimed, Hlc)]| claims.iter().copied().filter(stays).collect();
        let mut before: Vec<_> = rest(&self.before);
        let mut requests: Vec<Vec<_>> = self.requests.iter().map(|one| rest(one)).collect();
        let mut last = match of {
            Of::NewRequest => Vec::new(),
            Of::LastRequest => requests.pop().unwrap_or_default(),
        };
        last.extend(again);
        last.extend(fresh);
        requests.push(last);
        if requests.len() > REQUESTS_KEPT {
            before.extend(requests.remove(0));
        }
        let kept: usize = requests.iter().map(Vec::len).sum();
        let past = before
            .len()
            .saturating_sub(CLAIMS_KEPT.saturating_sub(kept));
        before.drain(..past);
        Given {
            count: self.count + 1,
            requests,
            before,
        }
    }
}

#[cfg(test)]
mod tests;
