//! A server to which webhooks are posted, on a free port: it keeps what comes and answers as it is
//! told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What came.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: String,
}

impl Posted {
    /// The event.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("an event is JSON")
    }

    /// Its idempotency key.
    pub fn id(&self) -> String {
        let id = self.headers.get("webhook-id").expect("an id");
        id.to_str().expect("text").to_owned()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This, at once.
    With(u16, Value),
    /// Nothing, for ever.
    Never,
}

#[derive(Default)]
struct Kept {
    posted: Vec<Posted>,
    /// What is answered next.
    replies: VecDeque<Reply>,
}

/// The server. Unless it is told otherwise it answers 204.
#[derive(Debug)]
pub struct Endpoint {
    /// Where events are to be posted.
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("posted", &self.posted.len())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Listens.
    pub async fn start() -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let kept = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new()
            .route("/hook", post(take))
            .with_state(kept.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        let url = format!("http://{address}/hook");
        Endpoint { url, kept, serving }
    }

    /// What is answered next, behind what it was told before.
    pub fn reply(&self, reply: Reply) {
        locked(&self.kept).replies.push_back(reply);
    }

    /// Everything that came so far.
    pub fn posted(&self) -> Vec<Posted> {
        locked(&self.kept).posted.clone()
    }

    /// Waits until so many came; all of them.
    pub async fn until_posted(&self, count: usize) -> Vec<Posted> {
        crate::until("something is posted", || self.posted().len() >= count).await;
        self.posted()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: String) -> Response {
    let reply = {
        let mut kept = locked(&kept);
        kept.posted.push(Posted { headers, body });
        kept.replies.pop_front()
    };
    match reply {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Reply::With(status, body)) => {
            let status = StatusCode::from_u16(status).expect("a status");
            let json = [("content-type", "application/json")];
            (status, json, body.to_string()).into_response()
        }
        Some(Reply::Never) => std::future::pending().await,
    }
}
