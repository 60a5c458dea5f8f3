//! Whatever arrives, however it is cut: the reader reads what the model reads.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model;
use super::*;

const LIMITS: WsLimits = WsLimits {
    frame_bytes_max: 300,
    message_bytes_max: 400,
    fragments_max: 4,
};

/// How a piece of the stream reaches the reader.
#[derive(Clone, Copy, Debug)]
enum How {
    /// It is read until nothing is left.
    Read,
    /// One message is taken, the rest is kept.
    TakeOne,
    /// It is kept unseen.
    Keep,
}

/// Reads the stream in pieces of these sizes, over and over, and what is kept at the end.
fn read(bytes: &[u8], pieces: &[(usize, How)]) -> model::Read {
    let mut reader = Reader::new();
    let mut all = Vec::new();
    let mut rest = bytes;
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let (len, how) = pieces.next().unwrap();
        let (piece, after) = rest.split_at((*len).min(rest.len()));
        rest = after;
        if let Err(violation) = piece_arrives(&mut reader, piece, *how, &mut all) {
            return (all, Some(violation.code));
        }
    }
    let end = piece_arrives(&mut reader, &[], How::Read, &mut all);
    (all, end.err().map(|violation| violation.code))
}

fn piece_arrives(
    reader: &mut Reader,
    piece: &[u8],
    how: How,
    all: &mut Vec<Incoming<'static>>,
) -> Result<(), Violation> {
    let mut piece = piece.to_vec();
    let mut input = &mut piece[..];
    match how {
        How::Keep => {}
        How::TakeOne => {
            let read = reader.next(&LIMITS, &mut input)?;
            all.extend(read.map(Incoming::into_owned));
        }
        How::Read => {
            while let Some(incoming) = reader.next(&LIMITS, &mut input)? {
                all.push(incoming.into_owned());
            }
            assert!(input.is_empty(), "input is used up");
        }
    }
    reader.keep(input);
    Ok(())
}

fn cuts() -> impl Strategy<Value = Vec<(usize, How)>> {
    let how = prop_oneof![
        4 => Just(How::Read),
        1 => Just(How::TakeOne),
        1 => Just(How::Keep),
    ];
    vec(
        (prop_oneof![1..4usize, 1..40usize, 1..600usize], how),
        1..12,
    )
}

/// A masked frame: first byte and payload.
fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = super::frame(first, payload);
    let at = frame.len() - payload.len();
    frame[at - 4..at].copy_from_slice(&mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    frame.truncate(at);
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

fn control_frame() -> impl Strategy<Value = Vec<u8>> {
    (0x89..=0x8au8, vec(any::<u8>(), 0..=125), any::<[u8; 4]>())
        .prop_map(|(first, payload, mask)| frame(first, &payload, mask))
}

fn close_frame() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![1000..1016u16, 2998..3002u16, 4998..5002u16];
    let with_code = (code, "[a-z\u{e9}]{0,20}").prop_map(|(code, reason)| {
        frame(
            0x88,
            &[&code.to_be_bytes(), reason.as_bytes()].concat(),
            [9; 4],
        )
    });
    prop_oneof![Just(frame(0x88, b"", [7; 4])), with_code]
}

/// A message in up to five frames, cut at any bytes, with control frames between them.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let text = "[a-z\u{e9}\u{20ac}\u{1f600}]{0,90}".prop_map(|text| (1, text.into_bytes()));
    let binary = vec(any::<u8>(), 0..380).prop_map(|payload| (2, payload));
    let cuts = vec((any::<prop::sample::Index>(), any::<[u8; 4]>()), 0..5);
    let between = vec(proptest::option::of(control_frame()), 5);
    (prop_oneof![text, binary], cuts, between).prop_map(|((opcode, payload), cuts, between)| {
        let mut ends: Vec<usize> = cuts
            .iter()
            .map(|(at, _)| at.index(payload.len() + 1))
            .collect();
        ends.push(payload.len());
        ends.sort_unstable();
        let masks = cuts.iter().map(|(_, mask)| *mask).chain([[1, 2, 3, 4]]);
        let mut begin = 0;
        let mut bytes = Vec::new();
        for (number, (end, mask)) in ends.iter().zip(masks).enumerate() {
            let first = if number == 0 { opcode } else { 0 };
            let fin = if number == cuts.len() { 0x80 } else { 0 };
            bytes.extend(frame(first | fin, &payload[begin..*end], mask));
            bytes.extend(between.get(number).into_iter().flatten().flatten());
            begin = *end;
        }
        bytes
    })
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![6 => message(), 3 => control_frame(), 1 => close_frame()];
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// A stream in which some bytes are others, or missing.
fn mutated_stream() -> impl Strategy<Value = Vec<u8>> {
    let mutation = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    (stream(), vec(mutation, 1..4)).prop_map(|(mut bytes, mutations)| {
        for (at, byte, replace) in mutations {
            if bytes.is_empty() {
                continue;
            }
            let at = at.index(bytes.len());
            match replace {
                true => bytes[at] = byte,
                false => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn a_stream_is_read_as_the_model_reads_it(bytes in stream(), pieces in cuts()) {
        prop_assert_eq!(read(&bytes, &pieces), model::read(&bytes, &LIMITS));
    }

    #[test]
    fn a_mutated_stream_is_read_as_the_model_reads_it(
        bytes in mutated_stream(),
        pieces in cuts(),
    ) {
        prop_assert_eq!(read(&bytes, &pieces), model::read(&bytes, &LIMITS));
    }

    #[test]
    fn any_bytes_are_read_as_the_model_reads_them(
        bytes in vec(any::<u8>(), 0..200),
        pieces in cuts(),
    ) {
        prop_assert_eq!(read(&bytes, &pieces), model::read(&bytes, &LIMITS));
    }

    #[test]
    fn no_more_is_held_than_arrived_or_a_message_may_have(
        bytes in prop_oneof![stream(), mutated_stream(), vec(any::<u8>(), 0..200)],
        piece in 1..50usize,
    ) {
        // The boxed state, and a control frame that arrives inside a message.
        const CONSTANT: usize = 256 + 2 * CONTROL_BYTES_MAX;
        let mut reader = Reader::new();
        let mut arrived = 0;
        for piece in bytes.chunks(piece) {
            arrived += piece.len();
            let read = piece_arrives(&mut reader, piece, How::Read, &mut Vec::new());
            let bound = LIMITS.message_bytes_max.min(2 * arrived) + CONSTANT;
            prop_assert!(reader.held_bytes() <= bound);
            if read.is_err() {
                break;
            }
        }
    }
}
