//! The vocabulary of the ledger: what is ordered, what is written of it, why it is refused.

use sha2::{Digest, Sha256};
use syncline_protocol::ids::AppId;
use syncline_protocol::json::Json;
use syncline_protocol::stamp::WallMs;

use super::{AccountId, Credits, DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX, OrderKey, PostingId};
use crate::types::StoreError;

/// Where credits come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SystemAccount {
    /// What was given for nothing.
    Granted,
    /// What was paid for.
    Purchased,
    /// What was used.
    Consumed,
    /// What ended unused.
    Expired,
}

/// Where a grant comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is given for nothing.
    Granted,
    /// It was paid for.
    Purchased,
}

/// What is ordered of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Brings credits.
    Grant {
        /// How many.
        amount: Credits,
        /// From where.
        source: Source,
    },
    /// Uses credits.
    Use {
        /// How many.
        amount: Credits,
    },
    /// Has credits end unused.
    Lapse {
        /// How many.
        amount: Credits,
    },
    /// Gives back what was used. Of one use several may be, together no more than it.
    Refund {
        /// The line of the kind [`LineKind::Used`] or [`LineKind::Settled`], by its posting.
        of: PostingId,
        /// How many.
        amount: Credits,
    },
    /// Sets credits aside. The reservation is known by the posting.
    Reserve {
        /// How many.
        amount: Credits,
        /// From when on [`super::LedgerStore::expire`] gives them back. Not part of what an order's
        /// hash is of: who repeats it has another time.
        expires_at_ms: WallMs,
    },
    /// Uses what was set aside, or some of it; the rest goes back. Also after the reservation's time,
    /// as long as nothing has ended it.
    Settle {
        /// The posting that reserved it.
        reservation: PostingId,
        /// How many, no more than that.
        amount: Credits,
    },
    /// Gives back what was set aside.
    Release {
        /// The posting that reserved it.
        reservation: PostingId,
    },
    /// Brings credits to another account.
    Transfer {
        /// Which.
        to: AccountId,
        /// How many.
        amount: Credits,
    },
}

/// An order: what is to be done once, however often it is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whose credits.
    pub account: AccountId,
    /// Which order of the account. An order that was refused has left its key free.
    pub key: OrderKey,
    /// What.
    pub operation: Operation,
    /// When, by the clock of who orders.
    pub at_ms: WallMs,
    /// What people are shown of it.
    pub about: About,
}

impl Order {
    /// What a repetition must have in common: everything but the time.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(self.account.stored().as_bytes());
        match &self.operation {
            Operation::Grant { amount, source } => {
                let source = match source {
                    Source::Granted => "grant",
                    Source::Purchased => "purchase",
                };
                part(source.as_bytes());
                part(&amount.get().to_be_bytes());
            }
            Operation::Use { amount } => {
                part(b"use");
                part(&amount.get().to_be_bytes());
            }
            Operation::Lapse { amount } => {
                part(b"lapse");
                part(&amount.get().to_be_bytes());
            }
            Operation::Refund { of, amount } => {
                part(b"refund");
                part(&of.0.to_be_bytes());
                part(&amount.get().to_be_bytes());
            }
            Operation::Reserve { amount, .. } => {
                part(b"reserve");
                part(&amount.get().to_be_bytes());
            }
            Operation::Settle {
                reservation,
                amount,
            } => {
                part(b"settle");
                part(&reservation.0.to_be_bytes());
                part(&amount.get().to_be_bytes());
            }
            Operation::Release { reservation } => {
                part(b"release");
                part(&reservation.0.to_be_bytes());
            }
            Operation::Transfer { to, amount } => {
                part(b"transfer");
                part(to.stored().as_bytes());
                part(&amount.get().to_be_bytes());
            }
        }
        let About {
            app,
            description,
            metadata,
        } = &self.about;
        part(app.as_ref().map_or("", AppId::as_str).as_bytes());
        part(description.as_bytes());
        part(metadata.as_ref().map_or("", Json::as_str).as_bytes());
        hash.finalize().into()
    }
}

/// What people are shown of an order. It goes when its account's owner is erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    app: Option<AppId>,
    description: String,
    metadata: Option<Json>,
}

/// What no order may say of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AboutError {
    /// The description has so many bytes.
    #[error("the description has {0} bytes, at most {DESCRIPTION_BYTES_MAX} are stored")]
    DescriptionTooLong(usize),
    /// No database's text holds it.
    #[error("the description holds a NUL")]
    DescriptionHasNul,
    /// The metadata have so many bytes.
    #[error("the metadata have {0} bytes, at most {METADATA_BYTES_MAX} are stored")]
    MetadataTooLarge(usize),
}

impl About {
    /// Checks what came from outside.
    pub fn new(
        app: Option<AppId>,
        description: String,
        metadata: Option<Json>,
    ) -> Result<About, AboutError> {
        if description.len() > DESCRIPTION_BYTES_MAX {
            return Err(AboutError::DescriptionTooLong(description.len()));
        }
        if description.contains('\0') {
            return Err(AboutError::DescriptionHasNul);
        }
        let bytes = metadata.as_ref().map_or(0, |json| json.as_str().len());
        if bytes > METADATA_BYTES_MAX {
            return Err(AboutError::MetadataTooLarge(bytes));
        }
        Ok(About {
            app,
            description,
            metadata,
        })
    }

    /// What was checked before it was stored.
    pub(crate) fn trusted(app: Option<&str>, description: &str, metadata: Option<&str>) -> About {
        About {
            app: app.map(AppId::trusted),
            description: description.to_owned(),
            metadata: metadata.map(Json::trusted),
        }
    }

    /// The app it was for.
    pub fn app(&self) -> Option<&AppId> {
        self.app.as_ref()
    }

    /// In words; empty if there are none.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the app keeps of it.
    pub fn metadata(&self) -> Option<&Json> {
        self.metadata.as_ref()
    }
}

/// What a line says. It names both places that its amount goes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    /// From granted to the balance.
    Granted,
    /// From purchased to the balance.
    Purchased,
    /// From the balance to consumed.
    Used,
    /// From the balance to expired.
    Lapsed,
    /// From consumed to the balance.
    Refunded,
    /// From the balance to what is reserved.
    Reserved,
    /// From what is reserved to consumed.
    Settled,
    /// From what is reserved to the balance, as ordered.
    Released,
    /// The same, since the reservation's time was over.
    RanOut,
    /// From the balance to another account.
    Sent,
    /// From another account to the balance.
    Received,
}

impl LineKind {
    /// All of them.
    pub const ALL: [LineKind; 11] = [
        LineKind::Granted,
        LineKind::Purchased,
        LineKind::Used,
        LineKind::Lapsed,
        LineKind::Refunded,
        LineKind::Reserved,
        LineKind::Settled,
        LineKind::Released,
        LineKind::RanOut,
        LineKind::Sent,
        LineKind::Received,
    ];
}

/// A posting as an account sees it. It never changes, but that an erasure empties its `about`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the account: 1, 2, 3…
    pub no: u64,
    /// The posting.
    pub posting: PostingId,
    /// What it says.
    pub kind: LineKind,
    /// How much, at least 1.
    pub amount: Credits,
    /// The balance once it is written.
    pub balance_after: Credits,
    /// When, by the clock of who ordered it.
    pub at_ms: WallMs,
    /// The use that is refunded, or the reservation that ends.
    pub of: Option<PostingId>,
    /// The other account of a transfer.
    pub other: Option<AccountId>,
    /// What people are shown of it; nothing of what no order said.
    pub about: About,
}

/// One side of a posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub party: Party,
    /// How much comes there; less than 0 if it goes away.
    pub credits: i64,
}

/// Where an entry is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// An account's balance.
    Balance(AccountId),
    /// What is reserved of an account.
    Reserved(AccountId),
    /// A system account.
    System(SystemAccount),
}

impl Line {
    /// Its two entries, which together are 0, of a line of this account: from where, and to where.
    pub fn entries(&self, account: &AccountId) -> [Entry; 2] {
        let balance = || Party::Balance(account.clone());
        let reserved = || Party::Reserved(account.clone());
        let other = || Party::Balance(self.other.clone().expect("a transfer's line names it"));
        let system = Party::System;
        let (from, to) = match self.kind {
            LineKind::Granted => (system(SystemAccount::Granted), balance()),
            LineKind::Purchased => (system(SystemAccount::Purchased), balance()),
            LineKind::Used => (balance(), system(SystemAccount::Consumed)),
            LineKind::Lapsed => (balance(), system(SystemAccount::Expired)),
            LineKind::Refunded => (system(SystemAccount::Consumed), balance()),
            LineKind::Reserved => (balance(), reserved()),
            LineKind::Settled => (reserved(), system(SystemAccount::Consumed)),
            LineKind::Released | LineKind::RanOut => (reserved(), balance()),
            LineKind::Sent => (balance(), other()),
            LineKind::Received => (other(), balance()),
        };
        let credits = self.amount.get() as i64;
        let entry = |party, credits| Entry { party, credits };
        [entry(from, -credits), entry(to, credits)]
    }
}

/// Credits set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The posting that set them aside.
    pub posting: PostingId,
    /// How many.
    pub amount: Credits,
    /// When it ends by itself.
    pub expires_at_ms: WallMs,
    /// Where it stands.
    pub state: ReservationState,
}

/// Where a reservation stands. It ends once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationState {
    /// Nothing has ended it.
    Open,
    /// It was used, or some of it.
    Settled,
    /// It was given back, as ordered.
    Released,
    /// It was given back, since its time was over.
    RanOut,
}

/// Why an order is refused. Nothing of it is written, and its key stays free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerRefusal {
    /// There is not that much.
    #[error("the balance is {balance}")]
    Short {
        /// What there is.
        balance: Credits,
    },
    /// Another order had this key.
    #[error("another order had this key")]
    KeyReused,
    /// More would have come into the account, altogether, than [`super::CREDITS_MAX`].
    #[error("the account takes no more")]
    Full,
    /// It moves nothing.
    #[error("the amount is 0")]
    Nothing,
    /// There is no use of this posting in the account.
    #[error("nothing was used by this posting")]
    NoSuchUse,
    /// No more than this is left to be given back of it.
    #[error("{left} of it are left to be refunded")]
    RefundTooLarge {
        /// What is left.
        left: Credits,
    },
    /// There is no reservation of this posting in the account.
    #[error("nothing was reserved by this posting")]
    NoSuchReservation,
    /// The reservation has ended before.
    #[error("the reservation has ended")]
    ReservationOver(
        /// How.
        ReservationState,
    ),
    /// No more than this was set aside.
    #[error("{reserved} were reserved")]
    SettleTooLarge {
        /// What was.
        reserved: Credits,
    },
    /// The account is nobody's, or a transfer's receiver is the account itself.
    #[error("nothing can be done with this account")]
    NoSuchAccount,
}

/// Why an order was not done, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] LedgerRefusal),
    /// Nobody knows; handed in again it is done once.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_512_bytes_and_no_more() {
        let about = |bytes| About::new(None, "d".repeat(bytes), None);
        assert!(about(DESCRIPTION_BYTES_MAX).is_ok());
        let longer = DESCRIPTION_BYTES_MAX + 1;
        assert_eq!(about(longer), Err(AboutError::DescriptionTooLong(longer)));
        let nul = About::new(None, "a\0b".to_owned(), None);
        assert_eq!(nul, Err(AboutError::DescriptionHasNul));
    }

    #[test]
    fn metadata_are_4_kib_and_no_more() {
        let json = |bytes: usize| Json::trusted(&format!("\"{}\"", "m".repeat(bytes - 2)));
        let about = |bytes| About::new(None, String::new(), Some(json(bytes)));
        assert!(about(METADATA_BYTES_MAX).is_ok());
        let larger = METADATA_BYTES_MAX + 1;
        assert_eq!(about(larger), Err(AboutError::MetadataTooLarge(larger)));
    }
}
