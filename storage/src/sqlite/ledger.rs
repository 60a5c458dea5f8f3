//! The ledger in the file: accounts, their lines, and what is reserved of them. An order is one transaction
//! of the one thread that writes, so nothing happens between what it sees and what it writes.

mod audit;
pub(in crate::sqlite) mod rows;
mod store;

use rusqlite::{Connection, TransactionBehavior};
use syncline_protocol::stamp::WallMs;

use crate::ledger::{
    AccountId, LedgerRefusal, Line, Operation, Order, PostingId, decide, lapse, receive, run_out,
};
use crate::sqlite::checkpoint::Cutter;
use crate::types::StoreError;
use rows::Stored;

/// See [`crate::LedgerStore::post`]. `ids` are for its lines.
fn post(
    conn: &mut Connection,
    order: &Order,
    ids: [PostingId; 2],
) -> Result<Result<Line, LedgerRefusal>, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = rows::find(&tx, &order.account)?;
    if let Some(found) = &found
        && let Some((no, hash)) = rows::key(&tx, found.no, &order.key)?
    {
        return Ok(match hash == order.hash() {
            true => Ok(rows::line(&tx, found.no, no)?),
            false => Err(LedgerRefusal::KeyReused),
        });
    }
    let seen = rows::seen(&tx, found.as_ref(), &order.operation)?;
    let decided = match decide(&seen, order, ids) {
        Ok(decided) => decided,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let line = decided.line().clone();
    if let Operation::Transfer { to, amount } = &order.operation {
        let receiver = rows::find(&tx, to)?;
        let account = receiver.map_or_else(Default::default, |found| found.account);
        let from = (&order.account, line.posting);
        let received = match receive(account, from, (*amount, order.at_ms)) {
            Ok(received) => received,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Both are there before either names the other.
        let (from, to) = (
            rows::number(&tx, found, &order.account)?,
            rows::number(&tx, receiver, to)?,
        );
        rows::write(&tx, (from, Some(to)), &decided)?;
        rows::write(&tx, (to, Some(from)), &received)?;
        rows::keep_key(&tx, (from, line.no), order)?;
    } else {
        let account = rows::number(&tx, found, &order.account)?;
        rows::write(&tx, (account, None), &decided)?;
        rows::keep_key(&tx, (account, line.no), order)?;
    }
    tx.commit()?;
    Ok(Ok(line))
}

/// See [`crate::LedgerStore::expire`].
fn expire(conn: &mut Connection, now_ms: WallMs, limit: usize) -> Result<usize, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let over = rows::over(&tx, now_ms, limit)?;
    for (account, reservation) in &over {
        let stored = rows::account(&tx, *account)?;
        let by = (PostingId::random()?, now_ms);
        if let Some(decided) = run_out(stored, *reservation, by) {
            rows::write(&tx, (*account, None), &decided)?;
        }
    }
    tx.commit()?;
    Ok(over.len())
}

/// See [`crate::LedgerStore::erase_account`].
fn erase(
    conn: &mut Connection,
    (account, nobody): (&AccountId, u128),
    now_ms: WallMs,
    cutter: &Cutter,
) -> Result<bool, StoreError> {
    if matches!(account, AccountId::Erased(_)) {
        return Ok(false);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Some(Stored { no, .. }) = rows::find(&tx, account)? else {
        return Ok(false);
    };
    for reservation in rows::open(&tx, no)? {
        let stored = rows::account(&tx, no)?;
        let by = (PostingId::random()?, now_ms);
        if let Some(decided) = run_out(stored, reservation, by) {
            rows::write(&tx, (no, None), &decided)?;
        }
    }
    let stored = rows::account(&tx, no)?;
    if let Some(decided) = lapse(stored, (PostingId::random()?, now_ms)) {
        rows::write(&tx, (no, None), &decided)?;
    }
    rows::forget(&tx, no, &AccountId::Erased(nobody))?;
    tx.commit()?;
    cutter.cut(conn);
    Ok(true)
}
