//! Places that many servers share, of which no space has more than a part.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use syncline_protocol::ids::SpaceKey;

use super::desk::{Ticket, one_less};

/// A space has this part of them.
const PART_OF_SPACE: usize = 4;

/// The places.
#[derive(Debug)]
pub(super) struct Shared {
    most: usize,
    taken: usize,
    /// Places that a space has, if it has any.
    taken_of: HashMap<SpaceKey, usize>,
    /// Who waits for one, and at which server, the first first.
    line: VecDeque<(Ticket, Arc<str>)>,
}

impl Shared {
    /// So many, at least one.
    pub(super) fn of(most: usize) -> Shared {
        Shared {
            most: most.max(1),
            taken: 0,
            taken_of: HashMap::new(),
            line: VecDeque::new(),
        }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many a space has at most.
    pub(super) fn per_space(&self) -> usize {
        (self.most / PART_OF_SPACE).max(1)
    }

    /// How many of them a space has.
    pub(super) fn taken_of(&self, space: &SpaceKey) -> usize {
        self.taken_of.get(space).copied().unwrap_or(0)
    }

    pub(super) fn has_place(&self, space: &SpaceKey) -> bool {
        self.taken < self.most && self.taken_of(space) < self.per_space()
    }

    pub(super) fn take(&mut self, space: &SpaceKey) {
        self.taken += 1;
        *self.taken_of.entry(space.clone()).or_default() += 1;
    }

    pub(super) fn give_back(&mut self, space: &SpaceKey) {
        self.taken -= 1;
        one_less(&mut self.taken_of, space);
    }

    pub(super) fn stand(&mut self, ticket: Ticket, server: Arc<str>) {
        self.line.push_back((ticket, server));
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.line.retain(|(other, _)| *other != ticket);
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// The servers that somebody waits at for one that is free; none if none is.
    pub(super) fn wait_for_it(&self) -> Vec<Arc<str>> {
        match self.taken < self.most {
            true => self.line.iter().map(|(_, server)| server.clone()).collect(),
            false => Vec::new(),
        }
    }
}

#[cfg(test)]
impl Shared {
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn is_idle(&self) -> bool {
        self.taken == 0 && self.taken_of.is_empty() && self.line.is_empty()
    }
}
