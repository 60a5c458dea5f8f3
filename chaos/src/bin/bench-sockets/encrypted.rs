//! What a socket costs when the hub ends TLS itself: the handshake, and bytes at rest.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use syncline_chaos::hub::Hub;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::push_frame;
use crate::fleet::{Users, until_gauge};
use crate::goal::at_most;
use crate::memory::{Point, slope};

/// Sockets being opened at once, and from one loopback address.
const OPENING: usize = 64;
const PER_ADDRESS: usize = 500;

/// README's word of what encryption costs for as long as a socket stays.
const BYTES_MAX: f64 = 9_200.0;

/// README's word of a handshake, on the hub's side.
const HANDSHAKE_US_MAX: f64 = 500.0;

/// A self-signed P-256 certificate for 127.0.0.1, good for nothing else.
const CERT: &str = "-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9zeW5jbGlu
ZSB0ZXN0IGEwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBoxGDAW
BgNVBAMMD3N5bmNsaW5lIHRlc3QgYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BAnzDx3uQFqYwxCQ8NlX3X9B6Aco5ck1wPbKZPKOlpTyIvXMnFX89NzIS9KwVWZ2
CwWQXXbkhroh1MXRoDOIecSjSzBJMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAA
ATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQWBBT4OOHYGLzjEO5uV4/820d3P0Lu8DAK
BggqhkjOPQQDAgNHADBEAiAgjDfOq4k996M+SoG1XSYGKmddlV3yhf2BSlWsrntl
KgIgMfDnk5WVlBtlNSk+0eXKmRMZQ0XSTivl+Ft+Ob65Rkc=
-----END CERTIFICATE-----
";
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrnMrjlUflwY9GP8Y
tay0hY/IKilkhVVOTuvwM61WIy6hRANCAAQJ8w8d7kBamMMQkPDZV91/QegHKOXJ
NcD2ymTyjpaU8iL1zJxV/PTcyEvSsFVmdgsFkF125Ia6IdTF0aAziHnE
-----END PRIVATE KEY-----
";

type Stream = TlsStream<TcpStream>;

/// Sockets over TLS whose sessions sleep.
pub(crate) async fn measure(program: &Path, counts: &[usize]) -> anyhow::Result<()> {
    let most = counts.last().copied().unwrap_or(0);
    // Tokens come over plain HTTP; the key that signs them survives a restart.
    let hub = Hub::start(program).await?;
    let tokens = crate::fleet::tokens(&hub, Users::Distinct, 0..most).await?;
    let files = tempfile::TempDir::new()?;
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, CERT)?;
    std::fs::write(&key, KEY)?;
    let settings = [
        ("SESSION__IDLE_MS", "1000"),
        ("SESSION__CACHE_BYTES", "0"),
        ("TLS__CERT", cert.to_str().context("a path")?),
        ("TLS__KEY", key.to_str().context("a path")?),
    ];
    let hub = hub.restart_with(program, &settings).await?;
    let connector = connector()?;
    let mut sockets: Vec<Stream> = Vec::new();
    let (mut points, mut handshakes_s, mut took_s) = (Vec::new(), 0.0, 0.0);
    for &count in counts {
        let (cpu, began) = (hub.cpu_s()?, Instant::now());
        let connecting = (sockets.len()..count).map(|at| connect(&hub, &connector, at));
        let connected: Vec<Stream> = stream::iter(connecting)
            .buffer_unordered(OPENING)
            .try_collect()
            .await?;
        took_s += began.elapsed().as_secs_f64();
        handshakes_s += hub.cpu_s()? - cpu;
        let first = sockets.len();
        let entering = connected.into_iter().zip(&tokens[first..]);
        let entering = entering.map(|(stream, token)| enter(&hub, stream, token));
        let entered: Vec<Stream> = stream::iter(entering)
            .buffer_unordered(OPENING)
            .try_collect()
            .await?;
        sockets.extend(entered);
        until_gauge(&hub, "syncline_sessions_asleep", count as f64).await?;
        points.push(Point::take(&hub, count).await?);
    }
    println!(
        "over TLS, asleep: bytes a socket: allocated {}, RSS {}; us of CPU a full handshake with \
         its connection {}: {:.0} handshakes a second and core, {:.0}/s beside this load",
        at_most(slope(&points, |p| p.allocated), BYTES_MAX),
        at_most(slope(&points, |p| p.rss), BYTES_MAX),
        at_most(handshakes_s * 1e6 / most as f64, HANDSHAKE_US_MAX),
        most as f64 / handshakes_s,
        most as f64 / took_s,
    );
    Ok(())
}

/// A client that trusts this certificate and resumes nothing.
fn connector() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERT.as_bytes())?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config).into())
}

async fn connect(hub: &Hub, connector: &TlsConnector, at: usize) -> anyhow::Result<Stream> {
    let socket = TcpSocket::new_v4()?;
    let host = u8::try_from(at / PER_ADDRESS + 1).unwrap_or(u8::MAX);
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)))?;
    let stream = socket.connect(hub.address.parse()?).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("127.0.0.1")?;
    Ok(connector.connect(name, stream).await?)
}

/// Upgrades, says hello and reads until all there is was told.
async fn enter(hub: &Hub, mut stream: Stream, token: &str) -> anyhow::Result<Stream> {
    let host = &hub.address;
    let mut first = format!(
        "GET /v1/ws HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes();
    let hello = format!(
        r#"{{"t":"hello","v":1,"app":"todo","client":"c1","token":"{token}","cursor":null}}"#
    );
    push_frame(&mut first, 0x81, hello.as_bytes());
    stream.write_all(&first).await?;
    // What TLS has taken may still wait for the socket.
    stream.flush().await?;
    let mut held = Vec::new();
    let end = br#""t":"delta""#;
    while !held.windows(end.len()).any(|bytes| bytes == end) {
        if stream.read_buf(&mut held).await? == 0 {
            bail!("the hub closed: {}", String::from_utf8_lossy(&held));
        }
    }
    Ok(stream)
}
