//! What breaks: sessions, nodes, the store itself.

use syncline_hub::session::event::Event;

use super::World;
use crate::sim::count::Kind;
use crate::sim::network::Socket;

/// Of a thousand steps, in how many a token ends or a fresh one is shown.
const TOKENS: u64 = 10;

/// Bytes a device shows of itself then: nearly as much as the smallest outbox holds.
const PRESENCE_BYTES: usize = 250;

impl World {
    /// Something breaks.
    pub(super) fn fault(&mut self) {
        let node = self.aids.rng.below(self.nodes.len());
        match self.aids.rng.below(10) {
            0..=2 => self.crash_session(node),
            3..=4 => self.crash_node(node),
            5 => {
                if self.nodes[node].session.is_some() {
                    self.aids.counts.add(Kind::Drain);
                    self.tell_awake(node, Event::Drain);
                }
            }
            6..=7 => {
                if self.nodes[node].session.is_some() {
                    self.aids.counts.add(Kind::Missed);
                    self.tell(node, Event::Missed);
                }
            }
            _ => {
                let ids: Vec<u64> = self.sockets.keys().copied().collect();
                if !ids.is_empty() {
                    self.cut_one(&ids);
                }
            }
        }
    }

    fn cut_one(&mut self, ids: &[u64]) {
        let id = *self.aids.rng.pick(ids);
        if self.sockets.get(&id).is_some_and(|socket| !socket.left) {
            self.cut(id);
        }
    }

    /// The token of a socket ends, or its device shows a fresh one; and its presence.
    pub(super) fn end_a_token(&mut self) {
        let Some(rng) = &mut self.newer else {
            return;
        };
        if !rng.chance(TOKENS) {
            return;
        }
        // A notice socket is closed at once: that is a cut.
        let has_token = |socket: &&mut Socket| {
            socket.attached.is_some() && !socket.ended && !self.plan.compat[socket.device]
        };
        let mut sockets: Vec<&mut Socket> = self.sockets.values_mut().filter(has_token).collect();
        let place = rng.below(sockets.len());
        let Some(socket) = sockets.get_mut(place) else {
            return;
        };
        // Also what it shows of itself is more than the others' outboxes may have room for.
        if !socket.left {
            let state = "k".repeat(PRESENCE_BYTES);
            let text = format!(r#"{{"t":"presence","state":{{"at":"{state}"}}}}"#);
            socket.up.push_back(text);
        }
        let ends = !socket.token_ended;
        socket.set_token_ended(ends);
        self.aids.counts.add(match ends {
            true => Kind::TokenEnded,
            false => Kind::TokenRenewed,
        });
    }

    /// Every device shows a fresh token.
    pub(super) fn renew_tokens(&mut self) {
        let sockets = self.sockets.values_mut();
        for socket in sockets.filter(|socket| socket.token_ended && !socket.ended) {
            socket.set_token_ended(false);
        }
    }

    /// The session is gone; what it asked of the store happens, the answers go nowhere.
    fn crash_session(&mut self, node: usize) {
        if self.nodes[node].session.is_some() {
            self.aids.counts.add(Kind::SessionCrash);
            self.end_session(node);
        }
    }

    /// A session ends. Its sockets learn it from their outboxes.
    pub(super) fn end_session(&mut self, node: usize) {
        let name = self.nodes[node].name.clone();
        self.aids.trace.say(&name, || "ends its session".into());
        let incarnation = self.nodes[node].incarnation;
        self.abandon_merges((node, incarnation));
        self.abandon_writes((node, incarnation));
        let (outboxes, unheard) = self.nodes[node].end_session();
        outboxes.iter().for_each(|outbox| outbox.session_gone());
        for letter in unheard {
            let socket = letter
                .comes()
                .and_then(|conn| self.sockets.get_mut(&conn.0));
            if let Some(socket) = socket {
                socket.tell_again(letter.event);
            }
        }
        for socket in self.sockets.values_mut() {
            if socket.node == node && socket.attached == Some(incarnation) {
                socket.woken = true;
            }
        }
    }

    /// The process is gone with its sockets and memory. Of what it asked of the store a part
    /// got there.
    pub(super) fn crash_node(&mut self, node: usize) {
        self.aids.counts.add(Kind::NodeCrash);
        self.end_session(node);
        let of_node: Vec<u64> = self
            .sockets
            .iter()
            .filter(|(_, socket)| socket.node == node)
            .map(|(id, _)| *id)
            .collect();
        for id in of_node {
            if !self.sockets[&id].left {
                self.leave(id);
            }
            self.sockets.remove(&id);
        }
        let rng = &mut self.aids.rng;
        self.nodes[node].operations.retain_mut(|operation| {
            // Nobody is left to tell the bus.
            operation.silent = true;
            rng.chance(500)
        });
        for answer in &mut self.nodes[node].answers {
            answer.told = None;
        }
        self.bus.forget(node);
        self.abandon_exchanges(node);
        self.lose_tries(node);
        self.nodes[node].forget_everything(&self.plan, &self.aids);
        if self.cluster.is_some() {
            self.restart(node);
        }
    }

    /// A backup is made, or put in the place of everything.
    pub(super) fn keep_and_restore(&mut self) {
        let Some(restore) = self.plan.restore else {
            return;
        };
        let step = self.aids.trace.step;
        if step == restore.backup_at {
            self.aids.trace.say(&"operator", || "makes a backup".into());
            self.backup = Some((self.store.model.clone(), self.checker.present()));
        } else if step == restore.restore_at
            && let Some((model, present)) = self.backup.take()
        {
            self.aids
                .trace
                .say(&"operator", || format!("restores it: {restore:?}"));
            self.store.restore(model);
            self.checker.restored(present);
            self.doubt_tries();
            if restore.by_the_book {
                self.aids.counts.add(Kind::Restored);
                self.change_epoch();
            } else {
                self.aids.counts.add(Kind::RestoredSilently);
                self.checker.split(self.store.view().epoch);
            }
        }
    }

    /// The operator gives a new epoch.
    pub(super) fn change_epoch(&mut self) {
        let before = self.store.view().epoch;
        let changed = self.store.new_epoch(before, self.now_ms);
        let view = changed.expect("the space is there");
        self.aids
            .trace
            .say(&"operator", || format!("gives epoch {}", view.epoch));
        self.checker.epoch_changed(before, &self.store.model);
    }
}
