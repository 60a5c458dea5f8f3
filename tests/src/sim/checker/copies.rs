//! What devices of the compatibility protocol show, held against the history. They cannot be
//! told that a record never was, so what only they have is excused; what the space has is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use syncline_protocol::compat::cursor::{Place, Reach, Since};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_storage::types::SpaceView;

use super::{Checker, Moment};
use crate::sim::count::{Counts, Kind};
use crate::sim::trace::{Checked, ensure, violated};

/// What a device may show besides. All but the first are let go as soon as a record is shown as
/// it must be: see [`Excuses::keep`].
#[derive(Debug, Default)]
pub struct Excuses {
    /// Records it has changes of that are not answered.
    pub unsent: BTreeSet<RecordKey>,
    /// Records it had when it was told everything anew, and that the space never had, or has in
    /// their first life with fewer fields: nothing tells such a device so.
    pub haunted: BTreeSet<RecordKey>,
    /// Records it shows whose insert it never sent. One that is told as revived keeps its fields.
    pub dropped: BTreeSet<RecordKey>,
    /// Records that a reply of a lost history wrote over before their changes were sent, or of
    /// which a late copy of a request may come to the history after it: the hub cannot know what
    /// it told there.
    pub overwritten: BTreeSet<RecordKey>,
}

/// Records of a table that a device does not show as they are in the space.
pub type Differing = BTreeSet<RecordKey>;

/// The name of an epoch in cursors.
pub(super) fn minute(view: &SpaceView) -> u64 {
    let place = Place {
        epoch_at_ms: view.epoch_at_ms,
        head: view.head,
        gc_seq: view.gc_seq,
    };
    match Since::parse(&place.cursor(Reach::All)) {
        Ok(Since::At { minute, .. }) => minute,
        other => unreachable!("a cursor is read back: {other:?}"),
    }
}

impl Checker {
    /// A device is given a cursor in place of another.
    pub fn cursor_moves(&self, before: &str, after: &str) -> Checked {
        let Ok(Since::At { minute, .. }) = Since::parse(after) else {
            return violated("forward", format!("{after} is no cursor"));
        };
        let Some(epoch) = self.minutes.get(&minute) else {
            return violated("forward", format!("{after} is of no epoch"));
        };
        let own = matches!(Since::parse(before), Ok(Since::At { .. }));
        let forward = !own || after >= before || self.split.contains(epoch);
        ensure(forward, "forward", || format!("{before} becomes {after}"))
    }

    /// Whether a cursor is of a history that was lost.
    pub fn is_lost(&self, cursor: &str) -> bool {
        let Ok(Since::At { minute, .. }) = Since::parse(cursor) else {
            return false;
        };
        let epoch = self.minutes.get(&minute);
        epoch.is_none_or(|epoch| *epoch != self.epoch || self.split.contains(epoch))
    }

    /// A device took a reply of a table with this cursor. What differs and is excused; `None` if
    /// nothing can be said.
    pub fn copied(
        &self,
        (device, table, cursor): (&str, &str, &str),
        (shown, excuse): (&BTreeMap<&RecordKey, String>, &Excuses),
        counts: &mut Counts,
    ) -> Checked<Option<Differing>> {
        let Ok(Since::At { minute, seq, .. }) = Since::parse(cursor) else {
            // A cursor of another server names no moment of this space.
            return Ok(None);
        };
        let at = self.minutes.get(&minute).map(|epoch| (*epoch, seq));
        let Some((epoch, seq)) = at else {
            return violated("forward", format!("{cursor} is of no epoch"));
        };
        if self.split.contains(&epoch) {
            return Ok(None);
        }
        let Some(moment) = self.history.get(&(epoch, seq)) else {
            return violated("copy", format!("there is no commit {seq} of {epoch}"));
        };
        let who = || format!("{device} at {epoch}/{}", Seq(seq.0));
        compare(moment, shown, (Some(table), excuse), (who, counts)).map(Some)
    }

    /// Whether a device shows what is visible now.
    pub fn equal(
        &self,
        device: &str,
        shown: &BTreeMap<&RecordKey, String>,
        excuse: &Excuses,
    ) -> Checked {
        let who = || device.into();
        let counts = &mut Counts::default();
        compare(&self.now.moment, shown, (None, excuse), (who, counts)).map(drop)
    }
}

fn compare(
    moment: &Moment,
    shown: &BTreeMap<&RecordKey, String>,
    (table, excuse): (Option<&str>, &Excuses),
    (who, counts): (impl Fn() -> String, &mut Counts),
) -> Checked<Differing> {
    let mut differing = Differing::new();
    let of_table = |key: &&RecordKey| table.is_none_or(|table| key.table.as_str() == table);
    let visible = moment.visible.keys();
    let ghosts = shown.keys().copied();
    let ghosts = ghosts.filter(|key| !moment.visible.contains_key(*key));
    for key in visible.chain(ghosts).filter(of_table) {
        let (own, must) = (shown.get(key), moment.visible.get(key));
        let same = match (own, must) {
            (Some(own), Some(must)) => **own == **must,
            (own, must) => own.is_none() && must.is_none(),
        };
        // What is as it must be needs no excuse.
        let excused = (!same).then(|| excuse.of(key, (own, must), moment));
        let Some(kind) = excused.unwrap_or(Some(Kind::ComparedAsIs)) else {
            let who = who();
            return violated(
                "copy",
                format!("{who} shows {key} as {own:?}, must be {must:?}"),
            );
        };
        counts.add(kind);
        if !same {
            differing.insert(key.clone());
        }
    }
    Ok(differing)
}

impl Excuses {
    /// Why a record may be shown otherwise than it is in the space, if it may.
    fn of(
        &self,
        key: &RecordKey,
        (own, must): (Option<&String>, Option<&Arc<str>>),
        moment: &Moment,
    ) -> Option<Kind> {
        if self.unsent.contains(key) {
            return Some(Kind::ExcusedUnsent);
        }
        let haunted = self.haunted.contains(key);
        let dropped = self.dropped.contains(key);
        match (own, must) {
            (Some(own), Some(must))
                if (dropped || haunted && !moment.buried.contains(key)) && holds(own, must) =>
            {
                Some(Kind::ExcusedOlder)
            }
            (Some(_), None) if dropped => Some(Kind::ExcusedDropped),
            (Some(_), None) if haunted && !moment.known.contains(key) => match moment.erased {
                true => Some(Kind::ExcusedErased),
                false => Some(Kind::ExcusedGhost),
            },
            _ => self
                .overwritten
                .contains(key)
                .then_some(Kind::ExcusedOverwritten),
        }
    }

    /// A table was compared. What was as it must be is held to that from now on, unless a copy of
    /// a request that names it was still under way.
    pub fn keep(&mut self, table: &str, differing: &Differing, under_way: &BTreeSet<RecordKey>) {
        let unsent = &self.unsent;
        let stays = |key: &RecordKey| {
            key.table.as_str() != table || differing.contains(key) || unsent.contains(key)
        };
        self.haunted.retain(&stays);
        self.dropped.retain(&stays);
        self.overwritten
            .retain(|key| stays(key) || under_way.contains(key));
    }
}

/// Whether a record shows every field of another.
fn holds(own: &str, text: &str) -> bool {
    let fields = |text| serde_json::from_str::<BTreeMap<&str, &RawValue>>(text).unwrap_or_default();
    let own = fields(own);
    let told = |name: &str| own.get(name).map(|value| value.get());
    fields(text)
        .iter()
        .all(|(name, value)| told(name) == Some(value.get()))
}
