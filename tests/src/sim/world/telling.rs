//! What sessions are told, and what they leave behind when they were.

use std::sync::Arc;

use syncline_hub::gateway::outbox::Outbox;
use syncline_hub::session::event::{ConnId, Event};
use syncline_hub::session::turns::Turns;

use super::World;
use crate::sim::count::Kind;
use crate::sim::node::{Letter, Node};

impl World {
    /// Tells every running session.
    pub(super) fn tell_all(&mut self, event: impl Fn() -> Event) {
        for node in 0..self.nodes.len() {
            self.tell(node, event());
        }
    }

    /// Tells a node's session something: at once, or when it is its turn.
    pub(super) fn tell(&mut self, node: usize, event: Event) {
        let outbox = match &event {
            Event::Attach(attach) => self.outbox(attach.conn),
            Event::Watch(conn) => self.outbox(*conn),
            _ => None,
        };
        // What a session tells itself is not counted, and reaches only the one that runs.
        let own = matches!(event, Event::Store(_) | Event::RetryDue(_));
        if own || self.cluster.is_none() {
            return self.hand(node, event, outbox);
        }
        if self.nodes[node].post(Letter { event, outbox }) {
            self.aids.counts.add(Kind::WokenWhileAsleep);
        }
    }

    /// Tells it, unless it sleeps.
    pub(super) fn tell_awake(&mut self, node: usize, event: Event) {
        if !matches!(self.nodes[node].turns, Turns::Asleep(_)) {
            self.tell(node, event);
        }
    }

    /// A node's session takes something.
    pub(super) fn hand(&mut self, node: usize, event: Event, outbox: Option<Arc<Outbox>>) {
        let name = self.nodes[node].name.clone();
        self.aids.trace.say(&name, || describe(&event));
        let now_ms = self.now_ms;
        let sleeps_at_once = self.plan.sleepy && self.cluster.is_none();
        let asked = self.nodes[node].operations.len();
        let with = (now_ms, sleeps_at_once, &mut self.aids);
        self.nodes[node].step(event, outbox, with);
        for at in asked..self.nodes[node].operations.len() {
            self.nodes[node].operations[at].held_until = self.hold(Kind::EffectDelayed);
        }
        self.let_in(node);
        self.collect(node);
    }

    /// Sockets go on that were welcomed or turned away.
    fn let_in(&mut self, node: usize) {
        let own = &self.nodes[node];
        let Some(session) = own.session.as_ref().filter(|_| self.cluster.is_some()) else {
            return;
        };
        let unheard = |conn| {
            own.mailbox
                .iter()
                .any(|letter| letter.comes() == Some(conn))
        };
        let sockets = self.sockets.values_mut();
        for socket in sockets.filter(|socket| socket.node == node && socket.waits) {
            socket.waits = session.state.is_attaching(socket.conn) || unheard(socket.conn);
        }
    }

    fn outbox(&self, conn: ConnId) -> Option<Arc<Outbox>> {
        let socket = self.sockets.get(&conn.0);
        socket.map(|socket| socket.outbox.clone())
    }

    /// Takes up what a session left: sockets to write, replies to carry.
    fn collect(&mut self, node: usize) {
        for told in std::mem::take(&mut self.nodes[node].told) {
            self.publish(node, &told);
        }
        let own: &mut Node = &mut self.nodes[node];
        if let Some(session) = &mut own.session {
            for conn in session.woken.drain(..) {
                if let Some(socket) = self.sockets.get_mut(&conn.0) {
                    socket.woken = true;
                }
            }
        }
        for (call, reply) in std::mem::take(&mut self.nodes[node].replies) {
            if let Some(at) = self.try_of(call) {
                self.job_answered(at, reply);
                continue;
            }
            let mut exchanges = self.exchanges.iter_mut();
            if let Some(exchange) = exchanges.find(|one| one.waits_for(call)) {
                exchange.merged(reply, &mut self.aids);
                continue;
            }
            if let Some(text) = self.calls.reply(call, reply) {
                self.aids
                    .trace
                    .say(&self.nodes[node].name, || format!("replies {text}"));
            }
        }
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Store(answer) => {
            let text = format!("{answer:?}");
            let short: String = text.chars().take(700).collect();
            format!("is answered {short}")
        }
        Event::Push(push) => {
            let ms: Vec<u64> = push.muts.iter().map(|mutation| mutation.m).collect();
            format!("takes a push {ms:?} of {:?}", push.origin)
        }
        Event::Heard(event) => format!("hears {} -> {} of {}", event.from, event.to, event.epoch),
        other => format!("takes {other:?}"),
    }
}
