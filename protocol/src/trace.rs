//! Trace context as in W3C Trace Context, level 1: `00-<trace>-<span>-<flags>`, in lower-case hex.
//!
//! It is passed on and never looked into: nothing is merged or decided by it. Only this one
//! version is taken, and one that cannot be read is as good as none.

use std::fmt;

/// Bytes of a `traceparent`.
const TEXT_BYTES: usize = 55;

/// The sender records this trace.
const SAMPLED: u8 = 1;

/// Which trace. Never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Which span of a trace. Never all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

/// A place in a trace: what comes next is a child of `span`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// Its span.
    pub span: SpanId,
    /// Whether the trace is recorded, by the one who says so.
    pub is_sampled: bool,
}

/// What a client said of the trace that its message is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaidTrace {
    /// Nothing.
    #[default]
    Nothing,
    /// Something that is no `traceparent` of a version known here.
    Unreadable,
    /// Where it is.
    Parent(TraceParent),
}

impl TraceParent {
    /// Reads one. `None` if it is no `traceparent` of version 00, or has an id of zeros only. Flags
    /// that are not known are left out.
    pub fn parse(text: &str) -> Option<TraceParent> {
        let bytes = text.as_bytes();
        if bytes.len() != TEXT_BYTES || !text.is_ascii() || &text[..3] != "00-" {
            return None;
        }
        if bytes[35] != b'-' || bytes[52] != b'-' {
            return None;
        }
        let trace = hex::<16>(&bytes[3..35])?;
        let span = hex::<8>(&bytes[36..52])?;
        let [flags] = hex::<1>(&bytes[53..])?;
        let is_zero = trace == [0; 16] || span == [0; 8];
        (!is_zero).then_some(TraceParent {
            trace: TraceId(trace),
            span: SpanId(span),
            is_sampled: flags & SAMPLED != 0,
        })
    }
}

impl From<Option<&str>> for SaidTrace {
    /// Of a text that was sent, or of none.
    fn from(text: Option<&str>) -> SaidTrace {
        match text.map(TraceParent::parse) {
            None => SaidTrace::Nothing,
            Some(None) => SaidTrace::Unreadable,
            Some(Some(parent)) => SaidTrace::Parent(parent),
        }
    }
}

/// `N` bytes of twice as many digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{}-{}-{flags:02x}", self.trace, self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read() {
        let parent = TraceParent::parse(TEXT).unwrap();
        assert!(parent.is_sampled);
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert_eq!(parent.to_string(), TEXT);
    }

    #[test]
    fn flags_that_are_not_known_are_left_out() {
        let with = |flags: &str| TraceParent::parse(&format!("{}{flags}", &TEXT[..53]));
        assert_eq!(with("03").unwrap().to_string(), TEXT);
        assert!(!with("02").unwrap().is_sampled);
    }

    #[test]
    fn what_is_no_traceparent_of_this_version_is_unreadable() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_span = format!("{}{}-01", &TEXT[..36], "0".repeat(16));
        let longer = format!("{TEXT}-00");
        let umlaut = format!("{}ä", &TEXT[..53]);
        for text in [
            "",
            &TEXT[..54],
            &longer,
            &zero_trace,
            &zero_span,
            &umlaut,
            &TEXT.replacen("00-", "01-", 1),
            &TEXT.replacen("00-", "ff-", 1),
            &TEXT.to_uppercase(),
            &TEXT.replace('-', "_"),
            &TEXT.replace("4bf", "4bg"),
        ] {
            assert_eq!(SaidTrace::from(Some(text)), SaidTrace::Unreadable, "{text}");
        }
        assert_eq!(SaidTrace::from(None), SaidTrace::Nothing);
    }
}
