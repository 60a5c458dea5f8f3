//! The first user's questions about recurrences: `POST /api/v1/compute/next-occurrence`,
//! `/validate`, `/expand`. Whoever has a token may ask; no data is touched.
//!
//! What cannot be answered is 400 `{"error"}`, a sentence. Only `/validate` answers 200 then, with
//! `"valid":false`, as those clients know it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use syncline_compute::recurrence::limits::OCCURRENCES_MAX;
use syncline_compute::recurrence::{
    Expand, Instant, NextAsk, Refused, Work, check_route_length, expand, next_occurrence, validate,
};
use syncline_protocol::error::Code;
use syncline_protocol::ids::UserId;

use crate::gateway::Gateway;
use crate::http::error::json as json_answer;
use crate::http::guard::counted;
use crate::http::shares::Shares;
use crate::http::{HttpError, RawBody};
use crate::telemetry::labels::Route;

/// Questions that are computed or wait for it.
const ASKED_MAX: usize = 256;

/// Of one user. Who asks more at once waits for what is its own.
const ASKED_BY_ONE_MAX: usize = 8;

/// The least that a room has.
const QUESTION: usize = 1_024;

/// How long a question waits to be one of them; then it is told to come again.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// What the routes share.
struct Computing {
    gateway: Arc<Gateway>,
    /// Of a [`QUESTION`] each.
    asked: Shares,
}

/// The routes.
pub fn routes(gateway: Arc<Gateway>) -> Router {
    let computing = Computing {
        gateway,
        asked: Shares::new(ASKED_MAX * QUESTION, ASKED_BY_ONE_MAX * QUESTION),
    };
    let route = |path: &str| format!("/api/v1/compute/{path}");
    Router::new()
        .route(
            &route("next-occurrence"),
            counted(Route::Compute, post(next)),
        )
        .route(&route("validate"), counted(Route::Compute, post(valid)))
        .route(&route("expand"), counted(Route::Compute, post(expanded)))
        .with_state(Arc::new(computing))
}

#[derive(Deserialize)]
struct NextQuestion {
    #[serde(default)]
    rrule: String,
    after: Option<String>,
    #[serde(rename = "recurrenceEndDate")]
    end: Option<String>,
}

/// `{rrule, after?, recurrenceEndDate?}` → `{nextDate|null, valid, totalOccurrences}`.
async fn next(
    State(computing): State<Arc<Computing>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let asked = computing.read::<NextQuestion>(&headers, body).await?;
    let (asker, now) = (asked.user, asked.now);
    let question = match asked.question {
        Ok(question) => question,
        Err(refused) => return Ok(refused),
    };
    let answer = computing.compute(&asker, move |work| {
        check_route_length(&question.rrule)?;
        let ask = NextAsk {
            after: question.after.as_deref(),
            end: question.end.as_deref(),
            now,
        };
        next_occurrence(&question.rrule, ask, work)
    });
    Ok(match answer.await? {
        Ok(answer) => ok(&json!({
            "nextDate": answer.next.map(|next| next.to_string()),
            "valid": true,
            "totalOccurrences": answer.total,
        })),
        Err(refused) => error(&refused.to_string()),
    })
}

#[derive(Deserialize)]
struct ValidQuestion {
    #[serde(default)]
    rrule: String,
}

/// `{rrule}` → `{valid, occurrences, error?}`.
async fn valid(
    State(computing): State<Arc<Computing>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let asked = computing.read::<ValidQuestion>(&headers, body).await?;
    let (asker, now) = (asked.user, asked.now);
    let question = match asked.question {
        Ok(question) => question,
        Err(refused) => return Ok(refused),
    };
    let answer = computing.compute(&asker, move |work| {
        check_route_length(&question.rrule)?;
        Ok(validate(&question.rrule, now, work))
    });
    let (occurrences, refused) = match answer.await? {
        Ok(validity) => (validity.occurrences, validity.error),
        Err(refused) => (0, Some(refused)),
    };
    let mut answer = json!({"valid": refused.is_none(), "occurrences": occurrences});
    if let Some(refused) = refused {
        answer["error"] = match refused {
            Refused::TooManyOccurrences => "Too many occurrences".into(),
            refused => refused.to_string().into(),
        };
    }
    Ok(ok(&answer))
}

#[derive(Deserialize)]
struct ExpandQuestion {
    #[serde(default)]
    rrule: String,
    dtstart: String,
    timezone: String,
    from: String,
    to: String,
    #[serde(default = "most")]
    limit: u64,
}

fn most() -> u64 {
    OCCURRENCES_MAX as u64
}

/// `{rrule, dtstart, timezone, from, to, limit?}` → `{occurrences, truncated}`.
async fn expanded(
    State(computing): State<Arc<Computing>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let asked = computing.read::<ExpandQuestion>(&headers, body).await?;
    let question = match asked.question {
        Ok(question) => question,
        Err(refused) => return Ok(refused),
    };
    let answer = computing.compute(&asked.user, move |work| {
        check_route_length(&question.rrule)?;
        let ask = Expand {
            rrule: &question.rrule,
            dtstart: &question.dtstart,
            timezone: &question.timezone,
            from: &question.from,
            to: &question.to,
            limit: usize::try_from(question.limit).unwrap_or(usize::MAX),
        };
        let expansion = expand(&ask, work)?;
        let occurrences = expansion.occurrences.iter().map(Instant::to_string);
        let occurrences: Vec<String> = occurrences.collect();
        let answer = json!({"occurrences": occurrences, "truncated": expansion.truncated});
        Ok(answer.to_string())
    });
    Ok(match answer.await? {
        Ok(text) => json_answer(StatusCode::OK, text),
        Err(refused) => error(&refused.to_string()),
    })
}

/// Somebody with a token asks.
struct Asked<T> {
    user: UserId,
    now: Instant,
    /// Or what to answer to a question that cannot be read.
    question: Result<T, Response>,
}

impl Computing {
    /// What is asked, by whom and when.
    async fn read<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        body: RawBody,
    ) -> Result<Asked<T>, HttpError> {
        let now_ms = self.gateway.clock.now_ms();
        let asker = match self.gateway.access.bearer(headers, now_ms).await {
            Ok(asker) => asker,
            Err(refusal) => {
                body.refuse();
                return Err(refusal.into());
            }
        };
        let question = body.read(asker.user.as_str()).await?.json();
        let now_s = i64::try_from(now_ms / 1_000).expect("no clock shows such a year");
        Ok(Asked {
            user: asker.user,
            now: Instant(now_s),
            question: question.map_err(|refused| error(&refused.0.message)),
        })
    }

    /// Computes beside the threads that serve, when it is this question's turn. Errors: `slow` if
    /// too many wait, of this user or of all.
    async fn compute<T: Send + 'static>(
        &self,
        user: &UserId,
        compute: impl FnOnce(&mut Work) -> Result<T, Refused> + Send + 'static,
    ) -> Result<Result<T, Refused>, HttpError> {
        let due = tokio::time::Instant::now() + ASKED_WITHIN;
        let slow = |_| HttpError::new(Code::Slow, "too many recurrences are asked for now");
        let asked = self.asked.take(user.as_str(), QUESTION, due).await;
        let _asked = asked.map_err(slow)?;
        let computed = self.gateway.expansions.run(compute).await;
        computed.map_err(|_| HttpError::new(Code::Internal, "a fault of the hub"))
    }
}

fn ok(answer: &serde_json::Value) -> Response {
    json_answer(StatusCode::OK, answer.to_string())
}

fn error(sentence: &str) -> Response {
    let answer = json!({"error": sentence}).to_string();
    json_answer(StatusCode::BAD_REQUEST, answer).into_response()
}
