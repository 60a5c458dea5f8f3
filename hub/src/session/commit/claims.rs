//! What the claims of one changeset are given: it is asked of each whether it came before, and what
//! is new is remembered with what came again.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::change::{Claim, ClaimedChange};
use syncline_protocol::given::{Carried, ChangeHash, Claimed, Given, Of};
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::stamp::Hlc;

use crate::session::state::Earlier;

/// The claims of a changeset, or of a part of it.
#[derive(Default)]
pub(super) struct Claims {
    /// What earlier requests were given,
    earlier: Option<Arc<Given>>,
    /// by claim; made when the first one asks.
    stamps: Option<HashMap<Claimed, Hlc>>,
    carried: Carried,
    /// How many changes said the same so far. All of one record are in one part.
    equal: HashMap<u64, u32>,
}

/// A change with its hash, which is made when it is needed, and how many of its changeset before
/// it say the same.
pub(super) struct Said<'a> {
    change: &'a ClaimedChange,
    hash: Option<(ChangeHash, u32)>,
}

impl<'a> Said<'a> {
    pub(super) fn new(change: &'a ClaimedChange) -> Said<'a> {
        Said { change, hash: None }
    }
}

impl Claims {
    /// None yet, of a client that this is remembered of.
    pub(super) fn new(earlier: Option<Arc<Given>>) -> Claims {
        Claims {
            earlier,
            ..Claims::default()
        }
    }

    /// Whether no earlier claim was given a stamp: then a usable time need not be asked for.
    pub(super) fn remember_nothing(&self) -> bool {
        self.earlier.as_ref().is_none_or(|given| given.is_empty())
    }

    /// How a claim of a change is known again.
    pub(super) fn of(&mut self, claim: Claim, said: &mut Said<'_>) -> Claimed {
        let (hash, earlier) = said.hash.get_or_insert_with(|| {
            let hash = ChangeHash::of(said.change);
            let equal = self.equal.entry(hash.to_bits()).or_default();
            let earlier = *equal;
            *equal += 1;
            (hash, earlier)
        });
        hash.claimed(claim, *earlier)
    }

    /// What a claim was given in an earlier request.
    pub(super) fn became(&mut self, claimed: Claimed, claim: Claim) -> Option<Hlc> {
        if mutant(match claim {
            Some(_) => Mutant::ForgetClamp,
            None => Mutant::ForgetTimeless,
        }) {
            return None;
        }
        let earlier = self.earlier.as_deref()?;
        let stamps = self.stamps.get_or_insert_with(|| earlier.by_claim());
        let became = *stamps.get(&claimed)?;
        self.carried.again.push((claimed, became));
        Some(became)
    }

    /// Gives a claim that is new the stamp it keeps.
    pub(super) fn give(&mut self, claimed: Claimed, at: Hlc) {
        self.carried.fresh.push((claimed, at));
    }

    /// What is remembered afterwards, if that moves; else what must be remembered with a later
    /// part of the changeset, should that bring something new: what comes again with something new
    /// is remembered as long as that.
    pub(super) fn remember(
        self,
        parts: Option<&Earlier>,
    ) -> (Option<Arc<Given>>, Vec<(Claimed, Hlc)>) {
        let mut carried = self.carried;
        let of = match parts {
            Some(parts) if parts.is_remembered => Of::LastRequest,
            _ => Of::NewRequest,
        };
        carried
            .again
            .extend(parts.into_iter().flat_map(|parts| &parts.unkept));
        let moves = match of {
            Of::NewRequest => !carried.fresh.is_empty(),
            Of::LastRequest => !carried.fresh.is_empty() || !carried.again.is_empty(),
        };
        if !moves {
            return (None, carried.again);
        }
        let earlier = self.earlier.unwrap_or_default();
        (Some(Arc::new(earlier.and(carried, of))), Vec::new())
    }
}
