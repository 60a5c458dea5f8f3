//! The words of notifications, by kind and language.
//!
//! A template is text with `{name}` where a value goes; `{{` and `}}` are braces. Values come from
//! users: they are one line each without control characters, and nothing in them is taken for a
//! template or for markup.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod parse;

pub(crate) use parse::plain;
use parse::{Part, parsed};

/// Characters of a title. What is more is cut, which is shown by an ellipsis.
pub const TITLE_CHARS_MAX: usize = 120;

/// Characters of a body, likewise.
pub const BODY_CHARS_MAX: usize = 600;

/// Characters of all that a letter says, likewise.
pub const LETTER_CHARS_MAX: usize = 4_000;

/// Bytes of the text of a template.
pub const TEMPLATE_BYTES_MAX: usize = 4 << 10;

/// A template as a config has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateText {
    /// One line.
    pub title: String,
    /// The rest; may be empty.
    #[serde(default)]
    pub body: String,
    /// What a letter says instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailText>,
}

/// What a letter says, where there is more room. What is not given is as everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailText {
    /// One line, in place of the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// All that stands in the letter, in place of title and body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The templates of a kind by language (`en`, `de`, `de-AT`), and of kinds by name.
#[derive(Clone, Debug)]
pub struct Templates {
    kinds: BTreeMap<String, BTreeMap<String, Template>>,
    fallback: String,
}

#[derive(Clone, Debug)]
struct Template {
    title: Vec<Part>,
    body: Vec<Part>,
    subject: Option<Vec<Part>>,
    letter: Option<Vec<Part>>,
}

/// What text is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// Inside an element of HTML, or an attribute's quotes.
    Html,
}

/// A notification's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// [`TITLE_CHARS_MAX`] characters at most, before they are escaped.
    pub title: String,
    /// [`BODY_CHARS_MAX`] likewise.
    pub body: String,
    /// The language it is in.
    pub language: String,
    /// What a letter says instead.
    pub mail: MailWords,
}

/// What a letter says in place of a notification's title and body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailWords {
    /// [`TITLE_CHARS_MAX`] characters at most, before they are escaped.
    pub subject: Option<String>,
    /// [`LETTER_CHARS_MAX`] likewise.
    pub text: Option<String>,
}

impl Templates {
    /// Checks templates, by kind and language. `names` are the values that a kind may use, `fallback`
    /// is the language of whoever has none that is there. Errors: everything that is wrong.
    pub fn of(
        texts: &BTreeMap<String, BTreeMap<String, TemplateText>>,
        fallback: &str,
        names: &[&str],
    ) -> Result<Templates, Vec<String>> {
        let mut wrong = Vec::new();
        let mut kinds = BTreeMap::new();
        let fallback = fallback.to_ascii_lowercase();
        for (kind, by_language) in texts {
            let mut templates = BTreeMap::new();
            for (language, text) in by_language {
                let mut part = |what: &str, text: &str| {
                    parsed(text, names).unwrap_or_else(|why| {
                        wrong.push(format!("template {kind:?} {language:?}: {what}: {why}"));
                        Vec::new()
                    })
                };
                let mail = text.mail.as_ref();
                let subject = mail.and_then(|mail| mail.subject.as_ref());
                let letter = mail.and_then(|mail| mail.text.as_ref());
                let template = Template {
                    title: part("title", &text.title),
                    body: part("body", &text.body),
                    subject: subject.map(|text| part("mail: subject", text)),
                    letter: letter.map(|text| part("mail: text", text)),
                };
                templates.insert(language.to_ascii_lowercase(), template);
            }
            if !templates.contains_key(&fallback) {
                wrong.push(format!("template {kind:?}: there is none in {fallback:?}"));
            }
            kinds.insert(kind.clone(), templates);
        }
        match wrong.is_empty() {
            true => Ok(Templates { kinds, fallback }),
            false => Err(wrong),
        }
    }

    /// The words of a kind in the first of some languages that there is, else in the one to fall back
    /// to: `de-AT` is also found as `de`. A value that is not given is empty. `None`: there is no
    /// such kind.
    pub fn rendered(
        &self,
        kind: &str,
        languages: &[&str],
        values: &BTreeMap<&str, String>,
        form: Form,
    ) -> Option<Rendered> {
        let templates = self.kinds.get(kind)?;
        let wanted = languages.iter().copied().flat_map(broader);
        let found = wanted
            .chain([self.fallback.clone()])
            .find_map(|language| templates.get_key_value(&language));
        let (language, template) = found?;
        let rendered = |parts: &[Part], chars_max: usize| {
            let text: String = parts.iter().map(|part| part.text(values)).collect();
            form.escaped(&shortened(text.trim(), chars_max))
        };
        Some(Rendered {
            title: rendered(&template.title, TITLE_CHARS_MAX),
            body: rendered(&template.body, BODY_CHARS_MAX),
            language: language.clone(),
            mail: MailWords {
                subject: template
                    .subject
                    .as_ref()
                    .map(|parts| rendered(parts, TITLE_CHARS_MAX)),
                text: template
                    .letter
                    .as_ref()
                    .map(|parts| rendered(parts, LETTER_CHARS_MAX)),
            },
        })
    }
}

/// A language tag, and what it is a variety of.
fn broader(tag: &str) -> Vec<String> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    let cuts = tag.match_indices('-').map(|(at, _)| tag[..at].to_owned());
    let mut cuts: Vec<String> = cuts.collect();
    cuts.push(tag.clone());
    cuts.reverse();
    cuts
}

/// So many characters, the last of them an ellipsis if there are more.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(chars_max - 1).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

impl Form {
    /// A text as it stands there.
    pub(crate) fn escaped(self, text: &str) -> String {
        if self == Form::Plain {
            return text.to_owned();
        }
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                c => escaped.push(c),
            }
        }
        escaped
    }
}
