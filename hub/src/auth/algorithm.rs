//! The signature algorithms this hub can take. Which of them it does take is the config's word,
//! never the token's.

/// A signature algorithm of RFC 7518 or RFC 8037. Symmetric ones are left out on purpose: with
/// them a public key could be used as a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2,048 bits or more.
    Rs256,
}

/// The name of RFC 7518.
impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
        })
    }
}

impl Algorithm {
    /// Reads the name of RFC 7518. Errors: a sentence naming those allowed.
    pub fn parse(text: &str) -> Result<Algorithm, &'static str> {
        match text {
            "EdDSA" => Ok(Algorithm::EdDsa),
            "ES256" => Ok(Algorithm::Es256),
            "RS256" => Ok(Algorithm::Rs256),
            _ => Err("is not one of EdDSA, ES256, RS256"),
        }
    }

    /// The one of a token's header; `None` for one this hub cannot take.
    pub(crate) fn of_header(header: jsonwebtoken::Algorithm) -> Option<Algorithm> {
        match header {
            jsonwebtoken::Algorithm::EdDSA => Some(Algorithm::EdDsa),
            jsonwebtoken::Algorithm::ES256 => Some(Algorithm::Es256),
            jsonwebtoken::Algorithm::RS256 => Some(Algorithm::Rs256),
            _ => None,
        }
    }

    pub(crate) fn for_decoding(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}
