//! `/api/v1/admin/jobs…`: jobs that were given up, for people, and what may be done about one. For
//! the operator's servers, by the service key; on the admin listener alone.
//!
//! - `GET /api/v1/admin/jobs` counts jobs by kind and state:
//!   `{"kinds":[{"kind","scheduled","leased","retry","dead"}]}`, each up to 10,000.
//! - `GET /api/v1/admin/jobs/dead?kind=&app=&space=&after=&limit=` lists dead ones, the newest first,
//!   of an app or a space if they are said:
//!   `{"jobs":[{"app","space","kind","key","dueAt","diedAt","attempts","error","trigger","args"}],
//!   "next"}`; `next` is what `after` is for what follows, null at the end. An answer that is of an app
//!   or a space may have fewer than there are, or none: then `next` says where to go on.
//! - `POST /api/v1/admin/jobs/{replay|cancel|snooze}` with `{"app","space","kind","key"}`, and for
//!   `snooze` `"dueAt"`, does that to one job: `{"done":true}`, or false if there is no such job, or
//!   it is in a state in which that cannot be done. `replay` without a key is of all dead ones of the
//!   kind: `{"done":12}`. `snooze` without a key, with `"after"` and `"upTo"`, is of all jobs of the kind
//!   that wait for a time in between: `{"done":12,"more":false}`, and true if there are more than one
//!   call takes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};
use syncline_protocol::object;
use syncline_protocol::stamp::{Hlc, WallMs, wall_text};
use syncline_storage::JobStore;
use syncline_storage::jobs::{DeadCursor, DeadJob, JobKey, JobKind, JobName, JobNo};

use crate::gateway::Gateway;
use crate::http::error::json;
use crate::http::guard::counted;
use crate::http::query::Asking;
use crate::http::{HttpError, RawBody};
use crate::jobs::kinds;
use crate::telemetry::labels::Route;

/// Dead jobs of one answer, unless fewer are asked for.
const LISTED_MAX: usize = 100;

/// Dead jobs that are looked at for an answer which is of an app or a space.
const LOOKED_AT_MAX: usize = 1_000;

/// Dead jobs replayed in one transaction.
const REPLAYED_AT_ONCE: usize = 500;

/// Jobs that wait looked for at once, and how often in one call.
const SNOOZED_AT_ONCE: usize = 500;
const SNOOZED_TIMES_MAX: usize = 40;

/// What the routes need.
struct Desk {
    gateway: Arc<Gateway>,
    jobs: Arc<dyn JobStore>,
}

/// The routes, of a store that has jobs.
pub(crate) fn routes(gateway: Arc<Gateway>, jobs: Arc<dyn JobStore>) -> Router {
    let act = |act| counted(Route::Jobs, act);
    Router::new()
        .route("/api/v1/admin/jobs", act(get(count)))
        .route("/api/v1/admin/jobs/dead", act(get(list_dead)))
        .route("/api/v1/admin/jobs/replay", act(post(replay)))
        .route("/api/v1/admin/jobs/cancel", act(post(cancel)))
        .route("/api/v1/admin/jobs/snooze", act(post(snooze)))
        .with_state(Arc::new(Desk { gateway, jobs }))
}

async fn count(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Result<Response, HttpError> {
    #[derive(Serialize)]
    struct Counted<'k> {
        kind: &'k str,
        scheduled: u64,
        leased: u64,
        retry: u64,
        dead: u64,
    }
    desk.gateway.access.service(&headers)?;
    let kinds = kinds::all();
    let counts = desk.jobs.job_counts(&kinds).await;
    let counts = counts.map_err(|error| desk.gateway.store_failed(&error))?;
    let counted = kinds.iter().zip(counts).map(|(kind, counts)| Counted {
        kind: kind.as_str(),
        scheduled: counts.scheduled,
        leased: counts.leased,
        retry: counts.retry,
        dead: counts.dead,
    });
    answer(&serde_json::json!({"kinds": counted.collect::<Vec<_>>()}))
}

#[derive(Debug, Deserialize)]
struct DeadQuery {
    kind: String,
    app: Option<String>,
    space: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Of which spaces dead jobs are asked for.
struct Of {
    app: Option<AppId>,
    space: Option<SpaceId>,
}

impl Of {
    fn is(&self, space: &SpaceKey) -> bool {
        let is_app = self.app.as_ref().is_none_or(|app| *app == space.app);
        is_app && self.space.as_ref().is_none_or(|of| *of == space.space)
    }

    /// How many are read at once: as many as are wanted, where all are.
    fn page(&self, limit: usize) -> usize {
        match self {
            Of {
                app: None,
                space: None,
            } => limit,
            _ => LISTED_MAX,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dead<'d> {
    app: &'d str,
    space: &'d str,
    kind: &'d str,
    key: &'d str,
    due_at: String,
    died_at: String,
    attempts: u32,
    error: Option<&'d str>,
    trigger: &'d str,
    args: &'d RawValue,
}

impl<'d> Dead<'d> {
    fn of(dead: &'d DeadJob) -> Dead<'d> {
        let DeadJob {
            space,
            cursor,
            stored,
        } = dead;
        let args = serde_json::from_str(stored.job.args.as_str());
        Dead {
            app: space.app.as_str(),
            space: space.space.as_str(),
            kind: stored.job.kind.as_str(),
            key: stored.job.key.as_str(),
            due_at: wall_text(stored.job.due_at_ms),
            died_at: wall_text(cursor.at_ms),
            attempts: stored.attempt,
            error: stored.error.as_ref().map(|error| error.as_str()),
            trigger: stored.job.origin.trigger.as_str(),
            args: args.expect("arguments are JSON"),
        }
    }
}

async fn list_dead(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    query: Asking<DeadQuery>,
) -> Result<Response, HttpError> {
    desk.gateway.access.service(&headers)?;
    let query = query.read()?;
    let kind = JobKind::parse(&query.kind)?;
    let of = Of {
        app: query.app.as_deref().map(AppId::parse).transpose()?,
        space: query.space.as_deref().map(SpaceId::parse).transpose()?,
    };
    let after = query.after.as_deref().map(cursor).transpose()?;
    let limit = query.limit.unwrap_or(LISTED_MAX).clamp(1, LISTED_MAX);
    let (dead, next) = desk.dead(&kind, &of, (after, limit)).await?;
    let next = next.map(|cursor| format!("{}-{}", cursor.at_ms, cursor.no.0));
    let jobs: Vec<Dead<'_>> = dead.iter().map(Dead::of).collect();
    answer(&serde_json::json!({"jobs": jobs, "next": next}))
}

impl Desk {
    /// Dead jobs after a place, at most `limit`, and after which place more may be.
    async fn dead(
        &self,
        kind: &JobKind,
        of: &Of,
        (mut after, limit): (Option<DeadCursor>, usize),
    ) -> Result<(Vec<DeadJob>, Option<DeadCursor>), HttpError> {
        let page = of.page(limit);
        let mut found = Vec::new();
        let mut looked_at = 0;
        loop {
            let read = self.jobs.dead_jobs(kind, after, page).await;
            let read = read.map_err(|error| self.gateway.store_failed(&error))?;
            let is_last = read.len() < page;
            looked_at += read.len();
            for dead in read {
                after = Some(dead.cursor);
                if of.is(&dead.space) {
                    found.push(dead);
                }
                if found.len() == limit {
                    return Ok((found, after));
                }
            }
            if is_last {
                return Ok((found, None));
            }
            if looked_at >= LOOKED_AT_MAX {
                return Ok((found, after));
            }
        }
    }
}

fn cursor(text: &str) -> Result<DeadCursor, Refusal> {
    let read = || {
        let (at_ms, no) = text.split_once('-')?;
        Some(DeadCursor {
            at_ms: at_ms.parse().ok()?,
            no: JobNo(no.parse().ok()?),
        })
    };
    let unknown = || Refusal::new(Code::BadMessage, "after is none that was told as next");
    read().ok_or_else(unknown)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Which {
    kind: String,
    app: Option<String>,
    space: Option<String>,
    key: Option<String>,
    due_at: Option<String>,
    after: Option<String>,
    up_to: Option<String>,
}

impl Which {
    /// The one job that is meant.
    fn name(&self) -> Result<JobName, Refusal> {
        let missing = || Refusal::new(Code::BadMessage, "app, space, kind and key name a job");
        let named = |text: &Option<String>| text.clone().ok_or_else(missing);
        Ok(JobName {
            space: SpaceKey {
                app: AppId::parse(&named(&self.app)?)?,
                space: SpaceId::parse(&named(&self.space)?)?,
            },
            kind: JobKind::parse(&self.kind)?,
            key: JobKey::parse(&named(&self.key)?)?,
        })
    }

    fn due_at_ms(&self) -> Result<WallMs, Refusal> {
        time_ms("dueAt", self.due_at.as_deref())
    }

    /// The times of all jobs that are meant.
    fn between_ms(&self) -> Result<(WallMs, WallMs), Refusal> {
        if self.app.is_some() || self.space.is_some() {
            let message = "app and space without a key: all jobs that wait are of every space";
            return Err(Refusal::new(Code::BadMessage, message));
        }
        let after_ms = time_ms("after", self.after.as_deref())?;
        let to_ms = time_ms("upTo", self.up_to.as_deref())?;
        if (after_ms + 1..=to_ms).contains(&self.due_at_ms()?) {
            let message = "dueAt lies between after and upTo, so all would be meant again";
            return Err(Refusal::new(Code::BadMessage, message));
        }
        Ok((after_ms, to_ms))
    }
}

fn time_ms(member: &str, text: Option<&str>) -> Result<WallMs, Refusal> {
    let at = text.and_then(|text| Hlc::parse(text).ok());
    let missing = || Refusal::new(Code::BadMessage, format!("{member} is no time (RFC 3339)"));
    at.map(|at| at.wall_ms()).ok_or_else(missing)
}

async fn which(desk: &Desk, headers: &HeaderMap, body: RawBody) -> Result<Which, HttpError> {
    if let Err(refusal) = desk.gateway.access.service(headers) {
        body.refuse();
        return Err(refusal.into());
    }
    let body = body.read("@service").await?;
    let text = std::str::from_utf8(&body.bytes).unwrap_or_default();
    let which = object::from_str(text);
    which.map_err(|error| Refusal::new(Code::BadMessage, format!("the body: {error}")).into())
}

async fn replay(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let which = which(&desk, &headers, body).await?;
    let failed = |error| desk.gateway.store_failed(&error);
    let now_ms = desk.gateway.clock.now_ms();
    if which.key.is_some() {
        let done = desk
            .jobs
            .replay(&which.name()?, now_ms)
            .await
            .map_err(failed)?;
        return answer(&serde_json::json!({ "done": done }));
    }
    if which.app.is_some() || which.space.is_some() {
        let message = "app and space without a key: all dead jobs of a kind are of every space";
        return Err(Refusal::new(Code::BadMessage, message).into());
    }
    let kind = JobKind::parse(&which.kind)?;
    let mut all = 0;
    loop {
        let replayed = desk.jobs.replay_all(&kind, now_ms, REPLAYED_AT_ONCE).await;
        let replayed = replayed.map_err(failed)?;
        all += replayed;
        if replayed < REPLAYED_AT_ONCE {
            return answer(&serde_json::json!({ "done": all }));
        }
    }
}

async fn cancel(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let which = which(&desk, &headers, body).await?;
    let done = desk.jobs.cancel(&which.name()?).await;
    let done = done.map_err(|error| desk.gateway.store_failed(&error))?;
    answer(&serde_json::json!({ "done": done }))
}

async fn snooze(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, HttpError> {
    let which = which(&desk, &headers, body).await?;
    let due_at_ms = which.due_at_ms()?;
    let failed = |error| desk.gateway.store_failed(&error);
    if which.key.is_some() {
        let done = desk.jobs.snooze(&which.name()?, due_at_ms).await;
        let done = done.map_err(failed)?;
        return answer(&serde_json::json!({ "done": done }));
    }
    let (kind, between_ms) = (JobKind::parse(&which.kind)?, which.between_ms()?);
    let mut all = 0;
    for _ in 0..SNOOZED_TIMES_MAX {
        let waiting = desk.jobs.waiting_jobs(&kind, between_ms, SNOOZED_AT_ONCE);
        let waiting = waiting.await.map_err(failed)?;
        let mut done = 0;
        for name in &waiting {
            done += usize::from(desk.jobs.snooze(name, due_at_ms).await.map_err(failed)?);
        }
        all += done;
        // What was begun or went since is meant no more.
        if waiting.len() < SNOOZED_AT_ONCE || done == 0 {
            return answer(&serde_json::json!({ "done": all, "more": false }));
        }
    }
    answer(&serde_json::json!({ "done": all, "more": true }))
}

fn answer(value: &impl Serialize) -> Result<Response, HttpError> {
    let text = serde_json::to_string(value).expect("plain data");
    Ok(json(StatusCode::OK, text))
}
