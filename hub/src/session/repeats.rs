//! Mutations that come again: those decided before are answered from the store's marks.

use std::collections::VecDeque;

use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{ClientKey, Epoch};
use syncline_protocol::limits::MUTATIONS_IN_FLIGHT_MAX;
use syncline_protocol::wire::hub::Answer;
use syncline_storage::types::{StoreError, VerdictsRead};

use super::event::{Effect, Note, Repeat};
use super::fanout::Answers;
use super::state::{Context, SessionState};
use crate::telemetry::labels::VerdictStatus;

/// Repeats that are to be answered from the store's marks.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Not asked for yet; each holds a part of its push's permit.
    waiting: VecDeque<Repeat>,
    /// The store was asked for others, by a writer's number of this history.
    reading: Option<Epoch>,
}

impl Repeats {
    /// Nothing waits for an answer.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.reading.is_none()
    }

    /// Whether repeats of a client are still to be asked for.
    pub(super) fn waits_for(&self, client: &ClientKey) -> bool {
        self.waiting.iter().any(|repeat| repeat.client == *client)
    }

    /// Those at the front of one client, as many as one read may ask for.
    fn next(&mut self) -> Option<(ClientKey, Vec<Repeat>)> {
        let client = self.waiting.front()?.client.clone();
        let others = |repeat: &Repeat| repeat.client != client;
        let count = self.waiting.iter().position(others);
        let count = count.unwrap_or(self.waiting.len());
        let repeats = self.waiting.drain(..count.min(MUTATIONS_IN_FLIGHT_MAX));
        Some((client, repeats.collect()))
    }
}

impl SessionState {
    /// Asks the store for the verdicts of repeats. One such read is under way at a time: what
    /// comes meanwhile waits, with its permits, and is read together.
    pub(super) fn read_repeats(&mut self, repeats: Vec<Repeat>, cx: &mut Context<'_>) {
        self.repeats.waiting.extend(repeats);
        self.read_waiting_repeats(cx);
    }

    fn read_waiting_repeats(&mut self, cx: &mut Context<'_>) {
        while self.repeats.reading.is_none()
            && let Some((client, repeats)) = self.repeats.next()
        {
            // The number is looked up now: another history has another one, or none.
            match self.clients.get(&client).and_then(|client| client.writer) {
                Some(writer) => {
                    self.repeats.reading = Some(self.view.epoch);
                    cx.effect(Effect::ReadVerdicts(writer, repeats));
                }
                None => self.refuse_repeats(repeats, cx),
            }
        }
    }

    pub(super) fn verdicts_read(
        &mut self,
        repeats: Vec<Repeat>,
        read: Result<VerdictsRead, StoreError>,
        cx: &mut Context<'_>,
    ) {
        let asked = self.repeats.reading.take();
        let mut answers = Answers::default();
        match read {
            // The number of another history's writer may be another client's in this one: it was
            // asked for in the history the session knew, and looked for in the store's.
            Ok(read) if read.view.epoch != self.view.epoch || asked != Some(self.view.epoch) => {
                self.stale = true;
                self.refuse_repeats(repeats, cx);
            }
            Ok(read) => {
                for (repeat, remembered) in repeats.iter().zip(read.verdicts) {
                    let answer = match remembered {
                        None => Answer::Known,
                        Some(found) if found.hash == repeat.hash => Answer::Verdict(found.verdict),
                        Some(_) => reused(),
                    };
                    cx.note(Note::Verdict(VerdictStatus::from(&answer)));
                    answers.add(&repeat.waiters, &repeat.client, repeat.m, &answer);
                }
            }
            Err(error) => {
                tracing::warn!(space = %self.space, %error, "verdicts could not be read");
                self.refuse_repeats(repeats, cx);
            }
        }
        self.send_answers(answers, cx);
        self.read_waiting_repeats(cx);
    }

    /// Has clients send again what cannot be answered now.
    fn refuse_repeats(&mut self, repeats: Vec<Repeat>, cx: &mut Context<'_>) {
        let refusal = Refusal::new(Code::Unavailable, "the store does not answer");
        for waiter in repeats.into_iter().flat_map(|repeat| repeat.waiters) {
            self.refuse(waiter, refusal.clone(), cx);
        }
    }
}

/// The number belongs to another payload.
pub(super) fn reused() -> Answer {
    let message = "the number was used for another payload";
    Answer::Refused(Refusal::new(Code::NumberReused, message))
}
