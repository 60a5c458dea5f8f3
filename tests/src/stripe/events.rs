//! What Stripe tells of a payment.

use serde_json::{Value, json};

use super::Session;

/// What happens to a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is done and paid.
    Paid,
    /// It is done, and its money takes days.
    Unpaid,
    /// The money is there.
    PaidLater,
    /// It will not come.
    NeverPaid,
}

/// An event of a checkout, which was paid by a payment.
pub fn checkout(session: &Session, payment: &str, told: Told) -> Value {
    let (kind, status) = match told {
        Told::Paid => ("completed", "paid"),
        Told::Unpaid => ("completed", "unpaid"),
        Told::PaidLater => ("async_payment_succeeded", "paid"),
        Told::NeverPaid => ("async_payment_failed", "unpaid"),
    };
    let metadata: serde_json::Map<String, Value> = session
        .asked
        .iter()
        .filter_map(|(name, value)| {
            let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
            Some((name.to_owned(), json!(value)))
        })
        .collect();
    event(
        &format!("checkout.session.{kind}"),
        &json!({
            "id": session.id, "object": "checkout.session", "mode": session.asked.get("mode"),
            "status": "complete", "payment_status": status, "payment_intent": payment,
            "client_reference_id": session.asked.get("client_reference_id"), "metadata": metadata,
            "amount_subtotal": session.amount, "amount_total": session.amount,
            "currency": session.currency,
        }),
    )
}

/// An event of a refund.
pub fn refund(id: &str, payment: &str, amount: u64, status: &str) -> Value {
    let kind = match status {
        "failed" => "refund.failed",
        _ => "refund.created",
    };
    event(
        kind,
        &json!({
            "id": id, "object": "refund", "payment_intent": payment, "charge": "ch_fake",
            "amount": amount, "currency": "eur", "status": status,
        }),
    )
}

/// An event that says how much of a payment was refunded in all.
pub fn charge_refunded(payment: &str, amount: u64) -> Value {
    event(
        "charge.refunded",
        &json!({
            "id": "ch_fake", "object": "charge", "payment_intent": payment,
            "amount_refunded": amount, "currency": "eur",
        }),
    )
}

/// An event of a dispute, `created` or `closed`.
pub fn dispute(id: &str, payment: &str, amount: u64, status: &str) -> Value {
    let kind = match status {
        "won" | "lost" | "warning_closed" => "closed",
        _ => "created",
    };
    event(
        &format!("charge.dispute.{kind}"),
        &json!({
            "id": id, "object": "dispute", "payment_intent": payment, "charge": "ch_fake",
            "amount": amount, "currency": "eur", "status": status,
        }),
    )
}

fn event(kind: &str, object: &Value) -> Value {
    json!({
        "id": "evt_fake", "object": "event", "type": kind, "api_version": "2025-09-30.clover",
        "created": 1_795_514_400, "livemode": false, "data": {"object": object},
    })
}
