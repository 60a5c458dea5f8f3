//! `POST /sync` by distinct users: requests per second and latency.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use serde_json::json;

use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;
use syncline_chaos::quantile;

pub(crate) async fn measure(program: &Path, seconds: u64) -> anyhow::Result<()> {
    for changes in [1, 10] {
        for connections in [1, 16, 64] {
            let hub = Hub::start(program).await?;
            let until = Duration::from_secs(seconds);
            let users = (0..connections).map(|user| load(&hub, user, (changes, until)));
            let cpu_before = hub.cpu_s()?;
            let began = Instant::now();
            let mut ms: Vec<f64> = try_join_all(users).await?.into_iter().flatten().collect();
            let rate = ms.len() as f64 / began.elapsed().as_secs_f64();
            let cpu_us = (hub.cpu_s()? - cpu_before) * 1e6 / ms.len() as f64;
            ms.sort_by(f64::total_cmp);
            println!(
                "POST /sync, {connections:>2} connections, {changes:>2} changes: {rate:>6.0}/s, \
                 p50 {:.2} ms, p99 {:.2} ms, {cpu_us:.0} us of CPU each",
                quantile(&ms, 0.5),
                quantile(&ms, 0.99),
            );
        }
    }
    Ok(())
}

/// One user's requests, one after another: the time of each in ms.
async fn load(
    hub: &Hub,
    user: usize,
    (changes, until): (usize, Duration),
) -> anyhow::Result<Vec<f64>> {
    let token = hub.token(&format!("user{user}")).await?;
    let headers = format!("authorization: Bearer {token}\r\nx-client-id: c{user}\r\n");
    let mut connection = Connection::open(&hub.address).await?;
    let mut since = "1970-01-01T00:00:00.000Z".to_owned();
    let (began, mut ms) = (Instant::now(), Vec::new());
    while began.elapsed() < until {
        let round = ms.len();
        let at = format!(
            "2026-01-01T{:02}:{:02}:{:02}.{:03}Z",
            round / 3_600_000 % 24,
            round / 60_000 % 60,
            round / 1_000 % 60,
            round % 1_000
        );
        let changes: Vec<_> = (0..changes)
            .map(|i| {
                let fields = json!({
                    "title": {"value": format!("task {round}"), "updatedAt": at},
                    "done": {"value": round % 2 == 0, "updatedAt": at},
                });
                let id = format!("k{}", (round * changes + i) % 100);
                if round * changes < 100 {
                    json!({"table": "tasks", "id": id, "op": "insert",
                        "data": {"title": "a", "done": false, "updatedAt": at}})
                } else {
                    json!({"table": "tasks", "id": id, "op": "update", "fields": fields})
                }
            })
            .collect();
        let body = json!({"clientId": "c", "appId": "todo", "since": since, "changes": changes});
        let body = body.to_string();
        let sent = Instant::now();
        let reply = connection.post("/sync/todo", &headers, &body).await?;
        ms.push(sent.elapsed().as_secs_f64() * 1e3);
        let reply: serde_json::Value = serde_json::from_slice(&reply)?;
        since = reply["syncedUntil"].as_str().unwrap_or_default().to_owned();
    }
    Ok(ms)
}
