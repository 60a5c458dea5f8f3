//! One notification for several things that a user is told at once.
//!
//! Nothing waits for company: what is due is told, together with what else is by then. After an
//! outage that is much, and it comes as one.

use syncline_protocol::stamp::WallMs;

use super::plan::FiringKey;

/// Items that a batch names. Of more it says how many there are.
pub const ITEMS_MAX: usize = 20;

/// One thing that a user is to be told, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is known by.
    pub key: FiringKey,
    /// When it was due.
    pub due_ms: WallMs,
    /// It is told late.
    pub is_late: bool,
}

/// What is told as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What is in it, by when it was due; [`ITEMS_MAX`] at most are to be named.
    pub items: Vec<Item>,
    /// All of it is late.
    pub is_late: bool,
}

impl Batch {
    /// The items that are named.
    pub fn named(&self) -> &[Item] {
        &self.items[..self.items.len().min(ITEMS_MAX)]
    }

    /// How many are not.
    pub fn more(&self) -> usize {
        self.items.len() - self.named().len()
    }
}

/// What a user is to be told now, in as few notifications as say it well: all that is late is one,
/// and of the rest what is due within `window_ms` of the first. An item that is there twice is told
/// once.
pub fn batched(mut items: Vec<Item>, window_ms: u64) -> Vec<Batch> {
    items.sort_by(|one, two| (one.due_ms, &one.key).cmp(&(two.due_ms, &two.key)));
    items.dedup_by(|two, one| two.key == one.key);
    let (late, on_time): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| item.is_late);
    let mut batches = Vec::new();
    if !late.is_empty() {
        batches.push(Batch {
            items: late,
            is_late: true,
        });
    }
    let mut opened_ms = None;
    for item in on_time {
        match (batches.last_mut(), opened_ms) {
            (Some(batch), Some(first_ms)) if item.due_ms - first_ms <= window_ms => {
                batch.items.push(item);
            }
            _ => {
                opened_ms = Some(item.due_ms);
                batches.push(Batch {
                    items: vec![item],
                    is_late: false,
                });
            }
        }
    }
    batches
}
