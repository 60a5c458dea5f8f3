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
        let mut delays = tokio::select! {
            delays = notices(&hub, until) => delays?,
            ended = others(&hub, beside) => { ended?; Delays::default() }
        };
        for (what, ms) in [
            ("notice", &mut delays.notices_ms),
            ("answer", &mut delays.answers_ms),
        ] {
            ms.sort_by(f64::total_cmp);
            println!(
                "write to {what} beside {beside} writes/s: p50 {:.2} ms, p99 {:.2} ms ({} writes)",
                quantile(ms, 0.5),
                quantile(ms, 0.99),
                ms.len(),
            );
        }
    }
    Ok(())
}

/// From the moment a request is written, each in ms.
#[derive(Default)]
struct Delays {
    /// To the notice at the other device.
    notices_ms: Vec<f64>,
    /// To the answer at the writer.
    answers_ms: Vec<f64>,
}

async fn notices(hub: &Hub, until: Duration) -> anyhow::Result<Delays> {
    let token = hub.token("ada").await?;
    let url = format!("ws://{}/ws/todo", hub.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    let auth = json!({"type": "auth", "token": token});
    socket.send(Message::text(auth.to_string())).await?;
    socket.next().await.context("auth-ok")??;
    let mut writer = Writer::open(hub, "ada").await?;
    let (began, mut delays) = (Instant::now(), Delays::default());
    while began.elapsed() < until {
        let body = writer.next_body();
        let sent = Instant::now();
        // The notice may come before the answer: each is timed as it comes.
        let answered = async {
            let answer = writer.write(&body).await;
            (answer, sent.elapsed())
        };
        let noticed = async {
            let notice = heard(&mut socket).await;
            (notice, sent.elapsed())
        };
        let ((answer, answered_in), (notice, noticed_in)) = tokio::join!(answered, noticed);
        writer.take(&answer?)?;
        let notice: Value = serde_json::from_str(&notice?)?;
        anyhow::ensure!(notice["type"] == "sync-available", "{notice}");
        delays.notices_ms.push(noticed_in.as_secs_f64() * 1e3);
        delays.answers_ms.push(answered_in.as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(delays)
}

/// The next text message.
async fn heard<S>(socket: &mut S) -> anyhow::Result<String>
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => return Ok(text.to_string()),
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
            let body = writer.next_body();
            let answer = writer.write(&body).await?;
            writer.take(&answer)?;
        }
    };
    futures_util::future::try_join_all((0..USERS).map(each)).await?;
    Ok(())
}

/// A device that writes and keeps the cursor of each answer, as a real one does.
struct Writer {
    connection: Connection,
    headers: String,
    since: String,
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
            since: "1970-01-01T00:00:00.000Z".to_owned(),
            written: 0,
        })
    }

    /// A changeset of one new record.
    fn next_body(&mut self) -> String {
        self.written += 1;
        let change = json!({"table": "tasks", "id": format!("k{}", self.written),
            "op": "insert", "data": {"n": self.written}});
        json!({"since": self.since, "changes": [change]}).to_string()
    }

    async fn write(&mut self, body: &str) -> anyhow::Result<Vec<u8>> {
        self.connection
            .post("/sync/todo", &self.headers, body)
            .await
    }

    /// Takes an answer's cursor.
    fn take(&mut self, answer: &[u8]) -> anyhow::Result<()> {
        let answer: Value = serde_json::from_slice(answer)?;
        let since = answer["syncedUntil"].as_str().context("a cursor")?;
        since.clone_into(&mut self.since);
        Ok(())
    }
}
