//! A way to a server that can be cut, for the tests of the engines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// When connections end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    /// Not at all.
    Never,
    /// At the next thing the client says; the server does not hear it.
    Requests,
    /// Once the server says that it committed; the client hears nothing that was said since.
    Commits,
    /// The same, but the client hears what is answered before the end of the transaction.
    Ends,
}

/// The way. It ends with the runtime.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicU8>,
}

impl Proxy {
    /// To a server, `HOST:PORT`, which has committed once it says `committed`.
    pub(crate) async fn to(server: &str, committed: &'static [u8]) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(AtomicU8::new(Cut::Never as u8));
        let (server, seen) = (server.to_owned(), cut.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                // Either end takes the other with it.
                let requests = requests(from_client, to_server, seen.clone());
                let answers = answers(from_server, to_client, (seen.clone(), committed));
                tokio::spawn(async move {
                    tokio::select! {
                        () = requests => {}
                        () = answers => {}
                    }
                });
            }
        });
        Proxy { address, cut }
    }

    pub(crate) fn cut(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicU8>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if is(&cut, Cut::Requests) || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (cut, committed): (Arc<AtomicU8>, &'static [u8]),
) {
    let has_committed = |said: &[u8]| said.windows(committed.len()).any(|part| part == committed);

    let mut buffer = vec![0; 64 << 10];
    let mut withheld = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if is(&cut, Cut::Ends) {
            if has_committed(&buffer[..read]) || to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        } else if is(&cut, Cut::Commits) {
            withheld.extend_from_slice(&buffer[..read]);
            if has_committed(&withheld) {
                return;
            }
        } else if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

fn is(cut: &AtomicU8, wanted: Cut) -> bool {
    cut.load(Ordering::SeqCst) == wanted as u8
}
