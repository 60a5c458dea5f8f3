//! What is shown of a page that a server answered: its beginning, without what is secret of the
//! address. Pages of errors quote what was asked, as it was sent or decoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Bytes of a page that are shown.
const SHOWN_BYTES_MAX: usize = 256;

/// Bytes of a path, of a part of one, or of a parameter's name that may be secret. Shorter ones are
/// words.
const SECRET_BYTES_MIN: usize = 8;

/// What of an address is never shown, the longest first: one may be a part of another.
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// Of an address: user and password, as they are written and as they are sent; its query and
    /// what that says; its path and the parts of it.
    pub(crate) fn of(url: &Url) -> Hidden {
        let mut texts = Vec::new();
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        if !(user.is_empty() && password.is_empty()) {
            texts.push(basic(user, password));
        }
        texts.extend([user.to_owned(), password.to_owned()]);
        let long = |text: &&str| text.len() >= SECRET_BYTES_MIN;
        let query = url.query().unwrap_or_default();
        texts.push(query.to_owned());
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if long(&name) {
                texts.push(name.to_owned());
            }
            texts.push(value.to_owned());
        }
        texts.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
        let path = url.path();
        let parts = path.split('/').chain([path]);
        texts.extend(parts.filter(long).map(str::to_owned));
        let decoded: Vec<String> = texts.iter().map(|text| decoded(text)).collect();
        texts.extend(decoded);
        texts.retain(|text| !text.is_empty());
        texts.sort_by(|one, two| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
        texts.dedup();
        Hidden(texts)
    }

    /// Bytes of a page that are enough to know every secret that begins in what is shown.
    pub(crate) fn page_bytes_max(&self) -> usize {
        SHOWN_BYTES_MAX + self.0.first().map_or(0, String::len)
    }

    /// What is shown of a page, or of its beginning: what is printable.
    pub(crate) fn shown(&self, page: &Page) -> String {
        let text = String::from_utf8_lossy(&page.begins);
        let is_plain = |c: &char| !c.is_control() && *c != char::REPLACEMENT_CHARACTER;
        let text: String = text.chars().filter(is_plain).collect();
        let mut shown = String::new();
        let mut rest = text.as_str();
        while text.len() - rest.len() < SHOWN_BYTES_MAX {
            let begins = |one: &&String| rest.starts_with(one.as_str());
            if let Some(one) = self.0.iter().find(begins) {
                shown.push('…');
                rest = &rest[one.len()..];
                continue;
            }
            let is_cut = |one: &String| one.starts_with(rest);
            let Some(next) = rest.chars().next() else {
                break;
            };
            if !page.is_whole && self.0.iter().any(is_cut) {
                shown.push('…');
                break;
            }
            shown.push(next);
            rest = &rest[next.len_utf8()..];
        }
        shown
    }
}

/// What was read of a page.
pub(crate) struct Page {
    pub(crate) begins: Vec<u8>,
    /// It ends there.
    pub(crate) is_whole: bool,
}

/// As the header of a request has them.
fn basic(user: &str, password: &str) -> String {
    STANDARD.encode(format!("{}:{}", decoded(user), decoded(password)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str, begins: &str) -> String {
        let hidden = Hidden::of(&Url::parse(url).unwrap());
        let mut begins = begins.as_bytes().to_vec();
        let is_whole = begins.len() <= hidden.page_bytes_max();
        begins.truncate(hidden.page_bytes_max());
        hidden.shown(&Page { begins, is_whole })
    }

    #[test]
    fn what_an_address_keeps_secret_is_not_shown_in_any_form() {
        let url = "https://e%40ve:hun%3Ater2@example.com/services/T0%20abcdefg/short?k%65y=v%C3%A9&abcdefgh";
        for (page, expected) in [
            ("e%40ve hun%3Ater2", "… …"),
            ("e@ve hun:ter2", "… …"),
            ("Basic ZUB2ZTpodW46dGVyMg==", "Basic …"),
            ("POST /services/T0%20abcdefg/short?x", "POST …?x"),
            ("POST /services/T0 abcdefg/short", "POST …"),
            ("at T0%20abcdefg or T0 abcdefg", "at … or …"),
            ("in /services of short", "in /… of short"),
            ("k%65y=v%C3%A9&abcdefgh", "…"),
            ("key is v%C3%A9 or vé", "key is … or …"),
            ("no abcdefgh", "no …"),
        ] {
            assert_eq!(shown(url, page), expected, "{page}");
        }
    }

    #[test]
    fn parts_of_eight_bytes_are_hidden_and_those_of_seven_are_words() {
        assert_eq!(shown("https://example.com/1234567", "1234567"), "1234567");
        assert_eq!(shown("https://example.com/1234567", "/1234567"), "…");
        assert_eq!(shown("https://example.com/12345678", "12345678"), "…");
        assert_eq!(shown("https://example.com/hook", "/hook"), "/hook");
    }

    /// A token across what is shown, and one across what is read.
    #[test]
    fn what_is_cut_off_is_hidden_first() {
        let url = "https://example.com/?token=abcdefghijkl";
        for before in 230..270 {
            let page = format!("{}abcdefghijkl{}", "x".repeat(before), "y".repeat(300));
            let shown = shown(url, &page);
            assert!(!shown.contains('a'), "{before}: {shown}");
        }
        // What was left out of the text brings what was cut into it.
        let many = format!("{}abcdef", "abcdefghijkl".repeat(22));
        let hidden = Hidden::of(&Url::parse(url).unwrap());
        let page = |is_whole| Page {
            begins: format!("\u{1}{}", &many[many.len() - 30..]).into_bytes(),
            is_whole,
        };
        assert_eq!(hidden.shown(&page(false)), "………");
        assert_eq!(hidden.shown(&page(true)), "……abcdef");
    }

    #[test]
    fn so_many_bytes_are_shown() {
        for bytes in [255, 256, 257] {
            let page = "x".repeat(bytes);
            assert_eq!(shown("https://example.com/", &page).len(), bytes.min(256));
        }
    }
}
