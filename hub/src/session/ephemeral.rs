//! Presence and broadcasts: told to the space's other sockets, never stored, gone with the
//! socket. A broadcast that finds no room is lost. A presence is a state, so its last word is
//! told when there is room again. A socket whose token has ended is told neither. Other nodes are
//! told the same.

use syncline_cluster::ephemeral::{Broadcast, Spoken};
use syncline_protocol::error::close;
use syncline_protocol::ids::ClientKey;
use syncline_protocol::json::Json;
use syncline_protocol::wire::hub;

use super::conn::{MISSED_MAX, Phase};
use super::event::{ConnId, Effect, FrameKind, Shower};
use super::state::{Context, SessionState};
use crate::gateway::frame::Frame;

impl SessionState {
    pub(super) fn presence(&mut self, conn: ConnId, state: Option<Json>, cx: &mut Context<'_>) {
        let Some(own) = self.conns.get_mut(&conn) else {
            return;
        };
        if own.presence == state {
            return;
        }
        own.presence.clone_from(&state);
        let client = own.client.clone();
        cx.effect(Effect::Show(conn, client.clone(), state));
        // One that came back on another node is shown as it is there.
        let state = self.shown_by(&client);
        self.show_all(Shower::Here(conn), (&client, state), cx);
    }

    /// Shows what a client shows to all others.
    pub(super) fn show_all(
        &mut self,
        of: Shower,
        (client, state): (&ClientKey, Option<Json>),
        cx: &mut Context<'_>,
    ) {
        let text = hub::presence(client.client.as_str(), state.as_ref());
        let frame = Frame::text(&text);
        let mut behind = Vec::new();
        for (other, state) in self.conns.iter().filter(|(_, conn)| conn.client != *client) {
            if state.misses_presence() {
                behind.push(*other);
            } else {
                show(*other, (of, frame.clone()), cx);
            }
        }
        for other in behind {
            self.presence_missed(other, (of, frame.clone()), cx);
        }
    }

    /// Remembers what a socket could not be told of another's presence.
    pub(super) fn presence_missed(
        &mut self,
        conn: ConnId,
        (of, frame): (Shower, Frame),
        cx: &mut Context<'_>,
    ) {
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        let missed = state.missed.get_or_insert_default();
        missed.insert(of, frame);
        if missed.len() > MISSED_MAX {
            cx.effect(Effect::Close {
                conn,
                code: close::SLOW,
                reason: "presence is not read",
            });
            self.detach(conn, cx);
        }
    }

    /// Tells a socket what it missed of others' presence, if it may be told.
    pub(super) fn tell_missed(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        let Some(state) = self.conns.get_mut(&conn) else {
            return;
        };
        if state.token_ended {
            return;
        }
        for (of, frame) in state.missed.take().into_iter().flat_map(|missed| *missed) {
            show(conn, (of, frame), cx);
        }
    }

    /// A socket's token ended: it is shown nothing more. What it wrote is still answered.
    pub(super) fn token_ended(&mut self, conn: ConnId) {
        if let Some(state) = self.conns.get_mut(&conn) {
            state.token_ended = true;
            if matches!(state.phase, Phase::Live) {
                state.phase = Phase::Lagging;
            }
        }
    }

    /// A socket goes: so does its presence.
    pub(super) fn absent(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        self.presence(conn, None, cx);
    }

    /// Shows a newcomer who is there.
    pub(super) fn show_presences(&self, to: ConnId, newcomer: &ClientKey, cx: &mut Context<'_>) {
        let here = self.conns.iter().filter(|(conn, _)| **conn != to);
        let here = here.map(|(conn, state)| {
            let shown = state.presence.as_ref();
            (Shower::Here(*conn), &state.client, shown)
        });
        let there = self.presences_elsewhere(newcomer);
        let there = there.map(|(of, shown)| (of, &shown.client, shown.state.as_ref()));
        for (of, client, shown) in there.chain(here) {
            if shown.is_some() {
                let text = hub::presence(client.client.as_str(), shown);
                show(to, (of, Frame::text(&text)), cx);
            }
        }
    }

    pub(super) fn broadcast(&self, conn: ConnId, room: &str, data: &Json, cx: &mut Context<'_>) {
        if let Some(own) = self.conns.get(&conn) {
            cx.effect(Effect::Tell(Spoken::Broadcast(Broadcast {
                client: own.client.clone(),
                room: room.to_owned(),
                data: data.clone(),
            })));
            let text = hub::broadcast(room, own.client.client.as_str(), data);
            let frame = Frame::text(&text);
            let others = self.conns.iter().filter(|(other, _)| **other != conn);
            for (other, _) in others.filter(|(_, state)| !state.token_ended) {
                cx.effect(Effect::Send {
                    conn: *other,
                    frame: frame.clone(),
                    kind: FrameKind::Ephemeral,
                });
            }
        }
    }
}

/// Shows a socket the presence of another.
fn show(conn: ConnId, (of, frame): (Shower, Frame), cx: &mut Context<'_>) {
    let kind = FrameKind::Presence { of };
    cx.effect(Effect::Send { conn, frame, kind });
}
