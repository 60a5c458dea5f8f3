//! Removing everything of a space. What the server keeps of it goes with the first compaction after
//! `gc_grace_seconds`, or with `nodetool garbagecollect`.
//!
//! What is removed is counted first. If nothing was written since, the receipt says exactly what went.
//! Where others write without pause the space is held, and the receipt is of what was counted before.

use std::collections::BTreeSet;

use syncline_protocol::ids::SpaceKey;
use syncline_protocol::stamp::WallMs;

use super::failure::{Failure, contended};
use super::hold::Hold;
use super::holdings::{Counted, Counting, count};
use super::interlude::Step;
use super::jobs;
use super::outcome::{self, Sent};
use super::row::{SpaceRow, kind};
use super::server::{Server, Writes, of};
use super::space::{opened, unmoved};
use super::statements::Text;
use super::tries::{FREE_TRIES, RACES_MAX};
use super::value::Value;
use crate::random;
use crate::types::{EPOCH_APART_MS, Erased, Holdings, SpaceView, epoch_after_erasure};

/// [`crate::Store::erase`].
pub(super) async fn erase(
    server: &Server,
    space: &SpaceKey,
    now_ms: WallMs,
) -> Result<Holdings, Failure> {
    let erasing = Erasing {
        server,
        space,
        now_ms,
    };
    let mut counted = count(server, space).await?;
    for _ in 0..FREE_TRIES {
        let (row, dead) = (&counted.row, &counted.dead);
        let is_of_now = !counted.has_moved;
        if is_of_now && let Some(view) = erasing.empty((row, dead), Hold::NONE).await? {
            return Ok(receipt(counted, view));
        }
        counted = count(server, space).await?;
    }
    counted.holdings.is_exact = false;
    for _ in 0..RACES_MAX {
        let hold = Hold::take(server, space).await?;
        let emptied = erasing.held(hold).await;
        if !matches!(emptied, Ok(Some(_))) {
            hold.let_go(server, space).await;
        }
        if let Some(view) = emptied? {
            return Ok(receipt(counted, view));
        }
    }
    Err(contended().into())
}

fn receipt(counted: Counted, view: SpaceView) -> Holdings {
    Holdings {
        view,
        ..counted.holdings
    }
}

struct Erasing<'a> {
    server: &'a Server,
    space: &'a SpaceKey,
    now_ms: WallMs,
}

impl Erasing<'_> {
    /// Empties the space while it is held. `None` if something was written all the same.
    async fn held(&self, hold: Hold) -> Result<Option<SpaceView>, Failure> {
        let row = opened(self.server, self.space).await?;
        let dead = match row.job_no {
            Some(_) => Counting::of(self.server, self.space, row).dead().await?,
            None => BTreeSet::new(),
        };
        self.empty((&row, &dead), hold).await
    }

    /// Returns the space as it is then. `None` if something was written since it was seen.
    async fn empty(
        &self,
        (row, dead): (&SpaceRow, &BTreeSet<jobs::Name>),
        hold: Hold,
    ) -> Result<Option<SpaceView>, Failure> {
        let (server, space) = (self.server, self.space);
        let Some(dead) = jobs::dead_of(server, (space, row), dead).await? else {
            return Ok(None);
        };
        let id = random()? as i64;
        let at_ms = self.now_ms.max(row.view.epoch_at_ms + EPOCH_APART_MS);
        let epoch = epoch_after_erasure(row.view.epoch, random()?);
        let head = Value::Int(row.view.head.0 as i64);
        let mut writes = Writes::by(hold);
        let mut values = vec![
            Value::Int(epoch.0 as i64),
            Value::Int(at_ms as i64),
            Value::Int(at_ms as i64),
            head.clone(),
            head,
            Value::Int(id),
        ];
        values.extend(of(space));
        values.extend(unmoved(row));
        values.push(hold.value());
        writes.push(Text::Empty, values);
        push_remove_rows(&mut writes, space);
        // A second one would find nothing to name in its receipt, and spend a lineage: so what cannot be
        // told is an error.
        server.interludes.at(Step::PlanAndBatch).await;
        let sent = Sent::unmoved(id, row);
        if !outcome::write(server, (space, &writes), sent).await? {
            return Ok(None);
        }
        jobs::forget(server, &dead).await;
        Ok(Some(SpaceView {
            epoch,
            epoch_at_ms: at_ms,
            erased: Erased::at(at_ms),
            gc_seq: row.view.head,
            swept: row.view.head,
            live: 0,
            ..row.view
        }))
    }
}

/// Removes every row of a space but those that end the kinds: a deletion wins over what is written
/// at the same time.
pub(super) fn push_remove_rows<'a>(writes: &mut Writes<'a>, space: &'a SpaceKey) {
    for kind in kind::ALL {
        let mut values = of(space);
        values.extend([
            Value::Kind(kind),
            Value::Int(i64::MIN),
            Value::Int(i64::MAX),
        ]);
        writes.push(Text::RemoveRange, values);
    }
}
