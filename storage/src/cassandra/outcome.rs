//! What became of a batch whose answer did not say.
//!
//! A read of now finishes what was agreed on, or sees to it that it never will be. So it tells, as
//! long as nothing else was written since, and the server itself is done with the batch.

use syncline_protocol::ids::{Epoch, Seq, SpaceKey};

use super::failure::Failure;
use super::row::SpaceRow;
use super::server::{Server, Writes};
use super::space::find;

/// A batch as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// `last_commit` if it was done. Random.
    pub(super) id: i64,
    /// `last_commit` as it was seen before.
    pub(super) seen: i64,
    /// What it has the space move on from, to a higher head; `None` if the head stays.
    pub(super) from: Option<(Epoch, Seq)>,
}

impl Sent {
    /// One that tests that nothing was written since the look.
    pub(super) fn unmoved(id: i64, seen: &SpaceRow) -> Sent {
        Sent {
            id,
            seen: seen.last_commit,
            from: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Done,
    /// Nothing of it was done, and nothing of it is under way.
    NotDone,
    /// Nobody knows yet.
    Open,
}

/// From a space that was read after the answer failed. `is_settled`: nothing of the batch is under
/// way any more.
fn became(sent: Sent, is_settled: bool, found: Option<&SpaceRow>) -> Became {
    let Some(found) = found else {
        return Became::Open;
    };
    let stands = |from| from == (found.view.epoch, found.view.head);
    let was_before = found.last_commit == sent.seen || sent.from.is_some_and(stands);
    match found.last_commit == sent.id {
        true => Became::Done,
        false if is_settled && was_before => Became::NotDone,
        false => Became::Open,
    }
}

/// Writes all or nothing; `false` if it was not done, for good. Errors: also if that cannot be told.
pub(super) async fn write(
    server: &Server,
    (space, writes): (&SpaceKey, &Writes<'_>),
    sent: Sent,
) -> Result<bool, Failure> {
    let failure = match server.write(writes).await {
        Err(failure @ (Failure::GivenUp(_) | Failure::Lost(_))) => failure,
        answer => return answer,
    };
    let Ok(found) = find(server, space).await else {
        return Err(failure);
    };
    match became(sent, failure.is_settled(), found.space().as_ref()) {
        Became::Done => Ok(true),
        Became::NotDone => Ok(false),
        Became::Open => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SpaceView;

    const SENT: i64 = 7;
    const SEEN: i64 = 6;
    const LATER: i64 = 8;

    fn row(last_commit: i64, head: u64) -> SpaceRow {
        SpaceRow {
            view: SpaceView {
                epoch: Epoch(1),
                head: Seq(head),
                ..SpaceView::NEVER_OPENED
            },
            erased_at_ms: 0,
            last_commit,
            job_no: None,
            brought: None,
            held: None,
        }
    }

    #[test]
    fn a_later_read_tells_what_became_of_a_batch() {
        use Became::{Done, NotDone, Open};
        let moves = Some((Epoch(1), Seq(3)));
        // What it moves, whether it is settled, what was found, what became of it.
        let table = [
            (None, true, None, Open),
            (None, false, None, Open),
            (None, true, Some(row(SENT, 3)), Done),
            (None, false, Some(row(SENT, 3)), Done),
            (moves, false, Some(row(SENT, 4)), Done),
            (None, true, Some(row(SEEN, 3)), NotDone),
            (None, false, Some(row(SEEN, 3)), Open),
            (None, true, Some(row(LATER, 3)), Open),
            (moves, true, Some(row(LATER, 3)), NotDone),
            (moves, false, Some(row(LATER, 3)), Open),
            (moves, true, Some(row(LATER, 4)), Open),
        ];
        for (from, is_settled, found, expected) in table {
            let sent = Sent {
                id: SENT,
                seen: SEEN,
                from,
            };
            let told = became(sent, is_settled, found.as_ref());
            assert_eq!(told, expected, "{from:?} {is_settled} {found:?}");
        }
    }
}
