//! The stamps that claims of changesets must get: by the rules of the design, computed a second
//! way. A claim that comes again is held against the stamp it had. The memory has no bound here: no
//! device of a world claims more than the hub remembers anyway.

use std::collections::{HashMap, HashSet};

use syncline_protocol::change::{Change, Claim, ClaimedChange, Op, StampedChange};
use syncline_protocol::compat::cursor::Since;
use syncline_protocol::given;
use syncline_protocol::ids::{ClientKey, RecordKey, Seq, WriterNo};
use syncline_protocol::limits::STAMP_AHEAD_MS_MAX;
use syncline_protocol::stamp::{Hlc, Stamp, WallMs};
use syncline_protocol::verdict::Mark;

use super::Part;
use crate::sim::reference::Joined;

/// What the claims of changesets became.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// Of each client, what the hub must remember.
    pub(super) memories: HashMap<ClientKey, Memory>,
    /// Of each client, by the claim and how it is known again.
    first: HashMap<(ClientKey, Token, Claim), Hlc>,
    /// The numbers of the clients.
    pub(super) writers: HashMap<ClientKey, WriterNo>,
}

/// What the hub must remember of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
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

impl Memory {
    /// How many claims the hub remembers of it.
    pub(super) fn kept(&self) -> usize {
        self.given.len().max(self.latest.len())
    }
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
    pub(super) fn new(text: &str, earlier: u32, claim: Claim) -> Names {
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
pub(super) struct Stamping<'a> {
    claims: &'a mut Claims,
    client: &'a ClientKey,
    writer: WriterNo,
    taken_at_ms: WallMs,
    clock: &'a mut Hlc,
    /// What its device was answered before it is new, all of it.
    pub(super) is_answered: bool,
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
    pub(super) again: Option<String>,
    /// Changes without a time that come for the first time.
    pub(super) unknown: Vec<String>,
}

impl<'a> Stamping<'a> {
    pub(super) fn new(
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
    pub(super) fn was_answered(&self, part: &Part, place: Option<(u64, Seq)>) -> bool {
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
    pub(super) fn stamp(
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
    pub(super) fn remember(self, part: &Part, (seq, had_effect): (Seq, bool)) {
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

/// The claims of a change, in order.
pub(super) fn claims_of(op: &Op<Claim>) -> Vec<Claim> {
    match op {
        Op::Insert { at, .. } | Op::Delete { at } => vec![*at],
        Op::Update { fields } => fields.iter().map(|(_, _, at)| *at).collect(),
    }
}

/// A change with its stamps.
pub(super) fn with_stamps(
    change: &ClaimedChange,
    mut stamp: impl FnMut(Claim) -> Stamp,
) -> StampedChange {
    let op = match &change.op {
        Op::Insert { at, data } => Op::Insert {
            at: stamp(*at),
            data: data.clone(),
        },
        Op::Delete { at } => Op::Delete { at: stamp(*at) },
        Op::Update { fields } => {
            let fields = fields.iter();
            let stamped = fields.map(|(name, value, at)| (name.clone(), value.clone(), stamp(*at)));
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
