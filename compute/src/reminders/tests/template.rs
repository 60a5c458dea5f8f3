//! The words of notifications.

use super::*;

const NAMES: [&str; 2] = ["title", "time"];

fn texts(of: &Value) -> BTreeMap<String, BTreeMap<String, TemplateText>> {
    serde_json::from_value(of.clone()).unwrap()
}

fn templates(by_language: &Value) -> Templates {
    Templates::of(&texts(&json!({"reminder": by_language})), "en", &NAMES).unwrap()
}

fn wrong(of: &Value) -> Vec<String> {
    Templates::of(&texts(of), "en", &NAMES).unwrap_err()
}

fn rendered_as(title: &str, value: &str, form: Form) -> String {
    let templates = templates(&json!({"en": {"title": title}}));
    let values = BTreeMap::from([("title", value.to_owned())]);
    let rendered = templates.rendered("reminder", &["en"], &values, form);
    rendered.unwrap().title
}

fn rendered(title: &str, value: &str) -> String {
    rendered_as(title, value, Form::Plain)
}

#[test]
fn values_stand_where_their_names_do() {
    let templates = templates(&json!({"en": {"title": "{title} ({time})", "body": "Due {time}."}}));
    let values = BTreeMap::from([("title", "Milk".to_owned()), ("time", "10:00".to_owned())]);
    let rendered = templates
        .rendered("reminder", &[], &values, Form::Plain)
        .unwrap();
    assert_eq!(
        (&*rendered.title, &*rendered.body),
        ("Milk (10:00)", "Due 10:00.")
    );
    let nothing = templates.rendered("reminder", &[], &BTreeMap::new(), Form::Plain);
    assert_eq!(nothing.unwrap().title, "()");
    assert_eq!(
        templates.rendered("other", &["en"], &values, Form::Plain),
        None
    );
}

#[test]
fn braces_are_written_twice() {
    assert_eq!(rendered("{{title}} }}{title}{{", "x"), "{title} }x{");
    assert_eq!(rendered("{{{title}}}", "x"), "{x}");
}

#[test]
fn the_first_language_that_there_is_is_taken() {
    let templates = templates(&json!({
        "en": {"title": "en"}, "de": {"title": "de"}, "de-AT": {"title": "at"}, "pt-BR": {"title": "br"},
    }));
    for (languages, expected) in [
        (&["de"][..], "de"),
        (&["de-AT"], "at"),
        (&["de-at"], "at"),
        (&["DE_at"], "at"),
        (&["de-CH"], "de"),
        (&["de-AT-1996"], "at"),
        (&["fr", "de"], "de"),
        (&["fr-CH", "pt-BR", "de"], "br"),
        (&["pt"], "en"),
        (&["d"], "en"),
        (&["", "-", "*"], "en"),
        (&[], "en"),
    ] {
        let found = templates.rendered("reminder", languages, &BTreeMap::new(), Form::Plain);
        assert_eq!(found.unwrap().title, expected, "{languages:?}");
    }
    let found = templates.rendered("reminder", &["de-AT"], &BTreeMap::new(), Form::Plain);
    assert_eq!(found.unwrap().language, "de-at");
}

#[test]
fn a_value_is_no_template_no_markup_and_one_line() {
    assert_eq!(rendered("{title}", "{time} {{ }"), "{time} {{ }");
    assert_eq!(
        rendered("{title}", "a\r\nBcc: x\t y\u{0}\u{7f}"),
        "a Bcc: x y"
    );
    assert_eq!(rendered("{title}!", "a\u{202e}b\u{2066}c\u{feff}"), "abc!");
    assert_eq!(rendered("{title}", "Käthe 👩‍🍳 שלום"), "Käthe 👩‍🍳 שלום");
    let html = rendered_as("<{title}>", "<b onclick='x'>&\"", Form::Html);
    assert_eq!(html, "&lt;&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;&gt;");
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    let long = |chars: usize| rendered("{title}", &"ä".repeat(chars));
    assert_eq!(long(TITLE_CHARS_MAX), "ä".repeat(TITLE_CHARS_MAX));
    let cut = format!("{}…", "ä".repeat(TITLE_CHARS_MAX - 1));
    assert_eq!(long(TITLE_CHARS_MAX + 1), cut);
    // What it becomes is not counted, so that no entity is cut.
    let html = rendered_as("{title}", &"&".repeat(TITLE_CHARS_MAX), Form::Html);
    assert_eq!(html, "&amp;".repeat(TITLE_CHARS_MAX));
    let templates = templates(&json!({"en": {"title": "t", "body": "x".repeat(601)}}));
    let found = templates.rendered("reminder", &[], &BTreeMap::new(), Form::Plain);
    assert_eq!(
        found.unwrap().body,
        format!("{}…", "x".repeat(BODY_CHARS_MAX - 1))
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let said = wrong(&json!({
        "reminder": {"en": {"title": "{titel}", "body": "{title"}},
        "digest": {"de": {"title": "a } b"}},
        "long": {"en": {"title": "x".repeat(TEMPLATE_BYTES_MAX + 1)}},
    }));
    assert_eq!(said.len(), 5, "{said:?}");
    for why in [
        "template \"reminder\" \"en\": title: there is no {titel}, only title, time",
        "template \"reminder\" \"en\": body: a { alone",
        "template \"digest\" \"de\": title: a } alone",
        "template \"digest\": there is none in \"en\"",
        "template \"long\" \"en\": title: at most 4096 bytes",
    ] {
        assert!(
            said.iter().any(|said| said.starts_with(why)),
            "{why}: {said:?}"
        );
    }
    let most = json!({"long": {"en": {"title": "x".repeat(TEMPLATE_BYTES_MAX)}}});
    assert!(Templates::of(&texts(&most), "en", &NAMES).is_ok());
}

#[test]
fn a_letter_may_have_words_of_its_own() {
    let templates = templates(&json!({
        "en": {"title": "{title}", "mail": {"subject": "Due: {title}", "text": "Hello,\n\n{title}\n"}},
        "de": {"title": "{title}", "mail": {"subject": "Fällig: {title}"}},
        "fr": {"title": "{title}"},
    }));
    let values = BTreeMap::from([("title", "a\r\nb".to_owned())]);
    let mail = |language| {
        let rendered = templates.rendered("reminder", &[language], &values, Form::Plain);
        rendered.unwrap().mail
    };
    let words = |subject: Option<&str>, text: Option<&str>| MailWords {
        subject: subject.map(str::to_owned),
        text: text.map(str::to_owned),
    };
    assert_eq!(mail("en"), words(Some("Due: a b"), Some("Hello,\n\na b")));
    assert_eq!(mail("de"), words(Some("Fällig: a b"), None));
    assert_eq!(mail("fr"), words(None, None));
}

#[test]
fn a_letters_words_are_checked_and_cut() {
    let mail = |mail: Value| json!({"reminder": {"en": {"title": "x", "mail": mail}}});
    let said = wrong(&mail(json!({"subject": "{a}", "text": "{"})));
    assert_eq!(
        said,
        [
            "template \"reminder\" \"en\": mail: subject: there is no {a}, only title, time",
            "template \"reminder\" \"en\": mail: text: a { alone; a brace is written twice",
        ]
    );
    for more in [0, 1] {
        let text = "x".repeat(LETTER_CHARS_MAX + more);
        let subject = "y".repeat(TITLE_CHARS_MAX + more);
        let texts = texts(&mail(json!({"subject": subject, "text": text})));
        let templates = Templates::of(&texts, "en", &NAMES).unwrap();
        let rendered = templates.rendered("reminder", &[], &BTreeMap::new(), Form::Plain);
        let mail = rendered.unwrap().mail;
        let (subject, text) = (mail.subject.unwrap(), mail.text.unwrap());
        assert_eq!(text.chars().count(), LETTER_CHARS_MAX);
        assert_eq!(subject.chars().count(), TITLE_CHARS_MAX);
        assert_eq!(
            (text.ends_with('…'), subject.ends_with('…')),
            (more > 0, more > 0)
        );
    }
}
