//! What a changeset must do, computed a second way: every claim gets a stamp by the rules of the
//! design, and a claim that comes again is held against the stamp it had.

use std::collections::HashMap;

use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientKey, RecordKey, WriterNo};
use syncline_protocol::limits::{Limits, STAMP_AHEAD_MS_MAX, STAMP_WALL_MS_MIN};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::Mark;
use syncline_storage::types::Commit;

use super::{Checker, Judged};
use crate::sim::reference::{Joining, Reference};
use crate::sim::trace::{Checked, ensure};

/// What the claims of changesets became.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// Of each client, the claims that were too far ahead: the lowest, the highest, and the
    /// lowest stamp one became.
    clamped: HashMap<ClientKey, (Hlc, Hlc, Hlc)>,
    /// By the claim and what it is of.
    given: HashMap<Claimed, Hlc>,
    /// The numbers of the clients.
    writers: HashMap<ClientKey, WriterNo>,
}

impl Claims {
    /// What a store remembers, taken as given.
    pub(super) fn of(marks: impl Iterator<Item = (ClientKey, Mark)>) -> Claims {
        let mut claims = Claims::default();
        for (client, mark) in marks {
            if let Some(own) = mark.clamped {
                let own = (own.from, own.to, own.became);
                claims.clamped.insert(client.clone(), own);
            }
            claims.writers.insert(client, mark.writer);
        }
        claims
    }
}

/// A claim, and what it is of: a field with its value, or the record.
type Claimed = (ClientKey, RecordKey, String, Hlc);

/// Gives a changeset's claims their stamps.
struct Stamping<'a> {
    claims: &'a mut Claims,
    client: &'a ClientKey,
    writer: WriterNo,
    taken_at_ms: WallMs,
    clock: &'a mut Hlc,
    /// Clamped claims of earlier changesets,
    earlier: Option<(Hlc, Hlc, Hlc)>,
    /// and of this one, each with what it became.
    fresh: HashMap<Hlc, Hlc>,
    /// A claim that got a newer stamp than it had.
    again: Option<String>,
}

impl Checker {
    /// Joins a changeset into the reference; whether it had an effect.
    pub(super) fn changeset(
        &mut self,
        commit: &Commit,
        (judged, changes): (&Judged, &[SyncChange]),
        (clock, letters): (&mut Hlc, &mut Vec<(String, Code)>),
    ) -> Checked<bool> {
        let split = self.split.contains(&commit.expect_epoch);
        self.changers.insert(judged.client.clone());
        let mark = commit
            .marks
            .iter()
            .find(|mark| mark.client == judged.client);
        let known = self.now.claims.writers.get(&judged.client).copied();
        let next = WriterNo(commit.writers.0 + 1);
        let writer = mark.map(|mark| mark.writer).or(known).unwrap_or(next);
        if mark.is_some() {
            self.now
                .claims
                .writers
                .insert(judged.client.clone(), writer);
            self.check_writer(writer, judged, split)?;
        }
        if split {
            return Ok(commit.head > commit.expect_head);
        }
        let mut stamping = Stamping {
            earlier: self.now.claims.clamped.get(&judged.client).copied(),
            fresh: HashMap::new(),
            claims: &mut self.now.claims,
            client: &judged.client,
            writer,
            taken_at_ms: judged.taken_at_ms,
            clock,
            again: None,
        };
        let mut changed = None;
        for change in changes {
            let code = match &change.asked {
                Err(refusal) => Some(refusal.code),
                Ok(asked) => {
                    let stamped = stamping.stamp(asked, &self.now.reference);
                    match self
                        .now
                        .reference
                        .join_one(&stamped, Limits::DEFAULT.record_bytes_max)
                    {
                        Joining::Changed => {
                            changed = Some(stamped);
                            None
                        }
                        Joining::Absorbed => None,
                        Joining::TooLarge => Some(Code::RecordTooLarge),
                    }
                }
            };
            letters.extend(code.map(|code| (change.text.clone(), code)));
        }
        let again = stamping.again.take();
        ensure(again.is_none(), "again", || again.unwrap_or_default())?;
        ensure(mark.is_some() || changed.is_none(), "mark", || {
            format!("{changed:?} of {judged:?} had an effect and no mark")
        })?;
        Ok(changed.is_some())
    }

    /// A device was told that its changeset was taken.
    pub fn acknowledged(
        &self,
        (client, cursor): (&ClientKey, &str),
        changes: &[SyncChange],
    ) -> Checked {
        // Of a lost history nothing can be held to what it answered.
        let is_now = |minute| self.minutes.get(minute) == Some(&self.epoch);
        let now = matches!(Since::parse(cursor), Ok(Since::At { minute, .. }) if is_now(&minute));
        if !now || !self.split.is_empty() {
            return Ok(());
        }
        let writer = self.now.claims.writers.get(client);
        let writer = writer.copied().unwrap_or(WriterNo(u32::MAX));
        for change in changes {
            let Ok(asked) = &change.asked else {
                continue;
            };
            let mut claims = self.now.claims.clone();
            let mut stamping = Stamping {
                earlier: claims.clamped.get(client).copied(),
                fresh: HashMap::new(),
                claims: &mut claims,
                client,
                writer,
                taken_at_ms: WallMs::MAX / 2,
                clock: &mut Hlc::default(),
                again: None,
            };
            let stamped = stamping.stamp_with(asked, &self.now.reference, Missing::Skip);
            let joining = self
                .now
                .reference
                .clone()
                .join_one(&stamped, Limits::DEFAULT.record_bytes_max);
            ensure(joining != Joining::Changed, "absorbed", || {
                format!("{client:?} was told that {} was taken", change.text)
            })?;
        }
        Ok(())
    }
}

/// What becomes of a change without a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It gets what the hub gives.
    Filled,
    /// It is older than everything.
    Skip,
}

impl Stamping<'_> {
    fn stamp(&mut self, change: &ClaimedChange, now: &Reference) -> StampedChange {
        self.stamp_with(change, now, Missing::Filled)
    }

    fn stamp_with(
        &mut self,
        change: &ClaimedChange,
        now: &Reference,
        missing: Missing,
    ) -> StampedChange {
        let key = &change.key;
        let (inserted, deleted) = now.stamps(key);
        let stored = |stamp: Option<Stamp>| match missing {
            Missing::Filled => stamp,
            Missing::Skip => Some(Stamp::default()),
        };
        let op = match &change.op {
            Op::Insert { at, data } => {
                let what = format!("insert {data:?}");
                let oldest = Stamp {
                    at: Hlc::new(STAMP_WALL_MS_MIN, 0),
                    writer: self.writer,
                };
                let inserted = inserted.map(|_| oldest);
                Op::Insert {
                    at: self.time((key, what), *at, stored(inserted)),
                    data: data.clone(),
                }
            }
            Op::Delete { at } => {
                let dead = deleted.filter(|_| inserted <= deleted);
                Op::Delete {
                    at: self.time((key, "delete".into()), *at, stored(dead)),
                }
            }
            Op::Update { fields } => {
                let mut stamped = Vec::with_capacity(fields.len());
                for (name, value, at) in fields {
                    let same = now.field(key, name).filter(|(_, own)| own == value);
                    let what = format!("{name} {value:?}");
                    let at = self.time((key, what), *at, stored(same.map(|(at, _)| *at)));
                    stamped.push((name.clone(), value.clone(), at));
                }
                Op::Update { fields: stamped }
            }
        };
        Change {
            key: key.clone(),
            op,
        }
    }

    fn time(
        &mut self,
        (key, what): (&RecordKey, String),
        claim: Claim,
        stored: Option<Stamp>,
    ) -> Stamp {
        let writer = self.writer;
        let Some(claim) = claim else {
            return stored.unwrap_or_else(|| Stamp {
                at: self.tick(),
                writer,
            });
        };
        let at = self.claimed(claim);
        let claimed = (self.client.clone(), key.clone(), what, claim);
        let before = self.claims.given.entry(claimed).or_insert(at);
        if *before < at {
            self.again = Some(format!(
                "{} had {before} for a claim of {claim} and now gets {at}",
                self.client.client
            ));
        }
        Stamp { at, writer }
    }

    fn claimed(&mut self, claim: Hlc) -> Hlc {
        if let Some(became) = self.fresh.get(&claim) {
            return *became;
        }
        if let Some((from, to, became)) = self.earlier
            && (from.wall_ms()..=to.wall_ms()).contains(&claim.wall_ms())
        {
            return claim.min(became);
        }
        if claim.wall_ms() <= self.taken_at_ms + STAMP_AHEAD_MS_MAX || claim <= *self.clock {
            return claim;
        }
        let at = self.tick();
        self.fresh.insert(claim, at);
        let grown = self.claims.clamped.entry(self.client.clone());
        let grown = grown.or_insert((claim, claim, at));
        *grown = (grown.0.min(claim), grown.1.max(claim), grown.2.min(at));
        at
    }

    fn tick(&mut self) -> Hlc {
        *self.clock = self.clock.tick(self.taken_at_ms);
        *self.clock
    }
}
