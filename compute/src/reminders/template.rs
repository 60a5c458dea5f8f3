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
                let template = Template {
                    title: part("title", &text.title),
                    body: part("body", &text.body),
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
        let rendered = |parts: &[Part], chars_max| {
            let text: String = parts.iter().map(|part| part.text(values)).collect();
            form.escaped(&shortened(text.trim(), chars_max))
        };
        Some(Rendered {
            title: rendered(&template.title, TITLE_CHARS_MAX),
            body: rendered(&template.body, BODY_CHARS_MAX),
            language: language.clone(),
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
