//! What the claims of one changeset are given: it is asked of each whether it came before, and what
//! is new is remembered with what came again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use syncline_protocol::change::{Claim, ClaimedChange, Op};
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::given::{Carried, ChangeHash, Claimed, Given, Of, Part};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::stamp::{Hlc, WallMs};

use crate::session::pending::Earlier;

/// The claims of a changeset, or of a part of it.
#[derive(Default)]
pub(super) struct Claims {
    /// What earlier requests were given,
    earlier: Option<Arc<Given>>,
    /// by claim, and the claims at the latest usable time; made when the first one asks.
    stamps: Option<Stamps>,
    carried: Carried,
    /// Something of it is new.
    is_new: bool,
    /// The latest usable time of what is new in it.
    newest_ms: WallMs,
    /// How many changes said the same so far. All of one record are in one part.
    equal: Equal,
    /// Records of which it said something new: what it says of them later is new too.
    renewed: HashSet<RecordKey>,
    /// The client has been answered all that is remembered.
    is_answered: bool,
}

#[derive(Default)]
struct Stamps {
    given: HashMap<Claimed, Hlc>,
    latest: HashMap<Claimed, Hlc>,
}

/// How many changes said the same so far.
#[derive(Default)]
struct Equal(HashMap<u64, u32>);

/// A change with its hash, which is made when it is needed, and how many of its changeset before
/// it say the same.
pub(super) struct Said<'a> {
    text: &'a str,
    key: &'a RecordKey,
    hash: Option<(ChangeHash, u32)>,
}

impl<'a> Said<'a> {
    /// By the change as it came, and what was read of it.
    pub(super) fn new(text: &'a str, change: &'a ClaimedChange) -> Said<'a> {
        let key = &change.key;
        let hash = None;
        Said { text, key, hash }
    }

    fn claimed(&mut self, claim: Claim, equal: &mut Equal) -> Claimed {
        let (hash, earlier) = self.hash.get_or_insert_with(|| {
            let hash = ChangeHash::of(self.text);
            let equal = equal.0.entry(hash.to_bits()).or_default();
            let earlier = *equal;
            *equal += 1;
            (hash, earlier)
        });
        hash.claimed(claim, *earlier)
    }
}

/// What is remembered after a changeset.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// All of it, if that moved.
    pub(super) given: Option<Arc<Given>>,
    /// Given stamps of the changeset are in it.
    pub(super) is_carried: bool,
    /// Else what must be remembered with a later part of the changeset, should that bring
    /// something new: what comes again with something new is remembered as long as that.
    pub(super) unkept: Vec<(Claimed, Hlc)>,
}

impl Claims {
    /// None yet, of a client that this is remembered of, and that has heard of commits up to
    /// `heard` when it sent these changes; `None` if they are only a part of what it sent.
    pub(super) fn new(
        earlier: Option<Arc<Given>>,
        whole: Option<(&[SyncChange], Option<Seq>)>,
    ) -> Claims {
        let last = earlier.as_ref().and_then(|given| given.last());
        let is_answered = match (whole, last) {
            (Some((changes, heard)), Some((seq, last))) => {
                heard >= Some(seq) && !carries(changes, last)
            }
            _ => false,
        };
        Claims {
            earlier,
            is_answered,
            ..Claims::default()
        }
    }

    /// A usable time before this one says itself what it is newer than, and is not remembered.
    pub(super) fn latest_ms(&self) -> WallMs {
        self.earlier.as_ref().map_or(0, |given| given.latest().ms())
    }

    /// Whether no earlier claim was given a stamp.
    pub(super) fn remember_nothing_given(&self) -> bool {
        self.earlier.as_ref().is_none_or(|given| given.is_empty())
    }

    /// How a claim of a change is known again.
    pub(super) fn of(&mut self, claim: Claim, said: &mut Said<'_>) -> Claimed {
        let claimed = said.claimed(claim, &mut self.equal);
        self.carried.last = Some(claimed);
        claimed
    }

    /// The stamp a claim was given in an earlier request.
    pub(super) fn became(
        &mut self,
        (claimed, claim): (Claimed, Claim),
        said: &Said<'_>,
    ) -> Option<Hlc> {
        if self.is_answered || self.renewed.contains(said.key) {
            return None;
        }
        let earlier = self.earlier.as_deref()?;
        let stamps = self.stamps.get_or_insert_with(|| Stamps {
            given: earlier.by_claim(),
            latest: earlier.latest().claims().collect(),
        });
        let forgets = mutant(match claim {
            Some(_) => Mutant::ForgetClamp,
            None => Mutant::ForgetTimeless,
        });
        if let Some(became) = stamps.given.get(&claimed).filter(|_| !forgets) {
            self.carried.again.push((claimed, *became));
            return Some(*became);
        }
        let ms = claim?.wall_ms();
        let became = *stamps.latest.get(&claimed)?;
        if mutant(Mutant::ForgetLatest) {
            return None;
        }
        self.carried.timely.push((ms, claimed, became));
        Some(became)
    }

    /// Gives a claim that is new the stamp it keeps.
    pub(super) fn give(&mut self, claimed: Claimed, at: Hlc, said: &Said<'_>) {
        self.carried.fresh.push((claimed, at));
        self.renew(said.key);
    }

    /// A claim that is new, with a usable time, has a stamp.
    pub(super) fn keep(&mut self, (claimed, ms): (Claimed, WallMs), at: Hlc, said: &Said<'_>) {
        self.carried.timely.push((ms, claimed, at));
        self.newest_ms = self.newest_ms.max(ms);
        self.renew(said.key);
    }

    fn renew(&mut self, key: &RecordKey) {
        self.is_new = true;
        if !self.renewed.contains(key) {
            self.renewed.insert(key.clone());
        }
    }

    /// What is remembered afterwards. Of what had no effect nothing is, unless a stamp was given.
    pub(super) fn remember(
        self,
        (parts, goes_on): (Option<&Earlier>, bool),
        (seq, had_effect): (Seq, bool),
    ) -> Kept {
        let mut carried = self.carried;
        let of = match parts {
            Some(parts) if parts.is_carried => Of::LastRequest,
            _ => Of::NewRequest,
        };
        let unkept = parts.into_iter().flat_map(|parts| &parts.unkept);
        carried.again.extend(unkept);
        let is_new = self.is_new && (had_effect || !carried.fresh.is_empty());
        if !is_new {
            (carried.timely, carried.last) = (Vec::new(), None);
        }
        if !is_new && (of == Of::NewRequest || carried.again.is_empty()) {
            return Kept {
                given: None,
                is_carried: of == Of::LastRequest,
                unkept: carried.again,
            };
        }
        let is_carried =
            of == Of::LastRequest || !carried.again.is_empty() || !carried.fresh.is_empty();
        let part = Part {
            of,
            is_rest: parts.is_some(),
            goes_on: goes_on || !is_new,
            newest_ms: if is_new { self.newest_ms } else { 0 },
            seq,
        };
        let earlier = self.earlier.unwrap_or_default();
        Kept {
            given: Some(Arc::new(earlier.and(carried, part))),
            is_carried,
            unkept: Vec::new(),
        }
    }
}

/// Whether one of the changes makes a claim.
fn carries(changes: &[SyncChange], wanted: Claimed) -> bool {
    let mut equal = Equal::default();
    changes.iter().any(|change| {
        let Ok(asked) = &change.asked else {
            return false;
        };
        let mut said = Said::new(&change.text, asked);
        let mut makes = |claim: &Claim| said.claimed(*claim, &mut equal) == wanted;
        match &asked.op {
            Op::Insert { at, .. } | Op::Delete { at } => makes(at),
            Op::Update { fields } => fields.iter().any(|(_, _, at)| makes(at)),
        }
    })
}
