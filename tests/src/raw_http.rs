//! HTTP written and read by hand: what no client library would send can be sent.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::HUNG;

/// What a hub answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status; 0 if the connection ended without one.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// Everything behind the head.
    pub body: String,
}

/// Sends bytes and reads to the connection's end, so the request should ask for that. The two
/// run side by side: a refusal may come before everything is sent.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut reader, mut writer) = stream.into_split();
    let mut read = Vec::new();
    let talk = async {
        // A hub that has refused may close before it has read all: its answer counts.
        tokio::join!(writer.write_all(request), reader.read_to_end(&mut read))
    };
    let _ = timeout(HUNG, talk).await.expect("the hub hangs");
    let text = String::from_utf8(read).expect("answers are text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}
