//! An HTTP/1.1 listener: accepts, serves a router, stops gracefully.
//!
//! The loop is our own, for three reasons: a head must come in time, a machine out of file
//! descriptors must not spin, and an upgraded socket is taken out of it without a trace.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::IntGauge;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::owed::Owed;
use super::peers::{Counted, Peers};
use super::turns::Turns;
use super::watched::{LeastRate, Patience, Watched};
use crate::config::GatewayConfig;
use crate::gateway::stream::{Metered, Stream};
use crate::lifecycle::Lifecycle;
use crate::telemetry::Metrics;
use crate::tls::Tls;

/// Connections the kernel keeps for us between two accepts.
const BACKLOG: u32 = 4_096;

/// Bytes of a request's head, about. A longer one is answered 431.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes the kernel takes of us for a connection beyond those that are under way to its peer,
/// about. It asks for more when half of them are gone.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 64 << 10;

/// How long to wait when the machine has no file descriptor or memory for one more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a peer must take of an answer, on average, while it is waited for,
const LEAST_BYTES_PER_S: u64 = 4 << 10;

/// over so many times what it may take nothing.
const LEAST_WINDOW_STALLS: u32 = 10;

/// Who is on the other side of a request's connection; in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Open at once. One more is closed at once, so that those served stay served.
    pub connections_max: usize,
    /// Of those, from one address.
    pub per_address_max: usize,
    /// For a TLS handshake, for a request's head, and for idling between two requests. Then it is closed.
    pub header_timeout: Duration,
    /// For taking something of an answer. Then it is closed.
    pub stalled: Duration,
    /// What must be taken of answers. Who takes less is closed.
    pub least: LeastRate,
}

impl From<&GatewayConfig> for ServerLimits {
    fn from(config: &GatewayConfig) -> Self {
        let stalled = Duration::from_millis(config.stalled_ms);
        ServerLimits {
            connections_max: usize::try_from(config.connections_max).unwrap_or(usize::MAX),
            per_address_max: usize::try_from(config.per_address_max()).unwrap_or(usize::MAX),
            header_timeout: Duration::from_millis(config.header_timeout_ms),
            stalled,
            least: LeastRate {
                bytes_per_s: LEAST_BYTES_PER_S,
                window: stalled * LEAST_WINDOW_STALLS,
            },
        }
    }
}

/// Listens. Port 0 takes a free one. Errors: the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restarted node must not wait for its old connections' last minutes.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A listener's life.
#[derive(Debug)]
pub struct Server {
    /// Bound already.
    pub listener: TcpListener,
    /// What is served, guarded.
    pub router: Router,
    /// See there.
    pub limits: ServerLimits,
    /// Encrypts; without it connections are plain.
    pub tls: Option<Arc<Tls>>,
    /// When it drains, no connection is accepted and those open end after their request.
    pub lifecycle: Arc<Lifecycle>,
    /// Counts the connections.
    pub metrics: Arc<Metrics>,
}

/// Serves until the node drains and the last request is answered. Dropping it cuts them off.
pub async fn serve(server: Server) {
    let mut connections = JoinSet::new();
    let peers = Peers::new(server.limits.per_address_max);
    let turns = Arc::new(Turns::new(handshakes_at_once()));
    let mut draining = Box::pin(server.lifecycle.draining());
    loop {
        tokio::select! {
            biased;
            () = &mut draining => break,
            Some(_) = connections.join_next() => {}
            accepted = server.listener.accept() => match accepted {
                Ok(_) if connections.len() >= server.limits.connections_max => {
                    debug!("too many connections: one was closed");
                }
                Ok((stream, peer)) => match peers.enter(peer.ip()) {
                    Some(counted) => {
                        let connection = server.connection(Peer(peer), counted, turns.clone());
                        connections.spawn(connection.run(stream));
                    }
                    None => debug!("too many connections of one address: one was closed"),
                },
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(draining);
    drop(server.listener);
    while connections.join_next().await.is_some() {}
}

/// TLS handshakes worked on at once: half of the workers at most, so that one is always free for
/// those who are in already.
fn handshakes_at_once() -> usize {
    let workers = tokio::runtime::Handle::current().metrics().num_workers();
    (workers / 2).max(1)
}

impl Server {
    fn connection(&self, peer: Peer, counted: Counted, turns: Arc<Turns>) -> Connection {
        let open = self.metrics.http_connections.clone();
        open.inc();
        Connection {
            peer,
            router: self.router.clone(),
            header_timeout: self.limits.header_timeout,
            patience: Patience {
                stalled: self.limits.stalled,
                least: self.limits.least,
                lifecycle: self.lifecycle.clone(),
            },
            tls: self.tls.clone(),
            turns,
            _counted: counted,
            _open: Open(open),
        }
    }
}

/// One connection, from its first request to its last or its upgrade.
struct Connection {
    peer: Peer,
    router: Router,
    header_timeout: Duration,
    patience: Patience,
    tls: Option<Arc<Tls>>,
    turns: Arc<Turns>,
    _counted: Counted,
    _open: Open,
}

/// Counted while it lives.
struct Open(IntGauge);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Small messages go out at once; without it they only go later.
        let _ = stream.set_nodelay(true);
        // Without it a peer that reads nothing costs megabytes of the kernel, and one that reads
        // slowly looks for long as if it read nothing.
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
        let Some(stream) = self.open(stream).await else {
            return;
        };
        let owed = Owed::default();
        let stream = Watched::new(stream, self.patience.clone(), owed.clone());
        let peer = self.peer;
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let (answer, owed) = (router.call(request), owed.clone());
            async move {
                let mut answer = answer.await?;
                if let Some(reply) = answer.extensions_mut().remove() {
                    owed.add(reply);
                }
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.patience.lifecycle.draining() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "connection ended");
        }
    }

    /// The stream, behind its TLS handshake if there is to be one; `None` if that fails or takes
    /// longer than a head may.
    async fn open(&self, stream: TcpStream) -> Option<Stream> {
        let Some(tls) = &self.tls else {
            return Some(Stream::Plain(stream));
        };
        let handshake = tls.acceptor().accept(Metered::new(stream));
        let handshake = self.turns.run(self.peer.0.ip(), handshake);
        let handshake = timeout(self.header_timeout, handshake);
        tokio::select! {
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
                Ok(Err(error)) => {
                    debug!(%error, "no TLS");
                    None
                }
                Err(_) => None,
            },
            () = self.patience.lifecycle.draining() => None,
        }
    }
}

/// An error of the connection that was to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}
