//! What a changeset must do, computed a second way: every claim gets a stamp by the rules of the
//! design, and a claim that comes again is held against the stamp it had. The memory has no bound
//! here: no device of a world claims more than the hub remembers anyway.

use std::collections::HashMap;

use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::given::{self, CLAIMS_KEPT};
use syncline_protocol::ids::{ClientKey, WriterNo};
use syncline_protocol::limits::{Limits, STAMP_AHEAD_MS_MAX};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::Mark;
use syncline_storage::types::Commit;

use super::{Checker, Judged};
use crate::sim::reference::Joining;
use crate::sim::trace::{Checked, ensure};

/// What the claims of changesets became.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// Of each client, what the hub must have given a stamp to.
    given: HashMap<ClientKey, HashMap<Token, Hlc>>,
    /// Of each client, by the claim and how it is known again.
    first: HashMap<(ClientKey, Token, Claim), Hlc>,
    /// The numbers of the clients.
    writers: HashMap<ClientKey, WriterNo>,
}

/// How a claim is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Token {
    /// By the text of its change as it came, how many equal ones its request had before, and the
    /// time in milliseconds, if it has one.
    Text(String, u32, Option<WallMs>),
    /// In the memory of a store whose history nobody checked.
    Stored(given::Claimed),
}

impl Claims {
    /// What a store remembers, taken as given.
    pub(super) fn of(marks: impl Iterator<Item = (ClientKey, Mark)>) -> Claims {
        let mut claims = Claims::default();
        for (client, mark) in marks {
            let kept = mark.given.iter().flat_map(|given| given.claims());
            let kept = kept.map(|(claimed, at)| (Token::Stored(claimed), at));
            claims.given.insert(client.clone(), kept.collect());
            claims.writers.insert(client, mark.writer);
        }
        claims
    }

    /// The stamp a claim of a client was given.
    fn became(&self, client: &ClientKey, token: &Token) -> Option<Hlc> {
        self.given.get(client)?.get(token).copied()
    }
}

/// Gives a changeset's claims their stamps.
struct Stamping<'a> {
    claims: &'a mut Claims,
    client: &'a ClientKey,
    writer: WriterNo,
    taken_at_ms: WallMs,
    clock: &'a mut Hlc,
    /// What claims of this changeset were given,
    fresh: HashMap<Token, Hlc>,
    /// How often each change was there so far.
    texts: HashMap<String, u32>,
    /// A claim that got a newer stamp than it had.
    again: Option<String>,
    /// Changes without a time that come for the first time.
    unknown: Vec<String>,
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
        let claims = &mut self.now.claims;
        let mut stamping =
            Stamping::new(claims, (&judged.client, writer), judged.taken_at_ms, clock);
        let mut changed = None;
        for change in changes {
            let code = match &change.asked {
                Err(refusal) => Some(refusal.code),
                Ok(asked) => {
                    let stamped = stamping.stamp(asked, &change.text);
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
        stamping.remember();
        let given = self.now.claims.given.get(&judged.client);
        assert!(
            given.is_none_or(|given| given.len() <= CLAIMS_KEPT),
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
            let stamped = stamping.stamp(asked, &change.text);
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

impl<'a> Stamping<'a> {
    fn new(
        claims: &'a mut Claims,
        (client, writer): (&'a ClientKey, WriterNo),
        taken_at_ms: WallMs,
        clock: &'a mut Hlc,
    ) -> Stamping<'a> {
        Stamping {
            claims,
            client,
            writer,
            taken_at_ms,
            clock,
            fresh: HashMap::new(),
            texts: HashMap::new(),
            again: None,
            unknown: Vec::new(),
        }
    }

    fn stamp(&mut self, change: &ClaimedChange, text: &str) -> StampedChange {
        let count = self.texts.entry(text.to_owned()).or_default();
        let earlier = *count;
        *count += 1;
        let mut time = |at: &Claim| self.time((change, text, earlier), *at);
        let op = match &change.op {
            Op::Insert { at, data } => Op::Insert {
                at: time(at),
                data: data.clone(),
            },
            Op::Delete { at } => Op::Delete { at: time(at) },
            Op::Update { fields } => {
                let fields = fields.iter();
                let stamped =
                    fields.map(|(name, value, at)| (name.clone(), value.clone(), time(at)));
                Op::Update {
                    fields: stamped.collect(),
                }
            }
        };
        Change {
            key: change.key.clone(),
            op,
        }
    }

    fn time(&mut self, said: (&ClaimedChange, &str, u32), claim: Claim) -> Stamp {
        let (_, text, earlier) = said;
        let wall_ms = claim.map(Hlc::wall_ms);
        let token = Token::Text(text.to_owned(), earlier, wall_ms);
        let at = self.claimed(said, &token, claim);
        let claimed = (self.client.clone(), token, claim);
        let before = self.claims.first.entry(claimed).or_insert(at);
        if *before < at {
            self.again = Some(format!(
                "{} had {before} for a claim of {claim:?} and now gets {at}",
                self.client.client
            ));
        }
        let writer = self.writer;
        Stamp { at, writer }
    }

    /// What a claim gets: what it got when it first came, if the hub gave it that.
    fn claimed(
        &mut self,
        (change, text, earlier): (&ClaimedChange, &str, u32),
        token: &Token,
        claim: Claim,
    ) -> Hlc {
        let stored = || {
            let hash = given::ChangeHash::of(change);
            Token::Stored(hash.claimed(claim, earlier))
        };
        let now = self.fresh.get(token).copied();
        let became = now.or_else(|| self.claims.became(self.client, token));
        if let Some(became) = became.or_else(|| self.claims.became(self.client, &stored())) {
            return became;
        }
        match claim {
            Some(at)
                if at.wall_ms() <= self.taken_at_ms + STAMP_AHEAD_MS_MAX || at <= *self.clock =>
            {
                return at;
            }
            Some(_) => {}
            None => self.unknown.push(text.to_owned()),
        }
        let at = self.tick();
        self.fresh.insert(token.clone(), at);
        at
    }

    /// What was given now counts from the next changeset on.
    fn remember(self) {
        let given = self.claims.given.entry(self.client.clone());
        given.or_default().extend(self.fresh);
    }

    fn tick(&mut self) -> Hlc {
        *self.clock = self.clock.tick(self.taken_at_ms);
        *self.clock
    }
}
