//! Snapshots of a large space, page by page, from the store to the wire.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use serde_json::value::RawValue;

use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;

/// Records of the space, each of some 400 bytes as it goes out.
const RECORDS: usize = 10_000;

/// Changes of one push.
const PUSH: usize = 5_000;

pub(crate) async fn measure(program: &Path, seconds: u64) -> anyhow::Result<()> {
    let hub = Hub::start(program).await?;
    let headers = format!("authorization: Bearer {}\r\n", hub.token("ada").await?);
    fill(&hub, &headers).await?;
    for connections in [1, 4] {
        let lasts = Duration::from_secs(seconds);
        let cpu_before = hub.cpu_s()?;
        let began = Instant::now();
        let readers = (0..connections).map(|_| read(&hub, &headers, lasts));
        let records: usize = try_join_all(readers).await?.into_iter().sum();
        let rate = records as f64 / began.elapsed().as_secs_f64();
        let cpu_us = (hub.cpu_s()? - cpu_before) * 1e6 / records as f64;
        println!(
            "snapshots to the wire, {connections} connections: {rate:.0} records/s, {cpu_us:.1} us of CPU each"
        );
    }
    Ok(())
}

async fn fill(hub: &Hub, headers: &str) -> anyhow::Result<()> {
    let mut connection = Connection::open(&hub.address).await?;
    let note = "Two litres, and if there is none, then oat milk from the shop at the corner. ";
    for (m, first) in (1..).zip((0..RECORDS).step_by(PUSH)) {
        let changes: Vec<String> = (first..first + PUSH)
            .map(|n| {
                format!(
                    r#"{{"table":"tasks","id":"k{n:06}","op":"insert","data":{{"title":"Buy milk, the {n}th time","done":false,"order":{n},"priority":2,"listId":"01926f3a-7b1c-7c3e-9a51-4f2d8e6b1c90","tags":["home","shopping"],"note":"{note}{note}"}}}}"#
                )
            })
            .collect();
        let changes = changes.join(",");
        let body = format!(r#"{{"client":"c1","muts":[{{"m":{m},"changes":[{changes}]}}]}}"#);
        let reply = connection.post("/v1/todo/push", headers, &body).await?;
        let reply = String::from_utf8_lossy(&reply);
        anyhow::ensure!(reply.contains(r#""status":"applied""#), "{reply}");
    }
    Ok(())
}

/// Reads the space again and again; how many records came.
async fn read(hub: &Hub, headers: &str, lasts: Duration) -> anyhow::Result<usize> {
    let mut connection = Connection::open(&hub.address).await?;
    let (began, mut records, mut next) = (Instant::now(), 0, None::<String>);
    while began.elapsed() < lasts {
        let path = match &next {
            Some(next) => format!("/v1/todo/snapshot?next={next}"),
            None => "/v1/todo/snapshot".to_owned(),
        };
        let reply = connection.get(&path, headers).await?;
        let page: HashMap<&str, &RawValue> = serde_json::from_slice(&reply).context("a page")?;
        let changes: Vec<&RawValue> = serde_json::from_str(page["changes"].get())?;
        records += changes.len();
        next = serde_json::from_str(page["next"].get())?;
    }
    Ok(records)
}
