//! Users who write a reminder each.

use anyhow::Result;
use futures_util::future::try_join_all;
use serde_json::json;
use syncline_chaos::http::Connection;
use syncline_chaos::hub::Hub;
use syncline_protocol::stamp::{WallMs, wall_text};

use super::Load;

/// Connections that write.
const CONNECTIONS: usize = 32;

/// A user's name.
pub(crate) fn name(user: usize) -> String {
    format!("user-{user}")
}

/// Has all of them write.
pub(crate) async fn write(hub: &Hub, load: &Load, first_ms: WallMs) -> Result<()> {
    let writing = (0..CONNECTIONS).map(|at| async move {
        let mut connection = Connection::open(&hub.address).await?;
        for user in (at..load.users).step_by(CONNECTIONS) {
            one(&mut connection, user, load.due_ms(first_ms, user)).await?;
        }
        Ok::<(), anyhow::Error>(())
    });
    try_join_all(writing).await?;
    Ok(())
}

async fn one(connection: &mut Connection, user: usize, due_ms: WallMs) -> Result<()> {
    let token = token(connection, user).await?;
    let reminder = json!({"title": "Buy milk", "remindAt": wall_text(due_ms)});
    let change = json!({"table": "reminders", "id": "r1", "op": "insert", "data": reminder});
    let push = json!({"client": "web", "muts": [{"m": 1, "changes": [change]}]});
    let header = format!("authorization: Bearer {token}\r\n");
    connection
        .post("/v1/todo/push", &header, &push.to_string())
        .await?;
    Ok(())
}

/// A user's token.
pub(crate) async fn token(connection: &mut Connection, user: usize) -> Result<String> {
    let body = json!({"user": name(user), "ttl_s": 86_400}).to_string();
    let reply = connection.post("/dev/token", "", &body).await?;
    let reply: serde_json::Value = serde_json::from_slice(&reply)?;
    Ok(reply["token"].as_str().unwrap_or_default().to_owned())
}
