//! Users with a socket open, who see their notification arrive.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::WallMs;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::{HUNG_S, Load, users};

/// Sockets that wait.
pub(super) struct Watched(JoinSet<Result<u64>>);

/// Opens them.
pub(super) async fn watch(hub: &Hub, load: &Load, first_ms: WallMs) -> Result<Watched> {
    let mut connection = Connection::open(&hub.address).await?;
    let mut waiting = JoinSet::new();
    let lasts_ms = load.lead_ms + load.within_ms + HUNG_S * 1_000;
    for user in (0..load.users).step_by(load.watched_of) {
        let token = users::token(&mut connection, user).await?;
        let url = format!("ws://{}/v1/ws", hub.address);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
        let hello = json!({"t": "hello", "v": 1, "app": "todo", "client": "watch", "token": token,
            "cursor": null});
        socket.send(Message::Text(hello.to_string().into())).await?;
        let due_ms = load.due_ms(first_ms, user);
        waiting.spawn(async move {
            let arrives = async {
                while let Some(message) = socket.next().await {
                    if let Message::Text(text) = message?
                        && text.as_str().contains("\"@notifications\"")
                    {
                        return Ok(SystemClock.now_ms() - due_ms);
                    }
                }
                anyhow::bail!("the hub closed a socket")
            };
            let arrived = tokio::time::timeout(Duration::from_millis(lasts_ms), arrives).await;
            arrived.context("no notification arrives")?
        });
    }
    Ok(Watched(waiting))
}

impl Watched {
    /// How long after they were due they arrived.
    pub(super) async fn lags(mut self) -> Result<Vec<u64>> {
        let mut lags = Vec::new();
        while let Some(lag) = self.0.join_next().await {
            lags.push(lag??);
        }
        Ok(lags)
    }
}
