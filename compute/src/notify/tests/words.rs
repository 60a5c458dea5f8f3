//! What a device is told, in its language.

use super::super::words::words;
use super::*;
use crate::reminders::{
    BODY_CHARS_MAX, MailText, MailWords, TITLE_CHARS_MAX, TemplateText, Templates,
};

fn templates() -> Templates {
    let text = |title: &str, body: &str| TemplateText {
        title: title.to_owned(),
        body: body.to_owned(),
        mail: None,
    };
    let of_kind = BTreeMap::from([
        ("en".to_owned(), text("Due: {title}", "{title} is due.")),
        (
            "de".to_owned(),
            text("Fällig: {title}", "{title} ist fällig."),
        ),
    ]);
    let all = BTreeMap::from([("reminder".to_owned(), of_kind)]);
    Templates::of(&all, "en", &["title"]).unwrap()
}

#[test]
fn words_are_in_the_language_of_the_device_or_else_the_notifications_own() {
    let templates = templates();
    let told = notification(NOW, "a");
    for (language, title, expected) in [
        (None, "Buy milk", "en"),
        (Some("en"), "Buy milk", "en"),
        (Some("EN"), "Buy milk", "en"),
        (Some("de"), "Fällig: Buy milk", "de"),
        (Some("de-AT"), "Fällig: Buy milk", "de"),
        (Some("fr"), "Due: Buy milk", "en"),
        (Some(""), "Due: Buy milk", "en"),
    ] {
        let found = words(&told, language, Some(&templates));
        assert_eq!(
            (&*found.title, &*found.language),
            (title, expected),
            "{language:?}"
        );
    }
    assert_eq!(words(&told, Some("de"), None).title, "Buy milk");
    let other = Notification {
        kind: "invitation".to_owned(),
        ..told
    };
    assert_eq!(
        words(&other, Some("de"), Some(&templates)).title,
        "Buy milk"
    );
}

#[test]
fn the_notifications_own_words_are_cut_and_their_title_is_one_line() {
    let own = |title: String, body: String| {
        let told = Notification {
            title,
            body,
            ..notification(NOW, "a")
        };
        words(&told, None, None)
    };
    let found = own("a\r\nb\u{0}\u{202e}".to_owned(), "c\nd\n".to_owned());
    assert_eq!((&*found.title, &*found.body), ("a b", "c\nd"));
    for more in [0, 1] {
        let found = own(
            "x".repeat(TITLE_CHARS_MAX + more),
            "y".repeat(BODY_CHARS_MAX + more),
        );
        let is_cut = more > 0;
        assert_eq!(found.title.chars().count(), TITLE_CHARS_MAX);
        assert_eq!(found.body.chars().count(), BODY_CHARS_MAX);
        assert_eq!(
            (found.title.ends_with('…'), found.body.ends_with('…')),
            (is_cut, is_cut)
        );
    }
}

/// A letter's words are not in the record, so they are made of the templates in any case.
#[test]
fn a_letters_words_are_in_the_language_of_the_others() {
    let text = |language: &str, subject: Option<&str>| TemplateText {
        title: format!("{language}: {{title}}"),
        body: String::new(),
        mail: subject.map(|subject| MailText {
            subject: Some(format!("{subject}: {{title}}")),
            text: None,
        }),
    };
    let of = |texts: Vec<(&str, Option<&str>)>| {
        let of_kind = texts.into_iter();
        let of_kind =
            of_kind.map(|(language, subject)| (language.to_owned(), text(language, subject)));
        let all = BTreeMap::from([("reminder".to_owned(), of_kind.collect())]);
        Templates::of(&all, "de", &["title"]).unwrap()
    };
    let both = of(vec![("en", Some("Due")), ("de", Some("Fällig"))]);
    let told = notification(NOW, "a");
    for (language, title, subject) in [
        (None, "Buy milk", Some("Due: Buy milk")),
        (Some("en"), "Buy milk", Some("Due: Buy milk")),
        (Some("de"), "de: Buy milk", Some("Fällig: Buy milk")),
    ] {
        let found = words(&told, language, Some(&both));
        assert_eq!(
            (&*found.title, found.mail.subject.as_deref()),
            (title, subject)
        );
    }
    // The record's own words are in a language that there are no templates in any more.
    let found = words(&told, None, Some(&of(vec![("de", Some("Fällig"))])));
    assert_eq!(
        (&*found.title, found.mail),
        ("Buy milk", MailWords::default())
    );
}

#[test]
fn several_have_words_of_several_in_every_language() {
    let text = |title: &str| TemplateText {
        title: title.to_owned(),
        body: String::new(),
        mail: None,
    };
    let of_kind =
        |one: &str| BTreeMap::from([("en".to_owned(), text("en")), ("de".to_owned(), text(one))]);
    let all = BTreeMap::from([
        ("reminder".to_owned(), of_kind("eine")),
        ("reminders".to_owned(), of_kind("mehrere")),
    ]);
    let templates = Templates::of(&all, "en", &["title"]).unwrap();
    for (more, title) in [(0, "eine"), (1, "mehrere")] {
        let told = Notification {
            more,
            ..notification(NOW, "a")
        };
        assert_eq!(words(&told, Some("de"), Some(&templates)).title, title);
    }
}
