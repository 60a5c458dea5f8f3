//! What a user is told of what fires now, and what is kept of that: one part of it, as much as may be
//! written at once.
//!
//! Each part stands alone: a firing is in a notification together with the state that says that it
//! fired, or in neither.

use std::collections::BTreeMap;

use syncline_protocol::ids::{RecordId, TableName};
use syncline_protocol::json::Json;
use syncline_protocol::stamp::WallMs;

use super::batch::{Batch, Item, batched};
use super::config::Checked;
use super::look::{Firing, Looked};
use super::notice::{Firings, notification};
use super::plan::State;
use super::planned::Planned;
use super::preferences::{Asked, Channel, Dropped, Preferences, Verdict};
use super::words::{KIND, MISSED, OVER_LIMIT};
use crate::notify::{NOTIFICATIONS, REMINDED};
use crate::written::Written;

/// Changes that a part needs at least: a notification and the state of one firing in it.
pub const CHANGES_MIN: usize = 2;

/// Who is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct To<'a> {
    pub(super) config: &'a Checked,
    pub(super) preferences: &'a Preferences,
    /// The channels by which the user's devices are told.
    pub(super) devices: &'a [Channel],
    /// Since when, at least, the user is told of reminders.
    pub(super) known_ms: WallMs,
    pub(super) now_ms: WallMs,
}

/// A part while it is written.
#[derive(Debug)]
pub(super) struct Part<'a> {
    to: To<'a>,
    pub(super) written: Written,
    pub(super) planned: Planned,
    /// Nothing is left that could be written now.
    pub(super) is_whole: bool,
    /// When there is something to look at next.
    pub(super) next_ms: Option<WallMs>,
    /// When the user was told something, with what this part tells.
    told_ms: Vec<WallMs>,
}

impl<'a> Part<'a> {
    /// An empty one. `told_ms` is when the user was told something before.
    pub(super) fn of(to: To<'a>, changes_max: usize, told_ms: Vec<WallMs>) -> Part<'a> {
        Part {
            to,
            written: Written::at_most(changes_max.max(CHANGES_MIN)),
            planned: Planned::default(),
            is_whole: true,
            next_ms: None,
            told_ms,
        }
    }

    /// Writes what follows from what was found.
    pub(super) fn tell(&mut self, looked: Looked) {
        self.next_ms = looked.next_ms;
        self.planned.invalid = looked.invalid;
        let of_channels = self.by_channels(&looked.firings);
        let by_key = looked.firings.into_iter();
        let by_key: Firings = by_key
            .map(|firing| (firing.item.key.clone(), firing))
            .collect();
        let window_ms = self.to.config.batch_window_ms;
        let batches = of_channels.into_iter().flat_map(|(channels, items)| {
            let batches = batched(items, window_ms).into_iter();
            batches.map(move |batch| (batch, channels.clone()))
        });
        let mut batches: Vec<(Batch, Vec<Channel>)> = batches.collect();
        // What has waited longest comes first.
        let due_ms = |batch: &Batch| batch.items.first().map(|item| item.due_ms);
        batches.sort_by_key(|(batch, _)| (!batch.is_late, due_ms(batch)));
        let (mut dropped, mut put_off) = (Vec::new(), Vec::new());
        for (batch, channels) in batches {
            match self.verdict((KIND, &channels), WallMs::MAX) {
                Verdict::Now(channels) => self.notify(&batch, (KIND, &channels), &by_key),
                Verdict::Later(at_ms) => {
                    let (over, waits) = self.over_by(batch.items, at_ms);
                    if !waits.is_empty() {
                        self.planned.later += waits.len();
                        self.look_at(at_ms);
                    }
                    put_off.extend(waits.into_iter().map(|item| item.key));
                    if let Verdict::Dropped(why) = self.verdict((KIND, &channels), at_ms) {
                        dropped.extend(over.into_iter().map(|item| (item, why)));
                    }
                }
                Verdict::Dropped(why) => {
                    dropped.extend(batch.items.into_iter().map(|item| (item, why)));
                }
            }
        }
        self.tell_missed(looked.missed);
        for key in put_off {
            let firing = by_key.get(&key);
            if let Some((firing, state)) = firing.and_then(|one| Some((one, one.put_off.as_ref()?)))
            {
                self.keep(&firing.id, state);
            }
        }
        let (over, dropped): (Vec<_>, Vec<_>) = dropped
            .into_iter()
            .partition(|(_, why)| *why == Dropped::Limit);
        // It stands in the history, and nobody is told.
        let over = batched(over.into_iter().map(|(item, _)| late(item)).collect(), 0);
        for batch in &over {
            self.notify(batch, (OVER_LIMIT, &[]), &by_key);
        }
        for (item, why) in dropped {
            let firing = by_key.get(&item.key);
            if firing.is_some_and(|firing| self.keep(&firing.id, &firing.after)) {
                self.planned.dropped(why);
            }
        }
    }

    /// Tells of what was missed, in one notification that waits for the end of quiet hours. Where the user
    /// wants none it stands in the history. Of times before the user was told of anything nobody
    /// was waiting for the hub, so they are only kept.
    fn tell_missed(&mut self, missed: Vec<Firing>) {
        let known_ms = self.to.known_ms;
        let (expected, others): (Vec<Firing>, Vec<Firing>) = missed
            .into_iter()
            .partition(|firing| firing.item.due_ms >= known_ms);
        for Firing { id, after, .. } in &others {
            if self.keep(id, after) {
                self.planned.missed += 1;
            }
        }
        if expected.is_empty() {
            return;
        }
        let told_by = expected.iter();
        let told_by = told_by.flat_map(|firing| firing.told_by.unwrap_or(&Channel::ALL));
        let mut told_by: Vec<Channel> = told_by.copied().collect();
        told_by.sort_unstable();
        told_by.dedup();
        let channels = match self.verdict((MISSED, &told_by), WallMs::MAX) {
            Verdict::Now(channels) => channels,
            Verdict::Later(at_ms) => {
                self.planned.later += expected.len();
                return self.look_at(at_ms);
            }
            Verdict::Dropped(_) => Vec::new(),
        };
        let items = expected.iter().map(|firing| firing.item.clone()).collect();
        let by_key = expected.into_iter();
        let by_key: Firings = by_key
            .map(|firing| (firing.item.key.clone(), firing))
            .collect();
        for batch in &batched(items, 0) {
            self.notify(batch, (MISSED, &channels), &by_key);
        }
    }

    /// Deletes records of one of the hub's tables; of those that do not fit `false` is said.
    pub(super) fn delete(&mut self, table: &str, ids: Vec<RecordId>) -> bool {
        let table = TableName::trusted(table);
        for id in ids {
            if self.written.is_full() {
                return false;
            }
            self.written.delete((&table, &id));
        }
        true
    }

    /// Firings by the channels that they are told by, which are all that a batch has in common.
    fn by_channels(&self, firings: &[Firing]) -> BTreeMap<Vec<Channel>, Vec<Item>> {
        let mut of_channels: BTreeMap<Vec<Channel>, Vec<Item>> = BTreeMap::new();
        for firing in firings {
            let channels = self.to.preferences.channels(KIND, firing.told_by);
            let items = of_channels.entry(channels).or_default();
            items.push(firing.item.clone());
        }
        of_channels
    }

    fn verdict(&self, (kind, channels): (&str, &[Channel]), expires_ms: WallMs) -> Verdict {
        self.to.preferences.verdict(&Asked {
            kind,
            told_by: Some(channels),
            now_ms: self.to.now_ms,
            expires_ms,
            told_ms: &self.told_ms,
            limits: &self.to.config.told_max,
        })
    }

    /// From when on what was due at a time could be told by these channels.
    fn could_be_told_ms(&self, due_ms: WallMs, (kind, channels): (&str, &[Channel])) -> WallMs {
        let allowed_ms = self.to.preferences.allowed_ms(&Asked {
            kind,
            told_by: Some(channels),
            now_ms: due_ms,
            expires_ms: WallMs::MAX,
            told_ms: &self.told_ms,
            limits: &self.to.config.told_max,
        });
        allowed_ms.min(self.to.now_ms)
    }

    /// Items that are of no use any more by then, and the others.
    fn over_by(&self, items: Vec<Item>, at_ms: WallMs) -> (Vec<Item>, Vec<Item>) {
        let cut_off_ms = self.to.config.limits.cut_off_ms;
        let is_over = |item: &Item| item.due_ms.saturating_add(cut_off_ms) <= at_ms;
        items.into_iter().partition(is_over)
    }

    /// Writes a notification of a batch, or of as much of it as there is room for. Without channels it only
    /// stands in the history.
    fn notify(&mut self, batch: &Batch, by: (&str, &[Channel]), by_key: &Firings) {
        let mut items = Vec::new();
        for item in &batch.items {
            // The last place is the notification's.
            if self.written.left() < CHANGES_MIN || self.written.is_full() {
                self.is_whole = false;
                break;
            }
            let Some(firing) = by_key.get(&item.key) else {
                continue;
            };
            self.write_state(&firing.id, &firing.after);
            items.push(item.clone());
        }
        let Some(first) = items.first() else {
            return;
        };
        let allowed_ms = self.could_be_told_ms(first.due_ms, by);
        let batch = Batch {
            items,
            is_late: batch.is_late,
        };
        self.count(&batch, by.0, allowed_ms);
        let notification = notification(self.to, &batch, (by, allowed_ms), by_key);
        if !by.1.is_empty() {
            self.told_ms.push(self.to.now_ms);
        }
        let is_nobodys = notification.receipts.is_some();
        self.planned.nobody += usize::from(is_nobodys && !by.1.is_empty());
        let fields = notification.fields().into_iter();
        let fields = fields.map(|(name, value)| (name, Json::trusted(&value.to_string())));
        let fields: Vec<(String, Json)> = fields.collect();
        let table = TableName::trusted(NOTIFICATIONS);
        self.written.insert(
            (&table, notification.id().as_record()),
            fields.iter().map(|(name, value)| (name.as_str(), value)),
            None,
        );
    }

    fn count(&mut self, batch: &Batch, kind: &str, allowed_ms: WallMs) {
        let planned = &mut self.planned;
        let count = batch.items.len();
        planned.notifications += 1;
        match kind {
            MISSED => planned.missed += count,
            OVER_LIMIT => planned.over_limit += count,
            _ => {
                planned.told += count;
                planned.late += batch.items.iter().filter(|item| item.is_late).count();
                let could_be = batch.items.iter().map(|item| item.due_ms.max(allowed_ms));
                planned.could_be_told_ms.extend(could_be);
            }
        }
    }

    /// Writes what is kept of a reminder, if there is room.
    fn keep(&mut self, id: &RecordId, state: &State) -> bool {
        let has_room = !self.written.is_full();
        match has_room {
            true => self.write_state(id, state),
            false => self.is_whole = false,
        }
        has_room
    }

    fn write_state(&mut self, id: &RecordId, state: &State) {
        let fired: Vec<String> = state.fired_ms.iter().map(WallMs::to_string).collect();
        let fired = Json::trusted(&format!("[{}]", fired.join(",")));
        let missed = state.missed_ms.map(|ms| ms.to_string());
        let missed = Json::trusted(missed.as_deref().unwrap_or("null"));
        let put_off = state.put_off_ms.map(|ms| ms.to_string());
        let put_off = Json::trusted(put_off.as_deref().unwrap_or("null"));
        let fields = [("fired", &fired), ("missed", &missed), ("putOff", &put_off)];
        let table = TableName::trusted(REMINDED);
        self.written.insert((&table, id), fields, None);
    }

    fn look_at(&mut self, at_ms: WallMs) {
        self.next_ms = Some(self.next_ms.map_or(at_ms, |next_ms| next_ms.min(at_ms)));
    }
}

/// The same, as something that is told in one.
fn late(item: Item) -> Item {
    Item {
        is_late: true,
        ..item
    }
}
