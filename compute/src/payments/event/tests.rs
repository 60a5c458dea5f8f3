//! Events as Stripe writes them, and what is read of each.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn envelope(kind: &str, object: &Value) -> Value {
    json!({
        "id": "evt_1", "object": "event", "type": kind, "api_version": "2025-09-30.clover",
        "created": 1_795_514_400, "livemode": true, "pending_webhooks": 1,
        "request": {"id": null, "idempotency_key": null}, "data": {"object": object},
    })
}

/// A checkout of ada's for the package `small`, with members of its own.
fn session(members: &Value) -> Value {
    with(
        json!({
            "id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "payment_intent": "pi_1", "client_reference_id": "ada",
            "metadata": {"syncline_user": "ada", "syncline_package": "small"},
            "amount_subtotal": 499, "amount_total": 594, "currency": "eur", "url": null,
        }),
        members,
    )
}

fn refund(members: &Value) -> Value {
    with(
        json!({"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1",
               "amount": 100, "currency": "eur", "status": "succeeded"}),
        members,
    )
}

fn dispute(members: &Value) -> Value {
    with(
        json!({"id": "du_1", "object": "dispute", "payment_intent": "pi_1", "charge": "ch_1",
               "amount": 594, "currency": "eur", "status": "needs_response"}),
        members,
    )
}

fn with(mut whole: Value, members: &Value) -> Value {
    let own = members.as_object().unwrap().clone();
    whole.as_object_mut().unwrap().extend(own);
    whole
}

fn read_value(event: &Value) -> Result<Read, Unreadable> {
    read(event.to_string().as_bytes(), Mode::Live)
}

fn of(kind: &str, object: &Value) -> Result<Read, Unreadable> {
    read_value(&envelope(kind, object))
}

fn event(read: Result<Read, Unreadable>) -> Event {
    match read {
        Ok(Read::Event(event)) => event,
        other => panic!("no event: {other:?}"),
    }
}

fn is_malformed(read: &Result<Read, Unreadable>) -> bool {
    matches!(read, Err(Unreadable::Malformed(_)))
}

pub(in crate::payments) fn purchase() -> Purchase {
    Purchase {
        payment: PaymentId::parse("pi_1").unwrap(),
        user: UserId::trusted("ada"),
        package: "small".to_owned(),
        amount: 594,
        subtotal: 499,
        currency: "eur".to_owned(),
        at_s: 1_795_514_400,
    }
}

#[test]
fn a_paid_checkout_is_a_purchase() {
    for kind in [
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    ] {
        let read = of(kind, &session(&json!({})));
        assert_eq!(event(read), Event::Purchase(purchase()), "{kind}");
    }
}

#[test]
fn a_checkout_that_is_not_paid_yet_waits_for_its_money() {
    let unpaid = session(&json!({"payment_status": "unpaid"}));
    let read = of("checkout.session.completed", &unpaid);
    assert_eq!(read, Ok(Read::Ignored(Ignored::Unpaid)));
    let failed = event(of("checkout.session.async_payment_failed", &unpaid));
    assert_eq!(failed, Event::Failed(PaymentId::parse("pi_1").unwrap()));
}

#[test]
fn checkouts_of_others_are_ignored() {
    for members in [
        json!({"metadata": {}}),
        json!({"metadata": null}),
        json!({"metadata": {"syncline_user": "ada"}}),
        json!({"metadata": {"syncline_package": "small"}}),
        json!({"mode": "subscription", "payment_intent": null}),
    ] {
        let read = of("checkout.session.completed", &session(&members));
        assert_eq!(read, Ok(Read::Ignored(Ignored::NotOurs)), "{members}");
    }
    let nothing = [
        json!({"payment_status": "no_payment_required", "payment_intent": null, "amount_total": 0}),
        json!({"amount_total": 0}),
    ];
    for members in nothing {
        let read = of("checkout.session.completed", &session(&members));
        assert_eq!(read, Ok(Read::Ignored(Ignored::NothingToPay)), "{members}");
    }
}

#[test]
fn a_paid_checkout_that_makes_no_sense_is_an_error() {
    for members in [
        json!({"payment_intent": null}),
        json!({"payment_intent": "pi 1"}),
        json!({"payment_intent": "p".repeat(STRIPE_ID_BYTES_MAX + 1)}),
        json!({"payment_intent": {"id": "pi_1"}}),
        json!({"client_reference_id": "bob"}),
        json!({"metadata": {"syncline_user": "", "syncline_package": "small"}, "client_reference_id": ""}),
        json!({"metadata": {"syncline_user": ["ada"], "syncline_package": "small"}}),
        json!({"amount_total": -1}),
        json!({"amount_total": 1.5}),
        json!({"amount_total": 1_000_000_000_000_u64}),
        json!({"currency": "EUR"}),
        json!({"currency": null}),
        json!({"payment_status": "maybe"}),
    ] {
        let read = of("checkout.session.completed", &session(&members));
        assert!(is_malformed(&read), "{members}: {read:?}");
    }
    let longest = session(&json!({"payment_intent": "p".repeat(STRIPE_ID_BYTES_MAX)}));
    event(of("checkout.session.completed", &longest));
    let unnamed = session(&json!({"client_reference_id": null}));
    event(of("checkout.session.completed", &unnamed));
}

#[test]
fn a_refund_is_as_far_as_its_status_says() {
    for (status, state) in [
        ("pending", State::Taken),
        ("requires_action", State::Taken),
        ("succeeded", State::Taken),
        ("failed", State::Returned),
        ("canceled", State::Returned),
    ] {
        for kind in [
            "refund.created",
            "refund.updated",
            "refund.failed",
            "charge.refund.updated",
        ] {
            let read = event(of(kind, &refund(&json!({"status": status}))));
            let expected = Reversal {
                payment: PaymentId::parse("pi_1").unwrap(),
                id: "re_1".to_owned(),
                kind: Kind::Refund,
                amount: 100,
                currency: "eur".to_owned(),
                state,
            };
            assert_eq!(read, Event::Reversal(expected), "{kind} {status}");
        }
    }
    let other = of("refund.created", &refund(&json!({"payment_intent": null})));
    assert_eq!(other, Ok(Read::Ignored(Ignored::NotOurs)));
    let read = of("refund.created", &refund(&json!({"status": null})));
    assert!(is_malformed(&read), "{read:?}");
}

#[test]
fn a_refunded_charge_says_how_much_in_all() {
    let charge = json!({"id": "ch_1", "object": "charge", "amount": 594, "amount_refunded": 200,
                        "payment_intent": "pi_1", "currency": "eur"});
    let expected = Refunded {
        payment: PaymentId::parse("pi_1").unwrap(),
        charge: "ch_1".to_owned(),
        amount: 200,
    };
    assert_eq!(
        event(of("charge.refunded", &charge)),
        Event::Refunded(expected)
    );
}

#[test]
fn a_dispute_is_as_far_as_its_status_and_its_money() {
    let state =
        |kind: &str, status: &str| match event(of(kind, &dispute(&json!({"status": status})))) {
            Event::Reversal(reversal) if reversal.kind == Kind::Dispute => reversal.state,
            other => panic!("no dispute: {other:?}"),
        };
    for (status, expected) in [
        ("warning_needs_response", State::Asked),
        ("warning_under_review", State::Asked),
        ("warning_closed", State::Asked),
        ("prevented", State::Asked),
        ("needs_response", State::Taken),
        ("under_review", State::Taken),
        ("lost", State::Taken),
        ("won", State::Returned),
    ] {
        for kind in ["created", "updated", "closed"] {
            let kind = format!("charge.dispute.{kind}");
            assert_eq!(state(&kind, status), expected, "{kind} {status}");
        }
    }
    let withdrawn = "charge.dispute.funds_withdrawn";
    assert_eq!(state(withdrawn, "warning_needs_response"), State::Taken);
    assert_eq!(state(withdrawn, "won"), State::Returned);
    assert_eq!(
        state("charge.dispute.funds_reinstated", "lost"),
        State::Returned
    );
}

#[test]
fn other_types_are_ignored_whatever_they_hold() {
    for kind in [
        "",
        "invoice.paid",
        "checkout.session.expired",
        "charge.succeeded",
        "refund",
    ] {
        let mut event = envelope(kind, &json!([1]));
        event["api_version"] = json!(null);
        event["livemode"] = json!(false);
        let read = read_value(&event);
        assert_eq!(read, Ok(Read::Ignored(Ignored::OtherType)), "{kind}");
    }
}

#[test]
fn test_mode_grants_nothing_where_the_key_is_live() {
    let mut event = envelope("checkout.session.completed", &session(&json!({})));
    event["livemode"] = json!(false);
    let ignored = Ok(Read::Ignored(Ignored::OtherMode));
    assert_eq!(read_value(&event), ignored);
    assert!(matches!(
        read(event.to_string().as_bytes(), Mode::Test),
        Ok(Read::Event(_))
    ));
    event["livemode"] = json!(true);
    assert_eq!(read(event.to_string().as_bytes(), Mode::Test), ignored);
}

/// It would be money without credits, so it is told again until somebody mends the endpoint.
#[test]
fn a_version_that_nobody_has_looked_at_is_an_error() {
    let read = |version: Value| {
        let mut event = envelope("checkout.session.completed", &session(&json!({})));
        event["api_version"] = version;
        read_value(&event)
    };
    for version in ["2024-10-28.acacia", "2025-03-31.basil", "2026-01-28.clover"] {
        event(read(json!(version)));
    }
    for version in [
        json!("2024-09-30.acacia"),
        json!("2022-11-15"),
        json!("2027-01-01.zinnia"),
        json!("2025-09-30.clover.preview"),
        json!("clover"),
        json!(""),
        json!(null),
    ] {
        let read = read(version.clone());
        assert!(
            matches!(read, Err(Unreadable::Version(_))),
            "{version}: {read:?}"
        );
    }
}

#[test]
fn what_is_no_event_is_an_error() {
    let whole = envelope("checkout.session.completed", &session(&json!({})));
    for member in ["object", "type", "created", "livemode", "data"] {
        let mut event = whole.clone();
        event.as_object_mut().unwrap().remove(member);
        assert!(is_malformed(&read_value(&event)), "{member}");
    }
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "\u{0}",
        "{\"object\":\"event\"",
        "[\"event\",\"a\"]",
    ] {
        assert!(is_malformed(&read(body.as_bytes(), Mode::Live)), "{body}");
    }
    assert!(is_malformed(&read(&[0xff], Mode::Live)));
    let mut other = whole.clone();
    other["object"] = json!("v2.core.event");
    assert!(is_malformed(&read_value(&other)));
    let twice = whole.to_string().replacen(
        "\"livemode\"",
        "\"type\":\"refund.created\",\"livemode\"",
        1,
    );
    assert!(is_malformed(&read(twice.as_bytes(), Mode::Live)));
}

#[test]
fn an_event_has_1_mib() {
    let event = envelope("invoice.paid", &json!({}));
    let mut body = event.to_string().into_bytes();
    body.resize(EVENT_BYTES_MAX, b' ');
    assert!(read(&body, Mode::Live).is_ok());
    body.push(b' ');
    assert_eq!(read(&body, Mode::Live), Err(Unreadable::TooLarge));
}

#[test]
fn labels_are_told_apart() {
    let labels: std::collections::BTreeSet<_> = Ignored::ALL.map(Ignored::label).into();
    assert_eq!(labels.len(), Ignored::ALL.len());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&body, Mode::Live);
    }

    /// A part of an event that is gone or another never becomes a purchase of something else.
    #[test]
    fn no_cut_event_is_read(at in any::<prop::sample::Index>()) {
        let whole = envelope("checkout.session.completed", &session(&json!({}))).to_string();
        let cut = &whole.as_bytes()[..at.index(whole.len())];
        prop_assert!(is_malformed(&read(cut, Mode::Live)));
    }
}
