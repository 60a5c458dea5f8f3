//! What a device is told, in its language.

use crate::reminders::{
    BODY_CHARS_MAX, Form, Rendered, TITLE_CHARS_MAX, Templates, one_line, shortened,
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
    let rendered = wanted.zip(templates).and_then(|(language, templates)| {
        let values = values.collect();
        templates.rendered(&notification.kind, &[language, own], &values, Form::Plain)
    });
    rendered.unwrap_or_else(|| Rendered {
        title: shortened(&one_line(&notification.title), TITLE_CHARS_MAX),
        body: shortened(notification.body.trim(), BODY_CHARS_MAX),
        language: own.to_owned(),
    })
}
