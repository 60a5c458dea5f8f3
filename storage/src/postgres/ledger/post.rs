//! An order, as one transaction.

use super::rows;
use crate::ledger::{LedgerRefusal, Line, Operation, Order, PostingId, decide, receive};
use crate::postgres::call::{Call, transaction};
use crate::postgres::commit::BEGIN;
use crate::postgres::connection::Connection;
use crate::postgres::error::Failure;

/// [`crate::LedgerStore::post`]. `ids` are for its lines.
pub(in crate::postgres) struct Post<'a> {
    pub(in crate::postgres) order: &'a Order,
    pub(in crate::postgres) ids: [PostingId; 2],
}

impl Call for Post<'_> {
    type Answer = Result<Line, LedgerRefusal>;

    async fn run(&self, connection: &Connection) -> Result<Self::Answer, Failure> {
        match transaction(connection, BEGIN, self.in_transaction(connection)).await {
            Err(Failure::Refused(refusal)) => Ok(Err(refusal)),
            line => Ok(Ok(line?)),
        }
    }
}

impl Post<'_> {
    /// What is refused is taken back.
    async fn in_transaction(&self, connection: &Connection) -> Result<Line, Failure> {
        let order = self.order;
        let to = match &order.operation {
            Operation::Transfer { to, amount } if *to != order.account => Some((to, *amount)),
            _ => None,
        };
        let mut ids = vec![&order.account];
        ids.extend(to.map(|(to, _)| to));
        let stored = rows::lock(connection, &ids).await?;
        let account = stored[0];
        if let Some((no, hash)) = rows::key(connection, account.no, &order.key).await? {
            return match hash == order.hash() {
                true => rows::line(connection, account.no, no).await,
                false => Err(LedgerRefusal::KeyReused.into()),
            };
        }
        let seen = rows::seen(connection, &account, &order.operation).await?;
        let decided = decide(&seen, order, self.ids)?;
        let line = decided.line().clone();
        let receiver = stored.get(1).copied();
        if let (Some(receiver), Some((_, amount))) = (receiver, to) {
            let from = (&order.account, line.posting);
            let received = receive(receiver.account, from, (amount, order.at_ms))?;
            rows::write(connection, (receiver.no, Some(account.no)), &received).await?;
        }
        let other = receiver.map(|receiver| receiver.no);
        rows::write(connection, (account.no, other), &decided).await?;
        rows::keep_key(connection, (account.no, line.no), order).await?;
        Ok(line)
    }
}
