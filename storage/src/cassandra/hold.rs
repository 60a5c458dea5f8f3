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

use super::failure::{Failure, contended};
use super::interlude::Step;
use super::server::{Server, Writes, of};
use super::space::{find, opened};
use super::statements::Text;
use super::tries::RACES_MAX;
use super::value::Value;
use crate::random;

/// Seconds after which a hold ends by itself, as the server counts them.
pub(super) const HOLD_S: u32 = 10;

/// Between two looks of who waits.
const LOOK_AGAIN_MS: u64 = 20;

/// Looks of who waits, until well after the hold has ended.
const LOOKS_MAX: u64 = 1_000 * (HOLD_S as u64 + 2) / LOOK_AGAIN_MS;

/// Who holds a space, or nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold(Option<i64>);

impl Hold {
    pub(super) const NONE: Hold = Hold(None);

    /// From now on nobody else writes the space, which the caller opened before.
    pub(super) async fn take(server: &Server, space: &SpaceKey) -> Result<Hold, Failure> {
        for _ in 0..RACES_MAX {
            let id = random()? as i64;
            let mut writes = Writes::default();
            let values = std::iter::once(Value::Int(id)).chain(of(space));
            writes.push(Text::Hold, values.collect());
            let taken = match server.write(&writes).await {
                Ok(taken) => taken,
                Err(Failure::GivenUp(_)) => opened(server, space).await?.held == Some(id),
                Err(failure) => return Err(failure),
            };
            if taken {
                return Ok(Hold(Some(id)));
            }
            opened(server, space).await?;
        }
        Err(contended().into())
    }

    /// What is tested by who holds the space, or by who writes while nobody may.
    pub(super) fn value(self) -> Value<'static> {
        Value::maybe(self.0)
    }

    pub(super) fn id(self) -> Option<i64> {
        self.0
    }

    /// Lets others write again. If that fails the hold ends by itself.
    pub(super) async fn let_go(self, server: &Server, space: &SpaceKey) {
        let Some(id) = self.0 else { return };
        let mut writes = Writes::by(self);
        let mut values = of(space);
        values.push(Value::Int(id));
        writes.push(Text::LetGo, values);
        drop(server.write(&writes).await);
    }
}

/// Waits until a holder has let a space go.
pub(super) async fn until_let_go(server: &Server, space: &SpaceKey, holder: i64) {
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(Duration::from_millis(LOOK_AGAIN_MS)).await;
        server.interludes.at(Step::WaitAndLook).await;
        match find(server, space).await {
            Ok(found) if found.space().is_some_and(|row| row.held == Some(holder)) => {}
            _ => return,
        }
    }
}
