//! TLS of the public listener.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Problems;
use crate::tls::{Tls, TlsError};

/// A certificate and its key: both, or none. They are read again on SIGHUP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The PEM file of the certificate, behind it those between it and the root. Not set, the
    /// default: the public listener speaks plain HTTP.
    pub cert: Option<PathBuf>,
    /// The PEM file of its private key, without a password.
    pub key: Option<PathBuf>,
}

impl TlsConfig {
    /// Certificate and key, if TLS is on.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        self.cert.as_deref().zip(self.key.as_deref())
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        match (&self.cert, &self.key) {
            (None, None) => {}
            (Some(_), None) => problems.push("tls.key", "is not set, but tls.cert is"),
            (None, Some(_)) => problems.push("tls.cert", "is not set, but tls.key is"),
            (Some(cert), Some(key)) => {
                if let Err(error) = Tls::load(cert, key) {
                    let of = match error {
                        TlsError::Cert { .. } => "tls.cert",
                        TlsError::Key { .. } => "tls.key",
                    };
                    problems.push(of, format!("cannot be used: {error}"));
                }
            }
        }
    }
}
