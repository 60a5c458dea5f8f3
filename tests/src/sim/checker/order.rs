//! Of one device's edits of a field the last wins, if nobody else's stands there: told by the
//! devices in the order in which they edit, held against the end. It knows nothing of how the hub
//! gives stamps.
//!
//! Nothing is promised of an edit by a clock that was set back, nor of one by a native clock that
//! had named no time before, nor of one without a time that was made before in the same words, which
//! nobody can tell from its repeat: those are left out, with their record, from then on.

use std::collections::{BTreeMap, HashMap, HashSet};

use syncline_protocol::change::{Claim, ClaimedChange, Op};
use syncline_protocol::ids::{ClientKey, FieldName, RecordKey};
use syncline_protocol::json::Json;
use syncline_protocol::stamp::{Hlc, Stamp};

use super::Checker;
use crate::sim::count::{Counts, Kind};
use crate::sim::trace::{Checked, violated};

/// What each client said last.
#[derive(Clone, Debug, Default)]
pub(super) struct Order(HashMap<ClientKey, Edits>);

/// One client's edits.
#[derive(Clone, Debug, Default)]
struct Edits {
    /// The greatest time it named.
    newest: Option<Hlc>,
    records: BTreeMap<RecordKey, Last>,
}

/// Its last edits of a record.
#[derive(Clone, Debug, Default)]
struct Last {
    /// Its last insert or delete made the record live, or dead.
    lives: Option<bool>,
    /// The last value of each field; `None` since its delete.
    fields: BTreeMap<FieldName, Option<Json>>,
    /// The greatest time it named.
    newest: Option<Hlc>,
    /// It named no time once.
    timeless: bool,
    /// Its edits without a time, in words.
    without: HashSet<String>,
    /// Nothing is promised of it.
    unsure: bool,
}

/// How a client's clock goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clocked {
    /// It counts inside a millisecond, and what comes later is later.
    Logically,
    /// It shows the time. Of equal times the edit that was made later is.
    ByTheWall,
}

impl Order {
    pub(super) fn edited(&mut self, client: &ClientKey, change: &ClaimedChange, clocked: Clocked) {
        let edits = self.0.entry(client.clone()).or_default();
        let last = edits.records.entry(change.key.clone()).or_default();
        let claims: Vec<Claim> = match &change.op {
            Op::Insert { at, .. } | Op::Delete { at } => vec![*at],
            Op::Update { fields } => fields.iter().map(|(_, _, at)| *at).collect(),
        };
        if claims.iter().any(Option::is_none) {
            last.unsure |= !last.without.insert(format!("{:?}", change.op));
        }
        let before = (edits.newest, last.newest, last.timeless);
        for claim in claims {
            last.unsure |= match (claim, clocked) {
                (None, _) => false,
                (Some(at), Clocked::ByTheWall) => before.0.is_some_and(|newest| at < newest),
                (Some(at), Clocked::Logically) => {
                    before.2 || before.1.is_some_and(|newest| at <= newest)
                }
            };
            // Counters are of a request, not of the device.
            let at = claim.map(|at| match clocked {
                Clocked::ByTheWall => Hlc::new(at.wall_ms(), 0),
                Clocked::Logically => at,
            });
            last.timeless |= at.is_none();
            last.newest = last.newest.max(at);
            edits.newest = edits.newest.max(at);
        }
        let mut write = |name: &FieldName, value: &Json| {
            last.fields.insert(name.clone(), Some(value.clone()));
        };
        match &change.op {
            Op::Insert { data, .. } => {
                data.iter().for_each(|(name, value)| write(name, value));
                last.lives = Some(true);
            }
            Op::Update { fields } => fields
                .iter()
                .for_each(|(name, value, _)| write(name, value)),
            Op::Delete { .. } => {
                last.fields.values_mut().for_each(|value| *value = None);
                last.lives = Some(false);
            }
        }
    }
}

impl Checker {
    /// A device that sends changesets edits. Of the others' edits the commits tell.
    pub fn edited(&mut self, client: &ClientKey, change: &ClaimedChange) {
        self.order.edited(client, change, Clocked::ByTheWall);
    }

    /// Everything has arrived. Where a history was lost, so were edits.
    pub fn in_order(&self, counts: &mut Counts) -> Checked {
        if self.minutes.len() > 1 || !self.split.is_empty() {
            return Ok(());
        }
        let records = self.order.0.iter().flat_map(|(client, edits)| {
            // What was taken of a record that is dead may be collected, and come again in part.
            let kept = |key: &RecordKey| !self.now.collected.contains(key);
            let sure = edits.records.iter();
            let sure = sure.filter(move |(key, last)| !last.unsure && kept(key));
            sure.map(move |(key, last)| (client, key, last))
        });
        for (client, key, last) in records {
            let own = |stamp: Stamp| self.now.writers.get(&stamp.writer) == Some(client);
            self.is_last((key, last), own, counts).or_else(|seen| {
                violated(
                    "order",
                    format!("of {}'s edits of {key} {seen}", client.client),
                )
            })?;
        }
        Ok(())
    }

    fn is_last(
        &self,
        (key, last): (&RecordKey, &Last),
        own: impl Fn(Stamp) -> bool,
        counts: &mut Counts,
    ) -> Result<(), String> {
        let (inserted, deleted) = self.now.reference.stamps(key);
        let lives = inserted > deleted;
        let decided = if lives { inserted } else { deleted };
        if let (Some(wanted), true) = (last.lives, decided.is_some_and(&own)) {
            counts.add(Kind::Ordered);
            if wanted != lives {
                return Err(format!("one that made it live: {lives} stands, {last:?}"));
            }
        }
        for (name, wanted) in &last.fields {
            let Some((_, value)) = self.now.reference.field(key, name).filter(|f| own(f.0)) else {
                continue;
            };
            counts.add(Kind::Ordered);
            if Some(value) != wanted.as_ref() {
                return Err(format!("{name} = {value:?} stands, the last is {wanted:?}"));
            }
        }
        Ok(())
    }
}
