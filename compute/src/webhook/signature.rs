//! Signatures of Standard Webhooks 1.0: HMAC-SHA256 of id, time and body.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What secrets in base64 begin with; others are taken as they are written.
const ENCODED: &str = "whsec_";

/// Bytes a secret has at least, once decoded.
pub const SECRET_BYTES_MIN: usize = 32;

/// Bytes a secret has at most.
pub const SECRET_BYTES_MAX: usize = 1 << 10;

/// The key of a secret, of whatever length. `None`: it says to be base64 and is not.
pub(super) fn bytes_of(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix(ENCODED) {
        Some(encoded) => STANDARD.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

/// Signs for an endpoint, by the secret it has and by the one it had.
pub(super) struct Signer(Vec<hmac::Key>);

impl Signer {
    /// The newest secret first.
    pub(super) fn new(secrets: &[Vec<u8>]) -> Signer {
        let key = |secret: &Vec<u8>| hmac::Key::new(HMAC_SHA256, secret);
        Signer(secrets.iter().map(key).collect())
    }

    /// The value of `webhook-signature`: one a secret, a space between.
    pub(super) fn sign(&self, id: &str, at_s: u64, body: &str) -> String {
        let text = format!("{id}.{at_s}.{body}");
        let sign = |key: &hmac::Key| {
            let tag = hmac::sign(key, text.as_bytes());
            format!("v1,{}", STANDARD.encode(tag))
        };
        let signatures: Vec<String> = self.0.iter().map(sign).collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries are tested with.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &str = r#"{"test": 2432232314}"#;
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_example_is_signed_as_published() {
        let signer = Signer::new(&[bytes_of(SECRET).unwrap()]);
        assert_eq!(signer.sign(ID, 1_614_265_330, BODY), SIGNED);
    }

    #[test]
    fn while_a_secret_changes_both_sign() {
        let secrets = ["another secret of 32 bytes or so", SECRET];
        let secrets = secrets.map(|secret| bytes_of(secret).unwrap());
        let signed = Signer::new(&secrets).sign(ID, 1_614_265_330, BODY);
        let (new, old) = signed.split_once(' ').unwrap();
        assert_eq!(old, SIGNED);
        assert_ne!(new, old);
    }

    #[test]
    fn id_time_and_body_are_all_signed() {
        let signer = Signer::new(&[bytes_of(SECRET).unwrap()]);
        for (id, at_s, body) in [
            ("msg_p5jXN8AQM9LWM0D4loKWxJel", 1_614_265_330, BODY),
            (ID, 1_614_265_331, BODY),
            (ID, 1_614_265_330, r#"{"test": 2432232315}"#),
        ] {
            assert_ne!(signer.sign(id, at_s, body), SIGNED);
        }
    }

    #[test]
    fn a_secret_that_is_no_base64_is_none() {
        assert_eq!(bytes_of("whsec_!"), None);
        assert_eq!(bytes_of("plain").unwrap(), b"plain");
    }
}
