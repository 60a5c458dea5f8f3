//! Signs events as Stripe does.

use aws_lc_rs::hmac::{self, HMAC_SHA256};

/// Signs by every secret that an endpoint has.
#[derive(Clone, Debug)]
pub struct Signer(Vec<String>);

impl Signer {
    /// By secrets.
    pub fn of(secrets: &[&str]) -> Signer {
        Signer(secrets.iter().map(|&secret| secret.to_owned()).collect())
    }

    /// The value of `Stripe-Signature` for a body that is sent at a time, in seconds.
    pub fn sign(&self, at_s: u64, body: &str) -> String {
        let text = format!("{at_s}.{body}");
        let signed = |secret: &String| {
            let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
            let tag = hmac::sign(&key, text.as_bytes());
            let hex: String = tag
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!(",v1={hex}")
        };
        let signatures: String = self.0.iter().map(signed).collect();
        format!("t={at_s}{signatures}")
    }
}
