//! What a changeset must do: its claims get their stamps, what can be stored is joined into the
//! reference, and what its device is told is held against that.

use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::given::CLAIMS_KEPT;
use syncline_protocol::ids::{ClientKey, Seq, WriterNo};
use syncline_protocol::limits::Limits;
use syncline_protocol::stamp::{Hlc, WallMs};
use syncline_storage::types::Commit;

use super::claims::Stamping;
use super::{Checker, Judged, Part, erasures};
use crate::sim::reference::Joining;
use crate::sim::trace::{Checked, ensure};

impl Checker {
    /// Joins a changeset into the reference; whether it had an effect.
    pub(super) fn changeset(
        &mut self,
        commit: &Commit,
        (judged, part): (&Judged, &Part),
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
        // What it did all the same is in the store and not in the reference.
        if self.is_of_before_erasure(part.since) {
            return Ok(false);
        }
        let view = self.place_of(commit);
        let begins_ms = self.begins_ms(part.since);
        let claims = &mut self.now.claims;
        let mut stamping =
            Stamping::new(claims, (&judged.client, writer), judged.taken_at_ms, clock);
        stamping.is_answered = part.is_whole && stamping.was_answered(part, view);
        let mut changed = None;
        for change in &part.changes {
            let is_old = |ms| !erasures::is_made_since(ms, change, judged.taken_at_ms);
            if begins_ms.is_some_and(is_old) {
                continue;
            }
            let code = match &change.asked {
                Err(refusal) => Some(refusal.code),
                Ok(asked) => {
                    let onto = self.now.reference.record(&asked.key);
                    let stamped = stamping.stamp(asked, &change.text, Some(&onto));
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
        stamping.remember(part, (commit.expect_head.next(), changed.is_some()));
        let memory = self.now.claims.memories.get(&judged.client);
        assert!(
            memory.is_none_or(|memory| memory.kept() <= CLAIMS_KEPT),
            "a device claims more than the hub remembers anyway"
        );
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
        let mut claims = self.now.claims.clone();
        let mut clock = Hlc::default();
        let mut stamping =
            Stamping::new(&mut claims, (client, writer), WallMs::MAX / 2, &mut clock);
        for change in changes {
            let Ok(asked) = &change.asked else {
                continue;
            };
            let stamped = stamping.stamp(asked, &change.text, None);
            let unknown = stamping.unknown.pop();
            ensure(unknown.is_none(), "absorbed", || {
                format!("{client:?} was told that {unknown:?} was taken")
            })?;
            // What was taken of a record that is dead may be collected since.
            if self.now.collected.contains(&stamped.key) {
                continue;
            }
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

impl Checker {
    fn place_of(&self, commit: &Commit) -> Option<(u64, Seq)> {
        let mut minutes = self.minutes.iter();
        let minute = minutes.find(|(_, epoch)| **epoch == commit.expect_epoch)?.0;
        Some((*minute, commit.expect_head))
    }
}
