//! TLS: who cannot show a certificate for its name gets nothing.

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::outgoing::tests::server::{Answer, reply, serve};
use crate::outgoing::tests::tls;

#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_making_gets_nothing() {
    let acceptor = TlsAcceptor::from(tls::config());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, mut requests) = mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await?;
        serve(stream, Answer::Bytes(reply("200 OK", "")), told).await;
        Ok::<(), std::io::Error>(())
    });
    let webhooks = at(&format!("https://127.0.0.1:{port}/hook"), &json!({}));
    let (said, _) = failed(webhooks.work(&task()).await);
    assert!(said.contains("certificate"), "{said}");
    assert!(serving.await.unwrap().is_err(), "the client went away");
    assert_eq!(requests.recv().await, None);
}
