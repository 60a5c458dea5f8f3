//! Buying credits, from a checkout to what the ledger is told, against a Stripe of this machine.

use serde_json::Value;
use syncline_compute::jobs::retry::RetryPolicy;
use syncline_compute::outgoing::secret::Secret;
use syncline_compute::payments::event::{self, Event, Ignored, Read};
use syncline_compute::payments::gateway::{
    Begun, Checkout, CheckoutKey, GatewayError, PaymentGateway,
};
use syncline_compute::payments::packages::{PackageConfig, Packages};
use syncline_compute::payments::payment::{Payment, What};
use syncline_compute::payments::signature::Unsigned;
use syncline_compute::payments::stripe::{Stripe, StripeConfig, VERSION};
use syncline_protocol::ids::UserId;
use syncline_tests::stripe::{self, FakeStripe, SECRET_KEY, Signer, Told, Trouble, WEBHOOK_SECRET};

/// 2026-11-24T10:00:00Z.
const NOW_S: u64 = 1_795_514_400;

const ROLLED: &str = "whsec_rolled_0123456789";

/// Tries that do not wait.
const AT_ONCE: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    first_ms: 0,
    longest_ms: 0,
};

struct Shop {
    fake: FakeStripe,
    stripe: Stripe,
    packages: Packages,
}

impl Shop {
    async fn new() -> Shop {
        Shop::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut StripeConfig)) -> Shop {
        let fake = FakeStripe::start().await;
        let mut config = StripeConfig {
            secret_key: Secret::new(SECRET_KEY),
            webhook_secrets: vec![Secret::new(WEBHOOK_SECRET), Secret::new(ROLLED)],
            success_url: "https://todo.example/paid".to_owned(),
            cancel_url: "https://todo.example/".to_owned(),
            timeout_ms: 20_000,
            api: fake.api.clone(),
            private: true,
        };
        change(&mut config);
        let packages = [
            package("small", 100, "price_small"),
            package("large", 500, "price_large"),
        ];
        Shop {
            stripe: Stripe::trying(&config, AT_ONCE).unwrap(),
            packages: Packages::of(&packages).unwrap(),
            fake,
        }
    }

    async fn begin(&self, package: &str, request: &str) -> Result<Begun, GatewayError> {
        let user = UserId::trusted("ada");
        let checkout = Checkout {
            key: CheckoutKey::of(&user, request),
            user,
            package: self.packages.get(package).unwrap().clone(),
        };
        self.stripe.begin(&checkout).await
    }

    /// An event as it comes, to what it says.
    fn hear(&self, event: &Value) -> Read {
        let body = event.to_string();
        let header = Signer::of(&[WEBHOOK_SECRET]).sign(NOW_S, &body);
        let verified = self
            .stripe
            .webhooks()
            .verify(Some(&header), body.as_bytes(), NOW_S);
        assert_eq!(verified, Ok(()));
        event::read(body.as_bytes(), self.stripe.mode()).unwrap()
    }

    fn book(&self, payment: &Payment, event: &Value) -> Payment {
        match self.hear(event) {
            Read::Event(event) => payment.book(&event, &self.packages),
            Read::Ignored(why) => panic!("it is ignored: {why:?}"),
        }
    }
}

fn package(id: &str, credits: u64, price: &str) -> PackageConfig {
    let amount = stripe::PRICES.iter().find(|(of, ..)| *of == price);
    PackageConfig {
        id: id.to_owned(),
        credits,
        price: price.to_owned(),
        currency: "eur".to_owned(),
        amount: amount.map(|(_, amount, _)| *amount),
        retired: false,
    }
}

fn listed(payment: &Payment) -> Vec<(&str, What, u64)> {
    let operations = payment.operations.iter();
    operations
        .map(|of| (of.key.as_str(), of.what, of.credits))
        .collect()
}

#[tokio::test]
async fn what_is_paid_for_is_granted_and_what_is_refunded_is_taken() {
    let shop = Shop::new().await;
    let begun = shop.begin("small", "r1").await.unwrap();
    let sessions = shop.fake.sessions();
    assert_eq!(begun.id, sessions[0].id);
    let paid = stripe::checkout(&sessions[0], "pi_1", Told::Paid);
    let mut payment = shop.book(&Payment::default(), &paid);
    let bought = payment.bought.clone().unwrap().purchase;
    assert_eq!(
        (bought.user.as_str(), bought.package.as_str()),
        ("ada", "small")
    );
    for event in [
        stripe::refund("re_1", "pi_1", 250, "succeeded"),
        stripe::charge_refunded("pi_1", 250),
        paid,
        stripe::dispute("du_1", "pi_1", 249, "needs_response"),
        stripe::dispute("du_1", "pi_1", 249, "won"),
    ] {
        payment = shop.book(&payment, &event);
    }
    let expected = [
        ("stripe:pi_1", What::Grant, 100),
        ("stripe:re_1", What::TakeBack, 50),
        ("stripe:du_1", What::TakeBack, 50),
        ("stripe:du_1:returned", What::GiveBack, 50),
    ];
    assert_eq!(listed(&payment), expected);
}

#[tokio::test]
async fn money_that_takes_days_is_granted_when_it_is_there() {
    let shop = Shop::new().await;
    shop.begin("large", "r1").await.unwrap();
    let session = &shop.fake.sessions()[0];
    let unpaid = shop.hear(&stripe::checkout(session, "pi_1", Told::Unpaid));
    assert_eq!(unpaid, Read::Ignored(Ignored::Unpaid));
    let later = stripe::checkout(session, "pi_1", Told::PaidLater);
    let payment = shop.book(&Payment::default(), &later);
    assert_eq!(listed(&payment), [("stripe:pi_1", What::Grant, 500)]);
    let never = shop.book(
        &Payment::default(),
        &stripe::checkout(session, "pi_2", Told::NeverPaid),
    );
    assert!(never.failed && never.operations.is_empty());
}

#[tokio::test]
async fn the_same_request_begins_one_checkout() {
    let shop = Shop::new().await;
    let first = shop.begin("small", "r1").await.unwrap();
    assert_eq!(shop.begin("small", "r1").await.unwrap(), first);
    assert_ne!(shop.begin("small", "r2").await.unwrap(), first);
    assert_eq!(
        shop.begin("large", "r1").await,
        Err(GatewayError::KeyReused)
    );
    assert_eq!(shop.fake.sessions().len(), 2);
    let requests = shop.fake.requests();
    assert!(
        requests.iter().all(|(_, version)| version == VERSION),
        "{requests:?}"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let shop = Shop::with(|config| config.timeout_ms = 200).await;
    shop.fake.trouble(Trouble::AnswerLost);
    let begun = shop.begin("small", "r1").await.unwrap();
    let sessions = shop.fake.sessions();
    assert_eq!(
        (sessions.len(), sessions[0].id.as_str()),
        (1, begun.id.as_str())
    );
    let requests = shop.fake.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0], requests[1]);
}

#[tokio::test]
async fn troubles_that_pass_are_passed_over() {
    let shop = Shop::with(|config| config.timeout_ms = 200).await;
    for (n, trouble) in [
        Trouble::Refused(409),
        Trouble::Refused(429),
        Trouble::Refused(500),
        Trouble::Refused(503),
        Trouble::Hangs,
    ]
    .into_iter()
    .enumerate()
    {
        shop.fake.trouble(trouble);
        let begun = shop.begin("small", &format!("r{n}")).await;
        assert!(begun.is_ok(), "{trouble:?}: {begun:?}");
        assert_eq!(shop.fake.sessions().len(), n + 1);
    }
}

/// So it does: the key stands for the error, and only another request helps.
#[tokio::test]
async fn an_error_that_stripe_remembers_is_the_answer_of_its_key() {
    let shop = Shop::new().await;
    shop.fake.trouble(Trouble::Failed(500));
    for _ in 0..2 {
        let error = shop.begin("small", "r1").await.unwrap_err();
        assert_eq!(error.code(), "payments_unavailable");
    }
    assert_eq!(shop.fake.requests().len(), 6);
    assert!(shop.fake.sessions().is_empty());
    assert!(shop.begin("small", "r2").await.is_ok());
}

#[tokio::test]
async fn what_is_never_taken_is_asked_once() {
    let other_key = "sk_test_other_0123456789";
    let shop = Shop::with(|config| config.secret_key = Secret::new(other_key)).await;
    let error = shop.begin("small", "r1").await.unwrap_err();
    let said = "payments_unauthorized: 401 invalid_request_error req_fake";
    assert_eq!(error.to_string(), said);
    let mut shop = Shop::new().await;
    shop.packages = Packages::of(&[package("small", 100, "price_gone")]).unwrap();
    let error = shop.begin("small", "r1").await.unwrap_err();
    let said = "checkout_refused: 400 invalid_request_error resource_missing req_fake";
    assert_eq!(error.to_string(), said);
    assert_eq!(shop.fake.requests().len(), 1);
}

#[tokio::test]
async fn while_a_secret_is_rolled_either_is_enough() {
    let shop = Shop::new().await;
    let body = "{}";
    let verify = |secrets: &[&str], at_s| {
        let header = Signer::of(secrets).sign(at_s, body);
        shop.stripe
            .webhooks()
            .verify(Some(&header), body.as_bytes(), NOW_S)
    };
    for secrets in [
        [WEBHOOK_SECRET].as_slice(),
        &[ROLLED],
        &["whsec_newer_0123456789", ROLLED],
    ] {
        assert_eq!(verify(secrets, NOW_S), Ok(()), "{secrets:?}");
    }
    assert_eq!(
        verify(&["whsec_newer_0123456789"], NOW_S),
        Err(Unsigned::Mismatch)
    );
    assert_eq!(
        verify(&[WEBHOOK_SECRET], NOW_S - 301),
        Err(Unsigned::Expired)
    );
}

#[tokio::test]
async fn what_was_paid_for_less_is_not_booked() {
    let shop = Shop::new().await;
    shop.begin("small", "r1").await.unwrap();
    let mut session = shop.fake.sessions()[0].clone();
    session.amount = 1;
    let paid = stripe::checkout(&session, "pi_1", Told::Paid);
    let Read::Event(Event::Purchase(_)) = shop.hear(&paid) else {
        panic!("it is a purchase");
    };
    let payment = shop.book(&Payment::default(), &paid);
    assert_eq!(
        payment.refused.map(|why| why.code()),
        Some("amount_mismatch")
    );
    assert!(payment.operations.is_empty());
}
