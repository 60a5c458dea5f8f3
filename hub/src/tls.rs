//! TLS ended in this process: a certificate and its key from PEM files, TLS 1.3 and 1.2 by
//! aws-lc-rs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, ServerConfig};

/// What is spoken inside.
const ALPN: &[u8] = b"http/1.1";

/// A listener's TLS. The files may be read again while it runs.
#[derive(Debug)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

/// A certificate and key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file.
    #[error("{}: {why}", path.display())]
    Cert {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key's file.
    #[error("{}: {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Tls {
    /// Reads the files: the certificate with those between it and the root, its own first, and
    /// its private key (PKCS#8, PKCS#1 or SEC1), both as PEM.
    pub fn load(cert: &Path, key: &Path) -> Result<Tls, TlsError> {
        Ok(Tls {
            config: RwLock::new(server_config(cert, key)?),
            cert: cert.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Reads the files again, for connections to come. If they cannot be used, what was read
    /// before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = server_config(&self.cert, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Takes a connection with what was read last.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        config.clone().into()
    }
}

fn server_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let bad_cert = |why: String| TlsError::Cert {
        path: cert.to_owned(),
        why,
    };
    let bad_key = |why: String| TlsError::Key {
        path: key.to_owned(),
        why,
    };
    let pem = std::fs::read(cert).map_err(|error| bad_cert(error.to_string()))?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| bad_cert(format!("is no PEM: {error}")))?;
    if chain.is_empty() {
        return Err(bad_cert("holds no certificate in PEM".into()));
    }
    let pem = std::fs::read(key).map_err(|error| bad_key(error.to_string()))?;
    let secret = PrivateKeyDer::from_pem_slice(&pem);
    let secret =
        secret.map_err(|_| bad_key("holds no private key in PEM that needs no password".into()))?;

    let provider = Arc::new(default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider has suites for both versions")
        .with_no_client_auth()
        .with_single_cert(chain, secret);
    let mut config = config.map_err(|error| match error {
        Error::InconsistentKeys(_) => bad_key("is not the key of the certificate".into()),
        Error::InvalidCertificate(_) => bad_cert(error.to_string()),
        error => bad_key(error.to_string()),
    })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Devices that come back resume, with nothing remembered here. Without randomness they
    // shake hands anew.
    if let Ok(ticketer) = Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(Arc::new(config))
}
