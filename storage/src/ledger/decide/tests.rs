//! What must hold whatever is ordered, on accounts that take what random orders decide.

use std::collections::BTreeMap;

use syncline_protocol::ids::UserId;

use super::*;
use crate::faulty::Prng;
use crate::ledger::{CREDITS_MAX, OrderKey};

const USERS: u64 = 3;

fn credits(n: u64) -> Credits {
    Credits::new(n).unwrap()
}

fn user(n: u64) -> AccountId {
    AccountId::User(UserId::trusted(&format!("u{n}")))
}

fn order(account: AccountId, operation: Operation) -> Order {
    Order {
        account,
        key: OrderKey::trusted("k"),
        operation,
        at_ms: 1,
        about: About::default(),
    }
}

/// Accounts, and what they remember.
#[derive(Default)]
struct Bank {
    accounts: BTreeMap<AccountId, Account>,
    lines: BTreeMap<AccountId, Vec<Line>>,
    reservations: BTreeMap<(AccountId, PostingId), Reservation>,
    ids: u128,
}

impl Bank {
    fn id(&mut self) -> PostingId {
        self.ids += 1;
        PostingId(self.ids)
    }

    fn seen(&self, order: &Order) -> Seen {
        let lines = self.lines.get(&order.account);
        let lines = lines.map_or(&[][..], Vec::as_slice);
        let named = match order.operation {
            Operation::Settle { reservation, .. } | Operation::Release { reservation } => {
                Some(reservation)
            }
            _ => None,
        };
        let spent = |of| {
            let used = lines.iter().find(|line| line.posting == of)?;
            let back = |line: &&Line| line.kind == LineKind::Refunded && line.of == Some(of);
            let refunded = lines
                .iter()
                .filter(back)
                .map(|line| line.amount.get())
                .sum();
            Some(Spent {
                kind: used.kind,
                amount: used.amount,
                refunded: credits(refunded),
            })
        };
        Seen {
            account: self
                .accounts
                .get(&order.account)
                .copied()
                .unwrap_or_default(),
            reservation: named.and_then(|posting| {
                let name = (order.account.clone(), posting);
                self.reservations.get(&name).copied()
            }),
            spent: match order.operation {
                Operation::Refund { of, .. } => spent(of),
                _ => None,
            },
        }
    }

    fn write(&mut self, id: &AccountId, decided: Decided) {
        self.accounts.insert(id.clone(), decided.account);
        if let Some(reservation) = decided.reservation {
            let name = (id.clone(), reservation.posting);
            self.reservations.insert(name, reservation);
        }
        self.lines
            .entry(id.clone())
            .or_default()
            .extend(decided.lines);
    }

    fn post(&mut self, order: &Order) -> Result<Line, LedgerRefusal> {
        let ids = [self.id(), self.id()];
        let decided = decide(&self.seen(order), order, ids)?;
        let line = decided.line().clone();
        if let Operation::Transfer { to, amount } = &order.operation {
            let account = self.accounts.get(to).copied().unwrap_or_default();
            let from = (&order.account, line.posting);
            let received = receive(account, from, (*amount, order.at_ms))?;
            self.write(to, received);
        }
        self.write(&order.account, decided);
        Ok(line)
    }

    /// The sum of all entries of all lines, of each party; a transfer is there twice.
    fn entries(&self) -> i128 {
        let lines = self
            .lines
            .iter()
            .flat_map(|(id, lines)| lines.iter().flat_map(move |line| line.entries(id)));
        lines.map(|entry| i128::from(entry.credits)).sum()
    }

    fn is_sound(&self) {
        let mut sum = 0_i128;
        for account in self.accounts.values() {
            let number = |credits: Credits| i128::from(credits.get());
            let held = number(account.balance) + number(account.reserved);
            assert_eq!(held, number(account.earned()) - number(account.spent()));
            sum += held - number(account.granted) - number(account.purchased);
            sum += number(account.consumed) + number(account.expired);
        }
        assert_eq!(sum, 0, "all together");
        assert_eq!(self.entries(), 0);
        for (id, account) in &self.accounts {
            let open: u64 = self
                .reservations
                .iter()
                .filter(|((of, _), one)| of == id && one.state == ReservationState::Open)
                .map(|(_, one)| one.amount.get())
                .sum();
            assert_eq!(account.reserved.get(), open);
            let lines = &self.lines[id];
            assert!(lines.iter().map(|line| line.no).eq(1..=account.lines));
            assert_eq!(lines.last().unwrap().balance_after, account.balance);
        }
    }

    fn random_order(&self, random: &mut Prng) -> Order {
        let account = user(random.below(USERS));
        let amount = credits(random.below(12));
        let lines = self.lines.get(&account).map_or(&[][..], Vec::as_slice);
        let any = |random: &mut Prng| match lines {
            [] => PostingId(0),
            lines => lines[random.below(lines.len() as u64) as usize].posting,
        };
        let operation = match random.below(8) {
            0 => Operation::Grant {
                amount,
                source: [Source::Granted, Source::Purchased][random.below(2) as usize],
            },
            1 => Operation::Use { amount },
            2 => Operation::Lapse { amount },
            3 => Operation::Refund {
                of: any(random),
                amount,
            },
            4 => Operation::Reserve {
                amount,
                expires_at_ms: 9,
            },
            5 => Operation::Settle {
                reservation: any(random),
                amount,
            },
            6 => Operation::Release {
                reservation: any(random),
            },
            _ => Operation::Transfer {
                to: user(random.below(USERS)),
                amount,
            },
        };
        order(account, operation)
    }
}

#[test]
fn whatever_is_ordered_the_books_are_balanced_and_nothing_is_below_0() {
    for seed in 0..200 {
        println!("seed {seed}");
        let mut random = Prng::new(seed);
        let mut bank = Bank::default();
        let mut done = 0;
        for _ in 0..200 {
            let order = bank.random_order(&mut random);
            done += usize::from(bank.post(&order).is_ok());
            bank.is_sound();
        }
        assert!(done > 20, "hardly anything was done: {done}");
    }
}

#[test]
fn what_is_refused_leaves_everything_as_it_was() {
    let mut random = Prng::new(7);
    let mut bank = Bank::default();
    let mut refused = 0;
    for _ in 0..500 {
        let before = bank.accounts.clone();
        let order = bank.random_order(&mut random);
        if bank.post(&order).is_err() {
            refused += 1;
            assert_eq!(bank.accounts, before);
        }
    }
    assert!(refused > 50, "hardly anything was refused: {refused}");
}

#[test]
fn a_reservation_ends_once() {
    let ends: [fn(PostingId) -> Operation; 2] = [
        |reservation| Operation::Settle {
            reservation,
            amount: credits(2),
        },
        |reservation| Operation::Release { reservation },
    ];
    let over = [ReservationState::Settled, ReservationState::Released];
    for (first, over) in ends.iter().zip(over) {
        let mut bank = Bank::default();
        let grant = Operation::Grant {
            amount: credits(5),
            source: Source::Granted,
        };
        bank.post(&order(user(0), grant)).unwrap();
        let reserve = Operation::Reserve {
            amount: credits(5),
            expires_at_ms: 9,
        };
        let reserved = bank.post(&order(user(0), reserve)).unwrap().posting;
        bank.post(&order(user(0), first(reserved))).unwrap();
        for second in ends {
            let again = bank.post(&order(user(0), second(reserved)));
            assert_eq!(again, Err(LedgerRefusal::ReservationOver(over)));
        }
        let ended = bank.reservations[&(user(0), reserved)];
        let account = bank.accounts[&user(0)];
        assert_eq!(run_out(account, ended, (PostingId(0), 9)), None);
    }
}

#[test]
fn an_account_takes_as_much_as_a_number_holds_and_no_more() {
    let mut bank = Bank::default();
    let grant = |n| Operation::Grant {
        amount: credits(n),
        source: Source::Granted,
    };
    bank.post(&order(user(0), grant(CREDITS_MAX))).unwrap();
    let one_more = bank.post(&order(user(0), grant(1)));
    assert_eq!(one_more, Err(LedgerRefusal::Full));
    // What was used does not make room: what came in, altogether, is bounded.
    let all = Operation::Use {
        amount: credits(CREDITS_MAX),
    };
    bank.post(&order(user(0), all)).unwrap();
    let one_more = bank.post(&order(user(0), grant(1)));
    assert_eq!(one_more, Err(LedgerRefusal::Full));
}

#[test]
fn what_could_not_be_received_goes_back() {
    let account = Account {
        balance: credits(5),
        granted: credits(5),
        lines: 1,
        ..Account::default()
    };
    let departed = account.departed(credits(3)).unwrap();
    assert_eq!(
        (departed.balance, departed.in_transit),
        (credits(2), credits(3))
    );
    assert_eq!(departed.turned_back(credits(3)), account);
    let short = LedgerRefusal::Short {
        balance: credits(2),
    };
    assert_eq!(departed.departed(credits(3)), Err(short));
}
