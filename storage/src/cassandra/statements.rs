//! Every statement, prepared once.

mod cql;

use std::collections::HashMap;

use futures_util::future::try_join_all;
use scylla::client::session::Session;
use scylla::errors::PrepareError;
use scylla::statement::prepared::PreparedStatement;

use super::options::CassandraOptions;
use super::server::Level;

/// A statement. The values of each are, in order, the marks in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Text {
    /// The static columns alone.
    Space,
    /// A range, without what is large.
    LightRange,
    /// A range.
    Range,
    /// Some places, without what is large.
    LightAt,
    /// Some places.
    At,
    /// The rows of some numbers, of any names.
    Writers,
    /// The last rows of a kind, the last first.
    Last,
    /// The same, without what is large.
    LastLight,
    /// Spaces in the order of their tokens, after one.
    SpacesAfter,
    /// The first spaces.
    SpacesFirst,
    /// Apps with a space of a name.
    Named,
    /// What is being imported, or was.
    Imports,
    /// A name, before its space is made.
    PutName,
    /// Makes a space.
    Open,
    /// Forgets a space that was never written.
    Forget,
    /// What a commit moves of a space.
    Move,
    /// The same if nothing at all was written since.
    MoveExact,
    /// Another epoch.
    ChangeEpoch,
    /// What an erasure leaves.
    Empty,
    /// What a collection moves.
    Sweep,
    /// That something was written of a space that is still the same and that nobody holds.
    Note,
    /// Has nobody else write a space.
    Hold,
    /// The same for longer, by who does.
    KeepHold,
    /// Lets others write it again.
    LetGo,
    /// A client's mark.
    Mark,
    /// The same, if it was given as much as is expected.
    MarkGiven,
    /// That a client's last number is forgotten.
    ForgetMark,
    /// A record.
    PutRecord,
    /// That it was changed.
    PutChange,
    /// A row without content.
    PutPlace,
    /// A client, for an import.
    PutClient,
    /// A verdict.
    PutVerdict,
    /// A dead letter.
    PutLetter,
    /// Removes a row.
    Remove,
    /// Removes a range of places.
    RemoveUpto,
    /// Removes a range of `n` of a kind.
    RemoveRange,
    /// Removes everything of a partition.
    RemoveAll,
    /// Begins to write a space that is imported.
    BeginSpace,
    /// Gives up a space half imported.
    DropSpace,
    /// Tests that this run writes the space.
    ImportPart,
    /// Makes an imported space visible.
    EndSpace,
    /// Begins an import.
    BeginImport,
    /// A later run of it.
    TakeOver,
    /// Gives up an import that may not be.
    GiveUp,
    /// Which space is half written.
    Half,
    /// That none is.
    NoHalf,
    /// Everything is there.
    EndImport,
    /// The archive that was brought in whole.
    PutArchive,
    /// Jobs and queues at some places.
    JobsAt,
    /// A range of what orders jobs.
    Order,
    /// A commit with jobs, if nothing at all was written since.
    MoveWithJobs,
    /// Jobs alone, under the same condition.
    MoveJobs,
    /// A job.
    PutJob,
    /// Where one stands.
    PutOrder,
    /// When a space is to be looked at.
    PutQueue,
    /// Removes a range of `a` of a kind.
    RemoveSpan,
    /// Tests that this run writes the space, and says which number its last job has.
    ImportJobs,
    /// Which spaces are to be looked at up to a time, the first first.
    Turns,
    /// That one is.
    PutTurn,
    /// That it no longer is.
    RemoveTurn,
    /// Where dead jobs are, the newest first.
    DeadNewest,
    /// The same, the oldest first.
    DeadOldest,
    /// Where one is.
    PutDead,
    /// That none is there any more.
    RemoveDead,
    /// The newest of those that died before their rows had ids.
    DeadBeforeNewest,
    /// The oldest of these.
    DeadBeforeOldest,
    /// That one of these is no longer there.
    RemoveDeadBefore,
    /// Rows of an account at some places.
    LedgerAt,
    /// Those of a kind before a number, the last first.
    LedgerNewest,
    /// Those of a kind after a number, up to another.
    LedgerRange,
    /// Those of a kind after an id.
    LedgerAfter,
    /// Those from a kind on.
    LedgerTail,
    /// Accounts in the order of their tokens, after one.
    LedgerAccountsAfter,
    /// The first accounts.
    LedgerAccountsFirst,
    /// The number of an owner's account.
    LedgerOwner,
    /// Gives it one.
    BeginOwner,
    /// Takes it away.
    ForgetOwner,
    /// What an account becomes, if nothing was written since.
    MoveAccount,
    /// A row of an account.
    PutLedger,
    /// Removes one.
    RemoveLedger,
    /// Removes all of a kind.
    RemoveLedgerKind,
    /// What is to be done with accounts up to a time, the first first.
    Hints,
    /// That something is.
    PutHint,
    /// That it no longer is.
    RemoveHint,
}

const ALL: &[Text] = &[
    Text::Space,
    Text::LightRange,
    Text::Range,
    Text::LightAt,
    Text::At,
    Text::Writers,
    Text::Last,
    Text::LastLight,
    Text::SpacesAfter,
    Text::SpacesFirst,
    Text::Named,
    Text::Imports,
    Text::PutName,
    Text::Open,
    Text::Forget,
    Text::Move,
    Text::MoveExact,
    Text::ChangeEpoch,
    Text::Empty,
    Text::Sweep,
    Text::Note,
    Text::Hold,
    Text::KeepHold,
    Text::LetGo,
    Text::Mark,
    Text::MarkGiven,
    Text::ForgetMark,
    Text::PutRecord,
    Text::PutChange,
    Text::PutPlace,
    Text::PutClient,
    Text::PutVerdict,
    Text::PutLetter,
    Text::Remove,
    Text::RemoveUpto,
    Text::RemoveRange,
    Text::RemoveAll,
    Text::BeginSpace,
    Text::DropSpace,
    Text::ImportPart,
    Text::EndSpace,
    Text::BeginImport,
    Text::TakeOver,
    Text::GiveUp,
    Text::Half,
    Text::NoHalf,
    Text::EndImport,
    Text::PutArchive,
    Text::JobsAt,
    Text::Order,
    Text::MoveWithJobs,
    Text::MoveJobs,
    Text::PutJob,
    Text::PutOrder,
    Text::PutQueue,
    Text::RemoveSpan,
    Text::ImportJobs,
    Text::Turns,
    Text::PutTurn,
    Text::RemoveTurn,
    Text::DeadNewest,
    Text::DeadOldest,
    Text::PutDead,
    Text::RemoveDead,
    Text::DeadBeforeNewest,
    Text::DeadBeforeOldest,
    Text::RemoveDeadBefore,
    Text::LedgerAt,
    Text::LedgerNewest,
    Text::LedgerRange,
    Text::LedgerAfter,
    Text::LedgerTail,
    Text::LedgerAccountsAfter,
    Text::LedgerAccountsFirst,
    Text::LedgerOwner,
    Text::BeginOwner,
    Text::ForgetOwner,
    Text::MoveAccount,
    Text::PutLedger,
    Text::RemoveLedger,
    Text::RemoveLedgerKind,
    Text::Hints,
    Text::PutHint,
    Text::RemoveHint,
];

/// All of them, prepared.
#[derive(Debug)]
pub(super) struct Statements {
    serial: HashMap<Text, PreparedStatement>,
    /// Reads that are hints, and writes, whose level the batch says.
    quorum: HashMap<Text, PreparedStatement>,
}

impl Statements {
    pub(super) async fn prepare(
        session: &Session,
        options: &CassandraOptions,
    ) -> Result<Statements, PrepareError> {
        let keyspace = format!("{}.", options.keyspace);
        let prepared = ALL.iter().map(async |text| {
            let statement = session
                .prepare(text.cql().replace("KS.", &keyspace))
                .await?;
            Ok::<_, PrepareError>((*text, statement))
        });
        let mut quorum: HashMap<Text, PreparedStatement> =
            try_join_all(prepared).await?.into_iter().collect();
        for statement in quorum.values_mut() {
            statement.set_consistency(options.quorum());
            statement.set_is_idempotent(true);
            statement.set_use_cached_result_metadata(true);
        }
        let mut serial = quorum.clone();
        for statement in serial.values_mut() {
            statement.set_consistency(options.serial_read());
        }
        Ok(Statements { serial, quorum })
    }

    pub(super) fn reading(&self, text: Text, level: Level) -> &PreparedStatement {
        let prepared = match level {
            Level::Serial => &self.serial,
            Level::Hint => &self.quorum,
        };
        prepared.get(&text).expect("all are prepared")
    }

    pub(super) fn writing(&self, text: Text) -> &PreparedStatement {
        self.reading(text, Level::Hint)
    }
}
