//! The e-mail address of a token that was verified: a claim that only mail needs.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Characters of an address (RFC 5321 section 4.5.3.1.3).
const ADDRESS_CHARS_MAX: usize = 254;

#[derive(Deserialize)]
struct Claims {
    email: Option<String>,
    email_verified: Option<bool>,
}

/// The address that the bearer token of a request claims. Whoever asks has had the token verified.
/// `None`: it claims none, or one that its issuer says is not verified.
pub fn email(headers: &HeaderMap) -> Option<String> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim()).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    let address = claims.email.filter(|address| is_address(address))?;
    (claims.email_verified != Some(false)).then_some(address)
}

/// One that can be written to; whether anybody is there is for whoever carries it.
fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    let is_plain = |c: char| c.is_ascii_graphic() && !"<>(),;:\\\"[]".contains(c);
    text.len() <= ADDRESS_CHARS_MAX
        && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
        && text.chars().all(is_plain)
        && text.matches('@').count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(claims: &str) -> Option<String> {
        let token = format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, token.parse().unwrap())]);
        email(&headers)
    }

    #[test]
    fn the_address_is_the_tokens() {
        let found = of(r#"{"sub":"ada","email":"ada@example.com"}"#);
        assert_eq!(found.as_deref(), Some("ada@example.com"));
        let verified = of(r#"{"email":"ada@example.com","email_verified":true}"#);
        assert!(verified.is_some());
    }

    #[test]
    fn what_cannot_be_written_to_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(243));
        for claims in [
            r#"{"sub":"ada"}"#,
            r#"{"email":7}"#,
            r#"{"email":"ada"}"#,
            r#"{"email":"@example.com"}"#,
            r#"{"email":"ada@"}"#,
            r#"{"email":"ada@bob@example.com"}"#,
            r#"{"email":"ada@example.com\r\nBcc: bob@example.com"}"#,
            r#"{"email":"<ada@example.com>"}"#,
            r#"{"email":"ada@example.com","email_verified":false}"#,
            &format!(r#"{{"email":"{long}"}}"#),
            "no claims",
        ] {
            assert_eq!(of(claims), None, "{claims}");
        }
        assert!(of(&format!(r#"{{"email":"{}"}}"#, &long[1..])).is_some());
        assert_eq!(email(&HeaderMap::new()), None);
    }
}
