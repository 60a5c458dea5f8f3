//! Two self-signed certificates for `localhost` and 127.0.0.1, valid from 2020 to 2120, made for
//! these tests and good for nothing else.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate and its private key, as PEM.
#[derive(Clone, Copy, Debug)]
pub struct SelfSigned {
    /// The certificate.
    pub cert: &'static str,
    /// Its key.
    pub key: &'static str,
}

impl SelfSigned {
    /// A client's side that trusts only this certificate.
    pub fn connector(&self) -> TlsConnector {
        self.connector_offering(&[])
    }

    /// The same, which offers these protocols.
    pub fn connector_offering(&self, protocols: &[&[u8]]) -> TlsConnector {
        let cert = CertificateDer::from_pem_slice(self.cert.as_bytes()).expect("it is PEM");
        let mut roots = RootCertStore::empty();
        roots.add(cert).expect("it is a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config).into()
    }
}

/// One of them.
pub const ONE: SelfSigned = SelfSigned {
    cert: "-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIBATAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9zeW5jbGlu
ZSB0ZXN0IGEwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBoxGDAW
BgNVBAMMD3N5bmNsaW5lIHRlc3QgYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BAnzDx3uQFqYwxCQ8NlX3X9B6Aco5ck1wPbKZPKOlpTyIvXMnFX89NzIS9KwVWZ2
CwWQXXbkhroh1MXRoDOIecSjSzBJMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAA
ATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQWBBT4OOHYGLzjEO5uV4/820d3P0Lu8DAK
BggqhkjOPQQDAgNHADBEAiAgjDfOq4k996M+SoG1XSYGKmddlV3yhf2BSlWsrntl
KgIgMfDnk5WVlBtlNSk+0eXKmRMZQ0XSTivl+Ft+Ob65Rkc=
-----END CERTIFICATE-----
",
    key: "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrnMrjlUflwY9GP8Y
tay0hY/IKilkhVVOTuvwM61WIy6hRANCAAQJ8w8d7kBamMMQkPDZV91/QegHKOXJ
NcD2ymTyjpaU8iL1zJxV/PTcyEvSsFVmdgsFkF125Ia6IdTF0aAziHnE
-----END PRIVATE KEY-----
",
};

/// Another one.
pub const OTHER: SelfSigned = SelfSigned {
    cert: "-----BEGIN CERTIFICATE-----
MIIBcTCCARagAwIBAgIBAjAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9zeW5jbGlu
ZSB0ZXN0IGIwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBoxGDAW
BgNVBAMMD3N5bmNsaW5lIHRlc3QgYjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BBm9fHm1+EHvhchnSap2zC0pru/KoohWciJ+XTsyJ38F5DL3tUfKY5M54bMBhvVc
lKHjV6QMRYWwFT3JBlJysSCjSzBJMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAA
ATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQWBBTN1jEYEWKMvzztx2CLNSxw6M5GsDAK
BggqhkjOPQQDAgNJADBGAiEA03+k1/jmua/qYqKRbB8GKJr3+Ibyjg/8/wugqf5f
Y5YCIQDtXE1GQinuNf28AJ0v7yNIw0MnsGcWHSbILH8YwQtrnQ==
-----END CERTIFICATE-----
",
    key: "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHxYHpQbW0Ynmixmc
OgUB9UcqE+JGKmonqgoT8BlRsVuhRANCAAQZvXx5tfhB74XIZ0mqdswtKa7vyqKI
VnIifl07Mid/BeQy97VHymOTOeGzAYb1XJSh41ekDEWFsBU9yQZScrEg
-----END PRIVATE KEY-----
",
};
