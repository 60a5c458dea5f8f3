//! A way to a NATS server that a test can stop and cut, and on which it can change what is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where a message goes, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

/// What becomes of a message: given its way, its subject and its payload, whether it goes on.
type Change = dyn Fn(Way, &str, &mut Vec<u8>) -> bool + Send + Sync;

/// A running proxy. It ends with this.
pub(super) struct Proxy {
    address: SocketAddr,
    accepted: Arc<AtomicU64>,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// What comes goes nowhere, and nobody is told.
    stalled: bool,
    /// How often all connections were cut.
    cuts: u64,
}

impl Proxy {
    /// A way to the server at this URL.
    pub(super) async fn start(url: &str) -> Proxy {
        Proxy::to(url, None).await
    }

    /// The same, without TLS; messages go through a function.
    pub(super) async fn start_with(
        url: &str,
        change: impl Fn(Way, &str, &mut Vec<u8>) -> bool + Send + Sync + 'static,
    ) -> Proxy {
        Proxy::to(url, Some(Arc::new(change))).await
    }

    async fn to(url: &str, change: Option<Arc<Change>>) -> Proxy {
        let server = url.strip_prefix("nats://").expect("a URL").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, watched) = watch::channel(State::default());
        let accepted = Arc::new(AtomicU64::new(0));
        let counted = accepted.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let far = tokio::net::TcpStream::connect(&server).await;
                let (from_near, to_near) = near.into_split();
                let (from_far, to_far) = far.expect("a server").into_split();
                let changing = |way| {
                    let waiting = Vec::new();
                    change.clone().map(|change| Changing {
                        change,
                        way,
                        waiting,
                    })
                };
                let (out, heard) = (changing(Way::Out), changing(Way::In));
                tokio::spawn(carry(from_near, to_far, watched.clone(), out));
                tokio::spawn(carry(from_far, to_near, watched.clone(), heard));
            }
        });
        Proxy {
            address,
            accepted,
            state,
            accepting,
        }
    }

    /// `nats://HOST:PORT`.
    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// How many connections came.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// From now on connections carry nothing, and stay.
    pub(super) fn stall(&self) {
        self.state.send_modify(|state| state.stalled = true);
    }

    /// All connections end. Those that come then are carried.
    pub(super) fn cut(&self) {
        self.state.send_modify(|state| {
            (state.stalled, state.cuts) = (false, state.cuts + 1);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Carries one way, until either end is gone or it is cut. Dropping a half closes it.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    mut changing: Option<Changing>,
) {
    let cuts = state.borrow_and_update().cuts;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            changed = state.changed() => {
                if changed.is_err() || state.borrow().cuts != cuts {
                    return;
                }
                continue;
            }
            read = from.read(&mut buffer) => read,
        };
        let Ok(length @ 1..) = read else { return };
        let State { stalled, cuts: now } = *state.borrow();
        if now != cuts {
            return;
        }
        if stalled {
            continue;
        }
        let carried = match &mut changing {
            Some(changing) => to.write_all(&changing.take(&buffer[..length])).await,
            None => to.write_all(&buffer[..length]).await,
        };
        if carried.is_err() {
            return;
        }
    }
}

/// What is said on one way: lines, of which those of messages have a payload behind them.
struct Changing {
    change: Arc<Change>,
    way: Way,
    /// The begin of something.
    waiting: Vec<u8>,
}

impl Changing {
    /// What goes on of what comes.
    fn take(&mut self, more: &[u8]) -> Vec<u8> {
        self.waiting.extend(more);
        let mut out = Vec::new();
        while let Some(length) = self.take_one(&mut out) {
            self.waiting.drain(..length);
        }
        out
    }

    /// The length of the first thing, if it is there as a whole.
    fn take_one(&self, out: &mut Vec<u8>) -> Option<usize> {
        let end = self.waiting.windows(2).position(|two| two == b"\r\n")? + 2;
        let line = std::str::from_utf8(&self.waiting[..end]).expect("text");
        let words: Vec<&str> = line.split_whitespace().collect();
        let (subject, headers, length) = match words[..] {
            ["PUB", subject, length] | ["MSG", subject, _, length] => (subject, "0", length),
            ["HPUB", subject, headers, length] | ["HMSG", subject, _, headers, length] => {
                (subject, headers, length)
            }
            _ => {
                out.extend(line.as_bytes());
                return Some(end);
            }
        };
        let length: usize = length.parse().expect("a length");
        let headers: usize = headers.parse().expect("a length");
        let content = &self.waiting.get(end..end + length + 2)?[..length];
        let (headers, payload) = content.split_at(headers);
        let mut payload = payload.to_vec();
        if (self.change)(self.way, subject, &mut payload) {
            let begin = &words[..words.len() - 1];
            let length = headers.len() + payload.len();
            out.extend(format!("{} {length}\r\n", begin.join(" ")).as_bytes());
            out.extend([headers, &payload[..], b"\r\n"].concat());
        }
        Some(end + length + 2)
    }
}
