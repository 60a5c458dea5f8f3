//! Public keys of an issuer, parsed from a JWKS (RFC 7517, RFC 7518, RFC 8037).

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;
use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::object::Object;

use super::Algorithm;

/// Keys read from one set. Those past it are not taken.
pub(crate) const KEYS_MAX: usize = 64;

/// Bytes of the smallest RSA modulus taken: 2,048 bits.
const RSA_MODULUS_BYTES_MIN: usize = 256;

/// What identifies a key whatever it is called: the SHA-256 of its algorithm and material.
pub(crate) type KeyPrint = [u8; 32];

/// Which key a token was verified with, in the numbers of this process. A key that goes and comes
/// back has another: what it verified before is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyNo(u32);

impl KeyNo {
    /// Of a key that never goes, as the development issuer's.
    pub(crate) const FIXED: KeyNo = KeyNo(0);

    fn next(self) -> KeyNo {
        KeyNo(self.0.wrapping_add(1).max(1))
    }
}

/// A public key that fits its algorithm.
#[derive(Debug)]
pub(crate) struct Key {
    /// The issuer's name for it.
    pub(crate) kid: Option<String>,
    /// The one algorithm it may be used with.
    pub(crate) algorithm: Algorithm,
    /// For the verification.
    pub(crate) decoding: DecodingKey,
    /// What it is, whatever it is called.
    pub(crate) print: KeyPrint,
    /// For whoever was verified with it.
    pub(crate) number: KeyNo,
}

/// The usable keys of an issuer. Immutable: a refresh makes a new one.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    /// Names of keys that the set before had and this one has not. The issuer may have another answer
    /// elsewhere.
    missing: Vec<String>,
    /// Those that the set before had not either, the last ones first; at most [`KEYS_MAX`].
    lost: Vec<String>,
}

/// What a set knows about a token's key.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// This key.
    Found(Arc<Key>),
    /// Another set may have it.
    Unknown,
    /// No set can make this token right.
    Refused(Refusal),
}

impl KeySet {
    /// Reads a JWKS. Keys of a kind the hub cannot use are left out, as RFC 7517 §5 says.
    /// Errors: not a JWKS at all.
    pub fn parse(json: &[u8]) -> Result<KeySet, serde_json::Error> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let Object(jwks) = serde_json::from_slice::<Object<Jwks>>(json)?;
        let usable = jwks.keys.into_iter().filter_map(Key::parse);
        Ok(KeySet {
            keys: usable.take(KEYS_MAX).map(Arc::new).collect(),
            missing: Vec::new(),
            lost: Vec::new(),
        })
    }

    /// The same keys: those that `before` had keep their numbers, the others get the next ones
    /// after `last`, which moves on. Names that are gone since then are remembered.
    pub(crate) fn numbered<'b>(self, before: Option<&'b KeySet>, last: &mut KeyNo) -> KeySet {
        let mut keys: Vec<Arc<Key>> = Vec::with_capacity(self.keys.len());
        for mut key in self.keys {
            let known = before.iter().flat_map(|before| &before.keys).chain(&keys);
            let known = known.map(|known| (known.print, known.number));
            let number = match known.into_iter().find(|(print, _)| *print == key.print) {
                Some((_, number)) => number,
                None => {
                    *last = last.next();
                    *last
                }
            };
            let key_alone = Arc::get_mut(&mut key).expect("a set that was just read is nobody's");
            key_alone.number = number;
            keys.push(key);
        }
        let is_gone = |name: &&String| !keys.iter().any(|key| key.kid.as_ref() == Some(name));
        let names = |before: &'b KeySet| before.keys.iter().filter_map(|key| key.kid.as_ref());
        let missing = before.into_iter().flat_map(names).filter(is_gone);
        let was_missing = before
            .iter()
            .flat_map(|before| before.missing.iter().chain(&before.lost));
        let mut lost: Vec<String> = Vec::new();
        for name in was_missing.filter(is_gone) {
            if lost.len() < KEYS_MAX && !lost.contains(name) {
                lost.push(name.clone());
            }
        }
        KeySet {
            missing: missing.cloned().collect(),
            keys,
            lost,
        }
    }

    /// Whether an earlier set had a key of that name, and neither this one nor the one before has.
    pub(crate) fn has_lost(&self, kid: &str) -> bool {
        self.lost.iter().any(|lost| lost == kid)
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// No key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key a token's header asks for. A header without `kid` is taken if there is only one
    /// key: with more, trying them all would make the choice the sender's.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Lookup {
        let mut named = match (kid, self.keys.as_slice()) {
            (None, [only]) => std::slice::from_ref(only).iter(),
            (None, []) => return Lookup::Unknown,
            (None, _) => return refused("the token names no key (kid)"),
            (Some(_), keys) => keys.iter(),
        }
        .filter(|key| kid.is_none() || key.kid.as_deref() == kid)
        .peekable();
        if named.peek().is_none() {
            return Lookup::Unknown;
        }
        match named.find(|key| key.algorithm == algorithm) {
            Some(key) => Lookup::Found(key.clone()),
            None => refused("the token's key is for another algorithm"),
        }
    }

    pub(crate) fn holds(&self, number: KeyNo) -> bool {
        self.keys.iter().any(|key| key.number == number)
    }
}

fn refused(why: &str) -> Lookup {
    Lookup::Refused(Refusal::new(Code::TokenInvalid, why))
}

impl Key {
    /// `None` for a key that cannot be used: another kind, another use, too short.
    fn parse(jwk: Value) -> Option<Key> {
        let Object(jwk) = serde_json::from_value::<Object<Jwk>>(jwk).ok()?;
        let is_for_others = |operations: &Vec<String>| !operations.iter().any(|op| op == "verify");
        if jwk.r#use.as_deref().is_some_and(|used| used != "sig")
            || jwk.key_ops.as_ref().is_some_and(is_for_others)
        {
            return None;
        }
        let (algorithm, names, decoding) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                let key = DecodingKey::from_ed_components(jwk.x.as_deref()?).ok()?;
                (Algorithm::EdDsa, &["EdDSA", "Ed25519"][..], key)
            }
            ("EC", Some("P-256")) => {
                let key = DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?);
                (Algorithm::Es256, &["ES256"][..], key.ok()?)
            }
            ("RSA", _) => {
                let key = DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?);
                (Algorithm::Rs256, &["RS256"][..], key.ok()?)
            }
            _ => return None,
        };
        let for_another = |alg: &str| !names.contains(&alg);
        if jwk.alg.as_deref().is_some_and(for_another) || !fits(algorithm, decoding.kind()) {
            return None;
        }
        Some(Key {
            kid: jwk.kid,
            algorithm,
            print: print(algorithm, decoding.kind()),
            number: KeyNo::FIXED,
            decoding,
        })
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    key_ops: Option<Vec<String>>,
}

/// Has the material the length its algorithm needs?
fn fits(algorithm: Algorithm, material: &DecodingKeyKind) -> bool {
    match (algorithm, material) {
        (Algorithm::EdDsa, DecodingKeyKind::SecretOrDer(x)) => x.len() == 32,
        (Algorithm::Es256, DecodingKeyKind::SecretOrDer(point)) => point.len() == 65,
        (Algorithm::Rs256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            n.len() >= RSA_MODULUS_BYTES_MIN
        }
        _ => false,
    }
}

fn print(algorithm: Algorithm, material: &DecodingKeyKind) -> KeyPrint {
    let mut hash = Context::new(&SHA256);
    hash.update(&[algorithm as u8]);
    match material {
        DecodingKeyKind::SecretOrDer(bytes) => hash.update(bytes),
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            hash.update(&(n.len() as u64).to_be_bytes());
            hash.update(n);
            hash.update(e);
        }
    }
    let mut print = [0; 32];
    print.copy_from_slice(hash.finish().as_ref());
    print
}
