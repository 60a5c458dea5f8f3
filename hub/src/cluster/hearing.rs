//! What other nodes tell reaches the sessions that run or sleep here.

use std::time::Duration;

use syncline_cluster::bus::{HeadsWhy, Heard, MissedWhy, Subscription, UnreadWhy};
use syncline_cluster::directory::News;
use syncline_cluster::event::SpaceHead;
use syncline_cluster::heartbeat::Heartbeat;
use syncline_protocol::ids::SpaceKey;
use tokio::time::Instant;
use tracing::warn;

use super::Wanted;
use super::behind;
use super::ephemera::Ephemera;
use super::nodes::Nodes;
use crate::session::event::Event;
use crate::session::registry::Sessions;
use crate::telemetry::labels::CatchUpCause;

/// From one look to the next for what newer hubs say and nobody here can read. They say it ten times,
/// once a second, and each commit was told before, which names its space.
const NEWER_APART: Duration = Duration::from_secs(3);

/// Whom it concerns what is heard.
pub(super) struct Hearer {
    pub(super) sessions: Sessions,
    pub(super) nodes: Nodes,
    pub(super) ephemera: Option<Ephemera>,
    pub(super) wanted: Wanted,
    /// The last look for what newer hubs say.
    pub(super) newer_at: Option<Instant>,
}

impl Hearer {
    /// Hears for ever. It waits for nothing but the bus, so that it is never the one that is slow.
    pub(super) async fn hear(mut self, mut bus: Box<dyn Subscription>) {
        while let Some(heard) = bus.next().await {
            self.take(heard);
        }
        warn!("the bus is gone: other nodes are heard no more");
    }

    fn take(&mut self, heard: Heard) {
        let sessions = &self.sessions;
        match heard {
            Heard::Commit(event) => {
                if let Some(due_ms) = event.jobs_due_ms {
                    sessions.ring_for_jobs(due_ms);
                }
                if let Some(followed) = event.followed {
                    sessions.followed(followed.committed_at_ms);
                }
                if let Some(entry) = sessions.heard(&event.space) {
                    sessions.hear(&entry, event);
                }
            }
            Heard::Heads(heads, why) => {
                let cause = match why {
                    HeadsWhy::Again => CatchUpCause::Repeat,
                    HeadsWhy::TooLarge => CatchUpCause::Large,
                };
                heads.iter().for_each(|at| head(sessions, at, cause));
            }
            Heard::Heartbeat(said) => self.heartbeat(&said),
            Heard::Ephemeral(told) => {
                if let Some(ephemera) = &self.ephemera {
                    ephemera.hear(&told, sessions);
                }
            }
            Heard::Unread(space, why) => unread(sessions, &space, why),
            Heard::Missed(MissedWhy::Reconnected) => self.missed(CatchUpCause::Reconnect),
            Heard::Missed(MissedWhy::Slow) => self.missed(CatchUpCause::Slow),
            Heard::Missed(MissedWhy::Newer) => {
                let is_over = |at: Instant| at.elapsed() >= NEWER_APART;
                if self.newer_at.is_none_or(is_over) {
                    self.newer_at = Some(Instant::now());
                    self.missed(CatchUpCause::Newer);
                }
            }
        }
    }

    /// Any space that is open here may be behind.
    fn missed(&self, cause: CatchUpCause) {
        self.sessions.missed();
        // If one is wanted already, that one is still to come.
        let _ = self.wanted.try_send(cause);
    }

    fn heartbeat(&self, said: &Heartbeat) {
        let news = self.nodes.hear(said);
        let Some(ephemera) = &self.ephemera else {
            return;
        };
        match news {
            News::Appeared => ephemera.node_appeared(),
            News::Gone => ephemera.node_gone(said.instance, &self.sessions),
            News::Nothing | News::SharesName | News::Full => {}
        }
    }
}

/// Who has it already is not woken.
fn head(sessions: &Sessions, at: &SpaceHead, cause: CatchUpCause) {
    let Some(entry) = sessions.heard(&at.space) else {
        return;
    };
    if let Some(event) = behind::of_head(entry.known(), at) {
        sessions.catch_up(&entry, event, cause);
    }
}

fn unread(sessions: &Sessions, space: &SpaceKey, why: UnreadWhy) {
    let cause = match why {
        UnreadWhy::Newer => CatchUpCause::Newer,
        UnreadWhy::Damaged => CatchUpCause::Damaged,
    };
    if let Some(entry) = sessions.heard(space) {
        sessions.catch_up(&entry, Event::Missed, cause);
    }
}
