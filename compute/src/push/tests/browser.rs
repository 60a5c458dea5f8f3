//! A browser: it subscribes, and reads what was encrypted for it (RFC 8291 from the other side).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};

use crate::push::subscription::Recipient;
use crate::push::text::encoded;
use crate::push::{KeyTexts, SubscriptionText};

pub(crate) struct Browser {
    private: PrivateKey,
    auth: [u8; 16],
}

/// What a message holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) payload: Vec<u8>,
    pub(crate) padding: usize,
}

impl Browser {
    pub(crate) fn new() -> Browser {
        Browser {
            private: PrivateKey::generate(&ECDH_P256).unwrap(),
            auth: *b"a shared secret!",
        }
    }

    pub(super) fn of(private: &[u8], auth: [u8; 16]) -> Browser {
        let private = PrivateKey::from_private_key(&ECDH_P256, private).unwrap();
        Browser { private, auth }
    }

    fn public(&self) -> Vec<u8> {
        self.private.compute_public_key().unwrap().as_ref().to_vec()
    }

    pub(super) fn keys(&self) -> KeyTexts {
        KeyTexts {
            p256dh: encoded(self.public()),
            auth: encoded(self.auth),
        }
    }

    pub(super) fn recipient(&self) -> Recipient {
        Recipient::parse(&self.keys()).unwrap()
    }

    pub(crate) fn subscribes(&self, endpoint: &str) -> SubscriptionText {
        SubscriptionText {
            endpoint: endpoint.to_owned(),
            keys: self.keys(),
        }
    }

    /// Reads a message. `None` if it is not for this browser, or was changed.
    pub(crate) fn read(&self, body: &[u8]) -> Option<Message> {
        let (salt, rest) = body.split_at_checked(16)?;
        let (record_bytes, rest) = rest.split_at_checked(4)?;
        let record_bytes = u32::from_be_bytes(record_bytes.try_into().ok()?);
        let (length, rest) = rest.split_first()?;
        let (sender, record) = rest.split_at_checked(usize::from(*length))?;
        if record_bytes != 4_096 || *length != 65 || body.len() > 4_096 {
            return None;
        }
        let key = UnparsedPublicKey::new(&ECDH_P256, sender);
        let both = agreement::agree(&self.private, key, (), |shared| {
            let info = [b"WebPush: info\0", self.public().as_slice(), sender, &[1]].concat();
            Ok(mac(&mac(&self.auth, shared), &info))
        });
        let prk = mac(salt, &both.ok()?);
        let key = mac(&prk, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = mac(&prk, b"Content-Encoding: nonce\0\x01");
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key[..16]).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).unwrap();
        let mut record = record.to_vec();
        let plain = key.open_in_place(nonce, Aad::empty(), &mut record).ok()?;
        let end = plain.iter().rposition(|byte| *byte != 0)?;
        (plain[end] == 2).then(|| Message {
            payload: plain[..end].to_vec(),
            padding: plain.len() - end - 1,
        })
    }
}

/// HMAC, of which HKDF is made.
fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}
