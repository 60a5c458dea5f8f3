//! Payments, in every order that Stripe may tell of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::payments::event::PaymentId;
use crate::payments::event::tests::purchase;
use crate::payments::packages::tests::small;

fn packages() -> Packages {
    Packages::of(&[small()]).unwrap()
}

/// Of 600 cents for 100 credits, to reckon with.
fn bought() -> Event {
    Event::Purchase(Purchase {
        amount: 600,
        ..purchase()
    })
}

fn reversal(kind: Kind, id: &str, amount: u64, state: State) -> Event {
    Event::Reversal(Reversal {
        payment: purchase().payment,
        id: id.to_owned(),
        kind,
        amount,
        currency: "eur".to_owned(),
        state,
    })
}

fn refund(id: &str, amount: u64) -> Event {
    reversal(Kind::Refund, id, amount, State::Taken)
}

fn refunded(amount: u64) -> Event {
    Event::Refunded(Refunded {
        payment: purchase().payment,
        charge: "ch_1".to_owned(),
        amount,
    })
}

fn after(events: &[Event]) -> Payment {
    let packages = packages();
    let book = |payment: Payment, event: &Event| payment.book(event, &packages);
    events.iter().fold(Payment::default(), book)
}

/// As a ledger would list them.
fn listed(payment: &Payment) -> Vec<(&str, What, u64)> {
    let one = |of: &'_ Operation| (of.what, of.credits);
    let keys = payment.operations.iter().map(|of| of.key.as_str());
    let listed = keys.zip(payment.operations.iter().map(one));
    listed
        .map(|(key, (what, credits))| (key, what, credits))
        .collect()
}

#[test]
fn a_purchase_grants_its_credits_once() {
    let expected = [("stripe:pi_1", What::Grant, 100)];
    assert_eq!(listed(&after(&[bought()])), expected);
    assert_eq!(listed(&after(&[bought(), bought()])), expected);
    assert_eq!(after(&[bought()]).bought.unwrap().credits, 100);
}

#[test]
fn a_whole_refund_takes_all_credits() {
    let payment = after(&[bought(), refund("re_1", 600)]);
    assert_eq!(listed(&payment)[1], ("stripe:re_1", What::TakeBack, 100));
    assert_eq!(payment.taken(), 100);
}

/// 100 credits for 600: a cent is a sixth of a credit.
#[test]
fn the_part_of_a_credit_stays_the_users() {
    for (cents, credits) in [
        (0, 0),
        (1, 0),
        (5, 0),
        (6, 1),
        (11, 1),
        (12, 2),
        (599, 99),
        (600, 100),
    ] {
        assert_eq!(
            after(&[bought(), refund("re_1", cents)]).taken(),
            credits,
            "{cents}"
        );
    }
    assert_eq!(after(&[bought(), refund("re_1", 601)]).taken(), 100);
}

#[test]
fn many_small_refunds_take_what_one_would() {
    let mut events = vec![bought()];
    events.extend((0..150).map(|n| refund(&format!("re_{n}"), 4)));
    for count in 0..=150 {
        let taken = after(&events[..=count]).taken();
        assert_eq!(taken, 100 * 4 * count as u64 / 600, "{count}");
    }
}

#[test]
fn a_refund_that_is_told_before_its_purchase_is_kept() {
    let early = after(&[refund("re_1", 300)]);
    assert_eq!(listed(&early), []);
    let payment = early.book(&bought(), &packages());
    let expected = [
        ("stripe:pi_1", What::Grant, 100),
        ("stripe:re_1", What::TakeBack, 50),
    ];
    assert_eq!(listed(&payment), expected);
}

#[test]
fn a_refund_that_failed_gives_its_credits_back() {
    let failed = reversal(Kind::Refund, "re_1", 300, State::Returned);
    let payment = after(&[
        bought(),
        refund("re_1", 300),
        failed.clone(),
        refund("re_1", 300),
    ]);
    let expected = [
        ("stripe:pi_1", What::Grant, 100),
        ("stripe:re_1", What::TakeBack, 50),
        ("stripe:re_1:returned", What::GiveBack, 50),
    ];
    assert_eq!(listed(&payment), expected);
    // Told the other way round nothing was ever taken.
    let payment = after(&[bought(), failed, refund("re_1", 300)]);
    assert_eq!(listed(&payment), [("stripe:pi_1", What::Grant, 100)]);
}

#[test]
fn a_dispute_takes_when_the_bank_does_and_gives_when_it_is_won() {
    let dispute = |state| reversal(Kind::Dispute, "du_1", 600, state);
    let asked = after(&[bought(), dispute(State::Asked)]);
    assert_eq!(asked.taken(), 0);
    let taken = asked.book(&dispute(State::Taken), &packages());
    assert_eq!(taken.taken(), 100);
    assert_eq!(taken.book(&dispute(State::Asked), &packages()), taken);
    let won = taken.book(&dispute(State::Returned), &packages());
    assert_eq!(won.taken(), 0);
}

#[test]
fn a_refund_and_a_dispute_take_no_more_than_there_was() {
    let dispute = reversal(Kind::Dispute, "du_1", 600, State::Taken);
    let payment = after(&[bought(), refund("re_1", 400), dispute, refund("re_2", 200)]);
    assert_eq!(payment.taken(), 100);
}

#[test]
fn what_is_told_as_a_sum_and_one_by_one_is_taken_once() {
    for events in [
        [refund("re_1", 300), refunded(300)],
        [refunded(300), refund("re_1", 300)],
    ] {
        let payment = after(&[&[bought()], events.as_slice()].concat());
        assert_eq!(payment.taken(), 50, "{events:?}");
        assert_eq!(payment.operations.len(), 2);
    }
    let alone = after(&[
        bought(),
        refunded(300),
        refunded(300),
        refunded(200),
        refunded(600),
    ]);
    let expected = [
        ("stripe:pi_1", What::Grant, 100),
        ("stripe:ch_1:300", What::TakeBack, 50),
        ("stripe:ch_1:600", What::TakeBack, 50),
    ];
    assert_eq!(listed(&alone), expected);
    let early = after(&[refunded(300), bought()]);
    assert_eq!(
        listed(&early)[1],
        ("stripe:pi_1:refunded", What::TakeBack, 50)
    );
}

#[test]
fn a_dispute_in_another_currency_is_of_all_of_it() {
    let Event::Reversal(mut dispute) = reversal(Kind::Dispute, "du_1", 1, State::Taken) else {
        panic!("it is a reversal");
    };
    dispute.currency = "usd".to_owned();
    assert_eq!(after(&[bought(), Event::Reversal(dispute)]).taken(), 100);
}

#[test]
fn what_is_not_sold_is_seen_and_booked_once_the_config_is_mended() {
    let nothing = Packages::default();
    let refused = Payment::default().book(&bought(), &nothing);
    assert_eq!(refused.refused, Some(NotSold::PackageUnknown));
    assert!(refused.operations.is_empty() && refused.bought.is_none());
    let early = refused.book(&refund("re_1", 300), &nothing);
    let booked = early.book(&bought(), &packages());
    assert_eq!((booked.refused, booked.taken()), (None, 50));
}

/// What was sold is what was promised then.
#[test]
fn a_config_that_changes_later_changes_no_purchase() {
    let payment = after(&[bought()]);
    let mut dearer = small();
    dearer.credits = 7;
    let dearer = Packages::of(&[dearer]).unwrap();
    for packages in [dearer, Packages::default()] {
        assert_eq!(payment.book(&bought(), &packages), payment);
    }
}

#[test]
fn money_that_never_came_is_seen() {
    let failed = Event::Failed(purchase().payment);
    assert!(after(std::slice::from_ref(&failed)).failed);
    assert!(!after(&[failed.clone(), bought()]).failed);
    assert!(!after(&[bought(), failed]).failed);
}

#[test]
fn a_payment_keeps_200_reversals() {
    let mut payment = after(&[bought()]);
    let packages = packages();
    for n in 0..=REVERSALS_MAX {
        payment = payment.book(&refund(&format!("re_{n}"), 1), &packages);
    }
    assert_eq!(payment.reversals.len(), REVERSALS_MAX);
    let known = reversal(Kind::Refund, "re_0", 1, State::Returned);
    let payment = payment.book(&known, &packages);
    assert_eq!(payment.reversals["re_0"].state, State::Returned);
}

/// The largest numbers there are.
#[test]
fn nothing_overflows() {
    use crate::payments::packages::{AMOUNT_MAX, CREDITS_MAX};
    let mut large = small();
    (large.credits, large.amount) = (CREDITS_MAX, None);
    let packages = Packages::of(&[large]).unwrap();
    let bought = Event::Purchase(Purchase {
        amount: AMOUNT_MAX,
        subtotal: AMOUNT_MAX,
        ..purchase()
    });
    let half = refund("re_1", AMOUNT_MAX / 2);
    let mut payment = Payment::default()
        .book(&bought, &packages)
        .book(&half, &packages);
    assert_eq!(payment.taken(), CREDITS_MAX / 2 - 1);
    for n in 2..20 {
        payment = payment.book(&refund(&format!("re_{n}"), u64::MAX), &packages);
    }
    assert_eq!(payment.taken(), CREDITS_MAX);
}

#[test]
fn a_payment_is_read_as_it_was_stored() {
    let asked = reversal(Kind::Dispute, "du_1", 600, State::Asked);
    let failed = reversal(Kind::Refund, "re_2", 6, State::Returned);
    let known = after(&[bought(), refund("re_1", 300), asked, failed, refunded(306)]);
    let refused = Payment::default().book(&bought(), &Packages::default());
    for payment in [Payment::default(), known, refused] {
        assert_eq!(Payment::from_json(&payment.to_json()), Ok(payment));
    }
    let newer = Payment::default()
        .to_json()
        .replacen("\"v\":1", "\"v\":2", 1);
    assert_eq!(
        Payment::from_json(&newer),
        Err("version 2 is not known".to_owned())
    );
    assert!(Payment::from_json("[]").is_err());
}

/// What Stripe may tell of a payment: each once or more.
fn told() -> impl Strategy<Value = Vec<Event>> {
    let id = prop::sample::select(vec!["re_1", "re_2", "re_3"]);
    let state = prop::sample::select(vec![State::Taken, State::Returned]);
    let cents = BTreeMap::from([("re_1", 7_u64), ("re_2", 200), ("re_3", 393)]);
    let refunds =
        (id, state).prop_map(move |(id, state)| reversal(Kind::Refund, id, cents[id], state));
    let state = prop::sample::select(vec![State::Asked, State::Taken, State::Returned]);
    let disputes = state.prop_map(|state| reversal(Kind::Dispute, "du_1", 450, state));
    let sums = prop::sample::select(vec![7_u64, 207, 600]).prop_map(refunded);
    let failed = Just(Event::Failed(PaymentId::parse("pi_1").unwrap()));
    let one = prop_oneof![4 => refunds, 2 => disputes, 1 => sums, 1 => failed, 1 => Just(bought())];
    proptest::collection::vec(one, 0..12).prop_map(|mut events| {
        events.push(bought());
        events
    })
}

/// Two orders of the same, in which some is told again.
fn orders() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    told().prop_flat_map(|events| {
        let twice = [events.clone(), events.clone()].concat();
        (Just(events).prop_shuffle(), Just(twice).prop_shuffle())
    })
}

/// What there is of the credits when a ledger has done all of it.
fn left(payment: &Payment) -> i64 {
    let signed = |of: &Operation| {
        let credits = i64::try_from(of.credits).unwrap();
        match of.what {
            What::Grant | What::GiveBack => credits,
            What::TakeBack => -credits,
        }
    };
    payment.operations.iter().map(signed).sum()
}

proptest! {
    #[test]
    fn whatever_the_order_the_same_is_left((one, other) in orders()) {
        let (one, other) = (after(&one), after(&other));
        prop_assert_eq!(left(&one), left(&other));
        prop_assert_eq!(&one.reversals, &other.reversals);
        prop_assert_eq!(one.refunded, other.refunded);
        prop_assert!((0..=100).contains(&left(&one)));
    }

    #[test]
    fn no_key_is_used_twice_and_what_was_decided_stays((events, _) in orders()) {
        let packages = packages();
        let mut payment = Payment::default();
        for event in events.iter().chain(&events) {
            let next = payment.book(event, &packages);
            prop_assert!(next.operations.starts_with(&payment.operations));
            let keys: BTreeSet<&str> = next.operations.iter().map(|of| of.key.as_str()).collect();
            prop_assert_eq!(keys.len(), next.operations.len());
            prop_assert!(next.operations.iter().all(|of| of.credits > 0 && of.key.len() <= 256));
            prop_assert!(next.taken() <= 100);
            let stored = Payment::from_json(&next.to_json());
            prop_assert_eq!(stored.as_ref(), Ok(&next));
            payment = next;
        }
        let again = events.iter().fold(payment.clone(), |p, event| p.book(event, &packages));
        prop_assert_eq!(again, payment);
    }
}
