//! What devices of the compatibility protocol show, held against the history. They cannot be
//! told that a record never was, so what only they have is excused; what the space has is not.

use std::collections::{BTreeMap, BTreeSet};
use syncline_protocol::compat::cursor::{Place, Reach, Since};
use syncline_protocol::ids::{RecordKey, Seq};
use syncline_storage::types::SpaceView;

use super::{Checker, Excuses, Moment};
use crate::sim::count::{Counts, Kind};
use crate::sim::trace::{Checked, ensure, violated};

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

    /// Whether a device at rest shows what is visible now.
    pub fn equal(
        &self,
        device: &str,
        (shown, excuse): (&BTreeMap<&RecordKey, String>, &Excuses),
        counts: &mut Counts,
    ) -> Checked {
        let who = || device.into();
        let mut own = Counts::default();
        compare(&self.now.moment, shown, (None, excuse), (who, &mut own))?;
        let compared = Kind::EXCUSES.iter().map(|kind| own.of(*kind)).sum();
        counts.add_many(Kind::RestCompared, compared);
        counts.add_many(Kind::RestExcused, compared - own.of(Kind::ComparedAsIs));
        Ok(())
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
