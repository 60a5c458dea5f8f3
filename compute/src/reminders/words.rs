//! The words of notifications of reminders: those that are there, in English and German, what a
//! config says instead, and what they are made of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use syncline_protocol::stamp::WallMs;

use super::batch::Batch;
use super::plan::FiringKey;
use super::template::{
    BODY_CHARS_MAX, Form, MailWords, Rendered, TITLE_CHARS_MAX, TemplateText, Templates, shortened,
};

/// The kind of notifications of reminders, of one or of several: what preferences are of. Also the
/// words of one.
pub const KIND: &str = "reminder";

/// The words of several.
pub const SEVERAL: &str = "reminders";

/// The kind of notifications of what was missed, and its words.
pub const MISSED: &str = "missed";

/// The kind of what is not told since the user was told too much, and its words.
pub const OVER_LIMIT: &str = "over_limit";

/// The words, as its title, for what has no title.
const UNTITLED: &str = "untitled";

/// What words may be made of: the title of the first, how many there are, when the first was due by
/// the clock of the user, and the titles of all that are named.
pub const VALUES: [&str; 4] = ["title", "count", "due", "titles"];

/// Templates as a config has them, by kind and language.
pub type TemplateTexts = BTreeMap<String, BTreeMap<String, TemplateText>>;

/// Which words a notification of a kind has that is about so many.
pub fn words_of(kind: &str, count: usize) -> &str {
    match (kind, count) {
        (KIND, 2..) => SEVERAL,
        _ => kind,
    }
}

/// Those that are there, with what a config says. Errors: everything that is wrong.
pub(super) fn templates(texts: &TemplateTexts, fallback: &str) -> Result<Templates, Vec<String>> {
    let mut all = own();
    let mut wrong = Vec::new();
    for (kind, by_language) in texts {
        let Some(of_kind) = all.get_mut(kind) else {
            let why = format!(
                "template {kind:?}: only {KIND}, {SEVERAL}, {UNTITLED}, {MISSED} and {OVER_LIMIT} \
                 are there"
            );
            wrong.push(why);
            continue;
        };
        for (language, text) in by_language {
            of_kind.insert(language.to_ascii_lowercase(), text.clone());
        }
    }
    // Configs were right before there were these.
    for kind in [MISSED, OVER_LIMIT] {
        if let Some(of_kind) = all.get_mut(kind)
            && let Some(english) = of_kind.get("en").cloned()
        {
            let fallback = fallback.to_ascii_lowercase();
            of_kind.entry(fallback).or_insert(english);
        }
    }
    match Templates::of(&all, fallback, &VALUES) {
        Ok(templates) if wrong.is_empty() => Ok(templates),
        Ok(_) => Err(wrong),
        Err(more) => {
            wrong.extend(more);
            Err(wrong)
        }
    }
}

fn own() -> TemplateTexts {
    let text = |language: &str, title: &str, body: &str| {
        let text = TemplateText {
            title: title.to_owned(),
            body: body.to_owned(),
            mail: None,
        };
        (language.to_owned(), text)
    };
    let kinds = [
        (
            KIND,
            [
                text("en", "{title}", "Reminder for {due}"),
                text("de", "{title}", "Erinnerung für {due}"),
            ],
        ),
        (
            SEVERAL,
            [
                text("en", "{count} reminders", "{titles}"),
                text("de", "{count} Erinnerungen", "{titles}"),
            ],
        ),
        (
            MISSED,
            [
                text("en", "Missed reminders: {count}", "{titles}"),
                text("de", "Verpasste Erinnerungen: {count}", "{titles}"),
            ],
        ),
        (
            OVER_LIMIT,
            [
                text("en", "Reminders over the limit: {count}", "{titles}"),
                text("de", "Erinnerungen über der Grenze: {count}", "{titles}"),
            ],
        ),
        (
            UNTITLED,
            [text("en", "Reminder", ""), text("de", "Erinnerung", "")],
        ),
    ];
    let kinds = kinds.into_iter();
    kinds
        .map(|(kind, texts)| (kind.to_owned(), BTreeMap::from(texts)))
        .collect()
}

/// Who is told, and now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) zone: &'a TimeZone,
    pub(super) language: Option<&'a str>,
    pub(super) now_ms: WallMs,
}

/// What a notification says, and the values that it is made of.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) words: Rendered,
    pub(super) values: BTreeMap<String, String>,
}

/// What a batch says. `title` says what the reminder of a firing is called, if it is.
pub(super) fn said<'t>(
    (kind, batch): (&str, &Batch),
    title: impl Fn(&FiringKey) -> &'t str,
    templates: &Templates,
    reader: Reader<'_>,
) -> Said {
    let languages: Vec<&str> = reader.language.into_iter().collect();
    let rendered = |kind: &str, values: &BTreeMap<&str, String>| {
        let rendered = templates.rendered(kind, &languages, values, Form::Plain);
        // All kinds that there are have a template in the language to fall back to.
        rendered.unwrap_or_else(|| Rendered {
            title: String::new(),
            body: String::new(),
            language: String::new(),
            mail: MailWords::default(),
        })
    };
    let titled = |key: &FiringKey| match title(key) {
        "" => rendered(UNTITLED, &BTreeMap::new()).title,
        title => title.to_owned(),
    };
    let titles: Vec<String> = batch.named().iter().map(|item| titled(&item.key)).collect();
    let due_ms = batch
        .items
        .first()
        .map_or(reader.now_ms, |item| item.due_ms);
    let values = BTreeMap::from([
        ("title", titles.first().cloned().unwrap_or_default()),
        ("count", batch.items.len().to_string()),
        ("due", local(due_ms, reader)),
        ("titles", shortened(&titles.join(", "), BODY_CHARS_MAX)),
    ]);
    let words = rendered(words_of(kind, batch.items.len()), &values);
    let values = values.into_iter();
    Said {
        words,
        values: values
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    }
}

/// A record's title as it is told: one line, not too long.
pub(super) fn title(text: &str) -> String {
    shortened(&super::template::plain(text), TITLE_CHARS_MAX)
}

/// A time as a clock of the user shows it, with its day if that is another.
fn local(at_ms: WallMs, reader: Reader<'_>) -> String {
    let shown = |ms: WallMs| {
        let moment = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
        Some(reader.zone.to_datetime(moment))
    };
    match (shown(at_ms), shown(reader.now_ms)) {
        (Some(at), Some(now)) if at.date() == now.date() => at.strftime("%H:%M").to_string(),
        (Some(at), _) => at.strftime("%Y-%m-%d %H:%M").to_string(),
        (None, _) => String::new(),
    }
}
