//! What devices of the compatibility protocol show, held against the history. They cannot be
//! told that a record never was, so what only they have is excused; what the space has is not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use syncline_protocol::compat::cursor::{Place, Reach, Since};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_storage::types::SpaceView;

use super::{Checker, Moment};
use crate::sim::count::{Counts, Kind};
use crate::sim::trace::{Checked, ensure, violated};

/// What a device may show besides.
#[derive(Debug)]
pub struct Excuse<'a> {
    /// Records it has changes of that are not answered: not compared.
    pub unsent: HashSet<&'a RecordKey>,
    /// Records over which a lost history wrote: not compared.
    pub overwritten: &'a BTreeSet<RecordKey>,
    /// It had data when it was told everything anew: it may hold records and fields that the
    /// space never had.
    pub haunted: bool,
    /// Records it shows that it never sent.
    pub dropped: &'a BTreeSet<RecordKey>,
}

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

    /// A device took a reply of a table with this cursor.
    pub fn copied(
        &self,
        (device, table, cursor): (&str, &str, &str),
        (shown, excuse): (&BTreeMap<&RecordKey, String>, &Excuse<'_>),
        counts: &mut Counts,
    ) -> Checked {
        let Ok(Since::At { minute, seq, .. }) = Since::parse(cursor) else {
            // A cursor of another server names no moment of this space.
            return Ok(());
        };
        let at = self.minutes.get(&minute).map(|epoch| (*epoch, seq));
        let Some((epoch, seq)) = at else {
            return violated("forward", format!("{cursor} is of no epoch"));
        };
        if self.split.contains(&epoch) {
            return Ok(());
        }
        let Some(moment) = self.history.get(&(epoch, seq)) else {
            return violated("copy", format!("there is no commit {seq} of {epoch}"));
        };
        let who = || format!("{device} at {epoch}/{}", Seq(seq.0));
        compare(moment, shown, (Some(table), excuse), (who, counts))
    }

    /// Whether a device shows what is visible now.
    pub fn equal(
        &self,
        device: &str,
        shown: &BTreeMap<&RecordKey, String>,
        excuse: &Excuse<'_>,
    ) -> Checked {
        let who = || device.into();
        let counts = &mut Counts::default();
        compare(&self.now.moment, shown, (None, excuse), (who, counts))
    }
}

fn compare(
    moment: &Moment,
    shown: &BTreeMap<&RecordKey, String>,
    (table, excuse): (Option<&str>, &Excuse<'_>),
    (who, counts): (impl Fn() -> String, &mut Counts),
) -> Checked {
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
    }
    Ok(())
}

impl Excuse<'_> {
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
        if self.overwritten.contains(key) {
            return Some(Kind::ExcusedOverwritten);
        }
        match (own, must) {
            (Some(own), Some(must)) if self.haunted && holds(own, must) => Some(Kind::ExcusedOlder),
            (Some(_), None) if self.dropped.contains(key) => Some(Kind::ExcusedDropped),
            (Some(_), None) if self.haunted && !moment.known.contains(key) => {
                Some(Kind::ExcusedGhost)
            }
            _ => None,
        }
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
