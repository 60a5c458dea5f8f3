//! The bus between the nodes of a world: what is told and not heard yet, and where it is cut.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_cluster::bus::{HeadsWhy, Heard, MissedWhy, Told, UnreadWhy};
use syncline_protocol::ids::SpaceKey;

/// Messages to one node that may wait. If there are more, it is told that it missed some.
const BACKLOG_MAX: usize = 3;

/// The bus.
#[derive(Debug, Default)]
pub struct Bus {
    /// On their way, in the order told.
    pub messages: Vec<Message>,
    /// From which node to which it is cut, and until which step.
    cut: BTreeMap<(usize, usize), u64>,
}

/// Something on its way to a node.
#[derive(Debug)]
pub struct Message {
    /// The node.
    pub to: usize,
    /// What it will hear.
    pub heard: Heard,
    /// The step before which it does not arrive.
    pub held_until: u64,
}

/// How something arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it was told.
    Whole,
    /// It cannot be read.
    Damaged,
    /// It is too large for a message.
    Large,
}

impl Bus {
    /// It is cut from one node to another until a step.
    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        self.cut.insert((from, to), until);
    }

    /// Whether it is cut between two nodes at a step.
    pub fn is_cut(&self, from: usize, to: usize, step: u64) -> bool {
        let until = self.cut.get(&(from, to));
        until.is_some_and(|until| step < *until)
    }

    /// Something goes to a node. False if that is behind by so much that all is lost that waits,
    /// and it hears that.
    pub fn send(&mut self, to: usize, heard: Heard, held_until: u64) -> bool {
        let waiting = self.messages.iter().filter(|message| message.to == to);
        let fits = waiting.count() < BACKLOG_MAX;
        let heard = match fits {
            true => heard,
            false => {
                self.forget(to);
                Heard::Missed(MissedWhy::Slow)
            }
        };
        self.messages.push(Message {
            to,
            heard,
            held_until,
        });
        fits
    }

    /// What was on its way to a node goes nowhere.
    pub fn forget(&mut self, to: usize) {
        self.messages.retain(|message| message.to != to);
    }

    /// Nothing is cut or held up any more.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.messages
            .iter_mut()
            .for_each(|message| message.held_until = 0);
    }
}

/// What is heard of what is told of a space, as the buses of the hub make it.
pub fn heard(told: &Told, space: &SpaceKey, form: Form) -> Option<Heard> {
    Some(match (told, form) {
        (_, Form::Damaged) => Heard::Unread(space.clone(), UnreadWhy::Damaged),
        (Told::Commit(event), Form::Whole) => Heard::Commit(Arc::clone(event)),
        (Told::Commit(event), Form::Large) => {
            Heard::Heads(vec![event.space_head()], HeadsWhy::TooLarge)
        }
        (Told::Heads(told), _) => Heard::Heads(told.heads.clone(), HeadsWhy::Again),
        (Told::Heartbeat(_) | Told::Ephemeral(_), _) => return None,
    })
}
