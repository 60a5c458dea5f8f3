//! What a browser's worker is given of a notification: JSON of at most [`PAYLOAD_BYTES_MAX`] bytes. Of
//! what is more the last items are left out first, then the end of the body, then that of the title.

use serde::Serialize;
use syncline_protocol::ids::AppId;
use syncline_protocol::stamp::wall_text;

use super::notification::{Item, Notification, NotificationId};
use crate::reminders::{Rendered, shortened};

/// Bytes of a payload: what every push service takes, also those that hand messages on to another
/// one, encoded once more.
pub const PAYLOAD_BYTES_MAX: usize = 2_880;

/// Characters of the title of the smallest payload.
const SMALL_TITLE_CHARS: usize = 40;

/// How it is written. A worker passes over versions that it does not know.
const VERSION: u32 = 1;

/// What a payload is made of.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) id: &'a NotificationId,
    pub(super) app: &'a AppId,
    pub(super) notification: &'a Notification,
    pub(super) words: &'a Rendered,
}

#[derive(Clone, Serialize)]
struct Payload<'a> {
    v: u32,
    id: &'a str,
    app: &'a str,
    kind: &'a str,
    title: String,
    body: String,
    language: &'a str,
    at: String,
    late: bool,
    items: Vec<Named<'a>>,
    more: usize,
}

/// An item as the worker needs it to find the record.
#[derive(Clone, Serialize)]
struct Named<'a> {
    key: &'a str,
    table: &'a str,
    id: &'a str,
    task: Option<&'a str>,
}

impl<'a> From<&'a Item> for Named<'a> {
    fn from(item: &'a Item) -> Named<'a> {
        Named {
            key: &item.key,
            table: &item.table,
            id: &item.id,
            task: item.task.as_deref(),
        }
    }
}

impl Told<'_> {
    /// As much of it as fits.
    pub(super) fn payload(&self) -> Vec<u8> {
        let mut payload = self.whole();
        while !payload.fits() && payload.items.pop().is_some() {
            payload.more += 1;
        }
        if !payload.fits() {
            let body = std::mem::take(&mut payload.body);
            payload.body = longest(&body, |body| payload.with_body(body).fits());
        }
        if !payload.fits() {
            let title = std::mem::take(&mut payload.title);
            payload.title = longest(&title, |title| payload.with_title(title).fits());
        }
        payload.to_json()
    }

    /// The least that says what it is.
    pub(super) fn smallest(&self) -> Vec<u8> {
        let mut payload = self.whole();
        payload.more += payload.items.len();
        payload.items.clear();
        payload.body.clear();
        payload.title = shortened(&payload.title, SMALL_TITLE_CHARS);
        payload.to_json()
    }

    fn whole(&self) -> Payload<'_> {
        Payload {
            v: VERSION,
            id: self.id.as_record().as_str(),
            app: self.app.as_str(),
            kind: &self.notification.kind,
            title: self.words.title.clone(),
            body: self.words.body.clone(),
            language: &self.words.language,
            at: wall_text(self.notification.at),
            late: self.notification.late,
            items: self.notification.items.iter().map(Named::from).collect(),
            more: self.notification.more,
        }
    }
}

impl<'a> Payload<'a> {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }

    fn fits(&self) -> bool {
        self.to_json().len() <= PAYLOAD_BYTES_MAX
    }

    fn with_body(&self, body: &str) -> Payload<'a> {
        Payload {
            body: body.to_owned(),
            ..self.clone()
        }
    }

    fn with_title(&self, title: &str) -> Payload<'a> {
        Payload {
            title: title.to_owned(),
            ..self.clone()
        }
    }
}

/// The longest beginning of a text that fits; none if nothing does.
fn longest(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let (mut kept, mut too_many) = (0, text.chars().count() + 1);
    while kept + 1 < too_many {
        let chars = kept + (too_many - kept) / 2;
        match fits(&shortened(text, chars)) {
            true => kept = chars,
            false => too_many = chars,
        }
    }
    match kept {
        0 => String::new(),
        chars => shortened(text, chars),
    }
}
