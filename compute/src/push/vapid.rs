//! Who sends, as a push service is told (VAPID, RFC 8292): a token that is signed for the service's
//! origin, `Authorization: vapid t=…, k=…`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::Url;
use serde_json::json;
use syncline_protocol::stamp::WallMs;

use super::keys::VapidKeys;
use super::text::encoded;

/// How long a token holds, in seconds: half of the day it may hold, so that clocks which are hours
/// apart agree that it does.
const HOLDS_S: u64 = 12 * 3_600;

/// A token that holds no longer than this, in seconds, is not sent any more: a message may wait.
const NEAR_END_S: u64 = 3_600;

/// Origins whose tokens are kept. Past it all are signed anew: subscriptions name any host.
const ORIGINS_MAX: usize = 1_000;

/// Bytes of who to write to.
pub const CONTACT_BYTES_MAX: usize = 256;

/// The sender of pushes.
#[derive(Debug)]
pub(super) struct Sender {
    keys: VapidKeys,
    /// Whom the people of a push service write to: `mailto:` or `https:`.
    contact: String,
    kept: Mutex<HashMap<String, Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    header: String,
    ends_s: u64,
}

impl Token {
    /// It holds for a while, and no longer than one that is signed now: else the clock went back.
    fn holds(&self, now_s: u64) -> bool {
        (now_s + NEAR_END_S + 1..=now_s + HOLDS_S).contains(&self.ends_s)
    }
}

impl Sender {
    /// Errors: the contact is none.
    pub(super) fn new(keys: VapidKeys, contact: &str) -> Result<Sender, String> {
        check_contact(contact)?;
        Ok(Sender {
            keys,
            contact: contact.to_owned(),
            kept: Mutex::default(),
        })
    }

    pub(super) fn keys(&self) -> &VapidKeys {
        &self.keys
    }

    /// The value of `Authorization` for an endpoint. It is one for all endpoints of an origin, until
    /// it is near its end.
    pub(super) fn authorization(&self, endpoint: &Url, now_ms: WallMs) -> String {
        let (origin, now_s) = (endpoint.origin().ascii_serialization(), now_ms / 1_000);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = kept.get(&origin).filter(|token| token.holds(now_s)) {
            return token.header.clone();
        }
        let token = self.signed(&origin, now_s);
        if kept.len() >= ORIGINS_MAX {
            kept.clear();
        }
        let header = token.header.clone();
        kept.insert(origin, token);
        header
    }

    fn signed(&self, origin: &str, now_s: u64) -> Token {
        let ends_s = now_s + HOLDS_S;
        let head = encoded(r#"{"typ":"JWT","alg":"ES256"}"#);
        let claims = json!({"aud": origin, "exp": ends_s, "sub": self.contact});
        let text = format!("{head}.{}", encoded(claims.to_string()));
        let signature = encoded(self.keys.sign(&text));
        let public = self.keys.public_key();
        Token {
            header: format!("vapid t={text}.{signature}, k={public}"),
            ends_s,
        }
    }
}

/// Whether somebody can be written to. Errors: what is wrong. Some services refuse every message of
/// who names nobody.
pub fn check_contact(contact: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>\"".contains(c);
    let is_some = match contact.split_once(':') {
        Some(("mailto", mail)) => mail
            .split_once('@')
            .is_some_and(|(name, host)| !(name.is_empty() || host.is_empty())),
        Some(("https", _)) => Url::parse(contact).is_ok_and(|url| url.has_host()),
        _ => false,
    };
    match is_some && contact.len() <= CONTACT_BYTES_MAX && contact.chars().all(is_plain) {
        true => Ok(()),
        false => Err("contact: mailto:NAME@HOST or https://HOST/…, without spaces".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::push::text::decoded;

    /// 2026-11-24T10:00:00.123Z.
    const NOW: WallMs = 1_795_514_400_123;
    const HOUR: u64 = 3_600_000;

    fn sender() -> Sender {
        Sender::new(VapidKeys::generate().unwrap(), "mailto:ada@example.com").unwrap()
    }

    fn at(sender: &Sender, url: &str, now_ms: WallMs) -> String {
        sender.authorization(&Url::parse(url).unwrap(), now_ms)
    }

    /// What a push service does with it: the claims, if they are signed.
    fn verified(header: &str) -> Value {
        let (token, key) = header
            .strip_prefix("vapid t=")
            .unwrap()
            .split_once(", k=")
            .unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decoded(key).unwrap());
        key.verify(text.as_bytes(), &decoded(signature).unwrap())
            .unwrap();
        let (head, claims) = text.split_once('.').unwrap();
        let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part).unwrap()).unwrap();
        assert_eq!(json(head), json!({"typ": "JWT", "alg": "ES256"}));
        json(claims)
    }

    #[test]
    fn a_token_is_signed_for_the_origin_and_holds_for_less_than_a_day() {
        let sender = sender();
        for (endpoint, origin) in [
            ("https://push.example/p/abc?x=1", "https://push.example"),
            ("https://push.example:443/p", "https://push.example"),
            ("https://push.example:8443/p", "https://push.example:8443"),
            ("https://PUSH.example/p", "https://push.example"),
            ("http://[::1]:9/p", "http://[::1]:9"),
        ] {
            let claims = verified(&at(&sender, endpoint, NOW));
            let expected = json!({
                "aud": origin, "exp": 1_795_514_400 + 43_200, "sub": "mailto:ada@example.com",
            });
            assert_eq!(claims, expected, "{endpoint}");
        }
    }

    /// Signatures differ each time, so equal headers are one token.
    #[test]
    fn one_token_is_kept_for_an_origin_until_near_its_end() {
        let sender = sender();
        let first = at(&sender, "https://push.example/a", NOW);
        assert_eq!(
            at(&sender, "https://push.example/b", NOW + 11 * HOUR - 1_000),
            first
        );
        assert_ne!(at(&sender, "https://other.example/a", NOW), first);
        let second = at(&sender, "https://push.example/a", NOW + 11 * HOUR);
        assert_ne!(second, first);
        let ends_s = verified(&second)["exp"].as_u64().unwrap();
        assert_eq!(ends_s, (NOW + 23 * HOUR) / 1_000);
    }

    #[test]
    fn a_clock_that_goes_back_has_tokens_signed_anew() {
        let sender = sender();
        let ahead = at(&sender, "https://push.example/", NOW + 24 * HOUR);
        let now = at(&sender, "https://push.example/", NOW);
        assert_ne!(now, ahead);
        let ends_s = verified(&now)["exp"].as_u64().unwrap();
        assert!(ends_s <= NOW / 1_000 + 24 * 3_600);
    }

    #[test]
    fn origins_without_end_keep_no_tokens_without_end() {
        let sender = sender();
        for n in 0..=ORIGINS_MAX {
            at(&sender, &format!("https://{n}.example/"), NOW);
            assert!(sender.kept.lock().unwrap().len() <= ORIGINS_MAX);
        }
        assert_eq!(sender.kept.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_contact_is_somebody_to_write_to() {
        let of = |bytes: usize| format!("mailto:{}@b", "a".repeat(bytes - 9));
        for contact in [
            "mailto:ada@example.com",
            "https://example.com",
            "https://example.com/contact",
            &of(CONTACT_BYTES_MAX),
        ] {
            assert_eq!(check_contact(contact), Ok(()), "{contact}");
        }
        for contact in [
            "",
            "ada@example.com",
            "mailto:",
            "mailto:ada",
            "mailto:@example.com",
            "mailto:ada@",
            "mailto: ada@example.com",
            "mailto:<ada@example.com>",
            "https://",
            "http://example.com",
            "mailto:ada@example.com\r\nx: y",
            &of(CONTACT_BYTES_MAX + 1),
        ] {
            assert!(check_contact(contact).is_err(), "{contact}");
            let sender = Sender::new(VapidKeys::generate().unwrap(), contact);
            assert!(sender.is_err());
        }
    }
}
