//! Compatibility clients: changesets come in, sockets hear which tables change.

use std::collections::BTreeSet;

use syncline_protocol::ids::TableName;
use syncline_protocol::mutant::{Mutant, mutant};

use super::event::{Effect, FrameKind, Sync, Waiter};
use super::pending::{Asked, Held, Pending};
use super::state::{Context, SessionState};
use crate::gateway::frame::Frame;

impl SessionState {
    /// Takes a changeset, once its client's mark is known.
    pub(super) fn sync(&mut self, sync: Sync, cx: &mut Context<'_>) {
        let known = self.clients.get(&sync.client);
        if known.is_some_and(|client| client.writer.is_some()) {
            return self.take_sync(sync, cx);
        }
        self.hold_call(sync.call, Held::Sync(sync), cx);
    }

    pub(super) fn take_sync(&mut self, sync: Sync, cx: &mut Context<'_>) {
        if sync.since.is_past(&self.view.place()) {
            // Another node told the device what is not known here, or the store has lost it. A
            // changeset without effect makes no commit that would find that out, and is answered with
            // what won.
            self.stale = true;
        }
        self.take(Pending {
            client: sync.client,
            asked: Asked::Sync(sync.changes),
            since: Some(sync.since),
            taken_at_ms: cx.now_ms,
            depth: 0,
            waiters: vec![Waiter::Call(sync.call)],
            later: Vec::new(),
            earlier: None,
            _permit: sync.permit.map(std::sync::Arc::new),
            trace: sync.trace,
        });
    }

    /// Whether a changeset waits whose device has heard of what is not there, of a session that has
    /// read the store since it took it: the store has lost commits. Nothing may take their numbers.
    pub(super) fn is_behind_changesets(&self) -> bool {
        let place = self.view.place();
        let mut cursors = self.pending.iter().filter_map(|pending| pending.since);
        cursors.any(|since| since.is_ahead_of(&place)) && !mutant(Mutant::TrustAhead)
    }

    /// Tells every compatibility socket which tables changed.
    pub(super) fn tell_watchers<'t>(
        &self,
        tables: impl Iterator<Item = &'t TableName>,
        cx: &mut Context<'_>,
    ) {
        let tables: BTreeSet<&TableName> = tables.filter(|table| !table.is_hubs()).collect();
        if tables.is_empty() || self.watchers.is_empty() || mutant(Mutant::TellNoWatcher) {
            return;
        }
        let names: Vec<&str> = tables.iter().map(|table| table.as_str()).collect();
        let text = serde_json::json!({"type": "sync-available", "tables": names}).to_string();
        let frame = Frame::text(&text);
        for conn in &self.watchers {
            let (conn, frame) = (*conn, frame.clone());
            let kind = FrameKind::Answer;
            cx.effect(Effect::Send { conn, frame, kind });
        }
    }
}
