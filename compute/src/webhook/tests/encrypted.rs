//! TLS: who cannot show a certificate for its name gets nothing.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;
use crate::outgoing::tests::server::{Answer, reply, serve};

/// Self-signed, for 127.0.0.1, until 2120; good for nothing else.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
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

#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_making_gets_nothing() {
    let cert = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
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
