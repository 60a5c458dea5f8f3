//! Commits: one conditional batch a space.
//!
//! What a commit expects is tested in the batch itself. What it does not say and the batch needs
//! (where a record stood before, whether a client is known) is read before as a hint. If a
//! condition did not hold, a read of now says whether the commit conflicts or the hint was old.

mod judge;
mod look;
mod writes;

use std::collections::HashMap;

use futures_util::future::join_all;
use syncline_protocol::ids::SpaceKey;
use tokio::sync::Semaphore;

use self::judge::fits;
use self::look::{Seen, look};
use self::writes::writes;
use super::failure::{Failure, contended};
use super::jobs::{Beside, Made, Settled, push_rows};
use super::outcome::{self, Sent};
use super::server::{Level, Server};
use super::space::TRIES_MAX;
use crate::random;
use crate::types::{Commit, CommitError};

/// [`crate::Store::commit`]: every space by itself, at most so many at once as there are permits.
pub(super) async fn group(
    server: &Server,
    permits: &Semaphore,
    commits: &[Commit],
) -> Vec<Result<(), CommitError>> {
    let mut by_space: HashMap<&SpaceKey, Vec<usize>> = HashMap::new();
    for (at, commit) in commits.iter().enumerate() {
        by_space.entry(&commit.space).or_default().push(at);
    }
    let chains = by_space.into_values().map(async |places| {
        let mut answers = Vec::with_capacity(places.len());
        for at in places {
            let permit = permits.acquire().await;
            answers.push((at, one(server, &commits[at]).await));
            drop(permit);
        }
        answers
    });
    let mut answers = vec![Err(CommitError::Conflict); commits.len()];
    for (at, answer) in join_all(chains).await.into_iter().flatten() {
        answers[at] = answer;
    }
    answers
}

async fn one(server: &Server, commit: &Commit) -> Result<(), CommitError> {
    held(server, commit, async || {}).await
}

/// Waits for something before its first batch, when all that is beside it is there.
#[cfg(test)]
pub(super) async fn held_before_its_batch(
    server: &Server,
    commit: &Commit,
    until: impl AsyncFnOnce(),
) -> Result<(), CommitError> {
    held(server, commit, until).await
}

async fn held(
    server: &Server,
    commit: &Commit,
    until: impl AsyncFnOnce(),
) -> Result<(), CommitError> {
    let mut until = Some(until);
    server.attempts().count_commit();
    // Others that change jobs of the space would have it begin anew.
    let _alone = match commit.jobs.is_empty() && commit.ends.is_empty() {
        true => None,
        false => Some(server.alone(&commit.space).await),
    };
    let mut level = Level::Hint;
    for _ in 0..TRIES_MAX {
        let seen = look(server, commit, level).await?;
        let hint_is_old = level == Level::Hint;
        level = Level::Serial;
        let Some(seen) = seen.filter(|seen| fits(commit, seen)) else {
            if hint_is_old {
                continue;
            }
            return Err(CommitError::Conflict);
        };
        if let Some(lost) = seen
            .jobs
            .as_ref()
            .map(|made| &made.lost)
            .filter(|lost| !lost.is_empty())
        {
            if hint_is_old {
                continue;
            }
            return Err(CommitError::LeasesLost(lost.clone()));
        }
        let id = random()? as i64;
        let beside = seen.jobs.as_ref();
        let beside = beside.map(|made| Beside::of(&commit.space, &made.plan));
        if let Some(beside) = &beside {
            beside.come(server).await?;
        }
        if let Some(until) = until.take() {
            until().await;
        }
        server.attempts().count_commit_batch();
        let settled = match attempt(server, commit, &seen, id).await? {
            true => Settled::Written,
            false => Settled::NotWritten,
        };
        if let Some(beside) = &beside {
            beside.go(server, settled).await;
        }
        if settled == Settled::Written {
            return Ok(());
        }
    }
    Err(contended().into())
}

async fn attempt(server: &Server, commit: &Commit, seen: &Seen, id: i64) -> Result<bool, Failure> {
    let places = writes::Places::of(commit, seen);
    let mut writes = writes(commit, (seen, &places), id);
    if let Some(Made { plan, .. }) = &seen.jobs {
        push_rows(&mut writes, (&commit.space, Some(&seen.row)), plan);
    }
    let sent = Sent {
        id,
        seen: seen.row.last_commit,
        from: (commit.head > commit.expect_head)
            .then_some((commit.expect_epoch, commit.expect_head)),
    };
    outcome::write(server, (&commit.space, &writes), sent).await
}

pub(super) use writes::letter_values;
