//! Stripe's API as far as the hub uses it, on a free port: it begins checkouts, remembers idempotency keys as
//! Stripe does (Stripe's docs, "Idempotent requests"), fails as it is told to, and tells what happens to a
//! payment in signed events.
//!
//! An answer is saved with its key once a request is carried out, errors included; what is refused before
//! that is not. The same key with other parameters is refused.

mod events;
mod signer;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use events::{Told, charge_refunded, checkout, dispute, refund};
pub use signer::Signer;

/// The key that is taken.
pub const SECRET_KEY: &str = "sk_test_fake_0123456789";

/// What signs its events.
pub const WEBHOOK_SECRET: &str = "whsec_fake_0123456789";

/// Prices that there are: id, amount, currency.
pub const PRICES: [(&str, u64, &str); 2] =
    [("price_small", 499, "eur"), ("price_large", 1_999, "eur")];

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This status, before anything is done.
    Refused(u16),
    /// This status, saved with the key.
    Failed(u16),
    /// Nothing is answered, and nothing is done.
    Hangs,
    /// It is done, and nothing is answered.
    AnswerLost,
}

/// A checkout that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// What was asked, by name.
    pub asked: BTreeMap<String, String>,
    /// What is to be paid, in the currency's smallest unit.
    pub amount: u64,
    /// In which.
    pub currency: String,
}

#[derive(Debug, Default)]
struct Kept {
    /// The key and the version of every request.
    requests: Vec<(String, String)>,
    sessions: Vec<Session>,
    saved: HashMap<String, Saved>,
    /// What happens next.
    troubles: VecDeque<Trouble>,
}

/// What a key stands for.
#[derive(Clone, Debug)]
struct Saved {
    asked: BTreeMap<String, String>,
    status: u16,
    body: Value,
}

/// What is done about a request.
enum Done {
    Answer { saved: Saved, is_replayed: bool },
    Silence,
}

/// The server.
#[derive(Debug)]
pub struct FakeStripe {
    /// Where its API is.
    pub api: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl FakeStripe {
    /// Listens.
    pub async fn start() -> FakeStripe {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new()
            .route("/v1/checkout/sessions", post(begin))
            .with_state(kept.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        FakeStripe {
            api: format!("http://{address}"),
            kept,
            serving,
        }
    }

    /// What happens to the next request, behind what it was told before.
    pub fn trouble(&self, trouble: Trouble) {
        locked(&self.kept).troubles.push_back(trouble);
    }

    /// Every checkout that was begun.
    pub fn sessions(&self) -> Vec<Session> {
        locked(&self.kept).sessions.clone()
    }

    /// The idempotency key and the version of every request that came.
    pub fn requests(&self) -> Vec<(String, String)> {
        locked(&self.kept).requests.clone()
    }
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn begin(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: String) -> Response {
    let done = locked(&kept).take(&headers, &body);
    let Done::Answer { saved, is_replayed } = done else {
        return std::future::pending().await;
    };
    let status = StatusCode::from_u16(saved.status).expect("a status");
    let mut response = (status, saved.body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert("content-type", "application/json".parse().expect("a value"));
    headers.insert("request-id", "req_fake".parse().expect("a value"));
    if is_replayed {
        headers.insert("idempotent-replayed", "true".parse().expect("a value"));
    }
    response
}

impl Kept {
    fn take(&mut self, headers: &HeaderMap, body: &str) -> Done {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let key = header("idempotency-key").unwrap_or_default().to_owned();
        let version = header("stripe-version").unwrap_or_default().to_owned();
        self.requests.push((key.clone(), version));
        let asked = form(body);
        if header("authorization") != Some(format!("Bearer {SECRET_KEY}").as_str()) {
            return refused(401, "invalid_request_error", None);
        }
        let trouble = self.troubles.pop_front();
        match trouble {
            Some(Trouble::Hangs) => return Done::Silence,
            Some(Trouble::Refused(409)) => {
                return refused(409, "idempotency_error", Some("idempotency_key_in_use"));
            }
            Some(Trouble::Refused(status)) => return refused(status, "api_error", None),
            _ => {}
        }
        if let Some(saved) = self.saved.get(&key) {
            return match saved.asked == asked {
                true => Done::Answer {
                    saved: saved.clone(),
                    is_replayed: true,
                },
                false => refused(400, "idempotency_error", None),
            };
        }
        let (status, body) = match trouble {
            Some(Trouble::Failed(status)) => (status, error("api_error", None)),
            _ => match self.carry_out(&asked) {
                Ok(body) => (200, body),
                Err(refused) => return refused,
            },
        };
        let saved = Saved {
            asked,
            status,
            body,
        };
        if !key.is_empty() {
            self.saved.insert(key, saved.clone());
        }
        match trouble {
            Some(Trouble::AnswerLost) => Done::Silence,
            _ => Done::Answer {
                saved,
                is_replayed: false,
            },
        }
    }

    /// Begins a checkout. Errors: its parameters are not taken.
    fn carry_out(&mut self, asked: &BTreeMap<String, String>) -> Result<Value, Done> {
        let said = |name: &str| asked.get(name).map(String::as_str);
        let is_payment = said("mode") == Some("payment");
        let is_one = said("line_items[0][quantity]") == Some("1");
        if !is_payment || !is_one || said("success_url").is_none() {
            return Err(refused(
                400,
                "invalid_request_error",
                Some("parameter_missing"),
            ));
        }
        let price = PRICES
            .iter()
            .find(|(id, ..)| said("line_items[0][price]") == Some(*id));
        let Some((_, amount, currency)) = price else {
            return Err(refused(
                400,
                "invalid_request_error",
                Some("resource_missing"),
            ));
        };
        let session = Session {
            id: format!("cs_test_{}", self.sessions.len() + 1),
            asked: asked.clone(),
            amount: *amount,
            currency: (*currency).to_owned(),
        };
        let body = json!({
            "id": session.id, "object": "checkout.session", "status": "open",
            "url": format!("https://checkout.example/c/pay/{}", session.id),
            "expires_at": 1_795_600_800, "payment_status": "unpaid", "payment_intent": null,
            "amount_total": amount, "currency": currency,
        });
        self.sessions.push(session);
        Ok(body)
    }
}

/// An answer that no key remembers.
fn refused(status: u16, kind: &str, code: Option<&str>) -> Done {
    let saved = Saved {
        asked: BTreeMap::new(),
        status,
        body: error(kind, code),
    };
    Done::Answer {
        saved,
        is_replayed: false,
    }
}

fn error(kind: &str, code: Option<&str>) -> Value {
    json!({"error": {"type": kind, "code": code, "message": "It says so in words."}})
}

fn form(body: &str) -> BTreeMap<String, String> {
    let url = Url::parse(&format!("http://form/?{body}")).expect("a form");
    let pairs = url.query_pairs();
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
