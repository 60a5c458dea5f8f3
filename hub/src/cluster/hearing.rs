//! What other nodes tell reaches the sessions that run or sleep here.

use syncline_cluster::bus::{HeadsWhy, Heard, MissedWhy, Subscription, UnreadWhy};
use syncline_cluster::event::SpaceHead;
use syncline_protocol::ids::SpaceKey;
use tracing::warn;

use super::Wanted;
use crate::session::actor::Message;
use crate::session::event::Event;
use crate::session::registry::Sessions;
use crate::telemetry::labels::CatchUpCause;

/// Hears for ever. It waits for nothing but the bus, so that it is never the one that is slow.
pub(super) async fn hear(mut bus: Box<dyn Subscription>, sessions: Sessions, wanted: Wanted) {
    while let Some(heard) = bus.next().await {
        match heard {
            Heard::Commit(event) => {
                if let Some(entry) = sessions.find(&event.space) {
                    // One that ended reads the store when it starts again.
                    drop(sessions.tell(&entry, Message::Event(Event::Heard(event))));
                }
            }
            Heard::Heads(heads, why) => {
                let cause = match why {
                    HeadsWhy::Again => CatchUpCause::Repeat,
                    HeadsWhy::TooLarge => CatchUpCause::Large,
                };
                heads.iter().for_each(|at| head(&sessions, at, cause));
            }
            Heard::Unread(space, why) => unread(&sessions, &space, why),
            Heard::Missed(why) => {
                let cause = match why {
                    MissedWhy::Reconnected => CatchUpCause::Reconnect,
                    MissedWhy::Slow => CatchUpCause::Slow,
                };
                // If one is wanted already, that one is still to come.
                let _ = wanted.try_send(cause);
            }
        }
    }
    warn!("the bus is gone: other nodes are heard no more");
}

/// Who has it already is not woken.
fn head(sessions: &Sessions, at: &SpaceHead, cause: CatchUpCause) {
    let Some(entry) = sessions.find(&at.space) else {
        return;
    };
    if entry.is_behind(at.epoch, at.head) {
        let (epoch, head) = (at.epoch, at.head);
        sessions.catch_up(&entry, Event::HeadHeard { epoch, head }, cause);
    }
}

fn unread(sessions: &Sessions, space: &SpaceKey, why: UnreadWhy) {
    let cause = match why {
        UnreadWhy::Newer => CatchUpCause::Newer,
        UnreadWhy::Damaged => CatchUpCause::Damaged,
    };
    if let Some(entry) = sessions.find(space) {
        sessions.catch_up(&entry, Event::Missed, cause);
    }
}
