//! The way to the cluster: what is asked of it, at which level, and what its answers mean.
//!
//! A read is of one partition, unpaged, so that all its rows are of one moment. Every write is a
//! conditional batch of one partition, so that all writes of it are in one order.

mod rows;

use std::sync::Arc;

use scylla::client::session::Session;
use scylla::errors::{ExecutionError, RequestAttemptError};
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use syncline_protocol::ids::SpaceKey;

pub(super) use self::rows::Rows;

use super::alone::{Alone, AloneIn};
use super::attempts::Attempts;
use super::connect::{Connected, connect, refused};
use super::failure::Failure;
use super::hold::{Hold, until_let_go};
use super::home;
use super::interlude::Interludes;
use super::jobs::{Failing, LastLook, Numbers};
use super::options::{CassandraOptions, OpenError};
use super::row::{Place, kind};
use super::schema;
use super::settings;
use super::statements::{Statements, Text};
use super::value::Value;
use crate::random;
use crate::types::DEAD_LETTERS_MAX;

/// How current a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Of now: what others have begun is finished first.
    Serial,
    /// As a hint: it may lag, and may show what is not finished.
    Hint,
}

/// How much of the rows is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Light,
    All,
}

/// A range of places: after the first, up to the second.
pub(super) type Span<'a> = (&'a Place, &'a Place);

/// A connected cluster, with every statement prepared.
#[derive(Debug)]
pub(super) struct Server {
    session: Session,
    statements: Statements,
    attempts: Attempts,
    pub(super) interludes: Interludes,
    options: CassandraOptions,
    numbers: Numbers,
    last_look: LastLook,
    failing: Failing,
    #[cfg(test)]
    pub(super) counted: tests::Counted,
    #[cfg(test)]
    pub(super) told: std::sync::Mutex<tests::Told>,
    alone: Alone<SpaceKey>,
    alone_in_accounts: Alone<u128>,
    alone_in_pages: Alone<SpaceKey>,
}

/// What is written at once.
#[derive(Debug, Default)]
pub(super) struct Writes<'a> {
    all: Vec<(Text, Vec<Value<'a>>)>,
    /// Who holds the space and writes it.
    holder: Option<i64>,
}

impl<'a> Writes<'a> {
    /// What is written by who holds the space, if it is held.
    pub(super) fn by(hold: Hold) -> Writes<'a> {
        Writes {
            all: Vec::new(),
            holder: hold.id(),
        }
    }

    pub(super) fn push(&mut self, statement: Text, values: Vec<Value<'a>>) {
        self.all.push((statement, values));
    }

    /// Bytes on the wire, about.
    pub(super) fn bytes(&self) -> usize {
        let of = |values: &Vec<Value<'_>>| values.iter().map(Value::bytes).sum::<usize>();
        self.all.iter().map(|(_, values)| 32 + of(values)).sum()
    }

    pub(super) fn extend(&mut self, more: Writes<'a>) {
        self.all.extend(more.all);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// The first values of every statement: the partition.
pub(super) fn of(space: &SpaceKey) -> Vec<Value<'_>> {
    vec![
        Value::Text(space.app.as_str()),
        Value::Text(space.space.as_str()),
    ]
}

impl Server {
    /// Connects, and brings the schema to the newest.
    pub(super) async fn migrated(options: &CassandraOptions) -> Result<Server, OpenError> {
        let connected = connect(options).await?;
        schema::migrate(&connected, options).await?;
        home::keep(&connected.session, options, connected.home.as_deref()).await?;
        settings::warn_of(&connected, &options.keyspace).await;
        Server::prepared(connected, options).await
    }

    /// Connects, and leaves the schema as it is. Errors: also if it is not this program's.
    pub(super) async fn as_it_is(options: &CassandraOptions) -> Result<Server, OpenError> {
        let connected = connect(options).await?;
        schema::check(&connected.session, options).await?;
        home::check(&connected.session, options, connected.home.as_deref()).await?;
        Server::prepared(connected, options).await
    }

    async fn prepared(
        Connected { session, home, .. }: Connected,
        options: &CassandraOptions,
    ) -> Result<Server, OpenError> {
        let statements = Statements::prepare(&session, options).await;
        Ok(Server {
            statements: statements.map_err(|error| refused(&error))?,
            session,
            attempts: Attempts::default(),
            interludes: Interludes::default(),
            options: CassandraOptions {
                datacenter: home,
                ..options.clone()
            },
            numbers: Numbers::of(random().map_err(|error| refused(&error))?),
            last_look: LastLook::default(),
            failing: Failing::default(),
            #[cfg(test)]
            counted: Default::default(),
            #[cfg(test)]
            told: Default::default(),
            alone: Alone::default(),
            alone_in_accounts: Alone::default(),
            alone_in_pages: Alone::default(),
        })
    }

    /// The only datacenter that is asked; `None` for any.
    #[cfg(test)]
    pub(super) fn home(&self) -> Option<&str> {
        self.options.datacenter.as_deref()
    }

    pub(super) fn options(&self) -> &CassandraOptions {
        &self.options
    }

    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    pub(super) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn last_look(&self) -> &LastLook {
        &self.last_look
    }

    pub(super) fn failing(&self) -> &Failing {
        &self.failing
    }

    /// Waits until nobody else of this hub changes jobs of the space: they would only make each
    /// other begin anew.
    pub(super) async fn alone(&self, space: &SpaceKey) -> AloneIn<'_, SpaceKey> {
        self.alone.wait(space).await
    }

    /// Waits until nobody else of this hub reads a page of the space that moves while it is read.
    pub(super) async fn alone_in_page(&self, space: &SpaceKey) -> AloneIn<'_, SpaceKey> {
        self.alone_in_pages.wait(space).await
    }

    /// The same of who changes an account of the ledger, by its number.
    pub(super) async fn alone_in_account(&self, number: u128) -> AloneIn<'_, u128> {
        self.alone_in_accounts.wait(&number).await
    }

    /// Asks, and reads all rows at once. If the connection had ended, another one is asked.
    pub(super) async fn ask(
        &self,
        (text, level): (Text, Level),
        values: impl SerializeRow,
    ) -> Result<Rows, Failure> {
        let statement = self.statements.reading(text, level);
        let asking = || self.session.execute_unpaged(statement, &values);
        let answer = match asking().await {
            Err(ExecutionError::LastAttemptError(RequestAttemptError::BrokenConnectionError(
                _,
            ))) => asking().await?,
            answer => answer?,
        };
        let rows = Rows::of(answer.into_rows_result()?);
        #[cfg(test)]
        self.counted.answer((text, level), rows.count());
        Ok(rows)
    }

    /// The rows of a range, at most `limit`.
    pub(super) async fn range(
        &self,
        space: &SpaceKey,
        (from, to): Span<'_>,
        (columns, level, limit): (Columns, Level, usize),
    ) -> Result<Rows, Failure> {
        let text = match columns {
            Columns::Light => Text::LightRange,
            Columns::All => Text::Range,
        };
        self.span((text, level, limit), space, (from, to)).await
    }

    /// What a statement reads of a range, at most `limit` rows.
    pub(super) async fn span(
        &self,
        (text, level, limit): (Text, Level, usize),
        space: &SpaceKey,
        (from, to): Span<'_>,
    ) -> Result<Rows, Failure> {
        let mut values = of(space);
        for place in [from, to] {
            values.extend([
                Value::Kind(place.kind),
                Value::Int(place.n),
                Value::Text(&place.a),
                Value::Text(&place.b),
            ]);
        }
        values.push(Value::Small(i32::try_from(limit).unwrap_or(i32::MAX)));
        self.ask((text, level), values).await
    }

    /// The dead letters, the last first, without what is large. What was removed of them is before
    /// those that are there, and is not stepped over.
    pub(super) async fn last_letters(
        &self,
        space: &SpaceKey,
        level: Level,
    ) -> Result<Rows, Failure> {
        let (app, name) = (space.app.as_str(), space.space.as_str());
        // One more for the end. There are at most so many.
        let limit = i32::try_from(DEAD_LETTERS_MAX + 1).unwrap_or(i32::MAX);
        let values = (app, name, kind::LETTER, limit);
        self.ask((Text::LastLight, level), values).await
    }

    /// The rows at these places, in the order of the partition.
    pub(super) async fn at(
        &self,
        space: &SpaceKey,
        places: &[Place],
        (columns, level): (Columns, Level),
    ) -> Result<Rows, Failure> {
        let text = match columns {
            Columns::Light => Text::LightAt,
            Columns::All => Text::At,
        };
        self.places((text, level), space, places).await
    }

    /// What a statement reads at these places.
    pub(super) async fn places(
        &self,
        (text, level): (Text, Level),
        space: &SpaceKey,
        places: &[Place],
    ) -> Result<Rows, Failure> {
        let places: Vec<_> = places.iter().map(Place::tuple).collect();
        let values = (space.app.as_str(), space.space.as_str(), places);
        self.ask((text, level), values).await
    }

    /// Writes all or nothing; `false` if a condition did not hold. If that is because somebody holds
    /// the space, it returns once that is over. Errors: also if that takes too long; then nothing was written.
    pub(super) async fn write(&self, writes: &Writes<'_>) -> Result<bool, Failure> {
        let bytes_max = self.options.commit_bytes_max;
        let (bytes, statements) = (writes.bytes(), writes.len());
        if bytes > bytes_max || statements > usize::from(u16::MAX) {
            return Err(Failure::TooLarge(format!(
                "what is to be written at once has {bytes} bytes in {statements} statements, and \
                 may have {bytes_max} (commit_bytes_max of store.url) and {}",
                u16::MAX
            )));
        }
        #[cfg(test)]
        self.counted.batch();
        let batch = self.batch(writes);
        let values: Vec<&[Value<'_>]> = writes.all.iter().map(|(_, values)| &values[..]).collect();
        self.attempts.count_batch();
        let answer = self.session.batch(&batch, values).await?;
        let rows = Rows::of(answer.into_rows_result()?);
        if rows.is_applied()? {
            return Ok(true);
        }
        if let Some((space, holder)) = rows.holder()?
            && Some(holder) != writes.holder
        {
            until_let_go(self, &space, holder).await?;
        }
        Ok(false)
    }

    /// Never asked twice: the first one may have been done.
    pub(super) fn batch(&self, writes: &Writes<'_>) -> Batch {
        let mut batch = Batch::new(BatchType::Unlogged);
        for (text, _) in &writes.all {
            batch.append_statement(self.statements.writing(*text).clone());
        }
        batch.set_consistency(self.options.quorum());
        batch.set_serial_consistency(Some(self.options.serial_write()));
        batch.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy::new())));
        batch
    }

    /// Writes a row without a condition, into a table that has no others.
    pub(super) async fn put(&self, text: Text, values: Vec<Value<'_>>) -> Result<(), Failure> {
        let statement = self.statements.writing(text);
        self.session.execute_unpaged(statement, values).await?;
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
