//! Having a space to oneself for a moment.
//!
//! Whoever reads much of a space, and then writes on the condition that nothing was written since the
//! first read, would never get there while others write without pause. So after some tries
//! ([`super::tries`]) it holds the space. Everybody else's condition tests that nobody does, but of a new
//! epoch and of forgetting a space, which have the holder begin anew; and who is
//! told otherwise waits until the space is let go. A hold ends by itself, so that one whose holder is gone
//! is in nobody's way for long.

use std::time::Duration;

use syncline_protocol::ids::SpaceKey;
use tokio::time::Instant;

use super::failure::{Failure, contended};
use super::interlude::Step;
use super::server::{Level, Server, Writes, of};
use super::space::{find_at, opened};
use super::statements::Text;
use super::tries::RACES_MAX;
use super::value::Value;
use crate::random;
use crate::types::StoreError;

/// Seconds after which a hold ends by itself, as the server counts them, unless who has it keeps it.
pub(super) const HOLD_S: u32 = 10;

/// For how long it may be kept, so that nobody is kept waiting for ever.
const KEPT_MAX: Duration = Duration::from_secs(300);

/// How long somebody waits for spaces that others hold; then the caller is told to try again.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest first pause of who waits. Each is twice as long as the one before, up to the longest.
const PAUSE_FIRST_MS: u64 = 20;
const PAUSE_LONGEST_MS: u64 = 640;

/// Who holds a space, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold(Option<Held>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// Random.
    id: i64,
    /// When it was taken.
    since: Instant,
    /// When it was taken or last kept.
    kept: Instant,
}

impl Hold {
    pub(super) const NONE: Hold = Hold(None);

    /// From now on nobody else writes the space, which the caller opened before.
    pub(super) async fn take(server: &Server, space: &SpaceKey) -> Result<Hold, Failure> {
        let began = Instant::now();
        for _ in 0..RACES_MAX {
            let since = Instant::now();
            if since.duration_since(began) >= server.options().hold_wait_max {
                break;
            }
            let id = random()? as i64;
            let mut writes = Writes::default();
            writes.push(Text::Hold, held_values(server, space, id));
            let taken = match server.write(&writes).await {
                Ok(taken) => taken,
                Err(Failure::GivenUp(_)) => opened(server, space).await?.held == Some(id),
                Err(failure) => return Err(failure),
            };
            if taken {
                let kept = since;
                return Ok(Hold(Some(Held { id, since, kept })));
            }
            opened(server, space).await?;
        }
        Err(contended().into())
    }

    /// The same for another while, if some of this one is over. `None` if it had ended, so that others may
    /// have written. Errors: also if it was kept for as long as may be.
    pub(super) async fn keep(
        self,
        server: &Server,
        space: &SpaceKey,
    ) -> Result<Option<Hold>, Failure> {
        let Some(held) = self.0 else {
            return Ok(Some(self));
        };
        let now = Instant::now();
        if now.duration_since(held.since) > KEPT_MAX {
            let why = "the space takes longer to be read than its writers may be kept waiting";
            return Err(StoreError::Unavailable(why.to_owned()).into());
        }
        let hold = Duration::from_secs(server.options().hold_s.into());
        if now.duration_since(held.kept) < hold / 4 {
            return Ok(Some(self));
        }
        let mut writes = Writes::by(self);
        let mut values = held_values(server, space, held.id);
        values.push(Value::Int(held.id));
        writes.push(Text::KeepHold, values);
        match server.write(&writes).await {
            Ok(true) => Ok(Some(Hold(Some(Held { kept: now, ..held })))),
            Ok(false) => Ok(None),
            // It may have been done. The next one tells.
            Err(Failure::GivenUp(_) | Failure::Lost(_)) => Ok(Some(self)),
            Err(failure) => Err(failure),
        }
    }

    /// What is tested by who holds the space, or by who writes while nobody may.
    pub(super) fn value(self) -> Value<'static> {
        Value::maybe(self.id())
    }

    pub(super) fn id(self) -> Option<i64> {
        self.0.map(|held| held.id)
    }

    /// Lets others write again. If that fails the hold ends by itself.
    pub(super) async fn let_go(self, server: &Server, space: &SpaceKey) {
        let Some(id) = self.id() else { return };
        let mut writes = Writes::by(self);
        let mut values = of(space);
        values.push(Value::Int(id));
        writes.push(Text::LetGo, values);
        drop(server.write(&writes).await);
    }
}

fn held_values<'a>(server: &Server, space: &'a SpaceKey, id: i64) -> Vec<Value<'a>> {
    let hold_s = i32::try_from(server.options().hold_s).unwrap_or(i32::MAX);
    let mut values = vec![Value::Small(hold_s), Value::Int(id)];
    values.extend(of(space));
    values
}

/// Waits until a holder has let a space go. Errors: that takes too long.
pub(super) async fn until_let_go(
    server: &Server,
    space: &SpaceKey,
    holder: i64,
) -> Result<(), Failure> {
    let until = Instant::now() + server.options().hold_wait_max;
    let mut longest_ms = PAUSE_FIRST_MS;
    while Instant::now() < until {
        // Those who wait for the same space do not all look at once.
        let ms = 1 + random()? % longest_ms;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        server.interludes.at(Step::WaitAndLook).await;
        match find_at(server, space, Level::Hint).await {
            Ok(found) if found.space().is_some_and(|row| row.held == Some(holder)) => {}
            _ => return Ok(()),
        }
        longest_ms = PAUSE_LONGEST_MS.min(longest_ms * 2);
    }
    Err(contended().into())
}
