//! A device that pushes and waits for verdicts, as cheap as it gets.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};
use tokio::net::TcpStream;

use super::client::{Who, connect, frame, push_frame, write};

/// Bytes of a push message.
pub(crate) const PUSH_BYTES: usize = 250;

/// Room for one read.
const READ_BYTES: usize = 64 << 10;

/// Records a device writes to, in turn.
pub(crate) const RECORDS: u64 = 100;

/// A device that pushes.
pub(crate) struct Pusher {
    stream: TcpStream,
    held: Vec<u8>,
    /// The last mutation that was sent, and that was decided.
    sent: u64,
    pub(crate) decided: u64,
}

impl Pusher {
    /// Connects.
    pub(crate) async fn open(hub: SocketAddr, who: &Who<'_>) -> anyhow::Result<Pusher> {
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (stream, held) = connect(hub, from, who).await?;
        Ok(Pusher {
            stream,
            held,
            sent: 0,
            decided: 0,
        })
    }

    /// Pushes until mutation `m` is decided.
    pub(crate) async fn until(&mut self, m: u64, in_flight: u64) -> anyhow::Result<()> {
        while self.decided < m {
            self.round(in_flight).await?;
        }
        Ok(())
    }

    /// Sends what may be undecided, in one write, and waits until some of it is decided.
    pub(crate) async fn round(&mut self, in_flight: u64) -> anyhow::Result<()> {
        let mut frames = Vec::new();
        while self.sent < self.decided + in_flight {
            self.sent += 1;
            push_frame(&mut frames, 0x81, push(self.sent).as_bytes());
        }
        write(&self.stream, &frames).await?;
        let before = self.decided;
        while self.decided == before {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.stream.readable().await?;
        self.held.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut self.held) {
            Ok(0) => bail!("the hub closed the connection"),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut begin = 0;
        while let Some((opcode, payload, end)) = frame(&self.held[begin..]) {
            let message = &self.held[begin + payload..begin + end];
            match opcode {
                0x1 => self.decided = through(message)?.unwrap_or(self.decided),
                0x9 => {
                    let mut pong = Vec::new();
                    push_frame(&mut pong, 0x8a, message);
                    write(&self.stream, &pong).await?;
                }
                _ => {}
            }
            begin += end;
        }
        self.held.drain(..begin);
        Ok(())
    }
}

/// Up to which mutation a message says verdicts. Errors: one that is no verdict is wrong here.
fn through(message: &[u8]) -> anyhow::Result<Option<u64>> {
    let text = std::str::from_utf8(message)?;
    let Some(rest) = text.strip_prefix(r#"{"t":"verdicts","through":"#) else {
        let expected = [r#"{"t":"delta""#, r#"{"t":"welcome""#, r#"{"t":"snapshot"#];
        anyhow::ensure!(expected.iter().any(|t| text.starts_with(t)), "{text}");
        return Ok(None);
    };
    anyhow::ensure!(!text.contains("rejected"), "{text}");
    let digits = rest.split(',').next().context("a number")?;
    Ok(Some(digits.parse()?))
}

/// A mutation that writes two fields of a record.
fn push(m: u64) -> String {
    let op = if m <= RECORDS { "insert" } else { "update" };
    let mut text = format!(
        r#"{{"t":"push","muts":[{{"m":{m},"changes":[{{"table":"tasks","id":"k{}","op":"{op}","#,
        m % RECORDS
    );
    let begin = text.len();
    let (fields, end) = if m <= RECORDS {
        (r#""data":{"done":false,"title":""#, r#""}}]}]}"#)
    } else {
        text.push_str(r#""fields":{"title":{"value":""#);
        ("", r#""}}}]}]}"#)
    };
    text.push_str(fields);
    let title = format!("task {m} ");
    let room = PUSH_BYTES.saturating_sub(begin.max(text.len()) + title.len() + end.len());
    text.push_str(&title);
    text.push_str(&"x".repeat(room));
    text.push_str(end);
    text
}
