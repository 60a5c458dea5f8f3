use proptest::prelude::*;

use super::*;
use crate::samples::{at, cases, delete, histories, insert, mutated_bytes, update};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn record() -> Record {
    let mut record = Record::default();
    record.merge(&delete(at(1, 7)), Seq(1));
    record.merge(
        &insert(at(2, 300), &[("done", "false"), ("title", "\"é\"")]),
        Seq(2),
    );
    record.merge(&update(at(3, 7), "done", "true"), Seq(70_000));
    record
}

fn verdict() -> Verdict {
    let key = crate::samples::key("k1");
    let won = |name: &str, value: Option<&str>| WonField {
        name: FieldName::trusted(name),
        at: at(3, 7).at,
        value: value.map(Json::trusted),
    };
    Verdict {
        status: Status::Applied,
        seq: Seq(131),
        winners: vec![Winner {
            key,
            fields: vec![won("done", Some("true")), won("title", None)],
            deleted_at: Some(at(1, 7).at),
            inserted_at: None,
        }],
        clamped: true,
    }
}

fn damaged<T>(read: &Result<T, DecodeError>) -> bool {
    matches!(read, Err(DecodeError::Damaged(_)))
}

/// The stored form. If one of the next three fails, stored data of version 1 has become
/// unreadable: restore the form, or write a new version beside it.
#[test]
fn version_1_of_a_record_is_fixed() {
    let golden = "0101fd0000027dff0ca201fb2c0101fd0000017dff0ca20107fc701101000702000204646f6e650474727565fd0000037dff0ca20107fc70110100057469746c650422c3a922fd0000027dff0ca201fb2c0102";
    assert_eq!(hex(&encode_record(&record())), golden);
    assert_eq!(
        decode_record(&text_bytes(golden).unwrap()).unwrap(),
        record()
    );
}

#[test]
fn version_1_of_a_verdict_is_fixed() {
    let golden = "0100830101057461736b73026b3101fd0000017dff0ca201000204646f6e65fd0000037dff0ca201010474727565057469746c65fd0000037dff0ca20100";
    assert_eq!(hex(&encode_verdict(&verdict())), golden);
    assert_eq!(
        decode_verdict(&text_bytes(golden).unwrap()).unwrap(),
        verdict()
    );
}

#[test]
fn version_1_of_a_rejection_is_fixed() {
    let rejected = Verdict::rejected(Refusal::new(Code::StampInvalid, "why"), Seq(5));
    let golden = "01020d7374616d705f696e76616c696403776879050000";
    assert_eq!(hex(&encode_verdict(&rejected)), golden);
    assert_eq!(
        decode_verdict(&text_bytes(golden).unwrap()).unwrap(),
        rejected
    );
}

#[test]
fn the_smallest_record_takes_eight_bytes() {
    let bytes = encode_record(&Record::default());
    assert_eq!(bytes.len(), 8);
    assert_eq!(decode_record(&bytes).unwrap(), Record::default());
}

#[test]
fn no_bytes_are_refused() {
    assert!(matches!(decode_record(&[]), Err(DecodeError::Empty)));
}

#[test]
fn an_unknown_version_is_named() {
    for version in [0, 2, 255] {
        let mut bytes = encode_record(&record());
        bytes[0] = version;
        let read = decode_record(&bytes);
        assert!(matches!(read, Err(DecodeError::Version(known)) if known == version));
    }
}

#[test]
fn every_cut_is_damage() {
    let bytes = encode_record(&record());
    for length in 1..bytes.len() {
        assert!(damaged(&decode_record(&bytes[..length])), "cut at {length}");
    }
}

#[test]
fn trailing_bytes_are_damage() {
    let mut bytes = encode_verdict(&verdict());
    bytes.push(0);
    assert!(damaged(&decode_verdict(&bytes)));
}

#[test]
fn text_that_is_not_utf8_is_damage() {
    let mut bytes = encode_record(&record());
    let at = bytes
        .windows(2)
        .position(|pair| pair == "é".as_bytes())
        .unwrap();
    bytes[at] = 0xff;
    assert!(damaged(&decode_record(&bytes)));
}

#[test]
fn a_length_that_nothing_backs_is_refused_before_memory_is_taken() {
    // An empty record whose count of fields says 2^64 - 1, and one that says 2^32.
    for length in [
        &[253, 255, 255, 255, 255, 255, 255, 255, 255][..],
        &[253, 0, 0, 0, 0, 1, 0, 0, 0],
    ] {
        let mut bytes = encode_record(&Record::default());
        bytes.pop();
        bytes.extend(length);
        assert!(damaged(&decode_record(&bytes)));
    }
}

#[test]
fn a_code_of_a_newer_hub_stays_a_rejection() {
    let rejected = Verdict::rejected(Refusal::new(Code::ValueInvalid, "why"), Seq(5));
    let mut bytes = encode_verdict(&rejected);
    let at = bytes.windows(5).position(|text| text == b"value").unwrap();
    bytes[at] = b'x';
    let Status::Rejected(refusal) = decode_verdict(&bytes).unwrap().status else {
        panic!("a rejection stays one");
    };
    assert_eq!(refusal, Refusal::new(Code::ChangeInvalid, "why"));
}

#[test]
fn text_of_bytes_is_hexadecimal() {
    assert_eq!(text_bytes("00ffA0"), Some(vec![0, 255, 160]));
    for text in ["0", "0g", "é0", "+1", " 1"] {
        assert_eq!(text_bytes(text), None, "{text}");
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn records_survive(history in histories()) {
        let mut record = Record::default();
        for (change, seq) in history.iter().zip(1..) {
            record.merge(change, Seq(seq));
        }
        prop_assert_eq!(decode_record(&encode_record(&record)).unwrap(), record);
    }

    #[test]
    fn verdicts_survive(
        status in prop_oneof![
            Just(Status::Applied),
            Just(Status::Superseded),
            (prop::sample::select(Code::ALL), ".{0,9}")
                .prop_map(|(code, why)| Status::Rejected(Refusal::new(code, why))),
        ],
        (seq, clamped, bits) in any::<(u64, bool, Option<u64>)>(),
    ) {
        let mut verdict = Verdict { status, seq: Seq(seq), clamped, ..verdict() };
        verdict.winners[0].inserted_at = bits.map(Hlc::from_bits);
        prop_assert_eq!(decode_verdict(&encode_verdict(&verdict)).unwrap(), verdict);
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop((decode_record(&bytes), decode_verdict(&bytes)));
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
            drop((decode_record(&bytes), decode_verdict(&bytes)));
        }
    }

    #[test]
    fn damaged_bytes_never_panic(
        record in mutated_bytes(encode_record(&record())),
        verdict in mutated_bytes(encode_verdict(&verdict())),
    ) {
        // What is read in spite of the damage holds no more than the bytes it was read from.
        if let Ok(read) = decode_record(&record) {
            prop_assert!(encode_record(&read).len() <= record.len());
        }
        drop(decode_verdict(&verdict));
    }
}
