//! What a client's socket gives its session to judge: when its user may push, and as soon as there is
//! room for it. While it waits nothing more is read, so the pressure reaches the sender; after a
//! while it is told to slow down, and the message is as if never sent.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::ids::UserId;
use syncline_protocol::mutation::Mutation;
use syncline_protocol::trace::SaidTrace;
use tokio::time::{Instant, sleep_until};

use super::{Attached, Done, SLOW_RETRY_MS};
use crate::gateway::Gateway;
use crate::gateway::intake::{Intake, Permit};
use crate::gateway::link::{Ending, Link};
use crate::gateway::pace::{Load, TooFast};
use crate::gateway::task::Wait;
use crate::session::actor::Message;
use crate::session::entry::Entry;
use crate::session::event::{Event, Origin, Push};

/// How long a push of a user that is too fast waits for its turn. Nothing more is read meanwhile.
const TURN_WITHIN: Duration = Duration::from_secs(5);

impl Attached {
    pub(super) fn push(
        &self,
        link: &mut Link,
        (muts, trace): (Vec<Mutation>, SaidTrace),
        bytes: usize,
    ) -> Option<Wait<Done>> {
        if self.is_expired(link) {
            link.may_be_cheap(bytes);
            return None;
        }
        let origin = Origin::Conn(link.conn());
        let user = link.user.clone()?;
        let changes = muts.iter().map(Mutation::change_count).sum();
        let load = Load { changes, bytes };
        let trace = link.gateway.traces.push(trace);
        let message = move |permit| {
            let permit = Some(permit);
            trace.iter().for_each(|trace| trace.admitted());
            Message::Event(Event::Push(Push {
                origin,
                muts,
                permit,
                trace,
            }))
        };
        let taken = link.gateway.paces.take(&user, load, Instant::now());
        let Err(too_fast) = taken else {
            return self.tell_with_permit(link, bytes, message);
        };
        link.gateway.metrics.pushes_paced.inc();
        let (gateway, entry) = (link.gateway.clone(), self.entry.clone());
        Some(Box::pin(async move {
            if let Err(too_fast) = turn(&gateway, (&user, load), too_fast).await {
                return Ok(Done::Slow("user", too_fast.wait_ms()));
            }
            // A session that ended has closed the outbox, which says how to go on.
            let Some(room) = gateway.sessions.room(&entry) else {
                return Ok(Done::Told);
            };
            admit(&gateway, &entry, (room, &user, bytes), message).await
        }))
    }

    /// Tells the session something that takes room until it is decided. While there is none,
    /// nothing more is read from the socket.
    pub(super) fn tell_with_permit(
        &self,
        link: &Link,
        bytes: usize,
        message: impl FnOnce(Permit) -> Message + Send + 'static,
    ) -> Option<Wait<Done>> {
        // A session that ended has closed the outbox, which says how to go on.
        let room = link.gateway.sessions.room(&self.entry)?;
        let user = link.user.clone()?;
        if let Some(permit) = room.permit_now(user.as_str(), bytes) {
            drop(link.gateway.sessions.tell(&self.entry, message(permit)));
            return None;
        }
        let (gateway, entry) = (link.gateway.clone(), self.entry.clone());
        Some(Box::pin(async move {
            admit(&gateway, &entry, (room, &user, bytes), message).await
        }))
    }
}

/// Tells the session something as soon as there is room for so many bytes of it.
async fn admit(
    gateway: &Gateway,
    entry: &Arc<Entry>,
    (room, user, bytes): (Intake, &UserId, usize),
    message: impl FnOnce(Permit) -> Message,
) -> Result<Done, Ending> {
    let Ok(permit) = room.permit(user.as_str(), bytes).await else {
        return Ok(Done::Slow("app", SLOW_RETRY_MS));
    };
    drop(gateway.sessions.tell(entry, message(permit)));
    Ok(Done::Told)
}

/// Waits until a user that is too fast may push again, for a while: other sockets of it wait too.
async fn turn(
    gateway: &Gateway,
    (user, load): (&UserId, Load),
    mut too_fast: TooFast,
) -> Result<(), TooFast> {
    let due = Instant::now() + TURN_WITHIN;
    while Instant::now() < due {
        sleep_until(due.min(Instant::now() + too_fast.0)).await;
        match gateway.paces.take(user, load, Instant::now()) {
            Ok(()) => return Ok(()),
            Err(still) => too_fast = still,
        }
    }
    Err(too_fast)
}
