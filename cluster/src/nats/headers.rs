//! What is told of a commit beside its message: where its way to the devices is measured, when it
//! was made and which trace it is part of. It is in headers of the message, by the name that others
//! know too, so a hub that knows nothing of it reads the same bytes as ever.

use async_nats::HeaderMap;
use syncline_protocol::stamp::WallMs;
use syncline_protocol::trace::TraceParent;

use crate::event::Followed;

/// W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// Milliseconds since 1970, by the clock of the hub that committed.
const COMMITTED_AT: &str = "syncline-committed-at-ms";

/// The headers of a commit that is followed.
pub(super) fn of(followed: &Followed) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let committed_at = followed.committed_at_ms.to_string();
    headers.insert(COMMITTED_AT, committed_at.as_str());
    if let Some(trace) = followed.trace {
        headers.insert(TRACEPARENT, trace.to_string().as_str());
    }
    headers
}

/// What headers say. `None` if the commit is not followed, or nobody can tell since when.
pub(super) fn read(headers: &HeaderMap) -> Option<Followed> {
    let text = |name| headers.get(name).map(async_nats::HeaderValue::as_str);
    let committed_at_ms: WallMs = text(COMMITTED_AT)?.parse().ok()?;
    let trace = text(TRACEPARENT).and_then(TraceParent::parse);
    Some(Followed {
        committed_at_ms,
        trace,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for trace in [None, TraceParent::parse(trace)] {
            let followed = Followed {
                committed_at_ms: 1_795_514_400_000,
                trace,
            };
            assert_eq!(read(&of(&followed)), Some(followed));
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_followed() {
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers), None);
        headers.insert(COMMITTED_AT, "yesterday");
        assert_eq!(read(&headers), None);
        headers.insert(COMMITTED_AT, "7");
        headers.insert(TRACEPARENT, "nonsense");
        let followed = read(&headers).unwrap();
        assert_eq!((followed.committed_at_ms, followed.trace), (7, None));
    }
}
