//! What a changeset must do, computed a second way: every claim gets a stamp by the rules of the
//! design, and a claim that comes again is held against the stamp it had. The memory has no bound
//! here: no device of a world claims more than the hub remembers anyway.

use std::collections::{HashMap, HashSet};

use syncline_protocol::change::{Claim, ClaimedChange, StampedChange};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::given::{self, CLAIMS_KEPT};
use syncline_protocol::ids::{ClientKey, RecordKey, Seq, WriterNo};
use syncline_protocol::limits::{Limits, STAMP_AHEAD_MS_MAX};
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::Mark;
use syncline_storage::types::Commit;

use super::{Checker, Judged, Part, claims_of, with_stamps};
use crate::sim::reference::{Joined, Joining};
use crate::sim::trace::{Checked, ensure};

/// What the claims of changesets became.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// Of each client, what the hub must remember.
    memories: HashMap<ClientKey, Memory>,
    /// Of each client, by the claim and how it is known again.
    first: HashMap<(ClientKey, Token, Claim), Hlc>,
    /// The numbers of the clients.
    writers: HashMap<ClientKey, WriterNo>,
}

/// What the hub must remember of a client.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// What it gave a stamp to.
    given: HashMap<Token, Hlc>,
    /// The latest time it took as it was,
    from_ms: WallMs,
    /// and the claims at it.
    latest: HashMap<Token, Hlc>,
    /// The last claim of the last changeset with something new, and its commit.
    last: Option<(Seq, Token)>,
    /// The latest time in the parts so far of a changeset that is under way.
    parts_ms: WallMs,
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

/// A claim by both of its names.
#[derive(Clone, Debug)]
struct Names {
    text: Token,
    stored: Token,
}

impl Names {
    fn new(text: &str, earlier: u32, claim: Claim) -> Names {
        let hash = given::ChangeHash::of(text);
        Names {
            text: Token::Text(text.to_owned(), earlier, claim.map(Hlc::wall_ms)),
            stored: Token::Stored(hash.claimed(claim, earlier)),
        }
    }

    fn is(&self, token: &Token) -> bool {
        self.text == *token || self.stored == *token
    }

    fn in_map(&self, map: &HashMap<Token, Hlc>) -> Option<Hlc> {
        map.get(&self.text)
            .or_else(|| map.get(&self.stored))
            .copied()
    }
}

impl Claims {
    /// What a store remembers, taken as given.
    pub(super) fn of(marks: impl Iterator<Item = (ClientKey, Mark)>) -> Claims {
        let mut claims = Claims::default();
        for (client, mark) in marks {
            let stored = |(claimed, at): (given::Claimed, Hlc)| (Token::Stored(claimed), at);
            let memory = mark.given.as_ref().map(|given| Memory {
                given: given.claims().map(stored).collect(),
                from_ms: given.latest().ms(),
                latest: given.latest().claims().map(stored).collect(),
                last: given.last().map(|(seq, last)| (seq, Token::Stored(last))),
                parts_ms: given.latest().newest_ms(),
            });
            let memory = memory.unwrap_or_default();
            claims.memories.insert(client.clone(), memory);
            claims.writers.insert(client, mark.writer);
        }
        claims
    }
}

/// Gives a changeset's claims their stamps.
struct Stamping<'a> {
    claims: &'a mut Claims,
    client: &'a ClientKey,
    writer: WriterNo,
    taken_at_ms: WallMs,
    clock: &'a mut Hlc,
    /// What its device was answered before it is new, all of it.
    is_answered: bool,
    /// Records of which something new was said.
    renewed: HashSet<RecordKey>,
    /// What claims of this changeset were given,
    fresh: HashMap<Token, Hlc>,
    /// or took as they were, with their time, and whether they are new.
    timely: Vec<(WallMs, Token, Hlc, bool)>,
    /// Its last claim.
    last: Option<Token>,
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
        let claims = &mut self.now.claims;
        let mut stamping =
            Stamping::new(claims, (&judged.client, writer), judged.taken_at_ms, clock);
        stamping.is_answered = part.is_whole && stamping.was_answered(part, view);
        let mut changed = None;
        for change in &part.changes {
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
        let kept = |memory: &Memory| memory.given.len().max(memory.latest.len());
        assert!(
            memory.is_none_or(|memory| kept(memory) <= CLAIMS_KEPT),
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
            is_answered: false,
            renewed: HashSet::new(),
            fresh: HashMap::new(),
            timely: Vec::new(),
            last: None,
            texts: HashMap::new(),
            again: None,
            unknown: Vec::new(),
        }
    }

    fn memory(&self) -> Memory {
        let memory = self.claims.memories.get(self.client);
        memory.cloned().unwrap_or_default()
    }

    /// Whether a changeset says that its device was answered the last one with something new: it
    /// heard of that, and does not send it.
    fn was_answered(&self, part: &Part, place: Option<(u64, Seq)>) -> bool {
        let (Some((seq, last)), Some((minute, head))) = (self.memory().last, place) else {
            return false;
        };
        let Some(Since::At {
            minute: of,
            seq: heard,
            ..
        }) = part.since
        else {
            return false;
        };
        let mut texts: HashMap<&str, u32> = HashMap::new();
        let sends_it = part.changes.iter().any(|change| {
            let Ok(asked) = &change.asked else {
                return false;
            };
            let count = texts.entry(&change.text).or_default();
            let earlier = *count;
            *count += 1;
            let mut claims = claims_of(&asked.op).into_iter();
            claims.any(|claim| Names::new(&change.text, earlier, claim).is(&last))
        });
        of == minute && heard <= head && heard >= seq && !sends_it
    }

    /// Without a record nothing is taken for new.
    fn stamp(
        &mut self,
        change: &ClaimedChange,
        text: &str,
        onto: Option<&Joined>,
    ) -> StampedChange {
        let count = self.texts.entry(text.to_owned()).or_default();
        let earlier = *count;
        *count += 1;
        let mut stamps: HashMap<Claim, Stamp> = HashMap::new();
        for claim in claims_of(&change.op) {
            stamps.entry(claim).or_insert_with(|| {
                let names = Names::new(text, earlier, claim);
                self.time((change, onto), &names, claim)
            });
        }
        with_stamps(change, |claim| stamps[&claim])
    }

    fn time(
        &mut self,
        said: (&ClaimedChange, Option<&Joined>),
        names: &Names,
        claim: Claim,
    ) -> Stamp {
        let (at, is_new) = self.claimed(said, names, claim);
        let claimed = (self.client.clone(), names.text.clone(), claim);
        if is_new {
            self.claims.first.remove(&claimed);
        }
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

    /// What a claim gets, and whether it is surely new: what it got when it first came, if that is
    /// remembered; a time before the latest as it is; else what comes after all its client wrote
    /// there.
    fn claimed(
        &mut self,
        (change, onto): (&ClaimedChange, Option<&Joined>),
        names: &Names,
        claim: Claim,
    ) -> (Hlc, bool) {
        let memory = self.memory();
        let ahead = |at: Hlc| at.wall_ms() > self.taken_at_ms + STAMP_AHEAD_MS_MAX;
        let believed = |at: Hlc| at <= *self.clock || at.wall_ms() <= memory.from_ms;
        let usable = claim.filter(|at| !ahead(*at) || believed(*at));
        let is_old = usable.is_some_and(|at| at.wall_ms() < memory.from_ms);
        if !(is_old && memory.given.is_empty()) {
            self.last = Some(names.text.clone());
        }
        if !self.is_answered && !self.renewed.contains(&change.key) {
            if let Some(became) = names.in_map(&memory.given) {
                return (became, false);
            }
            if let (Some(became), Some(at)) = (names.in_map(&memory.latest), claim) {
                let known = (at.wall_ms(), names.text.clone(), became, false);
                self.timely.push(known);
                return (became, false);
            }
        }
        if let (true, Some(at)) = (is_old, usable) {
            return (at, false);
        }
        if claim.is_none() {
            self.unknown.push(format!("{names:?}"));
        }
        let at = usable.unwrap_or_else(|| self.tick());
        let Some(onto) = onto else {
            return (at, false);
        };
        let own = onto.own(self.writer, &change.op, claim).into_iter().max();
        let at = at.max(own.map_or(at, Hlc::next));
        match usable {
            Some(usable) => {
                let new = (usable.wall_ms(), names.text.clone(), at, true);
                self.timely.push(new);
            }
            None => drop(self.fresh.insert(names.text.clone(), at)),
        }
        self.renewed.insert(change.key.clone());
        (at, true)
    }

    /// What was given now counts from the next changeset on.
    fn remember(self, part: &Part, (seq, had_effect): (Seq, bool)) {
        let is_new = !self.fresh.is_empty() || (had_effect && self.timely.iter().any(|one| one.3));
        let memory = self.claims.memories.entry(self.client.clone());
        let memory = memory.or_default();
        if !part.is_rest {
            memory.parts_ms = 0;
        }
        memory.given.extend(self.fresh);
        if !is_new {
            return;
        }
        let newest = self
            .timely
            .iter()
            .filter(|one| one.3)
            .map(|one| one.0)
            .max();
        memory.parts_ms = memory.parts_ms.max(newest.unwrap_or(0));
        let from_ms = match part.goes_on {
            true => memory.from_ms,
            false => memory.from_ms.max(memory.parts_ms),
        };
        let is_whole = !part.goes_on && !part.is_rest;
        if is_whole && from_ms > memory.from_ms {
            memory.latest.clear();
        }
        memory.from_ms = from_ms;
        let timely = self.timely.into_iter().filter(|(ms, ..)| *ms >= from_ms);
        memory
            .latest
            .extend(timely.map(|(_, token, at, _)| (token, at)));
        memory.last = self.last.map(|last| (seq, last)).or(memory.last.take());
    }

    fn tick(&mut self) -> Hlc {
        *self.clock = self.clock.tick(self.taken_at_ms);
        *self.clock
    }
}
