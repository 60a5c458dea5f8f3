//! Carries out what the walk wants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use syncline_storage::Store;

use super::{Effect, Event, Moment, Walk};
use crate::clock::Clock;
use crate::session::registry::Sessions;
use crate::telemetry::Metrics;

/// Walks for ever. To be dropped at any moment: what is under way takes effect whole or not at
/// all.
pub async fn run(
    mut walk: Walk,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    (sessions, metrics): (Sessions, Arc<Metrics>),
) {
    let mut effect = walk.first(random());
    loop {
        let event = match effect {
            Effect::Pause(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Event::Go
            }
            Effect::List(after, limit) => Event::Listed(store.spaces(after.as_ref(), limit).await),
            Effect::Collect(space, collect) => {
                let began = Instant::now();
                let collected = store.collect(&space, collect).await;
                metrics.retention_seconds.observe(began.elapsed());
                metrics.retention_looks.inc();
                match &collected {
                    Ok(collected) => {
                        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
                        metrics
                            .retention_records
                            .inc_by(count(collected.tombstones));
                        metrics.retention_marks.inc_by(count(collected.marks));
                    }
                    Err(error) => metrics.note_damage(error),
                }
                Event::Collected(collected)
            }
            Effect::Forget(space, before_ms) => Event::Forgotten(match sessions.find(&space) {
                // Whoever has it open would have to begin anew.
                Some(_) => Ok(false),
                None => store.forget_unwritten(&space, before_ms).await,
            }),
        };
        let moment = Moment {
            now_ms: clock.now_ms(),
            random: random(),
        };
        effect = walk.step(event, moment);
    }
}

/// Without randomness nodes walk together, which is no harm.
fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}
