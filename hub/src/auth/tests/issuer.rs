//! An issuer over HTTP on a free port: it counts the fetches and answers as it is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::Signer;

/// What the issuer says next.
#[derive(Clone)]
pub(super) enum Answer {
    Body(String),
    Status(StatusCode),
    RedirectTo(String),
}

struct Shared {
    fetches: AtomicU64,
    answer: Mutex<Answer>,
    /// A fetch is answered when there is a permit.
    gate: Semaphore,
}

pub(super) struct TestIssuer {
    pub(super) url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

impl TestIssuer {
    /// Publishes the keys of `signers`.
    pub(super) async fn with(signers: &[&Signer]) -> TestIssuer {
        let shared = Arc::new(Shared {
            fetches: AtomicU64::new(0),
            answer: Mutex::new(jwks(signers)),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/jwks", get(answer))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        TestIssuer {
            url,
            shared,
            serving,
        }
    }

    pub(super) fn publish(&self, signers: &[&Signer]) {
        self.say(jwks(signers));
    }

    pub(super) fn say(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// Fetches so far.
    pub(super) fn fetches(&self) -> u64 {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// From now on no fetch is answered.
    pub(super) fn close_gate(&self) {
        self.shared.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn open_gate(&self) {
        self.shared.gate.add_permits(1_000);
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn jwks(signers: &[&Signer]) -> Answer {
    let keys: Vec<_> = signers.iter().map(|signer| &signer.jwk).collect();
    Answer::Body(json!({ "keys": keys }).to_string())
}

async fn answer(State(shared): State<Arc<Shared>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let _permit = shared.gate.acquire().await.unwrap();
    let answer = shared.answer.lock().unwrap().clone();
    match answer {
        Answer::Body(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::RedirectTo(url) => (StatusCode::FOUND, [(header::LOCATION, url)]).into_response(),
    }
}
