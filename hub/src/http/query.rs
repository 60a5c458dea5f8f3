//! A request's query as it came. A value that is no UTF-8 is refused: the usual readers put U+FFFD
//! in its place, so that two names would become one.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use syncline_protocol::error::{Code, Refusal};

/// A query, which may be unreadable. Who asks is looked at first where that is said first.
#[derive(Debug)]
pub struct Asking<T>(Result<T, Refusal>);

impl<T> Asking<T> {
    /// The query. Errors: `bad_message`.
    pub fn read(self) -> Result<T, Refusal> {
        self.0
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asking<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        if !is_text(query) {
            let message = "the query is not UTF-8";
            return Ok(Asking(Err(Refusal::new(Code::BadMessage, message))));
        }
        let read = Query::try_from_uri(&parts.uri);
        let read = read.map(|Query(read)| read);
        Ok(Asking(read.map_err(|error| {
            Refusal::new(Code::BadMessage, error.body_text())
        })))
    }
}

/// Whether what a query's escapes stand for is UTF-8. Names and values end with ASCII, so each is
/// if all of it is.
fn is_text(query: &str) -> bool {
    let mut rest = query.as_bytes();
    let mut meant = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                // No escape: it stands for itself.
                _ => (byte, &rest[1..]),
            },
            _ => (byte, after),
        };
        meant.push(byte);
        rest = after;
    }
    std::str::from_utf8(&meant).is_ok()
}

fn hex(digit: u8) -> Option<u8> {
    let digit = char::from(digit).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf8_is_seen_wherever_it_stands() {
        for text in [
            "",
            "a=b",
            "a=%E2%82%ac&b=+",
            "a=%",
            "a=%f",
            "a=%zz",
            "a=%%41",
            "%41=%00",
        ] {
            assert!(is_text(text), "{text}");
        }
        for other in [
            "a=%FF",
            "%ff=a",
            "a=%E2%82",
            "a=%C3&b=%A9",
            "a=%C0%80",
            "a=%ED%A0%80",
        ] {
            assert!(!is_text(other), "{other}");
        }
    }
}
