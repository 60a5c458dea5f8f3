//! What the hub remembers of the claims of a client without numbers: those to which it gave a stamp
//! itself (times too far ahead, and changes without a time), and those at the client's latest time.
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
//!
//! A usable time says itself whether it is old, but for changes of one millisecond that come in
//! several requests: of these the later must win, and a repeat must not. So the claims at the latest
//! usable time are remembered too ([`Latest`]): what is later, or as late and not among them, is new.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::change::Claim;
use crate::ids::Seq;
use crate::stamp::{Hlc, WallMs};

/// Claims of a client that are remembered at least, whatever requests they came in.
pub const CLAIMS_KEPT: usize = 1_024;

/// Requests of a client of which everything is remembered. The fifth that brings a new claim
/// makes what only the first carried one of the others.
pub const REQUESTS_KEPT: usize = 4;

/// A claim to which the hub gave a stamp, as it is known again: 64 bits of the hash of what it
/// says. See [`ChangeHash::claimed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claimed(u64);

/// What a change says, hashed: all of it, also what gives no time although it should.
#[derive(Clone, Debug)]
pub struct ChangeHash(Sha256);

/// Claims of one client and the stamps they have, in one history of a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// How often it moved so far: of two memories of one history, the greater is the later.
    pub count: u64,
    /// The requests of which everything is remembered, the oldest first; of each the claims that
    /// came in it last.
    pub(crate) requests: Vec<Vec<(Claimed, Hlc)>>,
    /// What is left of those before, in the order it came.
    pub(crate) before: Vec<(Claimed, Hlc)>,
    /// What it said last by a usable time.
    pub(crate) latest: Latest,
    /// The last request that moved this: the commit it was in, and the claim that was its last.
    pub(crate) last: Option<(Seq, Claimed)>,
}

/// The claims of a client at its latest usable time, in any number of requests. A client whose
/// clock stands still is remembered as much of as of claims that were given a stamp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// The time. What is later is new, what is as late is if it is not among the claims.
    pub(crate) from_ms: WallMs,
    /// The latest in what is new of the last request, as far as it is merged.
    pub(crate) newest_ms: WallMs,
    /// The claims with the stamps they have, what came last at the end; and while a request is
    /// merged in parts those of later times in it.
    pub(crate) claims: Vec<(Claimed, Hlc)>,
}

/// Claims of a request, each with its stamp: those that were remembered, and those that are given
/// one now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// With the stamps they have.
    pub again: Vec<(Claimed, Hlc)>,
    /// With the stamps they are given, ascending.
    pub fresh: Vec<(Claimed, Hlc)>,
    /// Those with a usable time that is not older than the latest: that time in milliseconds, the
    /// claim, the stamp it has.
    pub timely: Vec<(WallMs, Claimed, Hlc)>,
    /// The one that came last, whichever of these or remembered before.
    pub last: Option<Claimed>,
}

/// What claims are of: a request, or one of which given stamps are remembered and that goes on.
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
    /// Of a change as it came: a client that sends it again sends the same text.
    pub fn of(text: &str) -> ChangeHash {
        ChangeHash(Sha256::new_with_prefix(text))
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

/// A part of a request, or all of it, in a commit.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Whether given stamps of the request are remembered already.
    pub of: Of,
    /// Parts of it were remembered before, or only looked at.
    pub is_rest: bool,
    /// More parts follow, or this one has nothing new.
    pub goes_on: bool,
    /// The latest usable time of what is new in it.
    pub newest_ms: WallMs,
    /// The commit.
    pub seq: Seq,
}

impl Part {
    /// A request that is merged at once and names no time.
    pub fn whole(seq: Seq) -> Part {
        Part {
            of: Of::NewRequest,
            is_rest: false,
            goes_on: false,
            newest_ms: 0,
            seq,
        }
    }
}

impl Given {
    /// Whether nothing was given that is remembered.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.requests.iter().all(Vec::is_empty)
    }

    /// All that was given and is remembered, what came last at the end.
    pub fn claims(&self) -> impl Iterator<Item = (Claimed, Hlc)> {
        let requests = self.requests.iter().flatten();
        self.before.iter().chain(requests).copied()
    }

    /// What it said last by a usable time.
    pub fn latest(&self) -> &Latest {
        &self.latest
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

    /// The last request that moved this: the commit it was in, and its last claim. A client that
    /// has heard of that commit and sends a request without that claim has been answered it, and
    /// with it all that is remembered. So nothing of such a request came before.
    ///
    /// One with that claim is taken for a repeat, also where it is none: a client that was answered,
    /// and then says the very same once more without a time and nothing before it, is heard once.
    /// Nothing tells the two apart. Its cursor does not: a client whose answer was lost pulls before it
    /// sends again, so that cursor has passed the commit too. Nor does what it sends, which is the same.
    /// The wrong guess in this direction changes nothing; in the other an old edit would win over
    /// what others wrote since.
    pub fn last(&self) -> Option<(Seq, Claimed)> {
        self.last
    }

    /// Remembers what a request carried. What it brought again belongs to it from now on.
    #[must_use]
    pub fn and(&self, carried: Carried, part: Part) -> Given {
        let Carried {
            again,
            fresh,
            timely,
            last,
        } = carried;
        let (requests, before) = match again.is_empty() && fresh.is_empty() {
            true => (self.requests.clone(), self.before.clone()),
            false => self.carried(again, fresh, part.of),
        };
        Given {
            count: self.count + 1,
            requests,
            before,
            latest: self.latest.and(timely, part),
            last: last.map(|last| (part.seq, last)).or(self.last),
        }
    }

    #[expect(clippy::type_complexity, reason = "the two parts of the memory")]
    fn carried(
        &self,
        again: Vec<(Claimed, Hlc)>,
        fresh: Vec<(Claimed, Hlc)>,
        of: Of,
    ) -> (Vec<Vec<(Claimed, Hlc)>>, Vec<(Claimed, Hlc)>) {
        let moved: HashSet<Claimed> = again.iter().chain(&fresh).map(|(c, _)| *c).collect();
        let stays = |(claimed, _): &(Claimed, Hlc)| !moved.contains(claimed);
        let rest = |claims: &[(Claimed, Hlc)]| claims.iter().copied().filter(stays).collect();
        let mut before: Vec<_> = rest(&self.before);
        let mut requests: Vec<Vec<_>> = self.requests.iter().map(|one| rest(one)).collect();
        let mut last = match of {
            Of::NewRequest => Vec::new(),
            Of::LastRequest => requests.pop().unwrap_or_default(),
        };
        // What all moved on from is no request to be kept in place of another.
        requests.retain(|request| !request.is_empty());
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
        (requests, before)
    }
}

impl Latest {
    /// The time: what is later is new, what is as late is if it is not among the claims.
    pub fn ms(&self) -> WallMs {
        self.from_ms
    }

    /// That time as it will be when the request that is being merged ends.
    pub fn newest_ms(&self) -> WallMs {
        self.newest_ms
    }

    /// The claims with the stamps they have.
    pub fn claims(&self) -> impl Iterator<Item = (Claimed, Hlc)> {
        self.claims.iter().copied()
    }

    fn and(&self, timely: Vec<(WallMs, Claimed, Hlc)>, part: Part) -> Latest {
        let before_ms = match part.is_rest {
            true => self.newest_ms,
            false => self.from_ms,
        };
        let newest_ms = before_ms.max(part.newest_ms);
        // What other parts say is new or not by what was remembered before the request.
        let from_ms = match part.goes_on {
            true => self.from_ms,
            false => self.from_ms.max(newest_ms),
        };
        let in_parts = part.goes_on || part.is_rest;
        let moved: HashSet<Claimed> = timely.iter().map(|(_, claimed, _)| *claimed).collect();
        let mut claims = match in_parts || from_ms == self.from_ms {
            true => self.claims.clone(),
            false => Vec::new(),
        };
        claims.retain(|(claimed, _)| !moved.contains(claimed));
        let past = (claims.len() + timely.len()).saturating_sub(CLAIMS_KEPT);
        if !in_parts {
            claims.drain(..past.min(claims.len()));
        }
        let timely = timely.into_iter().filter(|(ms, ..)| *ms >= from_ms);
        claims.extend(timely.map(|(_, claimed, at)| (claimed, at)));
        Latest {
            from_ms,
            newest_ms,
            claims,
        }
    }
}

#[cfg(test)]
mod tests;
