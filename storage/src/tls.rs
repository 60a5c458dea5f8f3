//! TLS to a database: rustls on aws-lc-rs, the server's certificate always verified.

use std::path::Path;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Trusts the certificates of a PEM file, else what the system trusts. Errors: a file that holds
/// no certificates.
pub(crate) fn client_config(root_cert: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let config = match root_cert {
        Some(path) => {
            let failed = |why: String| format!("{}: {why}", path.display());
            let mut roots = RootCertStore::empty();
            let read = CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))?;
            for certificate in read {
                let certificate = certificate.map_err(|e| failed(e.to_string()))?;
                roots.add(certificate).map_err(|e| failed(e.to_string()))?;
            }
            if roots.is_empty() {
                return Err(failed("no certificates in it".to_owned()));
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        None => {
            let verifier = Verifier::new(provider).map_err(|error| error.to_string())?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}
