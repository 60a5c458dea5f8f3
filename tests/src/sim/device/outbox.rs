//! A device's own mutations: without number, numbered, decided.

use std::collections::{BTreeMap, VecDeque};

use syncline_hub::session::event::Sender;
use syncline_protocol::ids::Seq;
use syncline_protocol::limits::Limits;
use syncline_protocol::mutation::Mutation;

use crate::sim::checker::Checker;

/// Numbered mutations without a verdict, at most.
const IN_FLIGHT_MAX: usize = 200;

/// Mutations of one push, at most.
const PUSH_MAX: usize = 100;

/// What a device has to say.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Not sent yet, so without number.
    unsent: VecDeque<String>,
    /// Numbered and without verdict.
    numbered: BTreeMap<u64, Numbered>,
    /// With verdict; shown until the cursor passes the commit that decided it.
    decided: BTreeMap<u64, (Seq, String)>,
    /// The last number given.
    last: u64,
    /// The last number with a verdict.
    pub(super) acked: Option<u64>,
}

#[derive(Debug)]
struct Numbered {
    changes: String,
    /// Sent on the socket the device has now.
    pushed: bool,
}

impl Outbox {
    /// Takes a new mutation: `[…]`.
    pub(super) fn add(&mut self, changes: String) {
        self.unsent.push_back(changes);
    }

    /// The next mutations to send, as the text of `muts`; `None` if there are none. Numbers are
    /// given here.
    pub(super) fn next_push(&mut self, sender: &Sender, checker: &mut Checker) -> Option<String> {
        self.number(sender, checker);
        let unpushed = self.numbered.iter_mut().filter(|(_, one)| !one.pushed);
        let mut texts = Vec::new();
        for (m, one) in unpushed.take(PUSH_MAX) {
            one.pushed = true;
            texts.push(text(*m, &one.changes));
        }
        (!texts.is_empty()).then(|| texts.join(","))
    }

    /// Everything without verdict, or its beginning, for a call.
    pub(super) fn for_call(&mut self, sender: &Sender, checker: &mut Checker) -> Option<String> {
        self.number(sender, checker);
        let first = self.numbered.iter().take(PUSH_MAX);
        let texts: Vec<String> = first.map(|(m, one)| text(*m, &one.changes)).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    }

    fn number(&mut self, sender: &Sender, checker: &mut Checker) {
        while self.numbered.len() < IN_FLIGHT_MAX {
            let Some(changes) = self.unsent.pop_front() else {
                return;
            };
            self.last += 1;
            let mutation = Mutation::parse(&text(self.last, &changes), &Limits::DEFAULT)
                .expect("a mutation has a number");
            checker.numbered(sender, &mutation);
            let pushed = false;
            self.numbered
                .insert(self.last, Numbered { changes, pushed });
        }
    }

    /// What was pushed and has no verdict is pushed again.
    pub(super) fn push_again(&mut self) {
        self.numbered
            .values_mut()
            .for_each(|one| one.pushed = false);
    }

    /// Whether something was not pushed on this socket.
    pub(super) fn has_unpushed(&self) -> bool {
        !self.unsent.is_empty() || self.numbered.values().any(|one| !one.pushed)
    }

    /// A verdict came. What took effect stays until the cursor passes `seq`.
    pub(super) fn decided(&mut self, m: u64, seq: Option<Seq>) {
        self.acked = self.acked.max(Some(m));
        if let (Some(one), Some(seq)) = (self.numbered.remove(&m), seq) {
            self.decided.insert(m, (seq, one.changes));
        }
    }

    /// The cursor is here.
    pub(super) fn passed(&mut self, seq: Seq) {
        self.decided.retain(|_, (at, _)| *at > seq);
    }

    /// Another history: what was decided in the lost one and not told back is made again.
    pub(super) fn history_lost(&mut self) {
        for (_, (_, changes)) in std::mem::take(&mut self.decided) {
            self.unsent.push_back(changes);
        }
    }

    /// Another client id: everything without verdict is numbered again from 1.
    pub(super) fn renumber(&mut self) {
        self.history_lost();
        for (_, one) in std::mem::take(&mut self.numbered).into_iter().rev() {
            self.unsent.push_front(one.changes);
        }
        (self.last, self.acked) = (0, None);
    }

    /// Nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.unsent.is_empty() && self.numbered.is_empty() && self.decided.is_empty()
    }

    /// In a few words.
    pub(super) fn describe(&self) -> String {
        format!(
            "unsent {}, without verdict {:?}, decided and not passed {:?}",
            self.unsent.len(),
            self.numbered.keys(),
            self.decided.keys()
        )
    }
}

fn text(m: u64, changes: &str) -> String {
    format!(r#"{{"m":{m},"changes":{changes}}}"#)
}
