//! The texts of the statements.

use super::Text;
use crate::cassandra::jobs::JOB_COLUMNS;
use crate::cassandra::ledger::LEDGER_COLUMNS;
use crate::cassandra::row::{HEAVY_COLUMNS, LIGHT_COLUMNS, SPACE_COLUMNS};

const PARTITION: &str = "app = ? AND space = ?";

const PLACE: &str = "app = ? AND space = ? AND kind = ? AND n = ? AND a = ? AND b = ?";

const MARK: &str = "SET writer = ?, last = ?, used_at = ?, given = ?, given_count = ?";

const PUT: &str = "INSERT INTO KS.spaces(app, space, kind, n, a, b";

/// Nobody holds the space.
const FREE: &str = "held = null";

/// The partition of `imports`.
const PART: &str = "part = 'imports'";

impl Text {
    /// `KS` stands for the keyspace.
    pub(super) fn cql(self) -> String {
        let select = |columns: &str| format!("SELECT {SPACE_COLUMNS}, {columns} FROM KS.spaces");
        let light = || select(LIGHT_COLUMNS);
        let all = || select(&format!("{LIGHT_COLUMNS}, {HEAVY_COLUMNS}"));
        let ledger = || format!("SELECT {LEDGER_COLUMNS} FROM KS.ledger");
        let jobs = || select(&format!("kind, n, a, b, {JOB_COLUMNS}"));
        let range = "(kind, n, a, b) > (?, ?, ?, ?) AND (kind, n, a, b) <= (?, ?, ?, ?) LIMIT ?";
        let at = "(kind, n, a, b) IN ?";
        let last = "kind = ? ORDER BY kind DESC, n DESC, a DESC, b DESC LIMIT ?";
        let update = |set: &str| format!("UPDATE KS.spaces SET {set}");
        let import = |set: &str| format!("UPDATE KS.imports SET {set} WHERE {PART}");
        let hold = "UPDATE KS.spaces USING TTL ? SET held = ?";
        match self {
            Text::Space => {
                format!("SELECT DISTINCT {SPACE_COLUMNS} FROM KS.spaces WHERE {PARTITION}")
            }
            Text::LightRange => format!("{} WHERE {PARTITION} AND {range}", light()),
            Text::Range => format!("{} WHERE {PARTITION} AND {range}", all()),
            Text::LightAt => format!("{} WHERE {PARTITION} AND {at}", light()),
            Text::At => format!("{} WHERE {PARTITION} AND {at}", all()),
            Text::Writers => format!("{} WHERE {PARTITION} AND (kind, n) IN ?", light()),
            Text::Last => format!("{} WHERE {PARTITION} AND {last}", all()),
            Text::LastLight => format!("{} WHERE {PARTITION} AND {last}", light()),
            Text::SpacesAfter => "SELECT DISTINCT app, space, epoch FROM KS.spaces \
                 WHERE token(app, space) > token(?, ?) LIMIT ?"
                .to_owned(),
            Text::SpacesFirst => {
                "SELECT DISTINCT app, space, epoch FROM KS.spaces LIMIT ?".to_owned()
            }
            Text::Named => "SELECT app FROM KS.names WHERE space = ?".to_owned(),
            Text::Imports => format!(
                "SELECT bringing, run, app, space, archive, ended_at FROM KS.imports WHERE {PART}"
            ),
            Text::PutName => "INSERT INTO KS.names(space, app) VALUES(?, ?)".to_owned(),
            Text::Open => format!(
                "{} WHERE {PARTITION} IF epoch = null AND importing = null",
                update(
                    "epoch = ?, epoch_at = ?, lost_at = 0, erased_at = 0, head = 0, gc_seq = 0, \
                     swept = 0, clock = ?, live = 0, writers = 0, last_commit = ?"
                )
            ),
            Text::Forget => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND last_commit = ?",
                update(
                    "epoch = null, epoch_at = null, lost_at = null, erased_at = null, \
                     head = null, gc_seq = null, swept = null, clock = null, live = null, \
                     writers = null, last_commit = null"
                )
            ),
            Text::Move => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND head = ? AND writers <= ? AND clock <= ? \
                 AND held = ?",
                update("head = ?, clock = ?, live = ?, writers = ?, last_commit = ?")
            ),
            Text::MoveExact => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND head = ? AND writers <= ? AND clock <= ? \
                 AND last_commit = ? AND held = ?",
                update("head = ?, clock = ?, live = ?, writers = ?, last_commit = ?")
            ),
            Text::ChangeEpoch => format!(
                "{} WHERE {PARTITION} IF epoch = ?",
                update("epoch = ?, epoch_at = ?, lost_at = ?, last_commit = ?")
            ),
            Text::Empty => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND last_commit = ? AND held = ?",
                update(
                    "epoch = ?, epoch_at = ?, erased_at = ?, gc_seq = ?, swept = ?, live = 0, \
                     last_commit = ?, held = null"
                )
            ),
            Text::Sweep => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND last_commit = ? AND held = ?",
                update("head = ?, swept = ?, gc_seq = ?, last_commit = ?, held = null")
            ),
            Text::Note => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND held = ?",
                update("last_commit = ?")
            ),
            Text::Hold => format!("{hold} WHERE {PARTITION} IF epoch != null AND {FREE}"),
            Text::KeepHold => format!("{hold} WHERE {PARTITION} IF held = ?"),
            Text::LetGo => format!("{} WHERE {PARTITION} IF held = ?", update("held = null")),
            Text::Mark => {
                format!("UPDATE KS.spaces {MARK} WHERE {PLACE} IF writer = ? AND last = ?")
            }
            Text::MarkGiven => format!(
                "UPDATE KS.spaces {MARK} WHERE {PLACE} IF writer = ? AND last = ? AND given_count = ?"
            ),
            Text::ForgetMark => format!("{} WHERE {PLACE}", update("last = null, used_at = ?")),
            Text::PutRecord => format!(
                "{PUT}, seq, bytes, dead_at, committed_at, state) \
                 VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            Text::PutChange => format!("{PUT}, bytes) VALUES(?, ?, ?, ?, ?, ?, ?)"),
            Text::PutPlace => format!("{PUT}) VALUES(?, ?, ?, ?, ?, ?)"),
            Text::PutClient => format!(
                "{PUT}, writer, last, used_at, given, given_count) \
                 VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            Text::PutVerdict => {
                format!("{PUT}, m, hash, verdict) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
            }
            Text::PutLetter => format!(
                "{PUT}, at, code, hash, tbl, id, change) \
                 VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            Text::Remove => format!("DELETE FROM KS.spaces WHERE {PLACE}"),
            Text::RemoveUpto => format!(
                "DELETE FROM KS.spaces WHERE {PARTITION} AND (kind, n, a, b) > (?, ?, ?, ?) \
                 AND (kind, n, a, b) <= (?, ?, ?, ?)"
            ),
            Text::RemoveRange => {
                format!("DELETE FROM KS.spaces WHERE {PARTITION} AND kind = ? AND n >= ? AND n < ?")
            }
            Text::RemoveAll => format!("DELETE FROM KS.spaces WHERE {PARTITION}"),
            Text::BeginSpace => format!(
                "{} WHERE {PARTITION} IF epoch = null",
                update("importing = ?")
            ),
            Text::DropSpace => format!(
                "{} WHERE {PARTITION} IF epoch = null",
                update("importing = null")
            ),
            Text::ImportPart => format!(
                "{} WHERE {PARTITION} IF importing = ? AND epoch = null",
                update("last_commit = ?")
            ),
            Text::EndSpace => format!(
                "{} WHERE {PARTITION} IF importing = ? AND epoch = null",
                update(
                    "epoch = ?, epoch_at = ?, lost_at = ?, erased_at = ?, head = ?, gc_seq = ?, \
                     swept = ?, clock = ?, live = ?, writers = ?, last_commit = ?, importing = ?"
                )
            ),
            Text::BeginImport => format!(
                "{} IF bringing = null",
                import("bringing = ?, run = ?, app = null, space = null")
            ),
            Text::TakeOver => format!("{} IF bringing = ? AND run = ?", import("run = ?")),
            Text::GiveUp => format!(
                "{} IF run = ?",
                import("bringing = null, run = null, app = null, space = null")
            ),
            Text::Half => format!("{} IF run = ?", import("app = ?, space = ?")),
            Text::NoHalf => format!("{} IF run = ?", import("app = null, space = null")),
            Text::EndImport => format!(
                "{} IF run = ? AND app = null",
                import("bringing = null, run = null")
            ),
            Text::JobsAt => format!("{} WHERE {PARTITION} AND {at}", jobs()),
            Text::Order => format!(
                "SELECT {SPACE_COLUMNS}, kind, n, a, b, phase FROM KS.spaces \
                 WHERE {PARTITION} AND {range}"
            ),
            Text::MoveWithJobs => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND head = ? AND writers <= ? AND clock <= ? \
                 AND last_commit = ? AND held = ?",
                update("head = ?, clock = ?, live = ?, writers = ?, last_commit = ?, job_no = ?")
            ),
            Text::MoveJobs => format!(
                "{} WHERE {PARTITION} IF epoch = ? AND last_commit = ? AND held = ?",
                update("job_no = ?, last_commit = ?")
            ),
            Text::PutJob => format!(
                "{PUT}, no, lease, phase, moment, due, attempt, holder, error, hint, depth, \
                 of_epoch, of_seq, trigger_id, lane, args) \
                 VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            ),
            Text::PutOrder => format!("{PUT}, phase) VALUES(?, ?, ?, ?, ?, ?, ?)"),
            Text::PutQueue => {
                format!("{PUT}, moment, turn, hint) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
            }
            Text::RemoveSpan => format!(
                "DELETE FROM KS.spaces WHERE {PARTITION} AND kind = ? AND n = ? AND a > ? AND a <= ?"
            ),
            Text::ImportJobs => format!(
                "{} WHERE {PARTITION} IF importing = ? AND epoch = null",
                update("last_commit = ?, job_no = ?")
            ),
            Text::Turns => "SELECT at, turn, id, app, space FROM KS.turns \
                 WHERE kind = ? AND shard = ? AND at >= ? AND at <= ? LIMIT ?"
                .to_owned(),
            Text::PutTurn => "INSERT INTO KS.turns(kind, shard, at, turn, id, app, space) \
                 VALUES(?, ?, ?, ?, ?, ?, ?)"
                .to_owned(),
            Text::RemoveTurn => "DELETE FROM KS.turns \
                 WHERE kind = ? AND shard = ? AND at = ? AND turn = ? AND id = ?"
                .to_owned(),
            Text::DeadNewest => "SELECT at, no, app, space, key, id FROM KS.dead_jobs \
                 WHERE kind = ? AND (at, no, id) < (?, ?, ?) \
                 ORDER BY at DESC, no DESC, id DESC LIMIT ?"
                .to_owned(),
            Text::DeadOldest => "SELECT at, no, app, space, key, id FROM KS.dead_jobs \
                 WHERE kind = ? AND (at, no, id) > (?, ?, ?) AND (at, no, id) <= (?, ?, ?) LIMIT ?"
                .to_owned(),
            Text::PutDead => "INSERT INTO KS.dead_jobs(kind, at, no, id, app, space, key) \
                 VALUES(?, ?, ?, ?, ?, ?, ?)"
                .to_owned(),
            Text::RemoveDead => {
                "DELETE FROM KS.dead_jobs WHERE kind = ? AND at = ? AND no = ? AND id = ?"
                    .to_owned()
            }
            Text::DeadBeforeNewest => "SELECT at, no, app, space, key FROM KS.dead \
                 WHERE kind = ? AND (at, no) < (?, ?) \
                 ORDER BY at DESC, no DESC, app DESC, space DESC, key DESC LIMIT ?"
                .to_owned(),
            Text::DeadBeforeOldest => "SELECT at, no, app, space, key FROM KS.dead \
                 WHERE kind = ? AND (at, no) > (?, ?) AND (at, no) <= (?, ?) LIMIT ?"
                .to_owned(),
            Text::RemoveDeadBefore => "DELETE FROM KS.dead WHERE kind = ? AND at = ? AND no = ? \
                 AND app = ? AND space = ? AND key = ?"
                .to_owned(),
            Text::LedgerAt => format!("{} WHERE number = ? AND (kind, n, id) IN ?", ledger()),
            Text::LedgerNewest => format!(
                "{} WHERE number = ? AND kind = ? AND n < ? \
                 ORDER BY kind DESC, n DESC, id DESC LIMIT ?",
                ledger()
            ),
            Text::LedgerRange => format!(
                "{} WHERE number = ? AND kind = ? AND n > ? AND n <= ? LIMIT ?",
                ledger()
            ),
            Text::LedgerAfter => format!(
                "{} WHERE number = ? AND kind = ? AND n = 0 AND id > ? LIMIT ?",
                ledger()
            ),
            Text::LedgerTail => format!("{} WHERE number = ? AND kind >= ?", ledger()),
            Text::LedgerAccountsAfter => "SELECT DISTINCT number FROM KS.ledger \
                 WHERE token(number) > token(?) LIMIT ?"
                .to_owned(),
            Text::LedgerAccountsFirst => "SELECT DISTINCT number FROM KS.ledger LIMIT ?".to_owned(),
            Text::LedgerOwner => "SELECT number FROM KS.ledger_owners WHERE owner = ?".to_owned(),
            Text::BeginOwner => {
                "INSERT INTO KS.ledger_owners(owner, number) VALUES(?, ?) IF NOT EXISTS".to_owned()
            }
            Text::ForgetOwner => {
                "DELETE FROM KS.ledger_owners WHERE owner = ? IF number = ?".to_owned()
            }
            Text::MoveAccount => {
                "UPDATE KS.ledger SET owner = ?, closed = ?, lines = ?, balance = ?, \
                 reserved = ?, in_transit = ?, granted = ?, purchased = ?, received = ?, \
                 consumed = ?, expired = ?, sent = ?, last_write = ? \
                 WHERE number = ? IF last_write = ?"
                    .to_owned()
            }
            Text::PutLedger => "INSERT INTO KS.ledger(number, kind, n, id, posting, what, amount, \
                 balance_after, at, of_posting, other, app, description, metadata, line, hash, \
                 refunded, expires_at, state, key, to_owner) \
                 VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                .to_owned(),
            Text::RemoveLedger => {
                "DELETE FROM KS.ledger WHERE number = ? AND kind = ? AND n = ? AND id = ?"
                    .to_owned()
            }
            Text::RemoveLedgerKind => {
                "DELETE FROM KS.ledger WHERE number = ? AND kind = ?".to_owned()
            }
            Text::Hints => "SELECT at, id, number FROM KS.ledger_hints \
                 WHERE what = ? AND shard = ? AND at >= ? AND at <= ? LIMIT ?"
                .to_owned(),
            Text::PutHint => {
                "INSERT INTO KS.ledger_hints(what, shard, at, id, number) VALUES(?, ?, ?, ?, ?)"
                    .to_owned()
            }
            Text::RemoveHint => {
                "DELETE FROM KS.ledger_hints WHERE what = ? AND shard = ? AND at = ? AND id = ?"
                    .to_owned()
            }
            Text::PutArchive => {
                "INSERT INTO KS.imports(part, archive, ended_at) VALUES('imports', ?, ?)".to_owned()
            }
        }
    }
}
