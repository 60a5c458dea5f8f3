//! A push service on this machine, in this process: it takes everything, and says so after a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use syncline_hub::clock::{Clock, SystemClock};
use syncline_protocol::stamp::WallMs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it answers.
const TAKEN: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";

/// It runs until it is dropped.
pub(super) struct Service {
    url: String,
    arrived: Arc<Mutex<Vec<WallMs>>>,
    accepting: JoinHandle<()>,
}

impl Service {
    /// One that answers after so many milliseconds.
    pub(super) async fn start(after_ms: u64) -> Result<Service> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let arrived: Arc<Mutex<Vec<WallMs>>> = Arc::default();
        let noted = arrived.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, after_ms, noted.clone()));
            }
        });
        Ok(Service {
            url,
            arrived,
            accepting,
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// When what has arrived did.
    pub(super) fn arrived(&self) -> Vec<WallMs> {
        let arrived = self.arrived.lock();
        arrived.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Answers the requests of a connection, one after the other, until it ends.
async fn serve(mut stream: TcpStream, after_ms: u64, arrived: Arc<Mutex<Vec<WallMs>>>) {
    let mut read = Vec::with_capacity(8 << 10);
    loop {
        let bytes = loop {
            if let Some(bytes) = whole(&read) {
                break bytes;
            }
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        read.drain(..bytes);
        let at_ms = SystemClock.now_ms();
        arrived
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(at_ms);
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        if stream.write_all(TAKEN).await.is_err() {
            return;
        }
    }
}

/// How many bytes the first request has, if all of it is there.
fn whole(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&read[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>())
    });
    let bytes = head + 4 + length?.ok()?;
    (bytes <= read.len()).then_some(bytes)
}
