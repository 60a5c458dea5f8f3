//! What a reader holds, and what it lends.

use super::*;

#[test]
fn a_reader_is_one_pointer_and_holds_nothing_at_rest() {
    assert_eq!(size_of::<Reader>(), 8);
    let mut reader = Reader::new();
    let mut bytes = frame(0x01, b"hello ");
    bytes.extend(frame(0x89, b"ping"));
    bytes.extend(frame(0x80, b"world"));
    for piece in [1, 5, bytes.len()] {
        for piece in bytes.chunks(piece) {
            give(&mut reader, piece, &mut Vec::new()).unwrap();
        }
        assert!(reader.is_at_rest(), "pieces of {piece}");
        assert_eq!(reader.held_bytes(), 0, "pieces of {piece}");
    }
}

#[test]
fn what_arrives_whole_is_lent() {
    let mut bytes = frame(0x81, b"text");
    bytes.extend(frame(0x82, b"binary"));
    bytes.extend(frame(0x89, b"ping"));
    let mut input = &mut bytes[..];
    let mut reader = Reader::new();
    let mut next = || reader.next(&LIMITS, &mut input).unwrap();
    assert!(matches!(
        next(),
        Some(Incoming::Text(Cow::Borrowed("text")))
    ));
    assert!(matches!(
        next(),
        Some(Incoming::Binary(Cow::Borrowed(b"binary")))
    ));
    assert!(matches!(
        next(),
        Some(Incoming::Ping(Cow::Borrowed(b"ping")))
    ));
    assert_eq!(next(), None);
}

#[test]
fn a_reader_is_not_at_rest_inside_a_head_a_frame_or_a_message() {
    let whole = frame(0x01, b"hello");
    for arrived in 1..=whole.len() {
        let mut reader = Reader::new();
        give(&mut reader, &whole[..arrived], &mut Vec::new()).unwrap();
        assert!(!reader.is_at_rest(), "{arrived} bytes");
    }
}

#[test]
fn a_head_that_claims_much_reserves_nothing() {
    let limits = WsLimits {
        frame_bytes_max: 64 << 20,
        message_bytes_max: 64 << 20,
        fragments_max: 1,
    };
    let mut reader = Reader::new();
    let mut bytes = [
        &[0x82, 0xff, 0, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3, 4],
        &[0; 100][..],
    ]
    .concat();
    let read = reader.next(&limits, &mut &mut bytes[..]);
    assert_eq!(read, Ok(None));
    assert!(reader.held_bytes() < 500, "{}", reader.held_bytes());
}

#[test]
fn what_is_kept_is_read_before_what_arrives_later() {
    let mut reader = Reader::new();
    let mut all = Vec::new();
    let first = [frame(0x81, b"1"), frame(0x81, b"2")].concat();
    reader.keep(&first);
    assert!(!reader.is_at_rest());
    let read = reader.next(&LIMITS, &mut &mut [][..]).unwrap();
    assert_eq!(read, Some(text("1")));
    let third = frame(0x81, b"3");
    reader.keep(&third[..4]);
    give(
        &mut reader,
        &[&third[4..], &frame(0x81, b"4")].concat(),
        &mut all,
    )
    .unwrap();
    assert_eq!(all, vec![text("2"), text("3"), text("4")]);
    assert_eq!(reader.held_bytes(), 0);
}

#[test]
fn an_ended_reader_keeps_nothing() {
    let mut reader = Reader::new();
    give(&mut reader, &frame(0x88, b""), &mut Vec::new()).unwrap();
    let held = reader.held_bytes();
    reader.keep(&[0; 1_000]);
    give(&mut reader, &[0; 1_000], &mut Vec::new()).unwrap();
    assert_eq!(reader.held_bytes(), held);
    assert!(reader.is_at_rest());
}
