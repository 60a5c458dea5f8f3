//! A NATS server as far as a node that publishes needs one, without encryption.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncline_protocol::ids::NodeId;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::options::{Login, NatsOptions};
use super::subject::Prefix;
use super::{NatsBus, Report};

const INFO: &str = r#"INFO {"server_id":"fake","version":"2.10.0","proto":1,"host":"127.0.0.1","port":1,"headers":true,"max_payload":1048576}"#;

/// A running server.
pub(super) struct Fake {
    pub(super) url: String,
    /// Subject and payload of what is published.
    pub(super) published: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
}

impl Fake {
    pub(super) async fn start() -> Fake {
        let (url, listener) = listen().await;
        let (heard, published) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, heard.clone()));
            }
        });
        Fake { url, published }
    }
}

/// A port, as the URL of a server.
pub(super) async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    (url, listener)
}

/// What a server says first.
pub(super) async fn greet(stream: &mut TcpStream) {
    let greeting = format!("{INFO}\r\n");
    stream.write_all(greeting.as_bytes()).await.unwrap();
}

async fn serve(mut stream: TcpStream, heard: mpsc::UnboundedSender<(String, Vec<u8>)>) {
    greet(&mut stream).await;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] if stream.write_all(b"PONG\r\n").await.is_err() => return,
            ["PUB", subject, length] | ["HPUB", subject, _, length] => {
                let length: usize = length.parse().unwrap();
                let mut payload = vec![0; length + 2];
                if stream.read_exact(&mut payload).await.is_err() {
                    return;
                }
                payload.truncate(length);
                if let ["HPUB", _, headers, _] = words[..] {
                    let headers: usize = headers.parse().unwrap();
                    payload.drain(..headers);
                }
                // The test may be over.
                let _ = heard.send((subject.to_owned(), payload));
            }
            _ => {}
        }
        line.clear();
    }
}

/// What a bus reported.
#[derive(Clone, Default)]
pub(super) struct Reports(Arc<Mutex<Vec<Report>>>);

impl Reports {
    pub(super) fn count(&self, report: Report) -> usize {
        self.lock().iter().filter(|told| **told == report).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Report>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a node without secrets reaches a server.
pub(super) fn options(url: &str) -> NatsOptions {
    NatsOptions {
        servers: NatsOptions::parse_servers(url).unwrap(),
        login: Login::Nobody,
        ca: None,
        certificate: None,
        prefix: Prefix::default(),
        connections: 1,
        node: NodeId::trusted("n1"),
    }
}

/// A bus that begins to connect.
pub(super) async fn bus(options: &NatsOptions) -> (NatsBus, Reports) {
    let reports = Reports::default();
    let told = reports.clone();
    let reporter = Arc::new(move |report| told.lock().push(report));
    (NatsBus::start(options, reporter).await.unwrap(), reports)
}
