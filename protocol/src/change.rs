//! A change: an insert, update or delete of one record, as claimed by a client and as stamped
//! by the hub.

use crate::ids::{FieldName, RecordKey, WriterNo};
use crate::json::Json;
use crate::limits::STAMP_AHEAD_MS_MAX;
use crate::mutant::{Mutant, mutant};
use crate::record::Record;
use crate::stamp::{Hlc, Stamp, WallMs};

/// What a change does. `S` is how it is stamped: [`Claim`] from a client, [`Stamp`] to merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<S> {
    /// Makes the record live with these fields, all written at one time.
    Insert {
        /// When.
        at: S,
        /// The fields.
        data: Vec<(FieldName, Json)>,
    },
    /// Writes fields, each at its own time.
    Update {
        /// Name, value, when.
        fields: Vec<(FieldName, Json, S)>,
    },
    /// Makes the record dead.
    Delete {
        /// When.
        at: S,
    },
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<S> {
    /// The record.
    pub key: RecordKey,
    /// What happens to it.
    pub op: Op<S>,
}

/// The time a client claims; `None` asks for the hub's.
pub type Claim = Option<Hlc>;

/// A change as a client sent it.
pub type ClaimedChange = Change<Claim>;

/// A change ready to merge.
pub type StampedChange = Change<Stamp>;

/// A change as stamped, and whether a claim was too far ahead and replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// With a stamp for each claim.
    pub change: StampedChange,
    /// A claim was more than [`STAMP_AHEAD_MS_MAX`] ahead of the hub.
    pub clamped: bool,
}

/// Gives every claim of a numbered change its stamp; `onto` is the record it is about to be merged
/// onto. A claim more than a minute ahead of `now_ms`, and a missing one, becomes a fresh tick of
/// the space's `clock` (if it is ahead of that too): strictly increasing in the order of change and claim, equal for equal
/// claims of one change. Where the record holds an edit that the same writer made earlier, and by
/// a clock that was ahead but believed, it becomes what comes just after that instead: else the
/// writer's later edit would lose against its own.
pub fn stamp(
    change: &ClaimedChange,
    onto: &Record,
    (writer, now_ms): (WriterNo, WallMs),
    clock: &mut Hlc,
) -> Stamped {
    let horizon = Hlc::new(now_ms + STAMP_AHEAD_MS_MAX, u16::MAX);
    let mut ticks = Ticks::draw(&change.op, horizon, now_ms, clock);
    for (claim, at) in &mut ticks.0 {
        let own = onto.newest_of(writer, &change.op, *claim);
        let own = own.filter(|_| !mutant(Mutant::ForgetOrder));
        let earlier = |own: &Hlc| claim.is_none_or(|claim| *own <= claim);
        *at = (*at).max(own.filter(earlier).map_or(*at, Hlc::next));
    }
    let stamp = |claim: &Claim| Stamp {
        at: ticks.resolve(*claim),
        writer,
    };
    Stamped {
        clamped: ticks.0.iter().any(|(claim, _)| claim.is_some()),
        change: Change {
            key: change.key.clone(),
            op: restamp(&change.op, stamp),
        },
    }
}

impl Record {
    /// The newest stamp of a writer among all that the part of a change with this claim must be
    /// newer than to take effect: of the fields it writes, and of the record's inserts and deletes.
    pub fn newest_of(&self, writer: WriterNo, op: &Op<Claim>, claim: Claim) -> Option<Hlc> {
        let own = |stamp: Option<Stamp>| Some(stamp.filter(|stamp| stamp.writer == writer)?.at);
        let field = |name: &FieldName| own(self.field(name.as_str()).map(|field| field.stamp));
        let written = match op {
            Op::Insert { data, .. } => {
                let fields = data.iter().map(|(name, _)| field(name));
                fields.max().flatten().max(own(self.inserted))
            }
            Op::Update { fields } => {
                let fields = fields.iter().filter(|(_, _, at)| *at == claim);
                fields.map(|(name, _, _)| field(name)).max().flatten()
            }
            Op::Delete { .. } => {
                let fields = self.fields.iter().map(|field| own(Some(field.stamp)));
                fields.max().flatten().max(own(self.inserted))
            }
        };
        written.max(own(self.deleted))
    }
}

fn restamp(op: &Op<Claim>, stamp: impl Fn(&Claim) -> Stamp) -> Op<Stamp> {
    match op {
        Op::Insert { at, data } => Op::Insert {
            at: stamp(at),
            data: data.clone(),
        },
        Op::Delete { at } => Op::Delete { at: stamp(at) },
        Op::Update { fields } => Op::Update {
            fields: fields
                .iter()
                .map(|(name, value, at)| (name.clone(), value.clone(), stamp(at)))
                .collect(),
        },
    }
}

/// The ticks that replace one change's unusable claims, in ascending order of claim.
struct Ticks(Vec<(Claim, Hlc)>);

impl Ticks {
    fn draw(op: &Op<Claim>, horizon: Hlc, now_ms: WallMs, clock: &mut Hlc) -> Ticks {
        // What the space's clock has passed is not ahead, whenever it was taken: a tick would make
        // it newer.
        let horizon = horizon.max(*clock);
        let unusable = |claim: &Claim| claim.is_none_or(|at| at > horizon);
        let mut claims: Vec<Claim> = match op {
            Op::Insert { at, .. } | Op::Delete { at } => vec![*at],
            Op::Update { fields } => fields.iter().map(|(_, _, at)| *at).collect(),
        };
        claims.retain(unusable);
        claims.sort_unstable();
        claims.dedup();
        Ticks(
            claims
                .into_iter()
                .map(|claim| {
                    *clock = clock.tick(now_ms);
                    (claim, *clock)
                })
                .collect(),
        )
    }

    fn resolve(&self, claim: Claim) -> Hlc {
        let drawn = self.0.binary_search_by_key(&claim, |(drawn, _)| *drawn);
        let drawn = drawn.ok().map(|at| self.0[at].1);
        drawn.or(claim).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
