//! Stripe as a server of this machine that answers byte for byte what a test says.

use syncline_protocol::ids::UserId;

use super::*;
use crate::outgoing::tests::server::{Answer, Server, reply};
use crate::payments::gateway::CheckoutKey;
use crate::payments::packages::PackageConfig;

mod config;
mod replies;
mod sending;

const KEY: &str = "sk_test_0123456789abcdef";

/// Tries that do not wait.
const AT_ONCE: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    first_ms: 0,
    longest_ms: 0,
};

const BEGUN: &str = r#"{"id":"cs_1","object":"checkout.session","url":"https://pay.example/cs_1","expires_at":1795600800,"amount_total":499}"#;

fn config_at(api: &str) -> StripeConfig {
    StripeConfig {
        secret_key: Secret::new(KEY),
        webhook_secrets: vec![Secret::new("whsec_0123456789abcdef")],
        success_url: "https://todo.example/paid?checkout={CHECKOUT_SESSION_ID}".to_owned(),
        cancel_url: "https://todo.example/".to_owned(),
        timeout_ms: 10_000,
        api: api.to_owned(),
        private: true,
    }
}

fn at(server: &Server) -> Stripe {
    Stripe::trying(&config_at(&server.url), AT_ONCE).unwrap()
}

fn checkout() -> Checkout {
    let user = UserId::trusted("ada & bob/é");
    Checkout {
        key: CheckoutKey::of(&user, "r1"),
        user,
        package: PackageConfig {
            id: "small".to_owned(),
            credits: 100,
            price: "price_1".to_owned(),
            currency: "eur".to_owned(),
            amount: Some(499),
            retired: false,
        },
    }
}

/// An answer with a body, after which nobody uses the connection again.
fn saying(head: &str, body: &str) -> Answer {
    let head = format!("{head}\r\nconnection: close");
    Answer::Bytes(reply(&head, body))
}

fn failing(status: &str) -> Answer {
    saying(
        status,
        r#"{"error":{"type":"api_error","message":"for ada@example.com"}}"#,
    )
}

async fn begun(answers: Vec<Answer>) -> (Result<Begun, GatewayError>, usize) {
    let server = Server::answering_each(answers).await;
    let begun = at(&server).begin(&checkout()).await;
    (begun, server.waiting())
}
