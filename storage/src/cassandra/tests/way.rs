//! A way to a real server that reads the frames on it (native protocol, version 4). It remembers at which
//! levels was asked, counts the batches and reads that the server gave up by itself, and has the answer of a
//! batch be another one, once: of a batch that was done, or of one that never came.
//!
//! Other requests, and other connections, go on meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify};

use super::server::Server;
use super::{CassandraOptions, CassandraStore, options};

/// Bytes before what a frame holds: version, flags, stream, opcode, length.
const HEADER: usize = 9;

/// What is read here is of this one; the highest bit tells answers.
const VERSION: u8 = 4;

const ERROR: u8 = 0x00;
const RESULT: u8 = 0x08;
const PREPARE: u8 = 0x09;
const EXECUTE: u8 = 0x0a;
const BATCH: u8 = 0x0d;

/// Of a result: a statement was prepared.
const PREPARED: i32 = 4;

const WRITE_TIMEOUT: i32 = 0x1100;
const READ_TIMEOUT: i32 = 0x1200;
const CAS_WRITE_UNKNOWN: i32 = 0x1700;

/// What is told of a batch in place of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// That replicas did not agree in time.
    TimeOut,
    /// That something is wrong with the server, which says nothing of the batch.
    Fault,
    /// Nothing at all.
    Nothing,
}

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) is_done: bool,
    pub(super) told: Told,
}

impl Fate {
    pub(super) const fn done(told: Told) -> Fate {
        Fate {
            is_done: true,
            told,
        }
    }

    pub(super) const fn not_done(told: Told) -> Fate {
        Fate {
            is_done: false,
            told,
        }
    }
}

/// A level of consistency, as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wire {
    Quorum,
    LocalQuorum,
    Serial,
    LocalSerial,
    /// Any other.
    Other(u16),
}

impl Wire {
    fn of(number: u16) -> Wire {
        match number {
            0x04 => Wire::Quorum,
            0x06 => Wire::LocalQuorum,
            0x08 => Wire::Serial,
            0x09 => Wire::LocalSerial,
            other => Wire::Other(other),
        }
    }
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A prepared statement by itself, and its level.
    One(String, Wire),
    /// The statements of a batch, its level, and that of the agreement.
    Batch(Vec<String>, Wire, Option<Wire>),
}

/// The way. It ends with the runtime.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// What becomes of a batch, after so many others.
    next: Mutex<Option<(usize, Fate)>>,
    asked: Mutex<Vec<Asked>>,
    /// The texts of statements, by the id that the server gives.
    texts: Mutex<HashMap<Vec<u8>, String>>,
    given_up: AtomicUsize,
    withheld: Notify,
}

impl Way {
    /// What becomes of the next batch.
    pub(super) async fn next_batch(&self, fate: Fate) {
        self.batch_after(0, fate).await;
    }

    /// What becomes of the batch after so many others.
    pub(super) async fn batch_after(&self, others: usize, fate: Fate) {
        *self.next.lock().await = Some((others, fate));
    }

    /// Whether no batch met what was to become of it. None will.
    pub(super) async fn forget_next(&self) -> bool {
        self.next.lock().await.take().is_some()
    }

    /// Waits until the server has answered a batch and the answer was withheld.
    pub(super) async fn withheld(&self) {
        self.withheld.notified().await;
    }

    /// What was asked since the last call.
    pub(super) async fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().await)
    }

    /// Batches and reads that the server said it had given up, by itself.
    pub(super) fn given_up(&self) -> usize {
        self.given_up.load(Ordering::SeqCst)
    }

    async fn fate(&self) -> Option<Fate> {
        let mut next = self.next.lock().await;
        match next.as_mut() {
            Some((others @ 1.., _)) => {
                *others -= 1;
                None
            }
            _ => next.take().map(|(_, fate)| fate),
        }
    }
}

/// A way to the server, and the URL of a keyspace behind it that nobody has.
pub(super) async fn way_to(server: &Server) -> (Arc<Way>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let way = Arc::new(Way::default());
    let (to, shared) = (server.address().to_owned(), way.clone());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            if let Ok(server) = TcpStream::connect(&to).await {
                tokio::spawn(connection(client, server, shared.clone()));
            }
        }
    });
    let url = server.new_keyspace().replace(server.address(), &address);
    (way, url)
}

/// A store behind a way to the server that all share.
pub(super) async fn behind_a_way() -> (CassandraStore, Arc<Way>) {
    let (way, url) = way_to(Server::shared()).await;
    opened_behind(way, &options(&url)).await
}

/// A store behind the way.
pub(super) async fn opened_behind(
    way: Arc<Way>,
    options: &CassandraOptions,
) -> (CassandraStore, Arc<Way>) {
    let store = CassandraStore::open(options).await.unwrap();
    way.asked().await;
    (store, way)
}

/// Either end takes the other with it.
async fn connection(client: TcpStream, server: TcpStream, way: Arc<Way>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = Both {
        way,
        to_client: Mutex::new(to_client),
        withheld: Mutex::default(),
        preparing: Mutex::default(),
    };
    let ended: Option<()> = tokio::select! {
        ended = both.requests(from_client, to_server) => ended,
        ended = both.answers(from_server) => ended,
    };
    let () = ended.unwrap_or_default();
}

/// A connection.
struct Both {
    way: Arc<Way>,
    to_client: Mutex<OwnedWriteHalf>,
    /// What is told in place of answers, by their streams.
    withheld: Mutex<HashMap<[u8; 2], Told>>,
    /// Texts that are being prepared.
    preparing: Mutex<HashMap<[u8; 2], String>>,
}

impl Both {
    async fn requests(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Option<()> {
        loop {
            let asked = Frame::read(&mut from).await?;
            assert_eq!(asked.bytes[0], VERSION, "another protocol");
            self.note(&asked).await;
            if asked.opcode() == BATCH
                && let Some(fate) = self.way.fate().await
            {
                if !fate.is_done {
                    self.tell(fate.told, asked.stream()).await?;
                    continue;
                }
                self.withheld.lock().await.insert(asked.stream(), fate.told);
            }
            to.write_all(&asked.bytes).await.ok()?;
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf) -> Option<()> {
        loop {
            let answer = Frame::read(&mut from).await?;
            let stream = answer.stream();
            let text = self.preparing.lock().await.remove(&stream);
            if let (Some(text), Some(id)) = (text, answer.prepared()) {
                self.way.texts.lock().await.insert(id, text);
            }
            if answer.is_given_up() {
                self.way.given_up.fetch_add(1, Ordering::SeqCst);
            }
            let told = self.withheld.lock().await.remove(&stream);
            match told {
                Some(told) => {
                    self.way.withheld.notify_one();
                    self.tell(told, stream).await?;
                }
                None => self.say(&answer.bytes).await?,
            }
        }
    }

    async fn note(&self, asked: &Frame) {
        let mut body = asked.body();
        let noted = match asked.opcode() {
            PREPARE => {
                let text = body.long_text();
                self.preparing.lock().await.insert(asked.stream(), text);
                return;
            }
            EXECUTE => {
                let text = self.text(body.short_bytes()).await;
                Asked::One(text, Wire::of(body.short()))
            }
            BATCH => self.batch(body).await,
            _ => return,
        };
        self.way.asked.lock().await.push(noted);
    }

    /// Section 4.1.7.
    async fn batch(&self, mut body: Body<'_>) -> Asked {
        body.byte();
        let mut texts = Vec::new();
        for _ in 0..body.short() {
            let text = match body.byte() {
                0 => body.long_text(),
                _ => self.text(body.short_bytes()).await,
            };
            texts.push(text);
            for _ in 0..body.short() {
                // Below zero it is null or unset.
                let length = usize::try_from(body.int()).unwrap_or(0);
                body.take(length);
            }
        }
        let level = Wire::of(body.short());
        let has_serial = body.byte() & 0x10 != 0;
        let serial = has_serial.then(|| Wire::of(body.short()));
        Asked::Batch(texts, level, serial)
    }

    async fn text(&self, id: &[u8]) -> String {
        let texts = self.way.texts.lock().await;
        texts.get(id).expect("it was prepared on this way").clone()
    }

    async fn tell(&self, told: Told, stream: [u8; 2]) -> Option<()> {
        match told {
            Told::TimeOut => self.say(&timed_out(stream)).await,
            Told::Fault => self.say(&error(0, stream, &[])).await,
            Told::Nothing => Some(()),
        }
    }

    async fn say(&self, frame: &[u8]) -> Option<()> {
        self.to_client.lock().await.write_all(frame).await.ok()
    }
}

/// A frame as it is on the wire.
struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
        let mut bytes = vec![0; HEADER];
        from.read_exact(&mut bytes).await.ok()?;
        let length = u32::from_be_bytes(bytes[5..HEADER].try_into().unwrap()) as usize;
        bytes.resize(HEADER + length, 0);
        from.read_exact(&mut bytes[HEADER..]).await.ok()?;
        Some(Frame { bytes })
    }

    fn stream(&self) -> [u8; 2] {
        [self.bytes[2], self.bytes[3]]
    }

    fn opcode(&self) -> u8 {
        self.bytes[4]
    }

    fn body(&self) -> Body<'_> {
        Body(&self.bytes[HEADER..])
    }

    /// The id of what was prepared.
    fn prepared(&self) -> Option<Vec<u8>> {
        let mut body = self.body();
        let is_prepared = self.opcode() == RESULT && body.int() == PREPARED;
        is_prepared.then(|| body.short_bytes().to_vec())
    }

    fn is_given_up(&self) -> bool {
        let codes = [WRITE_TIMEOUT, READ_TIMEOUT, CAS_WRITE_UNKNOWN];
        self.opcode() == ERROR && codes.contains(&self.body().int())
    }
}

/// What of a frame was not read yet.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(count);
        self.0 = left;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn short_bytes(&mut self) -> &'a [u8] {
        let length = self.short();
        self.take(usize::from(length))
    }

    fn long_text(&mut self) -> String {
        let length = usize::try_from(self.int()).unwrap();
        String::from_utf8(self.take(length).to_vec()).unwrap()
    }
}

/// An error (section 9) of this code, with what it has beside its message.
fn error(code: i32, stream: [u8; 2], more: &[u8]) -> Vec<u8> {
    let said = "of a test";
    let mut body = code.to_be_bytes().to_vec();
    body.extend((said.len() as u16).to_be_bytes());
    body.extend(said.as_bytes());
    body.extend(more);
    let mut frame = vec![0x80 | VERSION, 0, stream[0], stream[1], ERROR];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    frame
}

/// The level, how many of how many, and of which kind of write.
fn timed_out(stream: [u8; 2]) -> Vec<u8> {
    let more = b"\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x03CAS";
    error(WRITE_TIMEOUT, stream, more)
}
