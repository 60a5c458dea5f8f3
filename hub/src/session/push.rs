//! Mutations come in: their numbers are checked, and the next ones taken.

use std::sync::Arc;

use syncline_protocol::error::{Code, Refusal, close};
use syncline_protocol::ids::ClientKey;
use syncline_protocol::limits::MUTATIONS_IN_FLIGHT_MAX;
use syncline_protocol::mutant::{Mutant, mutant};
use syncline_protocol::mutation::Mutation;
use syncline_protocol::wire::hub;
use syncline_storage::types::{MarksRead, StoreError};

use super::event::{
    CallId, CallReply, ConnId, Effect, HeldPush, MarksFor, Note, Origin, Push, Repeat, Sender,
    Waiter,
};
use super::fanout::Answers;
use super::jobs::jobs_client;
use super::pending::{Asked, Call, Held, Pending};
use super::repeats::reused;
use super::state::{Context, SessionState};
use crate::telemetry::labels::VerdictStatus;

/// What a number says of a mutation.
enum Turn {
    /// Decided before.
    Repeat,
    /// Already taken, undecided.
    Taken,
    /// Not taken yet.
    New,
}

/// Whether numbers are missing before a mutation of a push, or among its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Found,
}

/// How a client's mark is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// From before: another node may have moved it.
    Remembered,
    /// Just read.
    Fresh,
}

impl SessionState {
    pub(super) fn push(&mut self, push: Push, cx: &mut Context<'_>) {
        match push.origin {
            Origin::Conn(conn) => {
                // A push of a socket that was detached meanwhile is dropped: it was not answered.
                if let Some(client) = self.client_of(conn).cloned() {
                    if self.is_of_before(conn) {
                        return self.send_away(&client, conn, cx);
                    }
                    let held = HeldPush {
                        client,
                        epoch: None,
                        muts: push.muts,
                        permit: push.permit.map(Arc::new),
                        trace: push.trace,
                    };
                    self.number(held, Waiter::Conn(conn), Known::Remembered, cx);
                }
            }
            Origin::Call(call, Sender { client, epoch }) => {
                let known = self
                    .clients
                    .get(&client)
                    .is_some_and(|c| c.writer.is_some());
                let held = HeldPush {
                    client,
                    epoch,
                    muts: push.muts,
                    permit: push.permit.map(Arc::new),
                    trace: push.trace,
                };
                if known {
                    self.start_call(call, held, cx);
                } else {
                    self.hold_call(call, Held::Push(held), cx);
                }
            }
        }
    }

    /// Whether a socket was told that everything was erased. What it pushes may have been made, and
    /// even stored, before: the first mutations of a client fit one that is not known.
    fn is_of_before(&self, conn: ConnId) -> bool {
        let told = self.conns.get(&conn).is_some_and(|conn| conn.erased);
        told && !mutant(Mutant::TakeErased)
    }

    /// Takes nothing of such a socket. Its device says hello again, and has heard it by then.
    fn send_away(&mut self, client: &ClientKey, conn: ConnId, cx: &mut Context<'_>) {
        self.refuse_gap(client, Waiter::Conn(conn), cx);
        cx.effect(Effect::Close {
            conn,
            code: close::TRY_AGAIN_LATER,
            reason: "everything was erased",
        });
        self.detach(conn, cx);
    }

    /// Holds what a call sent until its client's mark is read.
    pub(super) fn hold_call(&mut self, call: CallId, held: Held, cx: &mut Context<'_>) {
        let clients = vec![match &held {
            Held::Push(push) => push.client.clone(),
            Held::Sync(sync) => sync.client.clone(),
            Held::Job(_) => jobs_client(),
        }];
        let waiting = Call {
            missing: 0,
            results: Vec::new(),
            held: Some(held),
            _permit: None,
        };
        self.calls.insert(call, waiting);
        cx.effect(Effect::ReadMarks(MarksFor::Call(call), clients));
    }

    pub(super) fn marks_read(
        &mut self,
        why: MarksFor,
        read: Result<MarksRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        match why {
            MarksFor::Attach(conn) => self.attach_mark_read(conn, read, cx),
            MarksFor::Call(call) => self.call_mark_read(call, read, cx),
            MarksFor::Gap(push, waiter) => self.gap_mark_read((*push, waiter), read, cx),
            MarksFor::Refresh(clients) => self.refresh_marks_read(&clients, read, cx),
        }
    }

    fn call_mark_read(
        &mut self,
        call: CallId,
        read: Result<MarksRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let Some(held) = self.calls.remove(&call).and_then(|call| call.held) else {
            return;
        };
        match read {
            // A mark of another history says nothing of this one.
            Ok(read) if read.view.epoch != self.view.epoch => {
                self.stale = true;
                self.hold_call(call, held, cx);
            }
            // Of an older read the store may not know yet what this session knows to be durable.
            // Or it has lost it: the session looks.
            Ok(read) if read.view.head < self.view.head && matches!(held, Held::Sync(_)) => {
                self.stale = true;
                self.hold_call(call, held, cx);
            }
            Ok(read) => {
                self.stale |= self.is_behind(&read.view);
                let mark = read.marks.into_iter().next().flatten();
                match held {
                    Held::Push(push) => {
                        self.client(&push.client).learn(mark);
                        self.start_call(call, push, cx);
                    }
                    Held::Sync(sync) => {
                        self.client(&sync.client).learn(mark);
                        self.take_sync(sync, cx);
                    }
                    Held::Job(job) => {
                        self.client(&jobs_client()).learn(mark);
                        self.take_job(job, cx);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(space = %self.space, %error, "push failed");
                let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
                cx.effect(Effect::Reply(call, CallReply::Refused(refusal)));
            }
        }
    }

    fn start_call(&mut self, call: CallId, held: HeldPush, cx: &mut Context<'_>) {
        let missing = held.muts.len();
        self.calls.insert(
            call,
            Call {
                missing,
                results: Vec::with_capacity(missing),
                held: None,
                _permit: held.permit.clone(),
            },
        );
        self.number(held, Waiter::Call(call), Known::Remembered, cx);
        self.finish_call(call, cx);
    }

    /// Sorts mutations by their numbers into next ones, which are taken, and repeats, which are
    /// answered. The push is judged whole before: of one with a gap, or too many in flight,
    /// nothing is taken.
    fn number(&mut self, push: HeldPush, waiter: Waiter, known: Known, cx: &mut Context<'_>) {
        if let (Waiter::Call(call), true) = (waiter, self.was_erased_since(push.epoch)) {
            self.calls.remove(&call);
            return cx.effect(Effect::Reply(call, CallReply::Erased));
        }
        let (taken, undecided) = self
            .clients
            .get(&push.client)
            .map_or((0, 0), |client| (client.taken, client.undecided));
        let gap = match next_ones(&push.muts, taken) {
            Some(next) if undecided + next <= MUTATIONS_IN_FLIGHT_MAX => Gap::None,
            Some(_) => {
                let message = format!("more than {MUTATIONS_IN_FLIGHT_MAX} mutations in flight");
                return self.refuse(waiter, Refusal::new(Code::TooManyInFlight, message), cx);
            }
            // Another node may have decided what seems to be missing.
            None if known == Known::Remembered => {
                let clients = vec![push.client.clone()];
                let why = MarksFor::Gap(Box::new(push), waiter);
                self.gaps_looked_at += 1;
                return cx.effect(Effect::ReadMarks(why, clients));
            }
            None => Gap::Found,
        };
        if gap == Gap::Found {
            self.refuse_gap(&push.client, waiter, cx);
        }
        self.sort(push, (waiter, gap), cx);
        self.trim_clients();
    }

    /// Takes the next ones, unless there is a gap, and answers repeats.
    fn sort(&mut self, push: HeldPush, (waiter, gap): (Waiter, Gap), cx: &mut Context<'_>) {
        let HeldPush {
            client,
            muts,
            permit,
            trace,
            ..
        } = push;
        let mut answers = Answers::default();
        let mut repeats = Vec::new();
        for mutation in muts {
            match self.turn(&client, mutation.m) {
                Turn::Taken => {
                    self.join_taken((&client, &mutation), waiter, &mut answers, cx);
                }
                Turn::Repeat => repeats.push(Repeat {
                    m: mutation.m,
                    hash: mutation.hash,
                    client: client.clone(),
                    waiters: vec![waiter],
                    permit: permit.clone(),
                }),
                Turn::New if gap == Gap::Found => {}
                Turn::New => self.take(Pending {
                    client: client.clone(),
                    asked: Asked::Mutation(mutation),
                    since: None,
                    taken_at_ms: cx.now_ms,
                    depth: 0,
                    waiters: vec![waiter],
                    later: Vec::new(),
                    earlier: None,
                    _permit: permit.clone(),
                    trace: trace.clone(),
                }),
            }
        }
        self.read_repeats(repeats, cx);
        self.send_answers(answers, cx);
    }

    fn gap_mark_read(
        &mut self,
        (push, waiter): (HeldPush, Waiter),
        read: Result<MarksRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        self.gaps_looked_at -= 1;
        let read = match read {
            Ok(read) => read,
            // A gap that is told by what was remembered may be none, and a client that is told of
            // one takes a new id.
            Err(error) => {
                tracing::warn!(space = %self.space, %error, "the mark of a push could not be read");
                let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
                return self.refuse(waiter, refusal, cx);
            }
        };
        self.stale |= self.is_behind(&read.view);
        if read.view.epoch == self.view.epoch {
            let mark = read.marks.into_iter().next().flatten();
            self.client(&push.client).learn(mark);
        }
        self.number(push, waiter, Known::Fresh, cx);
    }

    fn turn(&self, client: &ClientKey, m: u64) -> Turn {
        match self.clients.get(client) {
            Some(client) if client.decided.is_some_and(|decided| m <= decided) => Turn::Repeat,
            Some(client) if m <= client.taken => Turn::Taken,
            _ => Turn::New,
        }
    }

    pub(super) fn take(&mut self, pending: Pending) {
        let entry = self.client(&pending.client);
        if let Asked::Mutation(mutation) = &pending.asked {
            entry.taken = mutation.m;
        }
        entry.undecided += 1;
        self.pending.push_back(pending);
    }

    /// A resend of what is still undecided waits for the same verdict.
    fn join_taken(
        &mut self,
        (client, mutation): (&ClientKey, &Mutation),
        waiter: Waiter,
        answers: &mut Answers,
        cx: &mut Context<'_>,
    ) {
        let taken = self
            .pending
            .iter_mut()
            .find_map(|pending| match &pending.asked {
                Asked::Mutation(taken) if pending.client == *client && taken.m == mutation.m => {
                    Some((taken.hash, &mut pending.waiters))
                }
                _ => None,
            });
        match taken {
            Some((hash, waiters)) if hash == mutation.hash => {
                if !waiters.contains(&waiter) {
                    waiters.push(waiter);
                } else if let Waiter::Call(call) = waiter {
                    // The same mutation twice in one request has one answer.
                    self.expect_fewer(call);
                }
            }
            _ => {
                let answer = reused();
                cx.note(Note::Verdict(VerdictStatus::from(&answer)));
                answers.add(&[waiter], client, mutation.m, &answer);
            }
        }
    }

    fn expect_fewer(&mut self, call: CallId) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.missing = call.missing.saturating_sub(1);
        }
    }

    /// Tells a client where its numbers must go on.
    pub(super) fn refuse_gap(&mut self, client: &ClientKey, waiter: Waiter, cx: &mut Context<'_>) {
        let acked = self.clients.get(client).and_then(|client| client.decided);
        match waiter {
            Waiter::Conn(conn) => cx.answer(conn, &hub::gap(acked)),
            Waiter::Call(call) => {
                if self.calls.remove(&call).is_some() {
                    cx.effect(Effect::Reply(call, CallReply::Gap(acked)));
                }
            }
        }
    }

    pub(super) fn refuse(&mut self, waiter: Waiter, refusal: Refusal, cx: &mut Context<'_>) {
        match waiter {
            Waiter::Conn(conn) => cx.answer(conn, &hub::error(&refusal)),
            Waiter::Call(call) => {
                if self.calls.remove(&call).is_some() {
                    cx.effect(Effect::Reply(call, CallReply::Refused(refusal)));
                }
            }
        }
    }
}

/// How many of a push's mutations are new after the last one taken; `None` if a number is missing.
fn next_ones(muts: &[Mutation], taken: u64) -> Option<usize> {
    let mut last = taken;
    for mutation in muts {
        if mutation.m > last {
            last = last.checked_add(1).filter(|next| *next == mutation.m)?;
        }
    }
    usize::try_from(last - taken).ok()
}
