//! A hub in this process on a store whose calls can be held, and peers that speak in bytes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use syncline_storage::faulty::FaultyStore;
use syncline_storage::sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::super::Gateway;
use super::super::link::Link;
use super::super::outbox::Speech;
use super::super::socket::Native;
use super::super::stream::Stream;
use super::super::task::Task;
use crate::app::{App, Parts};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;

/// Nothing takes so long, be the time real or not.
pub(super) const HUNG: Duration = Duration::from_secs(60);

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;

/// A hub.
pub(super) struct Hub {
    pub(super) app: App,
    pub(super) store: Arc<FaultyStore<SqliteStore>>,
    _dir: TempDir,
}

impl Hub {
    pub(super) async fn start(set: impl FnOnce(&mut Config)) -> Hub {
        let dir = tempfile::tempdir().unwrap();
        let sqlite = SqliteStore::open(&SqliteOptions::new(dir.path().join("hub.db")));
        let store = Arc::new(FaultyStore::scripted(sqlite.unwrap()));
        let mut config = Config::default();
        let any = "127.0.0.1:0".parse().unwrap();
        (config.listen, config.admin_listen) = (any, any);
        config.data_dir = dir.path().to_owned();
        config.auth.dev = true;
        set(&mut config);
        let parts = Parts {
            store: Some(store.clone()),
            ..Parts::default()
        };
        Hub {
            app: App::start_with(config, parts).await.unwrap(),
            store,
            _dir: dir,
        }
    }

    pub(super) fn gateway(&self) -> &Arc<Gateway> {
        self.app.gateway()
    }

    pub(super) fn token(&self, user: &str) -> String {
        let issuer = self.app.dev_issuer().unwrap();
        issuer.token(user, 3_600, SystemClock.now_ms()).unwrap()
    }

    /// A connection that nobody polls yet, and its peer.
    pub(super) async fn link(&self) -> (Link, Peer) {
        self.link_of(Speech::Native).await
    }

    /// The same of a notice socket of the first user's clients.
    pub(super) async fn notice_link(&self) -> (Link, Peer) {
        self.link_of(Speech::Compat).await
    }

    async fn link_of(&self, speech: Speech) -> (Link, Peer) {
        let (accepted, from, peer) = streams().await;
        let opened = (accepted, &[][..]);
        let link = Link::open(self.gateway().clone(), opened, (from, speech));
        (link.unwrap(), peer)
    }

    /// A device that has said hello.
    pub(super) async fn hello(&self, user: &str, client: &str) -> Peer {
        let (link, peer) = self.link().await;
        self.speak(link, peer, (user, client)).await
    }

    /// The same over a connection that is there.
    pub(super) async fn speak(
        &self,
        link: Link,
        mut peer: Peer,
        (user, client): (&str, &str),
    ) -> Peer {
        tokio::spawn(Task::new(link, Native::new()));
        peer.send(&self.said("todo", (user, client))).await;
        peer
    }

    /// A device of another app that has said hello.
    pub(super) async fn hello_in(&self, app: &str, (user, client): (&str, &str)) -> Peer {
        let (link, mut peer) = self.link().await;
        tokio::spawn(Task::new(link, Native::new()));
        peer.send(&self.said(app, (user, client))).await;
        peer
    }

    /// A hello of that device.
    pub(super) fn said(&self, app: &str, (user, client): (&str, &str)) -> Vec<u8> {
        let token = self.token(user);
        text(
            &json!({"t": "hello", "v": 1, "app": app, "client": client, "token": token,
            "cursor": null}),
        )
    }

    /// A device that is live.
    pub(super) async fn attach(&self, user: &str) -> Peer {
        self.attach_as(user, "c").await
    }

    /// The same of a client.
    pub(super) async fn attach_as(&self, user: &str, client: &str) -> Peer {
        let mut peer = self.hello(user, client).await;
        peer.message_of("delta").await; // the end of its snapshot
        peer
    }

    /// Waits until so many calls of the store were held.
    pub(super) async fn injected(&self, count: u64) {
        self.until(|| self.store.injected() == count).await;
    }

    /// Waits until so many sockets are open.
    pub(super) async fn sockets(&self, count: usize) {
        self.until(|| self.gateway().sockets.count() == count).await;
    }

    /// Waits until this holds.
    pub(super) async fn until(&self, holds: impl Fn() -> bool) {
        let looking = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        timeout(HUNG, looking).await.expect("it never holds");
    }
}

/// A connection: the hub's end, where it comes from, and the other end.
pub(super) async fn streams() -> (Stream, IpAddr, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap());
    let (stream, accepted) = tokio::join!(stream, listener.accept());
    let (accepted, from) = accepted.unwrap();
    let stream = stream.unwrap();
    // The kernel would hold small frames back, in a time that is never virtual.
    accepted.set_nodelay(true).unwrap();
    stream.set_nodelay(true).unwrap();
    let peer = Peer {
        stream,
        unread: Vec::new(),
        unsent: Vec::new(),
    };
    (Stream::Plain(accepted), from.ip(), peer)
}

/// The other end of a connection.
pub(super) struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    /// What the kernel did not take of a message.
    unsent: Vec<u8>,
}

/// What the hub said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A message of this type.
    Message(String),
    /// It closed with this code.
    Closed(u16),
}

impl Got {
    pub(super) fn message(t: &str) -> Got {
        Got::Message(t.into())
    }
}

impl Peer {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Has the kernel hold up to `count` whole messages; says how many it took whole.
    pub(super) async fn fill(&self, message: &[u8], count: usize) -> usize {
        self.stream.writable().await.unwrap();
        let all = message.repeat(count);
        let mut written = 0;
        while written < all.len()
            && let Ok(more) = self.stream.try_write(&all[written..])
        {
            written += more;
        }
        written / message.len()
    }

    /// Has the kernel hold as much of this, again and again, as it takes.
    pub(super) async fn fill_all(&mut self, message: &[u8]) {
        // It takes more a moment later, of what it has moved on by then.
        for _ in 0..16 {
            tokio::task::yield_now().await;
            loop {
                if self.unsent.is_empty() {
                    self.unsent.extend_from_slice(message);
                }
                match self.stream.try_write(&self.unsent) {
                    Ok(written) => drop(self.unsent.drain(..written)),
                    Err(_) => break,
                }
            }
        }
    }

    /// Passes over so many messages.
    pub(super) async fn passes_over(&mut self, count: usize) {
        for _ in 0..count {
            self.got().await;
        }
    }

    /// Cuts the connection without a word.
    pub(super) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Whether it ends without a word.
    pub(super) async fn is_cut_off(&mut self) -> bool {
        let read = timeout(HUNG, self.stream.read_buf(&mut self.unread)).await;
        read.expect("nothing comes").is_ok_and(|read| read == 0)
    }

    /// The next message's type, or the end. Pings are passed over.
    pub(super) async fn got(&mut self) -> Got {
        loop {
            match self.frame().await {
                (TEXT, payload) => {
                    let message: Value = serde_json::from_slice(&payload).unwrap();
                    return Got::message(message["t"].as_str().unwrap());
                }
                (CLOSE, payload) => {
                    return Got::Closed(u16::from_be_bytes([payload[0], payload[1]]));
                }
                _ => {}
            }
        }
    }

    /// Passes over messages until one of this type.
    pub(super) async fn message_of(&mut self, t: &str) {
        loop {
            match self.got().await {
                Got::Message(got) if got == t => return,
                Got::Message(_) => {}
                Got::Closed(code) => panic!("closed with {code} before any {t}"),
            }
        }
    }

    /// Passes over messages until the end; its code.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            if let Got::Closed(code) = self.got().await {
                return code;
            }
        }
    }

    pub(super) async fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let [first, len, ..] = self.unread[..] {
                let (head, len) = match (len, &self.unread[2..]) {
                    (126, [high, low, ..]) => (4, u16::from_be_bytes([*high, *low]).into()),
                    (..126, _) => (2, usize::from(len)),
                    _ => (4, usize::MAX >> 1),
                };
                if self.unread.len() >= head + len {
                    let frame: Vec<u8> = self.unread.drain(..head + len).collect();
                    return (first, frame[head..].to_vec());
                }
            }
            let read = timeout(HUNG, self.stream.read_buf(&mut self.unread)).await;
            let read = read.expect("nothing comes").unwrap();
            assert!(read > 0, "it ends without a word");
        }
    }
}

/// A client's frame of less than 64 KiB, masked with zeros.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(len @ ..126) => frame.push(0x80 | len),
        _ => {
            let len = u16::try_from(payload.len()).unwrap();
            frame.push(0x80 | 126);
            frame.extend(len.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A message as a frame.
pub(super) fn text(message: &Value) -> Vec<u8> {
    frame(TEXT, message.to_string().as_bytes())
}
