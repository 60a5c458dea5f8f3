//! Signatures that `openssl dgst -sha256 -hmac SECRET` made, and every header that is none.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "whsec_test_secret_of_a_vector";
const OTHER: &str = "whsec_the_other_secret";
const AT_S: u64 = 1_614_556_800;
const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
const SIGNED: &str = "ce4e2a2a0e91718a7d89f2e833013a552c049b123bb54394a5e4c1d84589db15";
const SIGNED_BY_OTHER: &str = "c077b2ff5dc2df52d5c45c273f995cbe23ccb048e067b053f43e66b061a022c3";

fn by(secrets: &[&str]) -> Verifier {
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
    Verifier::of(&secrets)
}

fn verify(header: &str, now_s: u64) -> Result<(), Unsigned> {
    by(&[SECRET]).verify(Some(header), BODY, now_s)
}

/// What openssl is told in other words.
fn header(secret: &str, at_s: u64, body: &[u8]) -> String {
    let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
    let mut text = format!("{at_s}.").into_bytes();
    text.extend_from_slice(body);
    let tag = hmac::sign(&key, &text);
    let hex: String = tag.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("t={at_s},v1={hex}")
}

#[test]
fn what_openssl_signs_is_taken() {
    for (secret, at_s, body, signed) in [
        (SECRET, AT_S, BODY, SIGNED),
        (OTHER, AT_S, BODY, SIGNED_BY_OTHER),
        (
            "k",
            0,
            b"".as_slice(),
            "6b4a4b8b3c40f1e8f53a3d36682e5f99f7ad2ac1df1c93dfe336f329167641e7",
        ),
        (
            SECRET,
            1_700_000_000,
            "{\"price\":\"5 €\"}\n".as_bytes(),
            "a5d5673c635001f4f70db90bff388ac285873bb3036c7d8afeca35f1caa7e841",
        ),
    ] {
        let header = format!("t={at_s},v1={signed}");
        assert_eq!(by(&[secret]).verify(Some(&header), body, at_s), Ok(()));
        let text = String::from_utf8_lossy(body);
        assert_eq!(self::header(secret, at_s, body), header, "{text}");
    }
}

#[test]
fn any_of_several_signatures_by_any_of_several_secrets_will_do() {
    let none = "0".repeat(64);
    let both = format!("t={AT_S},v1={SIGNED_BY_OTHER},v1={SIGNED},v0={none}");
    assert_eq!(verify(&both, AT_S), Ok(()));
    assert_eq!(by(&[OTHER]).verify(Some(&both), BODY, AT_S), Ok(()));
    let one = format!("v0=x,v1={SIGNED},v2=,t={AT_S}");
    assert_eq!(by(&[OTHER, SECRET]).verify(Some(&one), BODY, AT_S), Ok(()));
    let wrong = format!("t={AT_S},v1={none},v1={SIGNED_BY_OTHER}");
    assert_eq!(verify(&wrong, AT_S), Err(Unsigned::Mismatch));
    assert_eq!(
        by(&[]).verify(Some(&both), BODY, AT_S),
        Err(Unsigned::Mismatch)
    );
}

/// Stripe signs test events by `v0` too, which anybody may be told to accept.
#[test]
fn a_signature_of_another_scheme_is_none() {
    let header = format!("t={AT_S},v0={SIGNED}");
    assert_eq!(verify(&header, AT_S), Err(Unsigned::NoSignature));
}

#[test]
fn an_event_is_taken_300_s_away_and_refused_at_301() {
    let header = format!("t={AT_S},v1={SIGNED}");
    assert_eq!(verify(&header, AT_S + 300), Ok(()));
    assert_eq!(verify(&header, AT_S + 301), Err(Unsigned::Expired));
    assert_eq!(verify(&header, AT_S - 300), Ok(()));
    assert_eq!(verify(&header, AT_S - 301), Err(Unsigned::Early));
    for at_s in [0, u64::MAX] {
        let header = self::header(SECRET, at_s, BODY);
        assert_eq!(verify(&header, at_s), Ok(()));
        assert!(verify(&header, AT_S).is_err());
    }
}

#[test]
fn who_has_no_secret_is_not_told_of_the_time() {
    let header = header(OTHER, AT_S, BODY);
    assert_eq!(verify(&header, AT_S + 301), Err(Unsigned::Mismatch));
}

#[test]
fn every_header_that_is_none_is_told_why() {
    let t = format!("t={AT_S}");
    let v1 = format!("v1={SIGNED}");
    for (header, why) in [
        (String::new(), Unsigned::Part),
        (",".to_owned(), Unsigned::Part),
        (format!("{t},{v1},"), Unsigned::Part),
        (format!("{t},{v1},v1"), Unsigned::Part),
        (format!("{t},=x,{v1}"), Unsigned::Part),
        (format!("{t}, {v1}"), Unsigned::Part),
        (format!("{t};{v1}"), Unsigned::Time),
        (v1.clone(), Unsigned::NoTime),
        (format!("T={AT_S},{v1}"), Unsigned::NoTime),
        (format!("{t},{t},{v1}"), Unsigned::TwoTimes),
        (format!("t=,{v1}"), Unsigned::Time),
        (format!("t=-1,{v1}"), Unsigned::Time),
        (format!("t=+{AT_S},{v1}"), Unsigned::Time),
        (format!("t=0{AT_S},{v1}"), Unsigned::Time),
        (format!("t={AT_S}.0,{v1}"), Unsigned::Time),
        (format!("t=18446744073709551616,{v1}"), Unsigned::Time),
        (t.clone(), Unsigned::NoSignature),
        (format!("{t},V1={SIGNED}"), Unsigned::NoSignature),
        (format!("{t},v1="), Unsigned::Digits),
        (format!("{t},v1={}", &SIGNED[1..]), Unsigned::Digits),
        (format!("{t},{v1}0"), Unsigned::Digits),
        (format!("{t},{v1},v1=g{}", &SIGNED[1..]), Unsigned::Digits),
        (
            format!("{t},v1={}", SIGNED.to_uppercase()),
            Unsigned::Digits,
        ),
        (format!("{t},v1={}", "é".repeat(32)), Unsigned::Digits),
        (format!("{t},v1={}", "0".repeat(64)), Unsigned::Mismatch),
    ] {
        assert_eq!(verify(&header, AT_S), Err(why), "{header}");
    }
    assert_eq!(
        by(&[SECRET]).verify(None, BODY, AT_S),
        Err(Unsigned::Missing)
    );
}

#[test]
fn a_header_has_4_kib_and_16_signatures() {
    let of_bytes = |bytes: usize| {
        let begun = format!("t={AT_S},v1={SIGNED},v0=");
        format!("{begun}{}", "x".repeat(bytes - begun.len()))
    };
    assert_eq!(verify(&of_bytes(HEADER_BYTES_MAX), AT_S), Ok(()));
    let one_more = of_bytes(HEADER_BYTES_MAX + 1);
    assert_eq!(verify(&one_more, AT_S), Err(Unsigned::TooLong));
    let of_count = |count: usize| format!("t={AT_S}{}", format!(",v1={SIGNED}").repeat(count));
    assert_eq!(verify(&of_count(SIGNATURES_MAX), AT_S), Ok(()));
    let one_more = of_count(SIGNATURES_MAX + 1);
    assert_eq!(verify(&one_more, AT_S), Err(Unsigned::TooMany));
}

#[test]
fn nobody_is_shown_a_secret() {
    assert_eq!(format!("{:?}", by(&[SECRET, OTHER])), "Verifier(2)");
}

proptest! {
    #[test]
    fn whatever_is_signed_is_taken_and_whatever_was_changed_is_not(
        body in proptest::collection::vec(any::<u8>(), 1..200),
        at_s in 1_000..u64::MAX / 2,
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let header = header(SECRET, at_s, &body);
        let verifier = by(&[OTHER, SECRET]);
        prop_assert_eq!(verifier.verify(Some(&header), &body, at_s), Ok(()));
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        let refused = Err(Unsigned::Mismatch);
        prop_assert_eq!(verifier.verify(Some(&header), &changed, at_s), refused);
        let moved = header.replacen(&at_s.to_string(), &(at_s + 1).to_string(), 1);
        prop_assert_eq!(verifier.verify(Some(&moved), &body, at_s), refused);
        prop_assert_eq!(by(&[OTHER]).verify(Some(&header), &body, at_s), refused);
    }

    #[test]
    fn no_text_is_taken_by_chance(header in "[tv01=,a-f0-9]{0,90}|\\PC{0,40}") {
        prop_assert!(verify(&header, AT_S).is_err());
    }
}
