//! What a device is told, in its language.

use crate::reminders::{
    BODY_CHARS_MAX, Form, MailWords, Rendered, TITLE_CHARS_MAX, Templates, one_line, shortened,
    words_of,
};

use super::notification::Notification;

/// The words of a notification for a device of a language. Whose device says none, or says the one
/// they are in already, is told the notification's own; so is everybody of a kind without templates.
pub(super) fn words(
    notification: &Notification,
    language: Option<&str>,
    templates: Option<&Templates>,
) -> Rendered {
    let own = notification.language.as_str();
    let wanted = language.filter(|language| !language.eq_ignore_ascii_case(own));
    let values = notification.values.iter();
    let values = values.map(|(name, value)| (name.as_str(), value.clone()));
    let values = values.collect();
    let kind = words_of(
        &notification.kind,
        notification.items.len() + notification.more,
    );
    let rendered = templates.and_then(|templates| {
        let languages: Vec<&str> = wanted.into_iter().chain([own]).collect();
        templates.rendered(kind, &languages, &values, Form::Plain)
    });
    match (wanted, rendered) {
        (Some(_), Some(rendered)) => rendered,
        (_, rendered) => Rendered {
            title: shortened(&one_line(&notification.title), TITLE_CHARS_MAX),
            body: shortened(notification.body.trim(), BODY_CHARS_MAX),
            language: own.to_owned(),
            // The record has no words of letters.
            mail: rendered
                .filter(|rendered| rendered.language.eq_ignore_ascii_case(own))
                .map_or_else(MailWords::default, |rendered| rendered.mail),
        },
    }
}
