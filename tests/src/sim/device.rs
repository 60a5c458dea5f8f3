//! Devices: what the world asks of one, whatever protocol it speaks.

pub mod compat;
mod edits;
mod message;
pub mod native;
mod outbox;
mod replica;

use std::collections::BTreeSet;

use syncline_hub::session::event::Sender;
use syncline_protocol::compat::cursor::Place;
use syncline_protocol::ids::{ClientKey, RecordKey};

use super::checker::Checker;
use super::count::Counts;
use super::exchange::{Ask, Reply};
use super::trace::{Aids, Checked};

/// What a device may use while it acts.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The true time.
    pub now_ms: u64,
    /// Chance, counts, lines.
    pub aids: &'a mut Aids,
    /// What it is told is held against this.
    pub checker: &'a mut Checker,
    /// What it sends on its socket, in order.
    pub sends: &'a mut Vec<String>,
    /// It wants to leave its socket.
    pub leaves: &'a mut bool,
}

/// A device of the user. It works offline, and syncs while it has a socket.
pub trait Device: std::fmt::Debug {
    /// For people.
    fn name(&self) -> &str;

    /// The user edits something, of free will.
    fn edit(&mut self, cx: &mut Cx<'_>);

    /// Its clock is off by so much from the beginning.
    fn set_clock(&mut self, skew_ms: i64);

    /// Its user opens a second tab, if it can have one.
    fn open_tab(&mut self) -> bool {
        false
    }

    /// From now on it asks beside what it waits for, if it can.
    fn hurry(&mut self) -> bool {
        false
    }

    /// Everything may be erased in its world.
    fn heed_erasures(&mut self) {}

    /// Deletes something, where there is somebody who collects.
    fn clear_up(&mut self, _cx: &mut Cx<'_>) {}

    /// It has a socket now, and says hello on it.
    fn connect(&mut self, cx: &mut Cx<'_>);

    /// It has no socket any more.
    fn disconnected(&mut self);

    /// A message came.
    fn receive(&mut self, text: &str, cx: &mut Cx<'_>) -> Checked;

    /// Sends what it has to send, if it can.
    fn push(&mut self, cx: &mut Cx<'_>);

    /// What it would push by HTTP: who it is, and the text of `muts`.
    fn call(&mut self, cx: &mut Cx<'_>) -> Option<(Sender, String)>;

    /// The HTTP reply came: `{"results":…}`, or an error with a code.
    fn called(&mut self, client: &ClientKey, text: &str, cx: &mut Cx<'_>) -> Checked;

    /// From the next connection on it wants more.
    fn grow(&mut self, cx: &mut Cx<'_>);

    /// It has something to push that was not pushed on this socket.
    fn wants_to_push(&self) -> bool;

    /// It has something to ask by HTTP. One that does all on its socket never has.
    fn wants_to_ask(&self) -> bool {
        false
    }

    /// What it asks by HTTP. Copies of its earlier requests may still change the records
    /// `under_way`.
    fn ask(&mut self, _under_way: BTreeSet<RecordKey>, _cx: &mut Cx<'_>) -> Option<Ask> {
        None
    }

    /// A long time has passed.
    fn look_again(&mut self) {}

    /// The numbers of the requests it waits for.
    fn awaits(&self) -> Vec<u64> {
        Vec::new()
    }

    /// How one of these requests ended.
    fn answered(&mut self, _no: u64, _reply: &Reply, _cx: &mut Cx<'_>) -> Checked {
        Ok(())
    }

    /// It has begun to take a reply and writes down what that tells.
    fn wants_to_write(&self) -> bool {
        false
    }

    /// Writes a line of it.
    fn write(&mut self, _cx: &mut Cx<'_>) -> Checked {
        Ok(())
    }

    /// Whether one of its pulls would be ahead of this place in its history.
    fn is_ahead_of(&self, _place: &Place) -> bool {
        false
    }

    /// Whether whatever it asks would be.
    fn is_wholly_ahead_of(&self, _place: &Place) -> bool {
        false
    }

    /// Whether it holds exactly what is visible and has nothing of its own left; else why not.
    fn is_settled(&self, checker: &Checker, counts: &mut Counts) -> Result<(), String>;
}
