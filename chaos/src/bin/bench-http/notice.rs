//! From a write to the notice at the user's other device, at rest and beside other writes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;
use syncline_chaos::quantile;

/// Writes per second beside the measured ones.
const BESIDE: u32 = 1_000;

pub(crate) async fn measure(program: &Path, seconds: u64) -> anyhow::Result<()> {
    for beside in [0, BESIDE] {
        let hub = Hub::start(program).await?;
        let until = Duration::from_secs(seconds);
        let mut ms = tokio::select! {
            ms = notices(&hub, until) => ms?,
            ended = others(&hub, beside) => { ended?; Vec::new() }
        };
        ms.sort_by(f64::total_cmp);
        println!(
            "write to notice beside {beside} writes/s: p50 {:.2} ms, p99 {:.2} ms ({} writes)",
            quantile(&ms, 0.5),
            quantile(&ms, 0.99),
            ms.len(),
        );
    }
    Ok(())
}

async fn notices(hub: &Hub, until: Duration) -> anyhow::Result<Vec<f64>> {
    let token = hub.token("ada").await?;
    let url = format!("ws://{}/ws/todo", hub.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    let auth = json!({"type": "auth", "token": token});
    socket.send(Message::text(auth.to_string())).await?;
    socket.next().await.context("auth-ok")??;
    let mut writer = Writer::open(hub, "ada").await?;
    let (began, mut ms) = (Instant::now(), Vec::new());
    while began.elapsed() < until {
        let sent = Instant::now();
        // The notice may come before the answer, so both are waited for.
        let (answer, notice) = tokio::join!(writer.write(), heard(&mut socket));
        answer?;
        let notice = notice?;
        anyhow::ensure!(notice["type"] == "sync-available", "{notice}");
        ms.push(sent.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(ms)
}

/// The next text message.
async fn heard<S>(socket: &mut S) -> anyhow::Result<Value>
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(frame) => anyhow::bail!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// Other users' writes, evenly spread; never ends by itself.
async fn others(hub: &Hub, per_second: u32) -> anyhow::Result<()> {
    if per_second == 0 {
        return std::future::pending().await;
    }
    const USERS: u32 = 20;
    let each = async |user: u32| -> anyhow::Result<()> {
        let mut writer = Writer::open(hub, &format!("other{user}")).await?;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) * USERS / per_second);
        loop {
            ticks.tick().await;
            writer.write().await?;
        }
    };
    futures_util::future::try_join_all((0..USERS).map(each)).await?;
    Ok(())
}

struct Writer {
    connection: Connection,
    headers: String,
    written: u64,
}

impl Writer {
    async fn open(hub: &Hub, user: &str) -> anyhow::Result<Writer> {
        let token = hub.token(user).await?;
        let headers = format!("authorization: Bearer {token}\r\nx-client-id: c1\r\n");
        let connection = Connection::open(&hub.address).await?;
        Ok(Writer {
            connection,
            headers,
            written: 0,
        })
    }

    async fn write(&mut self) -> anyhow::Result<()> {
        self.written += 1;
        let change = json!({"table": "tasks", "id": format!("k{}", self.written),
            "op": "insert", "data": {"n": self.written}});
        let since = "1970-01-01T00:00:00.000Z";
        let body = json!({"since": since, "changes": [change]}).to_string();
        self.connection
            .post("/sync/todo", &self.headers, &body)
            .await?;
        Ok(())
    }
}
