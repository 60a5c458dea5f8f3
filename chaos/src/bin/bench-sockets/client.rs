//! A client that costs the loader little: frames are written and found by hand.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// What all clients of a run have seen together.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Sockets that have all there is.
    pub(crate) ready: Cell<u64>,
    /// Deltas with changes.
    pub(crate) deltas: Cell<u64>,
    /// Verdicts messages.
    pub(crate) verdicts: Cell<u64>,
    /// Verdicts in them.
    pub(crate) answers: Cell<u64>,
    /// Sockets the hub closed.
    pub(crate) closed: Cell<u64>,
    /// From a timed change's sending to each socket that was told it, in ms.
    pub(crate) delays_ms: RefCell<Vec<f64>>,
}

/// A timed change's title begins so; then come the microseconds at which it was sent.
const TIMED: &[u8] = br#""title":"@"#;

/// Microseconds since the program first asked.
fn now_us() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = BEGAN.get_or_init(Instant::now);
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

/// An attached socket.
#[derive(Debug)]
pub(crate) struct Client {
    stream: Rc<TcpStream>,
    /// The next mutation's number.
    next: Cell<u64>,
    listening: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Who connects.
pub(crate) struct Who<'a> {
    pub(crate) token: &'a str,
    pub(crate) client: &'a str,
    /// What it has, as JSON.
    pub(crate) cursor: &'a str,
}

/// The cursor of who has nothing.
pub(crate) const NOTHING: &str = "null";

impl Client {
    /// Connects from a loopback address, says hello, and goes on in a local task.
    pub(crate) async fn open(
        hub: SocketAddr,
        from: SocketAddr,
        who: &Who<'_>,
        seen: &Rc<Seen>,
    ) -> anyhow::Result<Client> {
        let (stream, rest) = connect(hub, from, who).await?;
        let stream = Rc::new(stream);
        let listening = tokio::task::spawn_local(listen(stream.clone(), rest, seen.clone()));
        Ok(Client {
            listening,
            stream,
            next: Cell::new(1),
        })
    }

    /// Pushes a mutation of so many changes.
    pub(crate) async fn push(&self, changes: usize, value: &str) -> anyhow::Result<()> {
        let m = self.next.get();
        self.next.set(m + 1);
        let list: Vec<String> = (0..changes).map(|i| insert(i as u64, value)).collect();
        self.send(m, &list).await
    }

    /// Pushes an insert that says when it was sent; each is a record of its own.
    pub(crate) async fn push_timed(&self, value: &str) -> anyhow::Result<()> {
        let m = self.next.get();
        self.next.set(m + 1);
        let list = [insert(m, &format!("@{}-{value}", now_us()))];
        self.send(m, &list).await
    }

    async fn send(&self, m: u64, list: &[String]) -> anyhow::Result<()> {
        let text = format!(
            r#"{{"t":"push","muts":[{{"m":{m},"changes":[{}]}}]}}"#,
            list.join(",")
        );
        let mut frame = Vec::new();
        push_frame(&mut frame, 0x81, text.as_bytes());
        write(&self.stream, &frame).await
    }
}

/// Connects from a loopback address and says hello. Returns the stream and what came behind the
/// answer to the upgrade.
pub(crate) async fn connect(
    hub: SocketAddr,
    from: SocketAddr,
    who: &Who<'_>,
) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(from)?;
    let stream = socket.connect(hub).await?;
    stream.set_nodelay(true)?;
    let mut first = format!(
        "GET /v1/ws HTTP/1.1\r\nhost: {hub}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: syncline.v1\r\n\r\n"
    )
    .into_bytes();
    let Who {
        token,
        client,
        cursor,
    } = who;
    let hello = format!(
        r#"{{"t":"hello","v":1,"app":"todo","client":"{client}","token":"{token}","cursor":{cursor}}}"#
    );
    push_frame(&mut first, 0x81, hello.as_bytes());
    write(&stream, &first).await?;
    let rest = skip_head(&stream).await?;
    Ok((stream, rest))
}

fn insert(record: u64, value: &str) -> String {
    format!(r#"{{"table":"t","id":"k{record}","op":"insert","data":{{"title":"{value}"}}}}"#)
}

/// Reads until the peer is gone; answers pings.
async fn listen(stream: Rc<TcpStream>, mut held: Vec<u8>, seen: Rc<Seen>) {
    let mut is_ready = false;
    loop {
        while let Some((opcode, payload, end)) = frame(&held) {
            match opcode {
                0x1 => note(&held[payload..end], &mut is_ready, &seen),
                0x9 => {
                    let mut pong = Vec::new();
                    push_frame(&mut pong, 0x8a, &held[payload..end]);
                    // A socket that is gone is noticed when it is read.
                    let _ = write(&stream, &pong).await;
                }
                _ => {}
            }
            held.drain(..end);
        }
        if held.is_empty() {
            held = Vec::new();
        }
        let mut scratch = [0; 16 << 10];
        if stream.readable().await.is_err() {
            return count(&seen.closed);
        }
        match stream.try_read(&mut scratch) {
            Ok(0) => return count(&seen.closed),
            Ok(length) => held.extend_from_slice(&scratch[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return count(&seen.closed),
        }
    }
}

fn note(message: &[u8], is_ready: &mut bool, seen: &Seen) {
    let says = |what: &[u8]| message.starts_with(what);
    if says(br#"{"t":"delta""#) {
        if !std::mem::replace(is_ready, true) {
            return count(&seen.ready);
        }
        count(&seen.deltas);
        note_timed(message, seen);
    } else if says(br#"{"t":"verdicts""#) {
        count(&seen.verdicts);
        let results = message.windows(4).filter(|bytes| bytes == br#""m":"#);
        seen.answers
            .set(seen.answers.get() + results.count() as u64);
    }
}

/// Notes how long each timed change of a delta took. One delta may tell many.
fn note_timed(delta: &[u8], seen: &Seen) {
    let mut rest = delta;
    while let Some(at) = rest.windows(TIMED.len()).position(|bytes| bytes == TIMED) {
        rest = &rest[at + TIMED.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        let sent_us = digits.fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
        let delay_ms = now_us().saturating_sub(sent_us) as f64 / 1e3;
        seen.delays_ms.borrow_mut().push(delay_ms);
    }
}

/// The first whole frame: opcode, where its payload begins and ends.
pub(crate) fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (head, length) = match second & 0x7f {
        126 => (
            4,
            u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let end = head + usize::try_from(length).ok()?;
    (bytes.len() >= end).then_some((first & 0x0f, head, end))
}

/// Appends a client's frame. Its mask is all zeros: valid, and the payload stays as it is.
pub(crate) fn push_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    out.push(first);
    match payload.len() {
        n @ 0..126 => out.push(0x80 | n as u8),
        n if n < 1 << 16 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

pub(crate) async fn write(stream: &TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads the answer to the upgrade; returns what came behind it.
async fn skip_head(stream: &TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut held = Vec::new();
    loop {
        stream.readable().await?;
        let mut scratch = [0; 4096];
        match stream.try_read(&mut scratch) {
            Ok(0) => bail!("the hub closed the connection"),
            Ok(length) => held.extend_from_slice(&scratch[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        }
        if let Some(end) = held.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = std::str::from_utf8(&held[..end]).context("a head")?;
            if !head.starts_with("HTTP/1.1 101") {
                bail!("{head}");
            }
            return Ok(held.split_off(end + 4));
        }
    }
}
