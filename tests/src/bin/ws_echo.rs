//! Echoes messages through the hub's own listener, upgrade and framing, with limits far above
//! the hub's. Listens on a free port of this machine, prints its address, and runs until its
//! standard input ends, as it does with the process that started it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use bytes::Bytes;
use syncline_hub::gateway::stream::Stream;
use syncline_hub::gateway::upgrade;
use syncline_hub::gateway::ws::{
    Incoming, Reader, WsLimits, push_binary, push_close, push_pong, push_text,
};
use syncline_hub::http::watched::LeastRate;
use syncline_hub::http::{Server, ServerLimits, bind, serve};
use syncline_hub::lifecycle::Lifecycle;
use syncline_hub::telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

const LIMITS: WsLimits = WsLimits {
    frame_bytes_max: 64 << 20,
    message_bytes_max: 64 << 20,
    fragments_max: 1_000_000,
};

const CONNECTIONS: ServerLimits = ServerLimits {
    connections_max: 1_000,
    per_address_max: 1_000,
    header_timeout: Duration::from_secs(5),
    stalled: Duration::from_secs(30),
    least: LeastRate {
        bytes_per_s: 1,
        window: Duration::from_secs(300),
    },
};

const READ_BYTES: usize = 64 << 10;

/// How long the peer may take to leave after the close frame.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let listener = bind("127.0.0.1:0".parse()?).context("cannot listen")?;
    println!("listening on {}", listener.local_addr()?);
    let server = Server {
        listener,
        router: Router::new().route("/", get(upgraded)),
        limits: CONNECTIONS,
        tls: None,
        lifecycle: Arc::new(Lifecycle::starting()),
        metrics: Arc::new(Metrics::new()),
    };
    tokio::spawn(serve(server));
    let input_ends = || std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    tokio::task::spawn_blocking(input_ends).await??;
    Ok(())
}

async fn upgraded(request: Request) -> axum::response::Response {
    upgrade::accept(request, |stream, early| async move {
        // A peer that has gone is not worth a word.
        let _ = echo(stream, &early).await;
    })
}

/// Echoes until the peer closes, goes, or breaks a rule.
async fn echo(mut stream: Stream, early: &Bytes) -> std::io::Result<()> {
    let mut reader = Reader::new();
    reader.keep(early);
    let mut buffer = vec![0; READ_BYTES];
    let mut arrived = 0;
    loop {
        let (answers, is_last) = answer(&mut reader, &mut buffer[..arrived]);
        stream.write_all(&answers).await?;
        if is_last {
            return leave(stream).await;
        }
        arrived = stream.read(&mut buffer).await?;
        if arrived == 0 {
            return Ok(());
        }
    }
}

/// Answers to all that has arrived whole, and whether a close frame ends them.
fn answer(reader: &mut Reader, mut input: &mut [u8]) -> (Vec<u8>, bool) {
    let mut answers = Vec::new();
    loop {
        match reader.next(&LIMITS, &mut input) {
            Ok(None) => return (answers, false),
            Ok(Some(Incoming::Text(text))) => push_text(&mut answers, text.as_bytes()),
            Ok(Some(Incoming::Binary(payload))) => push_binary(&mut answers, &payload),
            Ok(Some(Incoming::Ping(payload))) => push_pong(&mut answers, &payload),
            Ok(Some(Incoming::Pong)) => {}
            Ok(Some(Incoming::Close(code))) => {
                push_close(&mut answers, code.unwrap_or(1000), "");
                return (answers, true);
            }
            Err(violation) => {
                push_close(&mut answers, violation.code, violation.reason);
                return (answers, true);
            }
        }
    }
}

/// Ends the stream and reads until the peer does, so that its last bytes do not make the kernel
/// drop ours.
async fn leave(mut stream: Stream) -> std::io::Result<()> {
    stream.shutdown().await?;
    let mut unread = vec![0; READ_BYTES];
    let gone = async { while stream.read(&mut unread).await.is_ok_and(|read| read > 0) {} };
    // One that stays is left behind.
    let _ = timeout(CLOSE_WITHIN, gone).await;
    Ok(())
}
