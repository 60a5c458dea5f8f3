//! From one account into another, in three batches, each of which may be the last that its writer wrote.

use super::hints::{self, Errand, Hint};
use super::owners;
use super::partition::{Becomes, Change, Tries, account, look, touch};
use super::post::{Answer, There, answer, is_open, there};
use super::row::{NewRow, UnderWay, kind, of_key, of_posting};
use crate::cassandra::failure::{Failure, contended};
use crate::cassandra::interlude::Step;
use crate::cassandra::server::Server;
use crate::ledger::{
    AccountId, Credits, LedgerRefusal, Line, Order, PostingId, Seen, decide, may_receive, receive,
    send,
};

/// What has become of a transfer.
enum Became {
    /// Both accounts have their line; this one is the sender's.
    Sent(Box<Line>),
    /// It went back, and nothing is left of it.
    Back(LedgerRefusal),
    /// Somebody else brought it to its end.
    Over,
}

/// Times that an order is looked for again, because somebody else ended what was under way.
const LOOKS_MAX: usize = 8;

/// [`crate::LedgerStore::post`], of a transfer.
pub(super) async fn post(
    server: &Server,
    (from, order): (u128, &Order),
    (to, amount): (&AccountId, Credits),
) -> Result<Answer, Failure> {
    if let Err(refusal) = may_receive(&order.account, to) {
        return Ok(Err(refusal));
    }
    let receiver = owners::find_or_give(server, to).await?;
    for _ in 0..LOOKS_MAX {
        let posting = match depart(server, (from, order), (receiver, to, amount)).await? {
            Departed::UnderWay(posting) => posting,
            Departed::Before(answer) => return Ok(answer),
        };
        match finish(server, from, posting).await? {
            Became::Sent(mut line) => {
                line.other = Some(to.clone());
                return Ok(Ok(*line));
            }
            Became::Back(refusal) => return Ok(Err(refusal)),
            Became::Over => {}
        }
    }
    Err(contended().into())
}

enum Departed {
    /// It has left its sender, now or before.
    UnderWay(PostingId),
    /// It was done before, or is refused.
    Before(Answer),
}

/// The first half: it leaves the balance.
async fn depart(
    server: &Server,
    (from, order): (u128, &Order),
    (to, owner, amount): (u128, &AccountId, Credits),
) -> Result<Departed, Failure> {
    let mut tries = Tries::of(server, from).await;
    loop {
        tries.next().await?;
        let places = vec![of_key(&order.key)];
        let (found, all) = look(server, (from, places), there).await?;
        is_open(&found)?;
        if let Some(There::Key(known)) = all.into_iter().next() {
            let is_under_way = known.line.is_none() && known.hash == order.hash();
            return match is_under_way {
                true => Ok(Departed::UnderWay(known.posting)),
                false => {
                    let before = answer(server, from, (&known, order)).await?;
                    Ok(Departed::Before(before))
                }
            };
        }
        let posting = PostingId::random()?;
        let seen = Seen {
            account: found.account,
            ..Seen::default()
        };
        let departed =
            decide(&seen, order, [posting; 2]).and_then(|_| found.account.departed(amount));
        let departed = match departed {
            Ok(departed) => departed,
            Err(refusal) => return Ok(Departed::Before(Err(refusal))),
        };
        let hint = Hint {
            at_ms: order.at_ms,
            posting,
            number: from,
        };
        hints::put(server, Errand::Finish, hint).await?;
        let becomes = Becomes {
            account: departed,
            owner: Some(order.account.stored()),
            is_closed: false,
        };
        let mut change = Change::of(from, &found, &becomes)?;
        change.put(NewRow::under_way(order, posting, (to, owner, amount)));
        let key = (&order.key, order.hash().to_vec());
        change.put(NewRow::key(key, posting, None));
        if change.write(server).await? {
            return Ok(Departed::UnderWay(posting));
        }
    }
}

/// Brings a transfer to its end, whoever began it.
pub(super) async fn finish_one(
    server: &Server,
    from: u128,
    posting: PostingId,
) -> Result<(), Failure> {
    finish(server, from, posting).await.map(drop)
}

async fn finish(server: &Server, from: u128, posting: PostingId) -> Result<Became, Failure> {
    server.interludes.at(Step::DebitAndCredit).await;
    let Some(under_way) = under_way(server, from, posting).await? else {
        return Ok(Became::Over);
    };
    let arrived = arrive(server, from, &under_way).await?;
    server.interludes.at(Step::CreditAndClose).await;
    close(server, (from, &under_way), arrived).await
}

async fn under_way(
    server: &Server,
    from: u128,
    posting: PostingId,
) -> Result<Option<UnderWay>, Failure> {
    let places = vec![of_posting(kind::UNDER_WAY, posting)];
    let (_, all) = look(server, (from, places), |kind, row| match kind {
        kind::UNDER_WAY => row.under_way().map(Some),
        _ => Ok(None),
    })
    .await?;
    Ok(all.into_iter().next())
}

/// The other half: the receiver gets its line, once. A refusal is for good: what came into an account,
/// altogether, never becomes less, and one that is nobody's stays so.
async fn arrive(
    server: &Server,
    from: u128,
    under_way: &UnderWay,
) -> Result<Result<(), LedgerRefusal>, Failure> {
    let (to, posting) = (under_way.to, under_way.posting);
    let mut tries = Tries::of(server, to).await;
    loop {
        tries.next().await?;
        let places = vec![of_posting(kind::RECEIVED, posting)];
        let (found, received) = look(server, (to, places), |kind, _| {
            Ok((kind == kind::RECEIVED).then_some(()))
        })
        .await?;
        if !received.is_empty() {
            return Ok(Ok(()));
        }
        if found.is_closed {
            return Ok(Err(LedgerRefusal::NoSuchAccount));
        }
        // The line is written with the sender's number, whoever that is by then.
        let sender = (&AccountId::Erased(from), posting);
        let amount = (under_way.amount, under_way.at_ms);
        let decided = match receive(found.account, sender, amount) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let becomes = Becomes {
            account: decided.account,
            owner: Some(under_way.to_owner.clone()),
            is_closed: false,
        };
        let mut change = Change::of(to, &found, &becomes)?;
        change.put_decided(&decided, Some(from));
        change.put(NewRow::received(posting));
        if change.write(server).await? {
            return Ok(Ok(()));
        }
    }
}

/// The end: the sender gets its line, or has back what could not be received.
async fn close(
    server: &Server,
    (from, under_way): (u128, &UnderWay),
    arrived: Result<(), LedgerRefusal>,
) -> Result<Became, Failure> {
    let posting = under_way.posting;
    let mut tries = Tries::of(server, from).await;
    loop {
        tries.next().await?;
        let places = vec![of_posting(kind::UNDER_WAY, posting)];
        let (found, left) = look(server, (from, places), |kind, _| {
            Ok((kind == kind::UNDER_WAY).then_some(()))
        })
        .await?;
        if left.is_empty() {
            return Ok(Became::Over);
        }
        let back = found.account.turned_back(under_way.amount);
        let mut becomes = Becomes {
            account: back,
            owner: found.owner.clone(),
            is_closed: found.is_closed,
        };
        let key = (&under_way.key, under_way.hash.clone());
        let (mut change, became) = match arrived {
            Err(refusal) => {
                let mut change = Change::of(from, &found, &becomes)?;
                change.remove(of_key(&under_way.key));
                (change, Became::Back(refusal))
            }
            Ok(()) => {
                let to = AccountId::Erased(under_way.to);
                let sent = (posting, under_way.amount, under_way.at_ms);
                let decided = send(back, sent, (to, under_way.about.clone()));
                becomes.account = decided.account;
                let mut change = Change::of(from, &found, &becomes)?;
                change.put_decided(&decided, Some(under_way.to));
                let line = decided.line();
                change.put(NewRow::key(key, posting, Some(line.no)));
                (change, Became::Sent(Box::new(line.clone())))
            }
        };
        change.remove(of_posting(kind::UNDER_WAY, posting));
        if change.write(server).await? {
            let hint = Hint {
                at_ms: under_way.at_ms,
                posting,
                number: from,
            };
            hints::remove(server, Errand::Finish, hint).await;
            return Ok(became);
        }
    }
}

/// Goes on with a transfer that a hint names. What the hint names in vain is under way no more.
pub(super) async fn go_on(server: &Server, hint: Hint) -> Result<(), Failure> {
    if under_way(server, hint.number, hint.posting)
        .await?
        .is_some()
    {
        finish(server, hint.number, hint.posting).await?;
        return Ok(());
    }
    let mut tries = Tries::of(server, hint.number).await;
    loop {
        tries.next().await?;
        let found = account(server, hint.number).await?;
        if touch(server, hint.number, &found).await? {
            break;
        }
    }
    drop(tries);
    match under_way(server, hint.number, hint.posting).await? {
        // It was written before the touch: next time.
        Some(_) => Ok(()),
        None => {
            hints::remove(server, Errand::Finish, hint).await;
            Ok(())
        }
    }
}
