//! Events as Stripe writes them (Stripe's docs: "The Event object", "The Checkout Session object", "The
//! Refund object", "The Charge object", "The Dispute object"). Members that are not needed are passed over.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use syncline_protocol::ids::UserId;
use syncline_protocol::object;

use super::{
    Event, Ignored, Kind, Mode, PACKAGE, PaymentId, Purchase, RELEASES, Refunded, Reversal, State,
    USER, Unreadable, is_currency, is_id,
};
use crate::payments::packages::AMOUNT_MAX;

/// What matters, or why it does not.
type Found = Result<Event, Ignored>;

/// Only of this version and later ones every refund has events of its own.
const FIRST_VERSION: &str = "2024-10-28";

#[derive(Deserialize)]
struct Envelope<'a> {
    object: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    api_version: Option<String>,
    created: u64,
    livemode: bool,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Deserialize)]
struct Session {
    mode: String,
    payment_status: String,
    payment_intent: Option<String>,
    client_reference_id: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    amount_total: Option<u64>,
    amount_subtotal: Option<u64>,
    currency: Option<String>,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    payment_intent: Option<String>,
    amount: u64,
    currency: String,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    payment_intent: Option<String>,
    amount_refunded: u64,
}

#[derive(Deserialize)]
struct Dispute {
    id: String,
    payment_intent: Option<String>,
    amount: u64,
    currency: String,
    status: String,
}

/// The types that matter.
#[derive(Clone, Copy)]
enum Type {
    Session,
    SessionFailed,
    Refund,
    Refunded,
    Dispute,
    FundsWithdrawn,
    FundsReinstated,
}

fn type_of(text: &str) -> Option<Type> {
    let of = match text {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => Type::Session,
        "checkout.session.async_payment_failed" => Type::SessionFailed,
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            Type::Refund
        }
        "charge.refunded" => Type::Refunded,
        "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed" => {
            Type::Dispute
        }
        "charge.dispute.funds_withdrawn" => Type::FundsWithdrawn,
        "charge.dispute.funds_reinstated" => Type::FundsReinstated,
        _ => return None,
    };
    Some(of)
}

/// Errors: it is no event, or one that nobody here knows how to read.
pub(super) fn read(body: &[u8], mode: Mode) -> Result<Found, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is no text"))?;
    let envelope: Envelope<'_> = object::from_str(text).map_err(malformed)?;
    if envelope.object != "event" {
        return Err(malformed("it is another object"));
    }
    let Some(of) = type_of(&envelope.kind) else {
        return Ok(Err(Ignored::OtherType));
    };
    if envelope.livemode != (mode == Mode::Live) {
        return Ok(Err(Ignored::OtherMode));
    }
    let version = envelope.api_version.unwrap_or_default();
    if !is_read(&version) {
        return Err(Unreadable::Version(shown(&version)));
    }
    let told: Told<'_> = object::from_str(envelope.data.get()).map_err(malformed)?;
    let json = told.object.get();
    match of {
        Type::Session => session(json, envelope.created),
        Type::SessionFailed => session_failed(json),
        Type::Refund => refund(json),
        Type::Refunded => refunded(json),
        Type::Dispute => dispute(json, |said| said),
        Type::FundsWithdrawn => dispute(json, |said| said.max(State::Taken)),
        Type::FundsReinstated => dispute(json, |_| State::Returned),
    }
}

/// `2025-09-30.clover`.
fn is_read(version: &str) -> bool {
    let Some((date, release)) = version.split_once('.') else {
        return false;
    };
    let is_date = date.len() == FIRST_VERSION.len() && date.is_ascii();
    is_date && date >= FIRST_VERSION && RELEASES.contains(&release)
}

/// As much of a text of theirs as is needed to know it.
fn shown(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(32).collect()
}

fn session(json: &str, at_s: u64) -> Result<Found, Unreadable> {
    let session: Session = object::from_str(json).map_err(malformed)?;
    let metadata = session.metadata.unwrap_or_default();
    let (Some(user), Some(package)) = (metadata.get(USER), metadata.get(PACKAGE)) else {
        return Ok(Err(Ignored::NotOurs));
    };
    if session.mode != "payment" {
        return Ok(Err(Ignored::NotOurs));
    }
    match session.payment_status.as_str() {
        "paid" => {}
        "unpaid" => return Ok(Err(Ignored::Unpaid)),
        "no_payment_required" => return Ok(Err(Ignored::NothingToPay)),
        _ => return Err(malformed("the payment has another status")),
    }
    if session.client_reference_id.is_some_and(|id| &id != user) {
        return Err(malformed("client_reference_id is another user"));
    }
    let amount = amount(session.amount_total.unwrap_or_default())?;
    if amount == 0 {
        return Ok(Err(Ignored::NothingToPay));
    }
    Ok(Ok(Event::Purchase(Purchase {
        payment: payment(session.payment_intent.as_deref().unwrap_or_default())?,
        user: UserId::parse(user).map_err(|why| malformed(why.message))?,
        package: package.clone(),
        amount,
        subtotal: self::amount(session.amount_subtotal.unwrap_or_default())?,
        currency: currency(session.currency.unwrap_or_default())?,
        at_s,
    })))
}

fn session_failed(json: &str) -> Result<Found, Unreadable> {
    let session: Session = object::from_str(json).map_err(malformed)?;
    let metadata = session.metadata.unwrap_or_default();
    let is_ours = metadata.contains_key(USER) && metadata.contains_key(PACKAGE);
    match session.payment_intent.filter(|_| is_ours) {
        Some(id) => Ok(Ok(Event::Failed(payment(&id)?))),
        None => Ok(Err(Ignored::NotOurs)),
    }
}

fn refund(json: &str) -> Result<Found, Unreadable> {
    let refund: Refund = object::from_str(json).map_err(malformed)?;
    let state = match refund.status.as_deref() {
        Some("pending" | "requires_action" | "succeeded") => State::Taken,
        Some("failed" | "canceled") => State::Returned,
        _ => return Err(malformed("the refund has another status")),
    };
    let Some(of) = refund.payment_intent else {
        return Ok(Err(Ignored::NotOurs));
    };
    reversal(
        (Kind::Refund, state),
        &of,
        refund.id,
        (refund.amount, refund.currency),
    )
}

fn refunded(json: &str) -> Result<Found, Unreadable> {
    let charge: Charge = object::from_str(json).map_err(malformed)?;
    let Some(of) = charge.payment_intent else {
        return Ok(Err(Ignored::NotOurs));
    };
    Ok(Ok(Event::Refunded(Refunded {
        payment: payment(&of)?,
        charge: id(charge.id)?,
        amount: amount(charge.amount_refunded)?,
    })))
}

/// `known` is what the event's type says beside the status.
fn dispute(json: &str, known: impl Fn(State) -> State) -> Result<Found, Unreadable> {
    let dispute: Dispute = object::from_str(json).map_err(malformed)?;
    let state = match dispute.status.as_str() {
        "warning_needs_response" | "warning_under_review" | "warning_closed" | "prevented" => {
            State::Asked
        }
        "needs_response" | "under_review" | "lost" => State::Taken,
        "won" => State::Returned,
        _ => return Err(malformed("the dispute has another status")),
    };
    let Some(of) = dispute.payment_intent else {
        return Ok(Err(Ignored::NotOurs));
    };
    let what = (Kind::Dispute, known(state));
    reversal(what, &of, dispute.id, (dispute.amount, dispute.currency))
}

fn reversal(
    (kind, state): (Kind, State),
    of: &str,
    id: String,
    (amount, currency): (u64, String),
) -> Result<Found, Unreadable> {
    Ok(Ok(Event::Reversal(Reversal {
        payment: payment(of)?,
        id: self::id(id)?,
        kind,
        amount: self::amount(amount)?,
        currency: self::currency(currency)?,
        state,
    })))
}

fn payment(id: &str) -> Result<PaymentId, Unreadable> {
    PaymentId::parse(id).ok_or_else(|| malformed("the id of its payment is none"))
}

fn id(id: String) -> Result<String, Unreadable> {
    match is_id(&id) {
        true => Ok(id),
        false => Err(malformed("an id is none")),
    }
}

fn amount(amount: u64) -> Result<u64, Unreadable> {
    match amount <= AMOUNT_MAX {
        true => Ok(amount),
        false => Err(malformed("an amount has more than twelve digits")),
    }
}

fn currency(currency: String) -> Result<String, Unreadable> {
    match is_currency(&currency) {
        true => Ok(currency),
        false => Err(malformed("a currency is not three small letters")),
    }
}

fn malformed(why: impl std::fmt::Display) -> Unreadable {
    Unreadable::Malformed(why.to_string())
}
