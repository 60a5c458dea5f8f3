//! Carries out what the looks want.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::{Audit, Effect, Event, Moment};
use crate::cluster::behind;
use crate::session::entry::Entry;
use crate::session::registry::Sessions;
use crate::telemetry::labels::CatchUpCause;

/// Looks for ever: when it is wanted, and now and then. It ends when nobody can want it any more,
/// which is when the node ends.
pub(in crate::cluster) async fn run(
    sessions: Sessions,
    mut wanted: mpsc::Receiver<CatchUpCause>,
    is_away: impl Fn() -> bool,
) {
    let moment = || Moment {
        is_away: is_away(),
        random: random(),
    };
    let (mut audit, first) = Audit::begin(moment());
    let mut effects = vec![first];
    let mut waits = false;
    let mut over = pin!(sleep_until(Instant::now()));
    let mut looks = FuturesUnordered::new();
    loop {
        let mut listed = None;
        for effect in effects.drain(..) {
            match effect {
                Effect::Wait(ms) => {
                    waits = true;
                    over.as_mut()
                        .reset(Instant::now() + Duration::from_millis(ms));
                }
                Effect::List => {
                    waits = false;
                    looks.clear();
                    listed = Some(Event::Listed(sessions.open()));
                }
                Effect::Look(entries, cause) => looks.push(look(&sessions, entries, cause)),
            }
        }
        let event = match listed {
            Some(event) => event,
            None => tokio::select! {
                cause = wanted.recv(), if audit.takes_wishes() => match cause {
                    Some(cause) => Event::Wanted(cause),
                    None => return,
                },
                () = &mut over, if waits => {
                    waits = false;
                    Event::Waited
                }
                Some(answered) = looks.next() => Event::Looked(answered),
            },
        };
        effects = audit.step(event, moment());
    }
}

/// Without randomness all wait alike.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}

/// Whether the store answered.
async fn look(sessions: &Sessions, entries: Vec<Arc<Entry>>, cause: CatchUpCause) -> bool {
    let spaces: Vec<_> = entries.iter().map(|entry| entry.space.clone()).collect();
    let views = match sessions.store().views(&spaces).await {
        Ok(views) => views,
        Err(error) => {
            debug!(%error, "an audit cannot read the store");
            return false;
        }
    };
    for (entry, view) in entries.iter().zip(views) {
        if let Some(event) = behind::of_view(entry.known(), view) {
            sessions.catch_up(entry, event, cause);
        }
    }
    true
}
