//! What RFC 6455 asks of a server, and what the limits add.

use super::*;

#[test]
fn a_message_arrives_whole_however_its_bytes_are_cut() {
    let mut bytes = frame(0x81, b"hello");
    bytes.extend(frame(0x01, "h\u{e9}".as_bytes()));
    bytes.extend(frame(0x89, b"ping"));
    bytes.extend(frame(0x80, b"llo"));
    bytes.extend(frame(0x82, &[7; 300]));
    let expected = vec![
        text("hello"),
        Incoming::Ping(b"ping"[..].into()),
        text("h\u{e9}llo"),
        binary(&[7; 300]),
    ];
    for piece in [1, 2, 3, 7, 64, bytes.len()] {
        assert_eq!(
            read_in_pieces(&bytes, piece).unwrap(),
            expected,
            "pieces of {piece}"
        );
    }
}

#[test]
fn a_character_may_be_split_over_fragments() {
    let bytes = "\u{1f600}".as_bytes();
    let mut frames = frame(0x01, &bytes[..2]);
    frames.extend(frame(0x80, &bytes[2..]));
    assert_eq!(read(&frames).unwrap(), vec![text("\u{1f600}")]);
}

#[test]
fn an_unmasked_frame_is_refused() {
    assert_eq!(code(&[0x81, 0x01, b'x']), 1002);
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for first in [0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b, 0x8f] {
        assert_eq!(code(&frame(first, b"")), 1002, "{first:x}");
    }
}

#[test]
fn a_control_frame_has_at_most_125_bytes_and_one_fragment() {
    assert_eq!(read(&frame(0x89, &[0; 125])).unwrap().len(), 1);
    assert_eq!(code(&frame(0x89, &[0; 126])), 1002);
    assert_eq!(code(&frame(0x09, b"")), 1002);
}

#[test]
fn a_continuation_needs_a_start_and_a_message_ends_before_the_next() {
    assert_eq!(code(&frame(0x80, b"x")), 1002);
    let mut bytes = frame(0x01, b"x");
    bytes.extend(frame(0x81, b"y"));
    assert_eq!(code(&bytes), 1002);
}

#[test]
fn a_length_must_be_in_its_shortest_form() {
    assert_eq!(code(&[0x81, 0xfe, 0, 125]), 1002);
    assert_eq!(code(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), 1002);
}

#[test]
fn a_header_that_claims_the_world_is_refused_before_its_payload() {
    assert_eq!(code(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), 1002);
    assert_eq!(
        code(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        1009
    );
}

#[test]
fn a_frame_is_taken_at_the_limit_and_refused_one_byte_past_it() {
    assert_eq!(read(&frame(0x82, &[0; 1_000])).unwrap().len(), 1);
    assert_eq!(code(&frame(0x82, &[0; 1_001])), 1009);
}

#[test]
fn a_message_is_taken_at_the_limit_and_refused_one_byte_past_it() {
    let message = |last: usize| {
        let mut bytes = frame(0x02, &[0; 1_000]);
        bytes.extend(frame(0x80, &vec![0; last]));
        bytes
    };
    assert_eq!(read(&message(500)).unwrap(), vec![binary(&[0; 1_500])]);
    assert_eq!(code(&message(501)), 1009);
}

#[test]
fn fragments_are_taken_up_to_the_limit_and_refused_one_past_it() {
    let message = |frames: usize| {
        let mut bytes = frame(0x02, b"x");
        (2..frames).for_each(|_| bytes.extend(frame(0x00, b"x")));
        bytes.extend(frame(0x80, b"x"));
        bytes
    };
    assert_eq!(read(&message(4)).unwrap(), vec![binary(b"xxxx")]);
    assert_eq!(code(&message(5)), 1009);
}

#[test]
fn text_must_be_utf8() {
    assert_eq!(code(&frame(0x81, &[0xff])), 1007);
    assert_eq!(code(&frame(0x81, &[0xed, 0xa0, 0x80])), 1007);
}

#[test]
fn text_is_refused_at_the_first_byte_that_spoils_it() {
    let mut unfinished = frame(0x01, "\u{e9}".as_bytes());
    unfinished.extend(&frame(0x00, &[b'x', 0xed, 0xa0, b'x'])[..9]);
    assert_eq!(code(&unfinished), 1007);
    unfinished.pop();
    assert_eq!(read(&unfinished).unwrap(), vec![]);
}

#[test]
fn text_may_not_end_inside_a_character() {
    let bytes = "\u{1f600}".as_bytes();
    assert_eq!(code(&frame(0x81, &bytes[..3])), 1007);
    let mut frames = frame(0x01, &bytes[..1]);
    frames.extend(frame(0x00, &bytes[1..3]));
    assert_eq!(read(&frames).unwrap(), vec![]);
    frames.extend(frame(0x80, b""));
    assert_eq!(code(&frames), 1007);
}

#[test]
fn empty_frames_make_empty_messages() {
    let mut frames = frame(0x81, b"");
    frames.extend(frame(0x02, b""));
    frames.extend(frame(0x00, b""));
    frames.extend(frame(0x80, b""));
    assert_eq!(read(&frames).unwrap(), vec![text(""), binary(b"")]);
    assert_eq!(
        read_in_pieces(&frames, 1).unwrap(),
        vec![text(""), binary(b"")]
    );
}

#[test]
fn close_codes_and_reasons_are_checked() {
    let close = |payload: &[u8]| read(&frame(0x88, payload));
    assert_eq!(close(b"").unwrap(), vec![Incoming::Close(None)]);
    assert_eq!(
        close(&[0x03, 0xe8, b'x']).unwrap(),
        vec![Incoming::Close(Some(1000))]
    );
    assert_eq!(close(&[0x03]).unwrap_err().code, 1002);
    for bad in [999u16, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert_eq!(close(&bad.to_be_bytes()).unwrap_err().code, 1002, "{bad}");
    }
    assert_eq!(close(&[0x03, 0xe8, 0xff]).unwrap_err().code, 1007);
}

#[test]
fn a_head_is_refused_at_its_first_wrong_byte() {
    assert_eq!(code(&[0xc1]), 1002);
    assert_eq!(code(&[0x83]), 1002);
    assert_eq!(code(&[0x09]), 1002);
    assert_eq!(code(&[0x80]), 1002);
    assert_eq!(code(&[0x89, 0xfe]), 1002);
}

#[test]
fn nothing_is_read_after_a_close_frame() {
    let mut bytes = frame(0x88, &[0x03, 0xe8]);
    bytes.extend(frame(0x81, b"late"));
    bytes.extend([0xff; 20]);
    for piece in [1, 7, bytes.len()] {
        let read = read_in_pieces(&bytes, piece).unwrap();
        assert_eq!(read, vec![Incoming::Close(Some(1000))], "pieces of {piece}");
    }
}

#[test]
fn nothing_is_read_after_a_violation() {
    let mut reader = Reader::new();
    let mut all = Vec::new();
    give(&mut reader, &[0xff], &mut all).unwrap_err();
    reader.keep(&frame(0x81, b"kept"));
    give(&mut reader, &frame(0x81, b"late"), &mut all).unwrap();
    assert_eq!(all, vec![]);
}
