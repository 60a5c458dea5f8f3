//! Commits: one conditional batch a space.
//!
//! What a commit expects is tested in the batch itself. What the batch needs beside that (where a
//! record stood before, whether a client is known) is a hint: the commit's own, or, of what it does
//! not say, one that is read before. If a condition did not hold, a read of now says whether the commit
//! conflicts or the hint was old. What has to stand on a look of now, as jobs do, holds the space if somebody
//! was always faster.

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
use super::failure::Failure;
use super::hold::Hold;
use super::interlude::Step;
use super::jobs::{Beside, Made, Settled, push_rows};
use super::outcome::{self, Sent};
use super::server::{Level, Server};
use super::tries::Tries;
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
    #[cfg(test)]
    let commit = &server.telling(commit).await;
    server.attempts().count_commit();
    // Others that change jobs of the space would have it begin anew.
    let _alone = match commit.jobs.is_empty() && commit.ends.is_empty() {
        true => None,
        false => Some(server.alone(&commit.space).await),
    };
    let hint = match Seen::told(commit) {
        Some(told) => Some(told),
        None => look(server, commit, Level::Hint).await?,
    };
    if let Some(seen) = hint.filter(|seen| judged(commit, seen).is_ok())
        && attempt(server, (commit, Hold::NONE), &seen).await?
    {
        return Ok(());
    }
    let mut tries = Tries::of(server, &commit.space);
    loop {
        let hold = tries.next().await?;
        let done = of_now(server, (commit, hold)).await;
        tries.end().await;
        if done? {
            return Ok(());
        }
    }
}

/// After a look of now, which tells whether it may be. False if somebody was faster all the same.
async fn of_now(server: &Server, (commit, hold): (&Commit, Hold)) -> Result<bool, CommitError> {
    let seen = look(server, commit, Level::Serial).await?;
    let seen = seen.ok_or(CommitError::Conflict)?;
    judged(commit, &seen)?;
    Ok(attempt(server, (commit, hold), &seen).await?)
}

/// Whether a commit may be in what was seen.
fn judged(commit: &Commit, seen: &Seen) -> Result<(), CommitError> {
    if !fits(commit, seen) {
        return Err(CommitError::Conflict);
    }
    match &seen.jobs {
        Some(made) if !made.lost.is_empty() => Err(CommitError::LeasesLost(made.lost.clone())),
        _ => Ok(()),
    }
}

/// Writes it and what is beside it. False if somebody was faster.
async fn attempt(
    server: &Server,
    (commit, hold): (&Commit, Hold),
    seen: &Seen,
) -> Result<bool, Failure> {
    let beside = seen.jobs.as_ref();
    let beside = beside.map(|made| Beside::of(&commit.space, &made.plan));
    if let Some(beside) = &beside {
        beside.come(server).await?;
    }
    server.interludes.at(Step::PlanAndCommit).await;
    server.attempts().count_commit_batch();
    let done = write(server, (commit, hold), seen).await?;
    if let Some(beside) = &beside {
        let settled = match done {
            true => Settled::Written,
            false => Settled::NotWritten,
        };
        beside.go(server, settled).await;
    }
    Ok(done)
}

async fn write(
    server: &Server,
    (commit, hold): (&Commit, Hold),
    seen: &Seen,
) -> Result<bool, Failure> {
    let id = random()? as i64;
    let places = writes::Places::of(commit, seen);
    let mut writes = writes(commit, (seen, &places), (id, hold));
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
