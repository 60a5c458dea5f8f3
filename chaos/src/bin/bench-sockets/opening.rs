//! What it costs to let a socket in: accept, upgrade, verify, welcome, and nothing behind that.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use syncline_chaos::hub::Hub;
use tokio::net::TcpStream;

use crate::client::{NOTHING, Who, connect, frame};
use crate::fleet::{OPENING, Users, address_of, client_id, tokens, until_gauge};
use crate::goal::at_least;

/// Sockets a core should let in in a second.
const OPENED_MIN: f64 = 12_000.0;

/// Longer than it takes to open all of them, so that no session falls asleep meanwhile.
const IDLE_MS: &str = "10000";

/// A socket that was welcomed, and what it then has.
struct Welcomed {
    _stream: TcpStream,
    cursor: String,
}

pub(crate) async fn measure(program: &Path, count: usize) -> anyhow::Result<()> {
    let hub = Hub::start_with(program, &[("SESSION__IDLE_MS", IDLE_MS)]).await?;
    // One user's sockets would share a session. These do not, but their spaces exist, and who has
    // all there is in one is told nothing behind its welcome.
    let tokens = tokens(&hub, Users::Distinct, 0..count).await?;
    let nothing = vec![NOTHING.to_owned(); count];
    let first = open(&hub, &tokens, nothing).await?;
    let cursors = first.iter().map(|socket| socket.cursor.clone()).collect();
    drop(first);
    // No session is awake for those who come.
    until_gauge(&hub, "syncline_sockets", 0.0).await?;
    until_gauge(&hub, "syncline_sessions", 0.0).await?;
    let (cpu, began) = (hub.cpu_s()?, Instant::now());
    let second = open(&hub, &tokens, cursors).await?;
    let (cpu, took) = (hub.cpu_s()? - cpu, began.elapsed());
    drop(second);
    println!(
        "opened {count} sockets at {:.0}/s, {:.0} us of CPU each: {} a second and core",
        count as f64 / took.as_secs_f64(),
        cpu * 1e6 / count as f64,
        at_least(count as f64 / cpu, OPENED_MIN),
    );
    Ok(())
}

/// Opens a socket for each token, in their order, until each is welcomed.
async fn open(hub: &Hub, tokens: &[String], cursors: Vec<String>) -> anyhow::Result<Vec<Welcomed>> {
    let hub: SocketAddr = hub.address.parse()?;
    let opening = tokens.iter().zip(cursors).enumerate();
    let opening = opening.map(|(at, (token, cursor))| async move {
        let client = client_id(at);
        let who = Who {
            token,
            client: &client,
            cursor: &cursor,
        };
        let (stream, rest) = connect(hub, address_of(at), &who).await?;
        welcomed(stream, rest).await
    });
    stream::iter(opening).buffered(OPENING).try_collect().await
}

/// Reads until the hub has said who it is, which comes first.
async fn welcomed(stream: TcpStream, mut held: Vec<u8>) -> anyhow::Result<Welcomed> {
    loop {
        if let Some((_, payload, end)) = frame(&held) {
            let cursor = cursor(&held[payload..end])?;
            return Ok(Welcomed {
                _stream: stream,
                cursor,
            });
        }
        stream.readable().await?;
        match stream.try_read_buf(&mut held) {
            Ok(0) => bail!("the hub closed the connection"),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The cursor of who has all that was there at a welcome.
fn cursor(welcome: &[u8]) -> anyhow::Result<String> {
    let welcome: serde_json::Value = serde_json::from_slice(welcome)?;
    anyhow::ensure!(welcome["t"] == "welcome", "{welcome}");
    let epoch = welcome["epoch"].as_str().context("an epoch")?;
    let head = &welcome["head"];
    Ok(format!(r#"{{"epoch":"{epoch}","seq":{head}}}"#))
}
