//! Presence and broadcasts: told to the space's other sockets, never stored, gone with the
//! socket.

use syncline_protocol::json::Json;
use syncline_protocol::wire::hub;

use super::event::{ConnId, Effect, FrameKind};
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
        own.presence = state;
        let text = hub::presence(own.client.client.as_str(), own.presence.as_ref());
        self.tell_others(conn, &text, cx);
    }

    /// A socket goes: so does its presence.
    pub(super) fn absent(&mut self, conn: ConnId, cx: &mut Context<'_>) {
        self.presence(conn, None, cx);
    }

    /// Shows a newcomer who is there.
    pub(super) fn show_presences(&self, to: ConnId, cx: &mut Context<'_>) {
        for (conn, state) in &self.conns {
            if let (true, Some(presence)) = (*conn != to, &state.presence) {
                let text = hub::presence(state.client.client.as_str(), Some(presence));
                send(to, Frame::text(&text), cx);
            }
        }
    }

    pub(super) fn broadcast(&self, conn: ConnId, room: &str, data: &Json, cx: &mut Context<'_>) {
        if let Some(own) = self.conns.get(&conn) {
            let text = hub::broadcast(room, own.client.client.as_str(), data);
            self.tell_others(conn, &text, cx);
        }
    }

    fn tell_others(&self, from: ConnId, text: &str, cx: &mut Context<'_>) {
        let frame = Frame::text(text);
        for conn in self.conns.keys().filter(|conn| **conn != from) {
            send(*conn, frame.clone(), cx);
        }
    }
}

fn send(conn: ConnId, frame: Frame, cx: &mut Context<'_>) {
    cx.effect(Effect::Send {
        conn,
        frame,
        kind: FrameKind::Ephemeral,
    });
}
