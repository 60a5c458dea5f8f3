//! What accounts, orders and postings are called.

use std::fmt;
use std::sync::Arc;

use syncline_protocol::error::Refusal;
use syncline_protocol::ids::{UserId, check_name};

use super::{ORDER_KEY_BYTES_MAX, POOL_BYTES_MAX};
use crate::jobs::name;
use crate::types::StoreError;

name!(
    /// A pool that users share.
    PoolId, "pool", POOL_BYTES_MAX
);
name!(
    /// Which order: unique in its account, for ever.
    OrderKey, "order key", ORDER_KEY_BYTES_MAX
);

/// Whose an account is. It is of no app: a user has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountId {
    /// A user's.
    User(UserId),
    /// A pool's.
    Pool(PoolId),
    /// Nobody's any more: its owner was erased, and nothing says who that was.
    Erased(u128),
}

impl AccountId {
    /// As it is stored: `user:ada`, `pool:family`, `erased:` and 32 hexadecimal digits.
    pub(crate) fn stored(&self) -> String {
        match self {
            AccountId::User(user) => format!("user:{user}"),
            AccountId::Pool(pool) => format!("pool:{pool}"),
            AccountId::Erased(number) => format!("erased:{number:032x}"),
        }
    }

    /// What was stored.
    pub(crate) fn read(stored: &str) -> Result<AccountId, StoreError> {
        let unreadable = || StoreError::Damaged("an account's name cannot be read".to_owned());
        let (of, name) = stored.split_once(':').ok_or_else(unreadable)?;
        match of {
            "user" => Ok(AccountId::User(UserId::trusted(name))),
            "pool" => Ok(AccountId::Pool(PoolId::trusted(name))),
            "erased" => {
                let number = u128::from_str_radix(name, 16).map_err(|_| unreadable())?;
                Ok(AccountId::Erased(number))
            }
            _ => Err(unreadable()),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stored())
    }
}

/// A posting: random, and the same in both accounts of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostingId(pub u128);

impl PostingId {
    /// Reads 32 hexadecimal digits, as [`fmt::Display`] writes them.
    pub fn parse(text: &str) -> Option<PostingId> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(PostingId(number))
    }

    /// One that nobody had before.
    pub(crate) fn random() -> Result<PostingId, StoreError> {
        let half = || crate::random().map(u128::from);
        Ok(PostingId(half()? << 64 | half()?))
    }
}

impl fmt::Display for PostingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for PostingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_as_they_were_stored() {
        let ids = [
            AccountId::User(UserId::trusted("a:b")),
            AccountId::Pool(PoolId::trusted("family")),
            AccountId::Erased(7),
        ];
        for id in ids {
            assert_eq!(AccountId::read(&id.stored()), Ok(id));
        }
        assert!(AccountId::read("bank:a").is_err());
        assert!(AccountId::read("erased:x").is_err());
    }

    #[test]
    fn a_posting_is_32_digits() {
        let id = PostingId(0xab);
        assert_eq!(PostingId::parse(&id.to_string()), Some(id));
        assert_eq!(PostingId::parse("ab"), None);
        assert_eq!(PostingId::parse(&"+".repeat(32)), None);
    }

    #[test]
    fn a_key_is_256_bytes_and_no_more() {
        assert!(OrderKey::parse(&"k".repeat(ORDER_KEY_BYTES_MAX)).is_ok());
        assert!(OrderKey::parse(&"k".repeat(ORDER_KEY_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_pool_is_128_bytes_and_no_more() {
        assert!(PoolId::parse(&"p".repeat(POOL_BYTES_MAX)).is_ok());
        assert!(PoolId::parse(&"p".repeat(POOL_BYTES_MAX + 1)).is_err());
    }
}
