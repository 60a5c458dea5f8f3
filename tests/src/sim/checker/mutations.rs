//! What a numbered mutation must do, and that devices are told just that.

use std::collections::BTreeMap;

use syncline_hub::session::event::Sender;
use syncline_protocol::change::{Claim, ClaimedChange, StampedChange};
use syncline_protocol::ids::{ClientKey, Epoch, RecordKey, WriterNo};
use syncline_protocol::limits::STAMP_AHEAD_MS_MAX;
use syncline_protocol::mutation::Mutation;
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::{PayloadHash, Status, Verdict};
use syncline_protocol::wire::hub::{Answer, write_results};
use syncline_storage::types::Commit;

use super::claims::{claims_of, with_stamps};
use super::order::Clocked;
use super::{Checker, Judged};
use crate::sim::reference::{Expected, Joined, Reference, losses_of};
use crate::sim::trace::{Checked, ensure, violated};

/// A mutation that a device numbered.
#[derive(Debug)]
pub(super) struct Registered {
    hash: PayloadHash,
    asked: Option<Vec<ClaimedChange>>,
    /// The first epoch its client knew, where devices say so.
    epoch: Option<Epoch>,
}

impl Registered {
    /// Whether it names a record.
    pub(super) fn touches(&self, key: &RecordKey) -> bool {
        self.asked.iter().flatten().any(|asked| asked.key == *key)
    }
}

impl Checker {
    /// A device gave a mutation its number.
    pub fn numbered(&mut self, sender: &Sender, mutation: &Mutation) {
        let registered = Registered {
            hash: mutation.hash,
            asked: mutation.asked.as_ref().ok().cloned(),
            epoch: sender.epoch,
        };
        self.registry
            .insert((sender.client.clone(), mutation.m), registered);
    }

    /// Whether a mutation took effect.
    pub(super) fn mutation(
        &mut self,
        commit: &Commit,
        (judged, m): (&Judged, u64),
        clock: &mut Hlc,
    ) -> Checked<bool> {
        let split = self.split.contains(&commit.expect_epoch);
        let number = (judged.client.clone(), m);
        let Some(registered) = self.registry.get(&number) else {
            return violated("mark", format!("{judged:?} was never made"));
        };
        let Some((writer, verdict, hash)) = remembered(commit, &number) else {
            return violated("mark", format!("{judged:?} is not remembered"));
        };
        ensure(registered.hash == hash, "mark", || {
            format!("{judged:?} has another hash")
        })?;
        self.erasures
            .check_heard(registered.epoch, commit.expect_epoch)?;
        if !split {
            let reference = &mut self.now.reference;
            let asked = registered.asked.as_deref();
            let expected = expect(reference, (asked, judged, writer), clock);
            check_verdict(judged, &expected, verdict)?;
            if !matches!(verdict.status, Status::Rejected(_)) {
                let asked = registered.asked.iter().flatten();
                let order = &mut self.order;
                asked.for_each(|asked| order.edited(&judged.client, asked, Clocked::Logically));
            }
        }
        ensure(self.now.decided.insert(number.clone()), "once", || {
            format!("{judged:?} took effect before")
        })?;
        self.check_writer(writer, judged, split)?;
        self.ever.entry(number).or_default().push(verdict.clone());
        Ok(verdict.status == Status::Applied)
    }

    /// A device was told the answer to a mutation, as text.
    pub fn told(&self, client: &ClientKey, m: u64, answer: &str) -> Checked {
        let Some(verdicts) = self.ever.get(&(client.clone(), m)) else {
            return violated("ack", format!("nothing was decided: {answer}"));
        };
        let is_same = |verdict: &Verdict| {
            let mut text = String::new();
            write_results(&mut text, &[(m, Answer::Verdict(verdict.clone()))]);
            text[1..text.len() - 1] == *answer
        };
        let known = answer.contains(r#""status":"known""#);
        // Where a history was split, the store itself mixed up who wrote what.
        let mixed_up = !self.split.is_empty() && answer.contains(r#""code":"number_reused""#);
        ensure(
            known || mixed_up || verdicts.iter().any(is_same),
            "ack",
            || format!("told {answer}, decided {verdicts:?}"),
        )
    }
}

fn remembered<'c>(
    commit: &'c Commit,
    (client, m): &(ClientKey, u64),
) -> Option<(WriterNo, &'c Verdict, PayloadHash)> {
    let mark = commit.marks.iter().find(|mark| mark.client == *client)?;
    let found = mark.verdicts.iter().find(|remembered| remembered.m == *m)?;
    Some((mark.writer, &found.verdict, found.hash))
}

/// What a mutation must be answered; `None` for one that cannot be read.
pub(super) fn expect(
    reference: &mut Reference,
    (changes, judged, writer): (Option<&[ClaimedChange]>, &Judged, WriterNo),
    clock: &mut Hlc,
) -> Option<(Expected, bool)> {
    let changes = changes?;
    let before = *clock;
    let mut clamped = false;
    let expected = reference.join(changes, |change, onto| {
        stamped(
            change,
            onto,
            (writer, judged.taken_at_ms),
            (clock, &mut clamped),
        )
    });
    if expected == Expected::Unknown {
        *clock = before;
    }
    Some((expected, clamped))
}

/// A numbered change with its stamps: a claim too far ahead, or none, is a tick, or what comes just
/// after the writer's own earlier edits there.
fn stamped(
    change: &ClaimedChange,
    onto: &Joined,
    (writer, taken_at_ms): (WriterNo, WallMs),
    (clock, clamped): (&mut Hlc, &mut bool),
) -> StampedChange {
    let mut claims: Vec<Claim> = claims_of(&change.op);
    claims.sort_unstable();
    claims.dedup();
    let (passed, mut stamps) = (*clock, BTreeMap::new());
    for claim in claims {
        let is_ahead = |at: Hlc| at.wall_ms() > taken_at_ms + STAMP_AHEAD_MS_MAX && at > passed;
        let at = match claim {
            Some(at) if !is_ahead(at) => at,
            _ => {
                *clamped |= claim.is_some();
                *clock = clock.tick(taken_at_ms);
                let own = onto.own(writer, &change.op, claim);
                let own = own.into_iter().max();
                let own = own.filter(|own| claim.is_none_or(|claim| *own <= claim));
                (*clock).max(own.map_or(*clock, Hlc::next))
            }
        };
        stamps.insert(claim, at);
    }
    with_stamps(change, |claim| Stamp {
        at: stamps[&claim],
        writer,
    })
}

fn check_verdict(
    judged: &Judged,
    expected: &Option<(Expected, bool)>,
    verdict: &Verdict,
) -> Checked {
    let fits = match (expected, &verdict.status) {
        (None, Status::Rejected(_)) | (Some((Expected::Unknown, _)), Status::Rejected(_)) => true,
        (Some((Expected::Applied(losses), clamped)), Status::Applied)
        | (Some((Expected::Superseded(losses), clamped)), Status::Superseded) => {
            *losses == losses_of(verdict) && *clamped == verdict.clamped
        }
        _ => false,
    };
    ensure(fits, "verdict", || {
        format!("{judged:?}: {verdict:?}, must be {expected:?}")
    })
}
