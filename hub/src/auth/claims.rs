//! What a token whose signature is right must claim (RFC 7519 §4.1). Pure: the time comes in.

use serde::Deserialize;
use serde_json::Value;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::UserId;

use super::key::KeyNo;

/// Milliseconds a token may be used before its `nbf`: the issuer's clock may be ahead of ours.
/// `exp` has no such grace: a token verifies for less than `exp` says, never for more.
pub(crate) const NBF_LEEWAY_MS: u64 = 30_000;

/// Milliseconds a token counts from when it is shown, be its `exp` later: 400 days, as browsers
/// keep a cookie. Nobody stays for ever by an `exp` of 1e308.
pub(crate) const LIFE_MS_MAX: u64 = 400 * 24 * 3_600 * 1_000;

/// The last time a token may claim, ms since 1970: the largest integer a double holds exactly.
const TIME_MS_MAX: u64 = 1 << 53;

/// Begins the names the hub itself writes under.
const RESERVED_PREFIX: char = '@';

/// Who a token speaks for, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token's `sub`.
    pub user: UserId,
    /// From this moment on the token is expired, ms since 1970: its `exp`, or 400 days after it
    /// was verified if that is earlier.
    pub expires_at_ms: u64,
    /// The key it was verified with. If the issuer drops it, the token is over too.
    pub key: KeyNo,
}

/// What the operator asks of a token beside `sub` and `exp`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// `iss` must be it.
    pub(crate) issuer: Option<String>,
    /// `aud` must be it or contain it.
    pub(crate) audience: Option<String>,
}

/// The claims read; others are ignored. Types are checked by hand, so that a wrong one is
/// named in the refusal.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
}

impl Claims {
    /// Of a token verified with `key`. Errors: `token_expired`, and `token_invalid` for everything
    /// else.
    pub(crate) fn identity(
        self,
        expected: &Expected,
        key: KeyNo,
        now_ms: u64,
    ) -> Result<Identity, Refusal> {
        let Some(exp) = self.exp else {
            return Err(invalid("the token has no exp"));
        };
        let expires_at_ms = time_ms("exp", &exp)?;
        if let Some(nbf) = self.nbf
            && time_ms("nbf", &nbf)? > now_ms.saturating_add(NBF_LEEWAY_MS)
        {
            return Err(invalid("the token is not valid yet (nbf)"));
        }
        let named = |claim: &Option<Value>, name: &str| match claim {
            Some(Value::String(one)) => one == name,
            Some(Value::Array(many)) => many.iter().any(|one| one == name),
            _ => false,
        };
        if let Some(issuer) = &expected.issuer
            && !(self.iss.as_ref().is_some_and(Value::is_string) && named(&self.iss, issuer))
        {
            return Err(invalid("the token is of another issuer (iss)"));
        }
        if let Some(audience) = &expected.audience
            && !named(&self.aud, audience)
        {
            return Err(invalid("the token is for another audience (aud)"));
        }
        let user = user(self.sub.as_ref())?;
        if expires_at_ms <= now_ms {
            return Err(expired());
        }
        Ok(Identity {
            user,
            expires_at_ms: expires_at_ms.min(now_ms.saturating_add(LIFE_MS_MAX)),
            key,
        })
    }
}

pub(crate) fn expired() -> Refusal {
    Refusal::new(Code::TokenExpired, "the token has expired")
}

pub(crate) fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::TokenInvalid, why)
}

/// A user's name from outside: a valid name that is not the hub's own. Errors:
/// `token_invalid`.
pub(crate) fn parse_user(text: &str) -> Result<UserId, Refusal> {
    if text.starts_with(RESERVED_PREFIX) {
        return Err(invalid("users' names may not begin with @"));
    }
    UserId::parse(text).map_err(|refusal| invalid(refusal.message))
}

fn user(sub: Option<&Value>) -> Result<UserId, Refusal> {
    match sub {
        Some(Value::String(sub)) => parse_user(sub),
        Some(_) => Err(invalid("the token's sub is no string")),
        None => Err(invalid("the token has no sub")),
    }
}

/// A NumericDate (seconds, fractions allowed) in milliseconds.
fn time_ms(claim: &str, value: &Value) -> Result<u64, Refusal> {
    let Value::Number(seconds) = value else {
        return Err(invalid(format!("the token's {claim} is no number")));
    };
    // A float keeps whole milliseconds exact far beyond any real date; `as` saturates.
    let ms = seconds
        .as_f64()
        .map_or(0, |seconds| (seconds * 1000.0) as u64);
    Ok(ms.min(TIME_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn check(claims: &str) -> Result<Identity, Refusal> {
        let claims: Claims = serde_json::from_str(claims).unwrap();
        claims.identity(&Expected::default(), KeyNo::FIXED, NOW_MS)
    }

    fn message(claims: &str) -> String {
        check(claims).unwrap_err().message
    }

    #[test]
    fn token_expires_at_the_very_millisecond() {
        assert!(check(r#"{"sub":"ada","exp":1800000000.001}"#).is_ok());
        let refusal = check(r#"{"sub":"ada","exp":1800000000}"#).unwrap_err();
        assert_eq!(refusal.code, Code::TokenExpired);
    }

    #[test]
    fn exp_must_be_a_number() {
        for exp in [r#""1900000000""#, "true", "[]", "{}"] {
            let said = message(&format!(r#"{{"sub":"ada","exp":{exp}}}"#));
            assert_eq!(said, "the token's exp is no number");
        }
        assert_eq!(message(r#"{"sub":"ada"}"#), "the token has no exp");
        assert_eq!(
            message(r#"{"sub":"ada","exp":null}"#),
            "the token has no exp"
        );
    }

    #[test]
    fn negative_and_huge_exp_do_not_wrap() {
        let past = check(r#"{"sub":"ada","exp":-1}"#).unwrap_err();
        assert_eq!(past.code, Code::TokenExpired);
        for exp in ["1e300", "1e308", "1e15", "1834560001"] {
            let far = check(&format!(r#"{{"sub":"ada","exp":{exp}}}"#)).unwrap();
            assert_eq!(far.expires_at_ms, NOW_MS + LIFE_MS_MAX, "{exp}");
        }
        let last = check(r#"{"sub":"ada","exp":1834559999}"#).unwrap();
        assert_eq!(last.expires_at_ms, 1_834_559_999_000);
    }

    #[test]
    fn nbf_has_thirty_seconds_of_grace() {
        let at = |nbf: u64| check(&format!(r#"{{"sub":"ada","exp":1900000000,"nbf":{nbf}}}"#));
        assert!(at(1_800_000_030).is_ok());
        assert_eq!(at(1_800_000_031).unwrap_err().code, Code::TokenInvalid);
    }

    #[test]
    fn nbf_must_be_a_number() {
        let said = message(r#"{"sub":"ada","exp":1900000000,"nbf":"soon"}"#);
        assert_eq!(said, "the token's nbf is no number");
    }

    #[test]
    fn sub_must_be_a_name_of_a_user() {
        for sub in [r#""""#, "7", "null", r#""@hub""#, r#""a\u0000b""#] {
            let refusal = check(&format!(r#"{{"sub":{sub},"exp":1900000000}}"#)).unwrap_err();
            assert_eq!(refusal.code, Code::TokenInvalid, "{sub}");
        }
        let long = "x".repeat(129);
        assert!(check(&format!(r#"{{"sub":"{long}","exp":1900000000}}"#)).is_err());
        assert!(check(&format!(r#"{{"sub":"{}","exp":1900000000}}"#, &long[1..])).is_ok());
    }

    #[test]
    fn issuer_and_audience_are_checked_when_asked() {
        let expected = Expected {
            issuer: Some("us".into()),
            audience: Some("hub".into()),
        };
        let check = |iss: &str, aud: &str| {
            let text = format!(r#"{{"sub":"ada","exp":1900000000,"iss":{iss},"aud":{aud}}}"#);
            let claims: Claims = serde_json::from_str(&text).unwrap();
            claims.identity(&expected, KeyNo::FIXED, NOW_MS).is_ok()
        };
        assert!(check(r#""us""#, r#""hub""#));
        assert!(check(r#""us""#, r#"["x","hub"]"#));
        assert!(!check(r#"["us"]"#, r#""hub""#));
        assert!(!check(r#""them""#, r#""hub""#));
        assert!(!check("null", r#""hub""#));
        assert!(!check(r#""us""#, r#"["x"]"#));
        assert!(!check(r#""us""#, "null"));
    }
}
