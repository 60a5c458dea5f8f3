use super::*;

const LIMITS: WsLimits = WsLimits {
    frame_bytes_max: 1_000,
    message_bytes_max: 1_500,
    fragments_max: 4,
};

/// A client's frame: first byte, payload.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut out = vec![first];
    match payload.len() {
        n @ 0..126 => out.push(0x80 | n as u8),
        n if n < 1 << 16 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

fn read(bytes: &[u8]) -> Result<Vec<Incoming>, Violation> {
    read_in_pieces(bytes, bytes.len().max(1))
}

fn read_in_pieces(bytes: &[u8], piece: usize) -> Result<Vec<Incoming>, Violation> {
    let mut reader = Reader::new(LIMITS);
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.feed(piece);
        while let Some(incoming) = reader.next_incoming()? {
            all.push(incoming);
        }
    }
    Ok(all)
}

fn code(bytes: &[u8]) -> u16 {
    read(bytes).unwrap_err().code
}

fn text(text: &str) -> Incoming {
    Incoming::Text(text.into())
}

#[test]
fn a_message_arrives_whole_however_its_bytes_are_cut() {
    let mut bytes = frame(0x81, b"hello");
    bytes.extend(frame(0x01, "h\u{e9}".as_bytes()));
    bytes.extend(frame(0x89, b"ping"));
    bytes.extend(frame(0x80, b"llo"));
    bytes.extend(frame(0x82, &[7; 300]));
    let expected = vec![
        text("hello"),
        Incoming::Ping(b"ping".to_vec()),
        text("h\u{e9}llo"),
        Incoming::Binary(vec![7; 300]),
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
    assert_eq!(
        read(&message(500)).unwrap(),
        vec![Incoming::Binary(vec![0; 1_500])]
    );
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
    assert_eq!(
        read(&message(4)).unwrap(),
        vec![Incoming::Binary(b"xxxx".to_vec())]
    );
    assert_eq!(code(&message(5)), 1009);
}

#[test]
fn text_must_be_utf8() {
    assert_eq!(code(&frame(0x81, &[0xff])), 1007);
    assert_eq!(code(&frame(0x81, &[0xed, 0xa0, 0x80])), 1007);
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
fn nothing_is_held_at_rest() {
    let mut reader = Reader::new(LIMITS);
    reader.feed(&frame(0x81, b"hello"));
    while reader.next_incoming().unwrap().is_some() {}
    assert!(reader.is_at_rest());
    assert_eq!(reader.partial.capacity(), 0);
}

#[test]
fn written_frames_are_unmasked_and_of_the_shortest_form() {
    let written = |len: usize| {
        let mut out = Vec::new();
        push_text(&mut out, &vec![b'x'; len]);
        out
    };
    assert_eq!(written(2), [0x81, 2, b'x', b'x']);
    assert_eq!(written(126)[..4], [0x81, 126, 0, 126]);
    assert_eq!(written(65_536)[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_close_reason_is_cut_at_a_character() {
    let mut out = Vec::new();
    push_close(&mut out, 4001, &"\u{e9}".repeat(100));
    assert_eq!(out[1], 124);
    assert!(std::str::from_utf8(&out[4..]).is_ok());
}
