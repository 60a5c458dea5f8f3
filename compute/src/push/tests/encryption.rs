//! Encryption, against the example of RFC 8291 and against a browser.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use proptest::prelude::*;

use super::*;
use crate::push::encrypt::{Once, encrypted, encrypted_once};
use crate::push::text::{decoded, encoded};

const PAYLOAD: &[u8] = b"When I grow up, I want to be a watermelon";
const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg\
                    Dll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVB\
                    St2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

/// The browser of RFC 8291 section 5.
fn published_browser() -> Browser {
    let private = decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94").unwrap();
    let auth = decoded("BTBZMqHH6r4Tts7J_aSIgg").unwrap();
    Browser::of(&private, auth.try_into().unwrap())
}

fn published_once() -> Once {
    let sender = decoded(PRIVATE).unwrap();
    Once {
        salt: decoded("DGv6ra1nlYgDCS1FRnbzlw")
            .unwrap()
            .try_into()
            .unwrap(),
        sender: PrivateKey::from_private_key(&ECDH_P256, &sender).unwrap(),
    }
}

#[test]
fn the_published_example_is_encrypted_byte_for_byte() {
    let to = published_browser().recipient();
    let expected =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    assert_eq!(encoded(to.public), expected);
    let body = encrypted_once(PAYLOAD, 0, &to, &published_once()).unwrap();
    assert_eq!(encoded(body), BODY);
}

/// So that what the browser of these tests reads says something.
#[test]
fn the_published_example_is_read() {
    let body = decoded(BODY).unwrap();
    let read = published_browser().read(&body).unwrap();
    assert_eq!((&*read.payload, read.padding), (PAYLOAD, 0));
    for byte in 0..body.len() {
        let mut changed = body.clone();
        changed[byte] ^= 1;
        assert_eq!(published_browser().read(&changed), None, "{byte}");
    }
    assert_eq!(Browser::new().read(&body), None);
}

#[test]
fn a_payload_has_3993_bytes_and_not_one_more() {
    assert_eq!(PAYLOAD_BYTES_MAX, 3_993);
    let browser = Browser::new();
    let most = vec![7; PAYLOAD_BYTES_MAX];
    let body = encrypted(&most, &browser.recipient()).unwrap();
    assert_eq!(body.len(), 4_096);
    assert_eq!(browser.read(&body).unwrap().payload, most);
    let refused = encrypted(&vec![7; 3_994], &browser.recipient()).unwrap_err();
    assert_eq!(refused, EncryptError::TooLarge { bytes: 3_994 });
    assert_eq!(
        refused.to_string(),
        "payload_too_large: 3994 bytes, at most 3993"
    );
}

#[test]
fn lengths_are_told_by_256_bytes() {
    let to = Browser::new().recipient();
    let bytes = |payload: usize| encrypted(&vec![7; payload], &to).unwrap().len() - 103;
    for (payload, padded) in [
        (1, 256),
        (255, 256),
        (256, 256),
        (257, 512),
        (3_840, 3_840),
        (3_841, 3_993),
        (3_993, 3_993),
    ] {
        assert_eq!(bytes(payload), padded, "{payload}");
    }
}

#[test]
fn nothing_of_a_message_is_used_twice() {
    let to = Browser::new().recipient();
    let bodies: Vec<Vec<u8>> = (0..50).map(|_| encrypted(b"x", &to).unwrap()).collect();
    for part in [0..16, 21..86, 86..102] {
        let parts = bodies.iter().map(|body| &body[part.clone()]);
        let parts: std::collections::HashSet<&[u8]> = parts.collect();
        assert_eq!(parts.len(), 50, "{part:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_encrypted_is_read(payload in prop::collection::vec(any::<u8>(), 0..PAYLOAD_BYTES_MAX + 1)) {
        let browser = Browser::new();
        let body = encrypted(&payload, &browser.recipient()).unwrap();
        prop_assert_eq!(browser.read(&body).unwrap().payload, payload);
        prop_assert_eq!(Browser::new().read(&body), None);
    }
}
