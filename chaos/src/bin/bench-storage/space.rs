//! A space as one of its writers knows it.

use std::collections::HashMap;
use std::sync::Arc;

use syncline_protocol::ids::{ClientId, ClientKey, RecordKey, Seq, UserId, WriterNo};
use syncline_protocol::verdict::{Mark, Remembered, Status, Verdict};
use syncline_storage::Store;
use syncline_storage::group::GroupCommit;
use syncline_storage::types::{After, CommitError, MarkMove, SpaceView, Stood, StoreError};

use super::fill::{self, SPACE_RECORDS, space_key, task};
use super::pages::PAGE;

pub(crate) struct Space {
    n: usize,
    client: ClientKey,
    view: SpaceView,
    mark: Option<Mark>,
    /// The commit that each record is of, as a session's cache tells it.
    stood: Vec<Seq>,
}

impl Space {
    /// Space `n` as the device named so finds it.
    pub(crate) async fn read(
        store: &dyn Store,
        n: usize,
        client: &str,
    ) -> Result<Space, StoreError> {
        let client = ClientKey {
            user: UserId::trusted("ada"),
            client: ClientId::trusted(client),
        };
        let mut read = store
            .marks(&space_key(n), std::slice::from_ref(&client))
            .await?;
        let mut space = Space {
            n,
            client,
            view: read.view,
            mark: read.marks.remove(0),
            stood: vec![Seq(0); SPACE_RECORDS],
        };
        let keys = (0..SPACE_RECORDS).map(|n| (fill::record_key(n), n));
        let keys: HashMap<RecordKey, usize> = keys.collect();
        let mut after = After::from(Seq(0));
        loop {
            let page = store.changes(&space_key(n), after, PAGE).await?;
            for (key, record) in &page.records {
                space.stood[keys[key]] = record.seq;
            }
            if page.is_complete() {
                return Ok(space);
            }
            after = page.next();
        }
    }

    /// Looks where the space is: another writer was first, with records of its own.
    pub(crate) async fn read_again(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let clients = std::slice::from_ref(&self.client);
        let mut read = store.marks(&space_key(self.n), clients).await?;
        (self.view, self.mark) = (read.view, read.marks.remove(0));
        Ok(())
    }

    /// Commits one mutation of so many changes, of the records from `first` on.
    pub(crate) async fn step(
        &mut self,
        group: &GroupCommit,
        (first, changes): (usize, usize),
    ) -> Result<(), CommitError> {
        let last = self.mark.as_ref().and_then(|mark| mark.last);
        let writer = self
            .mark
            .as_ref()
            .map_or(WriterNo(self.view.writers.0 + 1), |mark| mark.writer);
        let (m, head) = (last.unwrap_or(0) + 1, self.view.head.next());
        let records = (0..changes).map(|at| {
            let n = (first + at) % SPACE_RECORDS;
            (fill::record_key(n), Arc::new(task(n, head, writer)))
        });
        let mut commit = fill::commit(self.n, &self.view, records.collect());
        let changed = (0..changes).map(|at| (first + at) % SPACE_RECORDS);
        commit.stood = changed
            .clone()
            .map(|n| Stood::Live(self.stood[n]))
            .collect();
        commit.writers = commit.writers.max(writer);
        commit.marks = vec![MarkMove {
            client: self.client.clone(),
            writer,
            expect_last: last,
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
        }];
        let writers = commit.writers;
        group.commit(commit).await?;
        (self.view.head, self.view.writers) = (head, writers);
        changed.for_each(|n| self.stood[n] = head);
        self.mark = Some(Mark {
            writer,
            last: Some(m),
            given: None,
        });
        Ok(())
    }
}
