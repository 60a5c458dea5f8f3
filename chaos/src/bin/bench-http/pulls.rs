//! Pulls of devices that have everything, answered from memory.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;

use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;

const USERS: usize = 32;

/// Pulls of one device and table within a second before they are held.
const TABLES: usize = 20_000;

pub(crate) async fn measure(program: &Path, seconds: u64) -> anyhow::Result<()> {
    let hub = Hub::start(program).await?;
    let until = Duration::from_secs(seconds);
    let cpu_before = hub.cpu_s()?;
    let began = Instant::now();
    let pulls: usize = try_join_all((0..USERS).map(|user| load(&hub, user, until)))
        .await?
        .into_iter()
        .sum();
    let rate = pulls as f64 / began.elapsed().as_secs_f64();
    let cpu_us = (hub.cpu_s()? - cpu_before) * 1e6 / pulls as f64;
    println!(
        "empty pulls: {rate:.0}/s, {cpu_us:.1} us of CPU each, so {:.0}/s a core",
        1e6 / cpu_us
    );
    Ok(())
}

async fn load(hub: &Hub, user: usize, until: Duration) -> anyhow::Result<usize> {
    let token = hub.token(&format!("user{user}")).await?;
    let headers = format!("authorization: Bearer {token}\r\nx-client-id: c1\r\n");
    let mut connection = Connection::open(&hub.address).await?;
    // A space that was never written is answered from nothing.
    let body = r#"{"clientId":"c1","appId":"todo","since":"1970-01-01T00:00:00.000Z","changes":[
        {"table":"t","id":"k1","op":"insert","data":{"title":"a"}}]}"#;
    let reply = connection.post("/sync/todo", &headers, body).await?;
    let reply: serde_json::Value = serde_json::from_slice(&reply)?;
    let since = reply["syncedUntil"].as_str().context("a cursor")?;
    anyhow::ensure!(!since.starts_with("1970"), "its cursor is of nothing");
    let since = since.to_owned();
    let (began, mut pulls) = (Instant::now(), 0);
    while began.elapsed() < until {
        // A device has many tables; the same question all the time would be held.
        let path = format!(
            "/sync/todo/pull?collection=t{}&since={since}",
            pulls % TABLES
        );
        connection.get(&path, &headers).await?;
        pulls += 1;
    }
    Ok(pulls)
}
