//! A change: an insert, update or delete of one record, as claimed by a client and as stamped
//! by the hub.

use crate::ids::{FieldName, RecordKey, WriterNo};
use crate::json::Json;
use crate::limits::STAMP_AHEAD_MS_MAX;
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

/// Changes as stamped, and whether a claim was too far ahead and replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// In the order they came.
    pub changes: Vec<StampedChange>,
    /// A claim was more than [`STAMP_AHEAD_MS_MAX`] ahead of the hub.
    pub clamped: bool,
}

/// Gives every claim its stamp. A claim more than a minute ahead of `now_ms`, and a missing
/// one, becomes a fresh tick of the space's `clock`: strictly increasing in the order of
/// change and claim, equal for equal claims of one change.
pub fn stamp(
    changes: &[ClaimedChange],
    writer: WriterNo,
    now_ms: WallMs,
    clock: &mut Hlc,
) -> Stamped {
    let horizon = Hlc::new(now_ms + STAMP_AHEAD_MS_MAX, u16::MAX);
    let mut clamped = false;
    let changes = changes
        .iter()
        .map(|change| {
            let ticks = Ticks::draw(&change.op, horizon, now_ms, clock);
            clamped |= ticks.0.iter().any(|(claim, _)| claim.is_some());
            let stamp = |claim: &Claim| Stamp {
                at: ticks.resolve(*claim),
                writer,
            };
            Change {
                key: change.key.clone(),
                op: restamp(&change.op, stamp),
            }
        })
        .collect();
    Stamped { changes, clamped }
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
