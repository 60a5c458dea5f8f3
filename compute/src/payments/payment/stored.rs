//! A payment as it is stored: JSON with a version, apart from what it is here.

use serde::{Deserialize, Serialize};
use syncline_protocol::ids::UserId;
use syncline_protocol::object;

use super::{Bought, Operation, Payment, Reversed, What};
use crate::payments::event::{Kind, PaymentId, Purchase, State};
use crate::payments::packages::NotSold;

/// The version that is written. An older one would be read too.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    bought: Option<StoredBought>,
    refused: Option<NotSoldCode>,
    failed: bool,
    reversals: Vec<StoredReversed>,
    refunded: u64,
    operations: Vec<StoredOperation>,
}

#[derive(Serialize, Deserialize)]
struct StoredBought {
    payment: String,
    user: String,
    package: String,
    amount: u64,
    subtotal: u64,
    currency: String,
    at_s: u64,
    credits: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredReversed {
    id: String,
    kind: KindCode,
    state: StateCode,
    amount: u64,
    currency: String,
}

#[derive(Serialize, Deserialize)]
struct StoredOperation {
    key: String,
    what: WhatCode,
    credits: u64,
}

/// Words of a stored form, for the variants of an inner type.
macro_rules! words {
    ($code:ident, $of:ident { $($variant:ident),+ $(,)? }) => {
        #[derive(Clone, Copy, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $code { $($variant),+ }

        impl From<$of> for $code {
            fn from(of: $of) -> $code {
                match of { $($of::$variant => $code::$variant),+ }
            }
        }

        impl From<$code> for $of {
            fn from(code: $code) -> $of {
                match code { $($code::$variant => $of::$variant),+ }
            }
        }
    };
}

words!(KindCode, Kind { Refund, Dispute });
words!(
    StateCode,
    State {
        Asked,
        Taken,
        Returned
    }
);
words!(
    WhatCode,
    What {
        Grant,
        TakeBack,
        GiveBack
    }
);
words!(
    NotSoldCode,
    NotSold {
        PackageUnknown,
        CurrencyMismatch,
        AmountMismatch
    }
);

impl Payment {
    /// As it is stored.
    pub fn to_json(&self) -> String {
        let reversed = |(id, of): (&String, &Reversed)| StoredReversed {
            id: id.clone(),
            kind: of.kind.into(),
            state: of.state.into(),
            amount: of.amount,
            currency: of.currency.clone(),
        };
        let operation = |of: &Operation| StoredOperation {
            key: of.key.clone(),
            what: of.what.into(),
            credits: of.credits,
        };
        let stored = Stored {
            v: VERSION,
            bought: self.bought.as_ref().map(StoredBought::of),
            refused: self.refused.map(NotSoldCode::from),
            failed: self.failed,
            reversals: self.reversals.iter().map(reversed).collect(),
            refunded: self.refunded,
            operations: self.operations.iter().map(operation).collect(),
        };
        serde_json::to_string(&stored).expect("texts and numbers are JSON")
    }

    /// What was stored. Errors: what of it cannot be read.
    pub fn from_json(text: &str) -> Result<Payment, String> {
        let stored: Stored = object::from_str(text).map_err(|error| error.to_string())?;
        if stored.v != VERSION {
            return Err(format!("version {} is not known", stored.v));
        }
        let bought = stored.bought.map(StoredBought::read).transpose()?;
        let reversed = |of: StoredReversed| {
            let reversed = Reversed {
                kind: of.kind.into(),
                state: of.state.into(),
                amount: of.amount,
                currency: of.currency,
            };
            (of.id, reversed)
        };
        let operation = |of: StoredOperation| Operation {
            key: of.key,
            what: of.what.into(),
            credits: of.credits,
        };
        Ok(Payment {
            bought,
            refused: stored.refused.map(NotSold::from),
            failed: stored.failed,
            reversals: stored.reversals.into_iter().map(reversed).collect(),
            refunded: stored.refunded,
            operations: stored.operations.into_iter().map(operation).collect(),
        })
    }
}

impl StoredBought {
    fn of(bought: &Bought) -> StoredBought {
        let purchase = &bought.purchase;
        StoredBought {
            payment: purchase.payment.as_str().to_owned(),
            user: purchase.user.to_string(),
            package: purchase.package.clone(),
            amount: purchase.amount,
            subtotal: purchase.subtotal,
            currency: purchase.currency.clone(),
            at_s: purchase.at_s,
            credits: bought.credits,
        }
    }

    fn read(self) -> Result<Bought, String> {
        let payment = PaymentId::parse(&self.payment);
        Ok(Bought {
            purchase: Purchase {
                payment: payment.ok_or("the id of its payment is none")?,
                user: UserId::trusted(&self.user),
                package: self.package,
                amount: self.amount,
                subtotal: self.subtotal,
                currency: self.currency,
                at_s: self.at_s,
            },
            credits: self.credits,
        })
    }
}
