//! What a node's session is told, in a world with a real cluster: it waits its turn, also while the
//! session sleeps or is being started. The rules are the hub's own (`session::turns`).

use syncline_hub::session::dormant::Left;
use syncline_hub::session::event::ConnId;
use syncline_hub::session::state::SessionState;
use syncline_hub::session::turns::{Slept, Turn, Turns};
use syncline_protocol::ids::SpaceKey;
use syncline_storage::types::SpaceView;

use super::{Letter, Node};

impl Node {
    /// Where its session believes the space to be; `None` while it starts.
    pub fn known(&self) -> Option<SpaceView> {
        self.session.as_ref().map(|session| session.shown.get())
    }

    /// Whether the space is open here.
    pub fn is_open(&self) -> bool {
        !matches!(self.turns, Turns::Gone)
    }

    /// Its session is told something, when it is its turn. True if it slept.
    pub fn post(&mut self, letter: Letter) -> bool {
        let woken = self.turns.wake(|| ());
        let slept = woken.is_some();
        self.waking = woken.or(self.waking.take());
        if let Turn::Give(letter) = self.turns.tell(letter) {
            self.mailbox.push_back(letter);
        }
        slept
    }

    /// Its session takes the next thing it was told.
    pub fn next_letter(&mut self) -> Option<Letter> {
        let letter = self.mailbox.pop_front()?;
        self.heard += 1;
        Some(letter)
    }

    /// A session that slept goes on.
    pub fn wake(&mut self, space: &SpaceKey) {
        let (Some(session), Some(dormant)) = (&mut self.session, self.waking.take()) else {
            return;
        };
        let parts = session.state.parts();
        session.state = SessionState::wake(space.clone(), self.name.clone(), dormant, parts);
        self.run();
    }

    /// Whether a session that slept is being started.
    pub fn is_waking(&self) -> bool {
        self.waking.is_some()
    }

    /// The session runs: it gets what waited.
    pub(super) fn run(&mut self) {
        self.mailbox = self.turns.started().into();
        self.heard = 0;
    }

    /// Whether the session may try to sleep: nothing is under way, nobody is behind.
    pub fn may_sleep(&self) -> bool {
        let own = self.incarnation;
        let asked = self.operations.iter().any(|o| o.incarnation == own)
            || self.answers.iter().any(|answer| answer.incarnation == own)
            || !self.retries.is_empty();
        let runs = matches!(self.turns, Turns::Awake(_)) && !self.is_waking();
        let session = self.session.as_ref().filter(|_| runs && !asked);
        session.is_some_and(|session| !session.draining && session.state.is_quiet())
    }

    /// The session falls asleep if it has heard all there is.
    pub fn doze(&mut self) -> Slept {
        let Some(session) = &mut self.session else {
            return Slept::No;
        };
        let slept = self.turns.sleep(self.heard, || {
            let dormant = session.state.sleep();
            (!dormant.is_empty()).then_some(dormant)
        });
        if slept != Slept::No {
            // Who ran is no more.
            self.mailbox.clear();
        }
        if slept == Slept::Gone {
            self.session = None;
        }
        slept
    }

    /// A socket leaves. True if a session that runs must be told.
    pub fn leave(&mut self, conn: ConnId) -> bool {
        let Turns::Asleep(dormant) = &mut self.turns else {
            return true;
        };
        match dormant.leave(conn) {
            Left::Concerned => return true,
            Left::Asleep => {
                let session = self.session.as_mut();
                session.map(|session| session.outboxes.remove(&conn));
            }
            Left::Empty => {
                self.turns = Turns::Gone;
                self.session = None;
            }
        }
        false
    }
}
