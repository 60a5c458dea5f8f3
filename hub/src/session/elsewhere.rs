//! Presence and broadcasts of sockets on other nodes.
//!
//! Each is known by its node's process and number. What is lost on the way shows in a roll call:
//! who is not in it is gone, and of whom more is in it than was heard the session asks. Nothing is
//! kept while nobody is attached.

use std::collections::BTreeMap;

use syncline_cluster::ephemeral::{Broadcast, Presence, RollCall, Spoken};
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::ids::ClientKey;
use syncline_protocol::json::Json;
use syncline_protocol::wire::hub;

use super::event::{Effect, FrameKind, Shower};
use super::state::{Context, SessionState};
use crate::gateway::frame::Frame;

/// Sockets of other nodes of which a session keeps what they show. More are not shown.
const SHOWN_MAX: usize = 256;

/// What sockets of other nodes show, by process and number.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(BTreeMap<(Instance, u64), Presence>);

impl Elsewhere {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What a client shows on some other node.
    fn of(&self, client: &ClientKey) -> Option<&Json> {
        let mut of = self.0.values().filter(|shown| shown.client == *client);
        of.find_map(|shown| shown.state.as_ref())
    }

    /// Whether a roll call says what is known anyway.
    pub(super) fn agrees_with(&self, instance: Instance, call: &RollCall) -> bool {
        let of = self.0.range((instance, 0)..=(instance, u64::MAX));
        of.map(|((_, conn), shown)| (*conn, shown.no))
            .eq(call.shown.iter().copied())
    }
}

impl SessionState {
    /// Another node told something ephemeral.
    pub(super) fn heard_elsewhere(
        &mut self,
        instance: Instance,
        what: Spoken,
        cx: &mut Context<'_>,
    ) {
        if self.conns.is_empty() {
            return;
        }
        match what {
            Spoken::Presence(shown) => self.shown_elsewhere(instance, shown, cx),
            Spoken::RollCall(call) => self.roll_call(instance, &call, cx),
            Spoken::Broadcast(said) => self.said_elsewhere(&said, cx),
            Spoken::Asked | Spoken::Late => {}
        }
    }

    fn shown_elsewhere(&mut self, instance: Instance, shown: Presence, cx: &mut Context<'_>) {
        let key = (instance, shown.conn);
        let known = self.elsewhere.0.get(&key);
        let is_old = known.is_some_and(|known| known.no >= shown.no);
        let has_room = known.is_some() || self.elsewhere.0.len() < SHOWN_MAX;
        if is_old || (shown.state.is_some() && !has_room) {
            return;
        }
        let client = shown.client.clone();
        if shown.state.is_none() {
            return self.left_elsewhere(key, cx);
        }
        let state = shown.state.clone();
        self.elsewhere.0.insert(key, shown);
        self.show_all(Shower::There(instance, key.1), (&client, state), cx);
    }

    /// A socket of another node shows nothing any more; its client may show something on another.
    fn left_elsewhere(&mut self, key: (Instance, u64), cx: &mut Context<'_>) {
        if let Some(was) = self.elsewhere.0.remove(&key) {
            let state = self.shown_by(&was.client);
            self.show_all(Shower::There(key.0, key.1), (&was.client, state), cx);
        }
    }

    /// What a client shows now, here or elsewhere.
    pub(super) fn shown_by(&self, client: &ClientKey) -> Option<Json> {
        let own = self.conns.values().find(|conn| conn.client == *client);
        let own = own.and_then(|conn| conn.presence.clone());
        own.or_else(|| self.elsewhere.of(client).cloned())
    }

    fn roll_call(&mut self, instance: Instance, call: &RollCall, cx: &mut Context<'_>) {
        let of = self.elsewhere.0.range((instance, 0)..=(instance, u64::MAX));
        let is_gone = |(key, shown): &(&(Instance, u64), &Presence)| {
            let named = call.shown.binary_search_by_key(&key.1, |(conn, _)| *conn);
            named.is_err() && shown.no <= call.upto
        };
        let gone: Vec<(Instance, u64)> = of.filter(is_gone).map(|(key, _)| *key).collect();
        for key in gone {
            self.left_elsewhere(key, cx);
        }
        let has_room = self.elsewhere.0.len() < SHOWN_MAX;
        let is_news = |(conn, no): &(u64, u64)| match self.elsewhere.0.get(&(instance, *conn)) {
            Some(known) => known.no < *no,
            None => has_room,
        };
        if call.shown.iter().any(is_news) {
            cx.effect(Effect::Tell(Spoken::Asked));
        }
    }

    fn said_elsewhere(&self, said: &Broadcast, cx: &mut Context<'_>) {
        let text = hub::broadcast(&said.room, said.client.client.as_str(), &said.data);
        let frame = Frame::text(&text);
        let others = self.conns.iter();
        let others = others.filter(|(_, conn)| conn.client != said.client && !conn.token_ended);
        for (conn, _) in others {
            cx.effect(Effect::Send {
                conn: *conn,
                frame: frame.clone(),
                kind: FrameKind::Ephemeral,
            });
        }
    }

    /// What other nodes' sockets show, for a newcomer.
    pub(super) fn presences_elsewhere(
        &self,
        newcomer: &ClientKey,
    ) -> impl Iterator<Item = (Shower, &Presence)> {
        let others = self.elsewhere.0.iter();
        let others = others.filter(move |(_, shown)| shown.client != *newcomer);
        others.map(|((instance, conn), shown)| (Shower::There(*instance, *conn), shown))
    }
}
