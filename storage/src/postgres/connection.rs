//! One connection: how it is made, set up and what it has prepared.

use std::time::Duration;

use futures_util::future::{try_join_all, try_join3};
use tokio_postgres::{Client, Config, Statement};
use tracing::debug;

use super::error::Failure;
use super::jobs::JobStatements;
use super::ledger::LedgerStatements;
use super::options::{PostgresOptions, Synchronous};
use super::tls::Tls;
use super::{alone, changes, commit, dead_letters, marks, names, records, snapshot, space};

/// Set on every connection. The shapes of our statements are known: each walks an index for every
/// row asked. So one plan, made once, is right at every size of the tables, and a planner that
/// sees a table while it is empty must not choose to read all of it for ever. Which index it takes
/// then may still be the wrong one, but every index begins with the space, so it reads too much of
/// one space at most, and only until the server has counted the table and plans again.
const PLANS: [&str; 7] = [
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_material = off",
    // A page of one table comes in the order of `record_states_seq`. The planner of a table that
    // was not counted would rather read all of it by the primary key, and sort.
    "SET enable_sort = off",
    "SET jit = off",
];

/// Whoever turned it off for the whole server did not mean data that is acknowledged. Other
/// values are stronger than `on`, or weaker in nothing but what replicas have. It is set in any
/// case: what a session has not set follows the server's file when that is read again.
const SYNCHRONOUS_ON: &str = "SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)";

const SYNCHRONOUS_OFF: &str = "SET synchronous_commit = off";

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    tls: Tls,
    settings: String,
    /// How long a statement waits for a lock; else as long as it may take.
    lock_timeout: Option<Duration>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(options: &PostgresOptions, tls: Tls) -> Connector {
        let statement_ms = options.statement_timeout.as_millis();
        let synchronous = match options.synchronous {
            Synchronous::On => SYNCHRONOUS_ON,
            Synchronous::Off => SYNCHRONOUS_OFF,
        };
        let mut config = options.config.clone();
        config.tcp_user_timeout(options.answer_timeout);
        if config.get_connect_timeout().is_none() {
            // One that does not answer leaves time for the next, of a name too.
            let addresses = config.get_hosts().len() as u32 + 1;
            config.connect_timeout(options.connect_timeout / addresses);
        }
        Connector {
            config,
            tls,
            settings: format!("SET statement_timeout = {statement_ms}; {synchronous}"),
            lock_timeout: None,
            timeout: options.connect_timeout,
        }
    }

    /// The same, whose statements wait for a lock no longer than that.
    #[must_use]
    pub(super) fn waiting_for_locks(self, at_most: Duration) -> Connector {
        Connector {
            lock_timeout: Some(at_most),
            ..self
        }
    }

    /// A connection without anything prepared, for migrations.
    pub(super) async fn plain(&self) -> Result<Client, Failure> {
        let making = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            tokio::spawn(async move {
                // Those who ask the client are told as well.
                if let Err(error) = connection.await {
                    debug!(%error, "a connection to the database ended");
                }
            });
            client.batch_execute(&self.settings).await?;
            Ok(client)
        };
        let made = tokio::time::timeout(self.timeout, making).await;
        made.unwrap_or(Err(Failure::Late))
    }

    /// A connection ready for everything.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let client = self.plain().await?;
        let preparing = async {
            set(&client, &PLANS).await?;
            if let Some(at_most) = self.lock_timeout {
                let wait = format!("SET lock_timeout = {}", at_most.as_millis());
                set(&client, &[&wait]).await?;
            }
            Statements::prepare(&client).await
        };
        let prepared = tokio::time::timeout(self.timeout, preparing).await;
        let statements = prepared.unwrap_or(Err(Failure::Late))?;
        Ok(Connection { client, statements })
    }
}

/// Only Postgres itself has all of them; its relatives may not know the names.
async fn set(client: &Client, settings: &[&str]) -> Result<(), Failure> {
    if client.batch_execute(&settings.join(";")).await.is_ok() {
        return Ok(());
    }
    for setting in settings {
        match client.batch_execute(setting).await {
            Err(error) if error.code().is_some() => debug!(%error, setting, "not set"),
            set => set?,
        }
    }
    Ok(())
}

/// A connection with its statements.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Statements,
}

/// Every statement there is, prepared once a connection.
pub(super) struct Statements {
    pub(super) find_space: Statement,
    pub(super) find_spaces: Statement,
    pub(super) find_sids: Statement,
    pub(super) create_space: Statement,
    pub(super) change_epoch: Statement,
    pub(super) marks: Statement,
    pub(super) verdicts: Statement,
    pub(super) records: Statement,
    pub(super) changes: Statement,
    pub(super) changes_of: Statement,
    pub(super) snapshot: Statement,
    pub(super) snapshot_of_table: Statement,
    pub(super) names: Statement,
    pub(super) lock: Statement,
    pub(super) commit: Statement,
    pub(super) move_alone: Statement,
    pub(super) mark_alone: Statement,
    pub(super) judge_alone: Statement,
    pub(super) write_alone: Statement,
    pub(super) read_dead_letters: Statement,
    pub(super) write_dead_letters: Statement,
    pub(super) forget_dead_letters: Statement,
    pub(super) jobs: JobStatements,
    pub(super) ledger: LedgerStatements,
}

impl Statements {
    async fn prepare(client: &Client) -> Result<Statements, Failure> {
        let texts = [
            space::FIND,
            space::FIND_MANY,
            space::FIND_SIDS,
            space::CREATE,
            space::CHANGE_EPOCH,
            marks::MARKS,
            marks::VERDICTS,
            records::RECORDS,
            changes::CHANGES,
            changes::CHANGES_OF,
            snapshot::ALL,
            snapshot::OF_TABLE,
            names::NAMES,
            commit::LOCK,
            commit::COMMIT,
            alone::MOVE,
            alone::MARKS,
            alone::VERDICTS,
            alone::RECORDS,
            dead_letters::READ,
            dead_letters::WRITE,
            dead_letters::FORGET,
        ];
        let prepared = try_join_all(texts.map(|text| client.prepare(text)));
        let jobs = JobStatements::prepare(client);
        let ledger = LedgerStatements::prepare(client);
        let (prepared, jobs, ledger) = try_join3(prepared, jobs, ledger).await?;
        let mut prepared = prepared.into_iter();
        let mut next = || prepared.next().expect("one a text");
        // In the order of the texts.
        Ok(Statements {
            find_space: next(),
            find_spaces: next(),
            find_sids: next(),
            create_space: next(),
            change_epoch: next(),
            marks: next(),
            verdicts: next(),
            records: next(),
            changes: next(),
            changes_of: next(),
            snapshot: next(),
            snapshot_of_table: next(),
            names: next(),
            lock: next(),
            commit: next(),
            move_alone: next(),
            mark_alone: next(),
            judge_alone: next(),
            write_alone: next(),
            read_dead_letters: next(),
            write_dead_letters: next(),
            forget_dead_letters: next(),
            jobs,
            ledger,
        })
    }
}
