//! One WebSocket as bytes: what no honest implementation would send can be sent.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::HUNG;
use crate::node::TestNode;

/// First bytes of frames.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// A stream behind its handshake.
#[derive(Debug)]
pub struct RawSocket {
    stream: TcpStream,
    /// Bytes of the hub that nobody has looked at.
    unread: Vec<u8>,
    /// The stream did not end, it broke.
    broken: bool,
}

/// The request that asks for the native protocol.
pub fn handshake(node: &TestNode) -> Vec<u8> {
    handshake_at(node.app.public_addr())
}

fn handshake_at(address: SocketAddr) -> Vec<u8> {
    format!(
        "GET /v1/ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// A masked frame: first byte and payload.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x1b, 0xad, 0xf0, 0x0d];
    let mut frame = vec![first];
    let len = payload.len();
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len @ ..126), _) => frame.push(0x80 | len),
        (_, Ok(len)) => {
            frame.push(0x80 | 126);
            frame.extend(len.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// A message as one masked text frame.
pub fn text(message: &Value) -> Vec<u8> {
    frame(TEXT, message.to_string().as_bytes())
}

/// The hello of a user's device with nothing yet.
pub fn hello(node: &TestNode, user: &str) -> Value {
    json!({"t": "hello", "v": 1, "app": "todo", "client": "raw", "token": node.token(user),
        "cursor": null})
}

impl RawSocket {
    /// Sends the handshake with `more` right behind it, and takes the answer to the handshake.
    pub async fn open(node: &TestNode, more: &[u8]) -> RawSocket {
        let stream = TcpStream::connect(node.app.public_addr()).await;
        RawSocket::over(stream.expect("it listens"), node, more).await
    }

    /// The same at an address.
    pub async fn open_at(address: SocketAddr, more: &[u8]) -> RawSocket {
        let stream = TcpStream::connect(address).await.expect("it listens");
        RawSocket::ask(stream, &[&handshake_at(address), more].concat()).await
    }

    /// The same over a stream that was opened in some other way.
    pub async fn over(stream: TcpStream, node: &TestNode, more: &[u8]) -> RawSocket {
        RawSocket::ask(stream, &[&handshake(node), more].concat()).await
    }

    async fn ask(stream: TcpStream, request: &[u8]) -> RawSocket {
        stream.set_nodelay(true).expect("a stream");
        let mut socket = RawSocket {
            stream,
            unread: Vec::new(),
            broken: false,
        };
        socket.send(request).await;
        let end = loop {
            match socket
                .unread
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
            {
                Some(at) => break at + 4,
                None => assert!(socket.read().await, "closed in the handshake"),
            }
        };
        let head: Vec<u8> = socket.unread.drain(..end).collect();
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
        socket
    }

    /// Opens, says hello and takes the welcome.
    pub async fn hello(node: &TestNode, user: &str) -> RawSocket {
        let mut socket = RawSocket::open(node, &text(&hello(node, user))).await;
        socket.welcomed().await;
        socket
    }

    /// Takes the welcome, which must come next, and returns it.
    pub async fn welcomed(&mut self) -> Value {
        let welcome = self.message().await;
        assert_eq!(welcome["t"], "welcome", "{welcome}");
        welcome
    }

    /// Sends bytes in one write.
    pub async fn send(&mut self, bytes: &[u8]) {
        // A stream the hub has closed is noticed when it is read.
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next frame: first byte and payload. `None` when the hub has ended the stream.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((head_len, payload_len)) = lengths(&self.unread)
                && self.unread.len() >= head_len + payload_len
            {
                let frame: Vec<u8> = self.unread.drain(..head_len + payload_len).collect();
                return Some((frame[0], frame[head_len..].to_vec()));
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("a frame");
        assert_eq!(first, TEXT, "{payload:?}");
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// The next message of a type; others are passed over.
    pub async fn message_of(&mut self, t: &str) -> Value {
        loop {
            let message = self.message().await;
            if message["t"] == t {
                return message;
            }
        }
    }

    /// The code of the close frame, behind which the stream must end; messages before it are
    /// passed over.
    pub async fn closed(&mut self) -> u16 {
        loop {
            let (first, payload) = self.frame().await.expect("a close frame");
            if first == CLOSE {
                assert_eq!(self.frame().await, None, "nothing follows a close frame");
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }

    /// Whether the hub's end of the stream was no end but a reset, by which other systems than
    /// this one lose what came before.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Reads what comes; false at the end.
    async fn read(&mut self) -> bool {
        let read = timeout(HUNG, self.stream.read_buf(&mut self.unread));
        let read = read.await.expect("the stream hangs");
        self.broken |= read.is_err();
        read.is_ok_and(|read| read > 0)
    }
}

/// Bytes of the head and the payload of a server's frame; `None` until both are known.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        126 => {
            let len = [*bytes.get(2)?, *bytes.get(3)?];
            Some((4, usize::from(u16::from_be_bytes(len))))
        }
        127 => {
            let len = bytes.get(2..10)?.try_into().expect("eight bytes");
            let len = usize::try_from(u64::from_be_bytes(len)).expect("it fits");
            Some((10, len))
        }
        len => Some((2, usize::from(len))),
    }
}
