//! Whether accounts are what their lines say, and whether all of them together are 0.

use super::{Account, AccountId, Credits, LineKind, SystemAccount};

/// Drifts that a report keeps; it counts the others.
const DRIFTS_MAX: usize = 100;

/// Where an audit goes on: an engine's own order of accounts, which stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor(pub u128);

/// Some accounts.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// Each is of one moment; they may be of different ones.
    pub accounts: Vec<Audited>,
    /// Where to go on; `None` after the last one.
    pub next: Option<AuditCursor>,
}

/// What is stored of an account, twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Which.
    pub id: AccountId,
    /// As it stands there.
    pub stored: Account,
    /// What its lines say.
    pub sums: Sums,
    /// What its open reservations are, together; `None` if that could not be told of one moment, since
    /// it was written all the time.
    pub open: Option<u128>,
    /// What is under way from it to others, together; `None` likewise.
    pub under_way: Option<u128>,
}

/// Sums of lines by what they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    lines: u64,
    by_kind: [u128; LineKind::ALL.len()],
}

impl Sums {
    /// Adds so many lines of a kind, which are that much together.
    pub fn add(&mut self, kind: LineKind, (lines, credits): (u64, u128)) {
        self.lines += lines;
        self.by_kind[place(kind)] += credits;
    }

    fn of(&self, kinds: &[LineKind]) -> i128 {
        let sum: u128 = kinds.iter().map(|kind| self.by_kind[place(*kind)]).sum();
        sum as i128
    }
}

fn place(kind: LineKind) -> usize {
    let found = LineKind::ALL.iter().position(|one| *one == kind);
    found.expect("all of them are there")
}

/// A number of an account that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub of: DriftOf,
    /// As it is stored.
    pub stored: i128,
    /// As its lines, reservations or transfers say.
    pub summed: i128,
}

/// What has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriftOf {
    /// The number of lines.
    Lines,
    /// The balance, and what has left it without a line.
    Balance,
    /// What is reserved, by the lines.
    Reserved,
    /// The same, by the open reservations.
    Reservations,
    /// What is under way to others.
    InTransit,
    /// What came for nothing.
    Granted,
    /// What was paid for.
    Purchased,
    /// What came from others.
    Received,
    /// What was used.
    Consumed,
    /// What ended unused.
    Expired,
    /// What went to others.
    Sent,
}

impl Audited {
    /// What of it is not as it should be.
    pub fn drifts(&self) -> Vec<Drift> {
        use LineKind::{
            Granted, Lapsed, Purchased, RanOut, Received, Refunded, Released, Reserved, Sent,
            Settled, Used,
        };
        let (stored, sums) = (&self.stored, &self.sums);
        let number = |credits: Credits| i128::from(credits.get());
        let told = |told: Option<u128>, stored| told.map_or(number(stored), |told| told as i128);
        let back = [Refunded, Released, RanOut];
        let balance = sums.of(&[Granted, Purchased, Received]) + sums.of(&back)
            - sums.of(&[Used, Lapsed, Reserved, Sent]);
        let reserved = sums.of(&[Reserved]) - sums.of(&[Settled, Released, RanOut]);
        let all = [
            (
                DriftOf::Lines,
                i128::from(stored.lines),
                i128::from(sums.lines),
            ),
            (
                DriftOf::Balance,
                number(stored.balance) + number(stored.in_transit),
                balance,
            ),
            (DriftOf::Reserved, number(stored.reserved), reserved),
            (
                DriftOf::Reservations,
                number(stored.reserved),
                told(self.open, stored.reserved),
            ),
            (
                DriftOf::InTransit,
                number(stored.in_transit),
                told(self.under_way, stored.in_transit),
            ),
            (
                DriftOf::Granted,
                number(stored.granted),
                sums.of(&[Granted]),
            ),
            (
                DriftOf::Purchased,
                number(stored.purchased),
                sums.of(&[Purchased]),
            ),
            (
                DriftOf::Received,
                number(stored.received),
                sums.of(&[Received]),
            ),
            (
                DriftOf::Consumed,
                number(stored.consumed),
                sums.of(&[Used, Settled]) - sums.of(&[Refunded]),
            ),
            (DriftOf::Expired, number(stored.expired), sums.of(&[Lapsed])),
            (DriftOf::Sent, number(stored.sent), sums.of(&[Sent])),
        ];
        let drifted = all
            .into_iter()
            .filter(|(_, stored, summed)| stored != summed);
        drifted
            .map(|(of, stored, summed)| Drift {
                account: self.id.clone(),
                of,
                stored,
                summed,
            })
            .collect()
    }
}

/// What an audit has found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Accounts that were looked at.
    pub accounts: u64,
    /// The first drifts, at most a hundred.
    pub drifts: Vec<Drift>,
    /// All drifts.
    pub drifted: u64,
    /// What is in balances.
    pub balances: i128,
    /// What is set aside.
    pub reserved: i128,
    /// What has left its account and has no line there yet.
    pub in_transit: i128,
    /// What accounts sent, less what others received.
    pub between: i128,
    systems: [i128; 4],
}

impl Books {
    /// Adds a page.
    pub fn add(&mut self, page: &AuditPage) {
        for audited in &page.accounts {
            self.add_one(audited);
        }
    }

    fn add_one(&mut self, audited: &Audited) {
        let stored = &audited.stored;
        let number = |credits: Credits| i128::from(credits.get());
        self.accounts += 1;
        self.balances += number(stored.balance);
        self.reserved += number(stored.reserved);
        self.in_transit += number(stored.in_transit);
        self.between += number(stored.sent) - number(stored.received);
        let [granted, purchased, consumed, expired] = &mut self.systems;
        *granted -= number(stored.granted);
        *purchased -= number(stored.purchased);
        *consumed += number(stored.consumed);
        *expired += number(stored.expired);
        let drifts = audited.drifts();
        self.drifted += drifts.len() as u64;
        let room = DRIFTS_MAX - self.drifts.len();
        self.drifts.extend(drifts.into_iter().take(room));
    }

    /// What a system account has: less than 0 of those that give.
    pub fn system(&self, account: SystemAccount) -> i128 {
        let [granted, purchased, consumed, expired] = self.systems;
        match account {
            SystemAccount::Granted => granted,
            SystemAccount::Purchased => purchased,
            SystemAccount::Consumed => consumed,
            SystemAccount::Expired => expired,
        }
    }

    /// The sum of everything, which is 0. What was received and has no line at its sender yet is there
    /// twice, and while others write so may be what moved between two pages: it is exact when
    /// nothing is under way.
    pub fn sum(&self) -> i128 {
        let systems: i128 = self.systems.iter().sum();
        self.balances + self.reserved + self.in_transit + systems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::credits::Credits;

    fn credits(n: u64) -> Credits {
        Credits::new(n).unwrap()
    }

    fn audited() -> Audited {
        let mut sums = Sums::default();
        sums.add(LineKind::Granted, (1, 10));
        sums.add(LineKind::Used, (2, 3));
        Audited {
            id: AccountId::Erased(1),
            stored: Account {
                lines: 3,
                balance: credits(7),
                granted: credits(10),
                consumed: credits(3),
                ..Account::default()
            },
            sums,
            open: Some(0),
            under_way: Some(0),
        }
    }

    #[test]
    fn what_lines_say_is_no_drift() {
        let mut books = Books::default();
        let page = AuditPage {
            accounts: vec![audited()],
            next: None,
        };
        books.add(&page);
        assert_eq!((books.drifted, books.sum(), books.accounts), (0, 0, 1));
        assert_eq!(books.system(SystemAccount::Granted), -10);
        assert_eq!(books.system(SystemAccount::Consumed), 3);
    }

    #[test]
    fn each_number_that_is_wrong_is_a_drift() {
        type Spoil = fn(&mut Audited);
        let wrong: [(DriftOf, Spoil); 11] = [
            (DriftOf::Lines, |a| a.stored.lines += 1),
            (DriftOf::Balance, |a| a.stored.balance = credits(8)),
            (DriftOf::Reserved, |a| {
                a.stored.reserved = credits(1);
                a.open = Some(1);
            }),
            (DriftOf::Reservations, |a| a.open = Some(1)),
            (DriftOf::InTransit, |a| a.under_way = Some(1)),
            (DriftOf::Granted, |a| a.stored.granted = credits(9)),
            (DriftOf::Purchased, |a| a.stored.purchased = credits(9)),
            (DriftOf::Received, |a| a.stored.received = credits(9)),
            (DriftOf::Consumed, |a| a.stored.consumed = credits(9)),
            (DriftOf::Expired, |a| a.stored.expired = credits(9)),
            (DriftOf::Sent, |a| a.stored.sent = credits(9)),
        ];
        for (of, break_it) in wrong {
            let mut audited = audited();
            break_it(&mut audited);
            let found: Vec<_> = audited.drifts().iter().map(|drift| drift.of).collect();
            assert_eq!(found, [of]);
        }
    }
}
