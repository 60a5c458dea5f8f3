//! What a push service answers, and what that means for the message and its subscription.
//!
//! | answer | means |
//! |---|---|
//! | 2xx | it is delivered, as far as we can know |
//! | 404, 410 | the subscription is gone, for good |
//! | 413 | the message is too large for this service |
//! | 408, 429, 5xx, no answer in time, none at all | it may be tried again |
//! | other 4xx, 3xx | the same message gets it again |
//!
//! The status alone counts, so an answer is over with it; of its body no more than a page is read.

use reqwest::{Response, StatusCode, Url};
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;

use super::encrypt::EncryptError;
use crate::outgoing::answer::{beginning, retry_after_ms};
use crate::outgoing::hidden::Hidden;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The push service has it.
    Delivered,
    /// There is no such subscription any more.
    Gone,
    /// It is more than this push service takes, or than fits into a message.
    TooLarge(JobError),
    /// Not now.
    Failed {
        /// Why, for people.
        error: JobError,
        /// No sooner than after so many milliseconds, a day at most; 0 if the service does not say.
        wait_ms: u64,
    },
    /// Not in this way, however often it is tried.
    Hopeless(JobError),
}

impl Delivery {
    /// One word, for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Delivery::Delivered => "delivered",
            Delivery::Gone => "gone",
            Delivery::TooLarge(_) => "too_large",
            Delivery::Failed { .. } => "failed",
            Delivery::Hopeless(_) => "hopeless",
        }
    }
}

impl From<EncryptError> for Delivery {
    fn from(error: EncryptError) -> Delivery {
        let why = JobError::new(&error.to_string());
        match error {
            EncryptError::TooLarge { .. } => Delivery::TooLarge(why),
            EncryptError::Failed => Delivery::Failed {
                error: why,
                wait_ms: 0,
            },
        }
    }
}

/// A failure, for another try.
pub(super) fn failed(why: impl std::fmt::Display, wait_ms: u64) -> Delivery {
    Delivery::Failed {
        error: JobError::new(&format!("push_failed: {why}")),
        wait_ms,
    }
}

/// What an answer means.
pub(super) async fn read(mut response: Response, endpoint: &Url, now_ms: WallMs) -> Delivery {
    let status = response.status();
    let wait_ms = retry_after_ms(response.headers(), now_ms);
    let hidden = Hidden::of(endpoint);
    // To its end, if it is short: then the connection is good for the next.
    let page = beginning(&mut response, hidden.page_bytes_max()).await;
    let said = || format!("{status}: {}", hidden.shown(&page));
    match status {
        _ if status.is_success() => Delivery::Delivered,
        StatusCode::NOT_FOUND | StatusCode::GONE => Delivery::Gone,
        StatusCode::PAYLOAD_TOO_LARGE => {
            Delivery::TooLarge(JobError::new(&format!("push_too_large: {}", said())))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => failed(said(), wait_ms),
        _ if status.is_server_error() => failed(said(), wait_ms),
        _ if status.is_redirection() => Delivery::Hopeless(JobError::new(&format!(
            "push_redirected: {status}: redirects are not followed"
        ))),
        _ => Delivery::Hopeless(JobError::new(&format!("push_refused: {}", said()))),
    }
}
