//! A server that speaks TLS with a certificate of its own making.

use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Self-signed, for 127.0.0.1, until 2120; good for nothing else.
pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
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

pub(crate) fn config() -> Arc<ServerConfig> {
    let cert = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    Arc::new(config)
}
