//! The ledger in its simplest form: see [`crate::LedgerStore`].

use std::collections::BTreeMap;

use syncline_protocol::stamp::WallMs;

use super::ModelStore;
use crate::ledger::{
    About, Account, AccountId, AuditCursor, AuditPage, Audited, Credits, Decided, LINES_MAX,
    LedgerError, LedgerRefusal, Line, LineKind, Operation, Order, OrderKey, PostingId, Reservation,
    ReservationState, Seen, Spent, Sums, decide, lapse, receive, run_out,
};

/// All accounts, and numbers that were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    accounts: BTreeMap<AccountId, Kept>,
    ids: u128,
}

/// An account.
#[derive(Clone, Debug, Default)]
struct Kept {
    account: Account,
    lines: Vec<Line>,
    /// What an order was, and the number of its line.
    keys: BTreeMap<OrderKey, ([u8; 32], u64)>,
    reservations: BTreeMap<PostingId, Reservation>,
}

impl Ledger {
    fn id(&mut self) -> PostingId {
        self.ids += 1;
        PostingId(self.ids)
    }
}

impl Kept {
    fn line(&self, no: u64) -> &Line {
        &self.lines[no as usize - 1]
    }

    fn spent(&self, of: PostingId) -> Option<Spent> {
        let used = self.lines.iter().find(|line| line.posting == of)?;
        let back = |line: &&Line| line.kind == LineKind::Refunded && line.of == Some(of);
        let refunded = self.lines.iter().filter(back);
        let refunded = refunded.map(|line| line.amount.get()).sum();
        Some(Spent {
            kind: used.kind,
            amount: used.amount,
            refunded: Credits::new(refunded)?,
        })
    }

    fn seen(&self, operation: &Operation) -> Seen {
        let mut seen = Seen {
            account: self.account,
            ..Seen::default()
        };
        match operation {
            Operation::Refund { of, .. } => seen.spent = self.spent(*of),
            Operation::Settle { reservation, .. } | Operation::Release { reservation } => {
                seen.reservation = self.reservations.get(reservation).copied();
            }
            _ => {}
        }
        seen
    }

    fn write(&mut self, decided: Decided) {
        self.account = decided.account;
        self.lines.extend(decided.lines);
        if let Some(reservation) = decided.reservation {
            self.reservations.insert(reservation.posting, reservation);
        }
    }

    fn run_out(&mut self, reservation: Reservation, by: (PostingId, WallMs)) {
        if let Some(decided) = run_out(self.account, reservation, by) {
            self.write(decided);
        }
    }

    fn open(&self) -> impl Iterator<Item = Reservation> {
        let all = self.reservations.values().copied();
        all.filter(|one| one.state == ReservationState::Open)
    }

    fn audited(&self, id: &AccountId) -> Audited {
        let mut sums = Sums::default();
        for line in &self.lines {
            sums.add(line.kind, (1, u128::from(line.amount.get())));
        }
        Audited {
            id: id.clone(),
            stored: self.account,
            sums,
            open: Some(self.open().map(|one| u128::from(one.amount.get())).sum()),
            under_way: Some(0),
        }
    }
}

impl ModelStore {
    /// See [`crate::LedgerStore::post`].
    pub fn post(&mut self, order: &Order) -> Result<Line, LedgerError> {
        let ledger = &mut self.ledger;
        let kept = ledger.accounts.get(&order.account).cloned();
        let mut kept = kept.unwrap_or_default();
        if let Some((hash, no)) = kept.keys.get(&order.key) {
            return match *hash == order.hash() {
                true => Ok(kept.line(*no).clone()),
                false => Err(LedgerRefusal::KeyReused.into()),
            };
        }
        let ids = [ledger.id(), ledger.id()];
        let decided = decide(&kept.seen(&order.operation), order, ids)?;
        let line = decided.line().clone();
        if let Operation::Transfer { to, amount } = &order.operation {
            let mut receiver = ledger.accounts.get(to).cloned().unwrap_or_default();
            let from = (&order.account, line.posting);
            receiver.write(receive(receiver.account, from, (*amount, order.at_ms))?);
            ledger.accounts.insert(to.clone(), receiver);
        }
        kept.write(decided);
        let known = (order.hash(), line.no);
        kept.keys.insert(order.key.clone(), known);
        ledger.accounts.insert(order.account.clone(), kept);
        Ok(line)
    }

    /// See [`crate::LedgerStore::account`].
    pub fn account(&self, account: &AccountId) -> Account {
        let kept = self.ledger.accounts.get(account);
        kept.map(|kept| kept.account).unwrap_or_default()
    }

    /// See [`crate::LedgerStore::lines`].
    pub fn lines(&self, account: &AccountId, before: Option<u64>, limit: usize) -> Vec<Line> {
        let lines = self.ledger.accounts.get(account);
        let lines = lines.map_or(&[][..], |kept| &kept.lines);
        let before = before.unwrap_or(u64::MAX);
        let newest = lines.iter().rev().filter(|line| line.no < before);
        newest.take(limit.min(LINES_MAX)).cloned().collect()
    }

    /// See [`crate::LedgerStore::reservation`].
    pub fn reservation(&self, account: &AccountId, posting: PostingId) -> Option<Reservation> {
        let kept = self.ledger.accounts.get(account)?;
        kept.reservations.get(&posting).copied()
    }

    /// See [`crate::LedgerStore::expire`].
    pub fn expire(&mut self, now_ms: WallMs, limit: usize) -> usize {
        let accounts = &self.ledger.accounts;
        let all = accounts
            .iter()
            .flat_map(|(id, kept)| kept.open().map(move |one| (id.clone(), one)));
        let mut over: Vec<_> = all.filter(|(_, one)| one.expires_at_ms <= now_ms).collect();
        over.sort_by_key(|(id, one)| (one.expires_at_ms, id.clone(), one.posting));
        over.truncate(limit);
        for (id, reservation) in &over {
            let posting = self.ledger.id();
            let kept = self.ledger.accounts.get_mut(id).expect("it was found");
            kept.run_out(*reservation, (posting, now_ms));
        }
        over.len()
    }

    /// See [`crate::LedgerStore::audit`].
    pub fn audit(&self, after: Option<AuditCursor>, limit: usize) -> AuditPage {
        let from = after.map_or(0, |cursor| cursor.0 as usize);
        let accounts = self.ledger.accounts.iter().skip(from).take(limit);
        let accounts: Vec<_> = accounts.map(|(id, kept)| kept.audited(id)).collect();
        let to = from + accounts.len();
        AuditPage {
            next: (to < self.ledger.accounts.len()).then_some(AuditCursor(to as u128)),
            accounts,
        }
    }

    /// See [`crate::LedgerStore::erase_account`].
    pub fn erase_account(&mut self, account: &AccountId, now_ms: WallMs) -> bool {
        if matches!(account, AccountId::Erased(_)) {
            return false;
        }
        let Some(mut kept) = self.ledger.accounts.remove(account) else {
            return false;
        };
        let open: Vec<_> = kept.open().collect();
        for reservation in open {
            kept.run_out(reservation, (self.ledger.id(), now_ms));
        }
        if let Some(decided) = lapse(kept.account, (self.ledger.id(), now_ms)) {
            kept.write(decided);
        }
        kept.keys.clear();
        for line in &mut kept.lines {
            line.about = About::default();
        }
        let nobody = AccountId::Erased(self.ledger.id().0);
        for line in self
            .ledger
            .accounts
            .values_mut()
            .flat_map(|kept| &mut kept.lines)
        {
            if line.other.as_ref() == Some(account) {
                line.other = Some(nobody.clone());
            }
        }
        self.ledger.accounts.insert(nobody, kept);
        true
    }
}
