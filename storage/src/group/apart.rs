//! Commits each by itself: of one space one after the other, in the order they came; no space waits for
//! another.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use syncline_protocol::ids::SpaceKey;
use tokio::sync::{mpsc, watch};

use super::committer::{Committer, Waiting, wait_for_one};

/// The spaces that have a commit under way, and what waits behind it.
#[derive(Debug, Default)]
struct Spaces {
    behind: HashMap<SpaceKey, VecDeque<Waiting>>,
    /// Commits that came and have not ended.
    taken: usize,
}

impl Spaces {
    /// Returns it, unless one of its space is under way.
    fn came(&mut self, waiting: Waiting) -> Option<Waiting> {
        self.taken += 1;
        match self.behind.entry(waiting.commit.space.clone()) {
            Entry::Occupied(mut behind) => {
                behind.get_mut().push_back(waiting);
                None
            }
            Entry::Vacant(space) => {
                space.insert(VecDeque::new());
                Some(waiting)
            }
        }
    }

    /// The one of a space that was under way. Returns the next of the space.
    fn ended(&mut self, space: &SpaceKey) -> Option<Waiting> {
        self.taken -= 1;
        let next = self.behind.get_mut(space)?.pop_front();
        if next.is_none() {
            self.behind.remove(space);
        }
        next
    }
}

impl Committer {
    /// Runs until the queue is closed and empty, with at most a group's worth of commits taken.
    /// `stopped` closes it.
    pub(super) async fn run_apart(
        self,
        mut queue: mpsc::Receiver<Waiting>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let taken_max = self.limits.commits.max(1);
        let mut spaces = Spaces::default();
        let mut under_way = FuturesUnordered::new();
        let mut is_open = true;
        loop {
            tokio::select! {
                biased;
                Some(space) = under_way.next() => {
                    let next = spaces.ended(&space);
                    under_way.extend(next.map(|next| self.commit_one(next)));
                }
                waiting = wait_for_one(&mut queue, &mut stopped),
                    if is_open && spaces.taken < taken_max =>
                {
                    is_open = waiting.is_some();
                    let next = waiting.and_then(|waiting| spaces.came(waiting));
                    under_way.extend(next.map(|next| self.commit_one(next)));
                }
                else => return,
            }
        }
    }

    /// Returns its space.
    async fn commit_one(&self, waiting: Waiting) -> SpaceKey {
        let space = waiting.commit.space.clone();
        self.commit(vec![waiting]).await;
        space
    }
}
