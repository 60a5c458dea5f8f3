//! HTTP/1.1 as cheap as it gets: one keep-alive connection, requests written whole.

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            buffer: Vec::with_capacity(64 << 10),
        })
    }

    /// GET; `headers` are whole lines.
    pub async fn get(&mut self, path: &str, headers: &str) -> anyhow::Result<Vec<u8>> {
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes())
            .await
    }

    /// POST; `headers` are whole lines.
    pub async fn post(&mut self, path: &str, headers: &str, body: &str) -> anyhow::Result<Vec<u8>> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.ask(format!("{head}{body}").as_bytes()).await
    }

    /// Sends a whole request and returns the body of a 200.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the hub closed the connection");
            }
            let Some(head_end) = find(&self.buffer, b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..head_end])?;
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .context("a length")?
                .parse()?;
            let end = head_end + 4 + length;
            if self.buffer.len() < end {
                continue;
            }
            if !head.starts_with("HTTP/1.1 200") {
                bail!("{}", String::from_utf8_lossy(&self.buffer));
            }
            return Ok(self.buffer[head_end + 4..end].to_vec());
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
