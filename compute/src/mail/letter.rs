//! A letter to one person: the same words as plain text and as HTML.
//!
//! What stands in a header is one line without control characters, and encoded (RFC 2047), so nobody
//! adds a header by a title. The identity of a letter is the sender's to say, the same in every try:
//! servers and mail programs show a letter that came twice once.

use std::fmt;
use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use syncline_protocol::stamp::WallMs;

use crate::reminders::{Form, one_line};

/// A letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// What it is known by: letters, digits, `.`, `-` and `_`.
    pub id: String,
    /// The subject.
    pub subject: String,
    /// The first line, if it is not in the body.
    pub heading: Option<String>,
    /// The rest; may be empty.
    pub body: String,
    /// The language of them.
    pub language: String,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({})", self.id)
    }
}

/// Why a letter cannot be written: its address is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoAddress;

impl Letter {
    /// As it is handed over.
    pub(super) fn message(&self, from: &Mailbox, now_ms: WallMs) -> Result<Message, NoAddress> {
        if self.to.contains(char::is_control) {
            return Err(NoAddress);
        }
        let to = self.to.parse().map_err(|_| NoAddress)?;
        let generated = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())))
            .subject(one_line(&self.subject))
            // So that nobody's holiday answers it (RFC 3834).
            .raw_header(HeaderValue::new(generated, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(self.plain(), self.html()));
        // It has a sender and a recipient, which is all it needs.
        message.map_err(|_| NoAddress)
    }

    fn plain(&self) -> String {
        let heading = self.heading.as_deref().map(one_line);
        let parts = heading.into_iter().chain([self.body.clone()]);
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        format!("{}\n", parts.join("\n\n"))
    }

    pub(super) fn html(&self) -> String {
        let escaped = |text: &str| Form::Html.escaped(text);
        let subject = escaped(&one_line(&self.subject));
        let heading = self.heading.as_deref().map(|heading| {
            let heading = escaped(&one_line(heading));
            format!("<p><strong>{heading}</strong></p>\n")
        });
        let lines = self.body.lines().map(escaped).collect::<Vec<_>>();
        let language = escaped(&self.language);
        format!(
            "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
             <title>{subject}</title></head>\n<body>{}<p>{}</p>\
             </body></html>\n",
            heading.unwrap_or_default(),
            lines.join("<br>\n")
        )
    }
}
