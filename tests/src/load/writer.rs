//! The writing side of the load: one space's only writer.

use std::sync::Arc;

use anyhow::Context;
use syncline_protocol::ids::{SpaceKey, WriterNo};
use syncline_protocol::verdict::{Mark, Remembered, Status, Verdict};
use syncline_storage::Store;
use syncline_storage::group::GroupCommit;
use syncline_storage::types::{Commit, CommitError, MarkMove, SpaceView};

use super::{Ack, CLIENTS, NOW, client_key, content, record, record_key, records_of, space_key};

/// A space and where its clients are. Follows its own acknowledged commits without reading.
#[derive(Debug)]
pub struct SpaceWriter {
    space: usize,
    key: SpaceKey,
    view: SpaceView,
    marks: [Option<Mark>; CLIENTS],
    turn: usize,
}

impl SpaceWriter {
    /// Opens the load's `space`-th space, and goes on where its marks say.
    pub async fn open(store: &dyn Store, space: usize) -> anyhow::Result<SpaceWriter> {
        let key = space_key(space);
        store.open_space(&key, NOW).await?;
        let clients: [_; CLIENTS] = std::array::from_fn(client_key);
        let read = store.marks(&key, &clients).await?;
        let marks = read.marks.try_into().ok().context("a mark a client")?;
        Ok(SpaceWriter {
            space,
            key,
            view: read.view,
            marks,
            turn: 0,
        })
    }

    /// Commits the next client's next mutation. An error ends the load: its outcome is unknown.
    pub async fn step(&mut self, group: &GroupCommit) -> Result<Ack, CommitError> {
        let client = self.turn % CLIENTS;
        let commit = self.draft(client);
        let (head, writers, live) = (commit.head, commit.writers, commit.live);
        let (writer, m) = (commit.marks[0].writer, commit.marks[0].last.unwrap_or(0));
        group.commit(commit).await?;
        (self.view.head, self.view.writers, self.view.live) = (head, writers, live);
        self.marks[client] = Some(Mark {
            writer,
            last: Some(m),
            given: None,
        });
        self.turn += 1;
        Ok(Ack {
            space: self.space,
            client,
            m,
            seq: head.0,
        })
    }

    fn draft(&self, client: usize) -> Commit {
        let view = &self.view;
        let mark = &self.marks[client];
        let expect_last = mark.as_ref().and_then(|mark| mark.last);
        let writer = mark
            .as_ref()
            .map_or(WriterNo(view.writers.0 + 1), |mark| mark.writer);
        let m = expect_last.unwrap_or(0) + 1;
        let head = view.head.next();
        let written = |at| {
            let content = content(self.space, client, (m, at));
            (
                record_key(client, m, at),
                Arc::new(record(content, head, writer)),
            )
        };
        Commit {
            space: self.key.clone(),
            expect_epoch: view.epoch,
            expect_head: view.head,
            head,
            clock: view.clock,
            live: view.live + records_of(m),
            writers: view.writers.max(writer),
            now_ms: NOW,
            records: (0..records_of(m)).map(written).collect(),
            stood: Vec::new(),
            marks: vec![MarkMove {
                client: client_key(client),
                writer,
                expect_last,
                expect_given: None,
                last: Some(m),
                given: None,
                verdicts: vec![Remembered {
                    m,
                    hash: [m as u8; 32],
                    verdict: Verdict {
                        status: Status::Applied,
                        seq: head,
                        winners: Vec::new(),
                        clamped: false,
                    },
                }],
            }],
            dead_letters: Vec::new(),
            ends: Vec::new(),
            jobs: Vec::new(),
        }
    }
}
