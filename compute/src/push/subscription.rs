//! Where a browser is reached, as it says itself: an address at its push service, and keys that only
//! it can read messages with. All of it comes from users.

use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, ParsedPublicKey, UnparsedPublicKey};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::keys::PUBLIC_BYTES;
use super::text::decoded;
use crate::outgoing::address;
use crate::outgoing::guard::Reach;

/// Bytes of the secret that a browser shares with who sends (RFC 8291 section 3.2).
pub(super) const AUTH_BYTES: usize = 16;

/// A subscription as a browser's `toJSON` writes it. What else is in it is passed over.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionText {
    /// The address. Who knows it can send to it, so it is never shown.
    pub endpoint: String,
    /// The keys.
    pub keys: KeyTexts,
}

/// Keys in base64url.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTexts {
    /// The browser's public key: 65 bytes.
    pub p256dh: String,
    /// The secret it shares: 16 bytes.
    pub auth: String,
}

impl fmt::Debug for SubscriptionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubscriptionText(…)")
    }
}

impl fmt::Debug for KeyTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTexts(…)")
    }
}

/// A subscription that was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    pub(super) endpoint: Url,
    pub(super) recipient: Recipient,
}

impl Subscription {
    /// The push service: scheme, host and port of the address.
    pub fn service(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({})", self.service())
    }
}

/// Who can read what is encrypted for them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    /// A point of P-256, uncompressed.
    pub(super) public: [u8; PUBLIC_BYTES],
    pub(super) auth: [u8; AUTH_BYTES],
}

/// Why a subscription is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// Nothing may be sent there.
    #[error("endpoint: {0}")]
    Endpoint(String),
    /// The public key is none.
    #[error("keys.p256dh: not a point of P-256, 65 bytes in base64url")]
    PublicKey,
    /// The secret is none.
    #[error("keys.auth: not 16 bytes in base64url")]
    Auth,
}

/// Where push services may be.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) reach: Reach,
    pub(super) ports: Vec<u16>,
}

impl Places {
    /// Checks a subscription. Errors: the first thing that is wrong.
    pub(super) fn check(&self, text: &SubscriptionText) -> Result<Subscription, SubscriptionError> {
        let (endpoint, wrong) = address::checked(&text.endpoint, self.reach, &self.ports);
        let refuse = |why: &str| SubscriptionError::Endpoint(why.to_owned());
        if let Some(why) = wrong.first() {
            return Err(refuse(why));
        }
        let endpoint = endpoint.ok_or_else(|| refuse("not an address"))?;
        if !(endpoint.username().is_empty() && endpoint.password().is_none()) {
            // They would be sent in place of who we are.
            return Err(refuse("a user and password are not sent"));
        }
        let recipient = Recipient::parse(&text.keys)?;
        Ok(Subscription {
            endpoint,
            recipient,
        })
    }
}

impl Recipient {
    pub(super) fn parse(keys: &KeyTexts) -> Result<Recipient, SubscriptionError> {
        let public = decoded(&keys.p256dh).and_then(|bytes| bytes.try_into().ok());
        let public = public
            .filter(is_point)
            .ok_or(SubscriptionError::PublicKey)?;
        let auth = decoded(&keys.auth).and_then(|bytes| bytes.try_into().ok());
        let auth = auth.ok_or(SubscriptionError::Auth)?;
        Ok(Recipient { public, auth })
    }
}

fn is_point(bytes: &[u8; PUBLIC_BYTES]) -> bool {
    let key = UnparsedPublicKey::new(&ECDH_P256, bytes.as_slice());
    bytes[0] == 4 && ParsedPublicKey::try_from(key).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::text::encoded;

    /// RFC 8291 section 5.
    const P256DH: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn text(endpoint: &str, p256dh: &str, auth: &str) -> SubscriptionText {
        SubscriptionText {
            endpoint: endpoint.to_owned(),
            keys: KeyTexts {
                p256dh: p256dh.to_owned(),
                auth: auth.to_owned(),
            },
        }
    }

    fn checked(text: &SubscriptionText) -> Result<Subscription, String> {
        let places = Places {
            reach: Reach::Public,
            ports: vec![8443],
        };
        places.check(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_browser_writes_is_read() {
        let json = format!(
            r#"{{"endpoint":"https://push.example/p/1","expirationTime":null,
                 "keys":{{"p256dh":"{P256DH}","auth":"{AUTH}"}}}}"#
        );
        let text: SubscriptionText = serde_json::from_str(&json).unwrap();
        let subscription = checked(&text).unwrap();
        assert_eq!(encoded(subscription.recipient.public), P256DH);
        assert_eq!(encoded(subscription.recipient.auth), AUTH);
        let shown = format!("{text:?} {:?} {subscription:?}", text.keys);
        let expected = "SubscriptionText(…) KeyTexts(…) Subscription(https://push.example)";
        assert_eq!(shown, expected);
    }

    #[test]
    fn nothing_is_sent_where_nothing_may_be() {
        let long = format!("https://push.example/{}", "x".repeat(2_048));
        for (endpoint, why) in [
            ("", "not an address"),
            ("push.example/p", "not an address"),
            ("mailto:ada@push.example", "not an address"),
            (&long, "not an address"),
            ("http://push.example/p", "http is for what is private"),
            ("https://127.0.0.1/p", "address_refused: 127.0.0.1"),
            ("https://[::ffff:a00:1]/p", "address_refused: "),
            ("https://2130706433/p", "address_refused: 127.0.0.1"),
            ("https://169.254.169.254/", "a cloud's metadata service"),
            ("https://localhost/p", "this machine"),
            ("https://push.example:22/p", "port 22"),
            ("https://ada@push.example/p", "a user and password"),
            ("https://:secret@push.example/p", "a user and password"),
        ] {
            let said = checked(&text(endpoint, P256DH, AUTH)).unwrap_err();
            assert!(
                said.starts_with("endpoint: ") && said.contains(why),
                "{said}"
            );
            assert!(!said.contains("secret"));
        }
        for endpoint in ["https://push.example:8443/p", "https://push.example"] {
            assert!(checked(&text(endpoint, P256DH, AUTH)).is_ok(), "{endpoint}");
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let point = decoded(P256DH).unwrap();
        let with = |n: usize, byte: u8| {
            let mut point = point.clone();
            point[n] = byte;
            encoded(point)
        };
        let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
        for p256dh in [
            String::new(),
            "!".to_owned(),
            encoded(&point[..64]),
            encoded([&point[..], &[0]].concat()),
            encoded(&point[1..]),
            encoded(compressed),
            encoded([0; 65]),
            encoded([4; 65]),
            with(0, 6),
            with(0, 0),
            with(64, point[64] ^ 1),
            with(1, point[1] ^ 0x80),
            encoded([&[4][..], &[0xff; 64]].concat()),
        ] {
            let said = checked(&text("https://push.example/", &p256dh, AUTH)).unwrap_err();
            assert!(said.starts_with("keys.p256dh: "), "{p256dh}: {said}");
        }
        for auth in ["", "!", &AUTH[..20], P256DH, "AAAAAAAAAAAAAAAAAAAAAAA"] {
            let said = checked(&text("https://push.example/", P256DH, auth)).unwrap_err();
            assert!(said.starts_with("keys.auth: "), "{auth}: {said}");
        }
    }
}
