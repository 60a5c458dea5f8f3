//! What Stripe tells: the few events that matter to credits, read into a small type. Pure.
//!
//! | event (Stripe's docs, "Types of events") | becomes |
//! |---|---|
//! | `checkout.session.completed` that is paid, `….async_payment_succeeded` | a purchase |
//! | `checkout.session.async_payment_failed` | that nothing was bought |
//! | `refund.created`, `.updated`, `.failed`, `charge.refund.updated` | a refund, by its status |
//! | `charge.refunded` | how much of a payment was refunded in all |
//! | `charge.dispute.*` | a dispute, by its status |
//!
//! Everything else is ignored, and counted by why. An event that matters and cannot be read is an error: it
//! is not to be answered as taken, so that Stripe tells it again, and shows that it could not.

mod stripe;

use syncline_protocol::ids::UserId;

use super::packages::is_currency;

/// Bytes of an event. A longer one is refused before it is read.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// Bytes of an id of Stripe's. Theirs have 30 or so; the ledger's keys hold one and some words.
pub const STRIPE_ID_BYTES_MAX: usize = 200;

/// The releases of Stripe's API whose events are read. Within one nothing changes that breaks a reader; of
/// another one nobody has looked.
pub const RELEASES: [&str; 3] = ["acacia", "basil", "clover"];

/// The metadata of a checkout that says whose credits they are.
pub const USER: &str = "syncline_user";

/// The metadata of a checkout that says which package.
pub const PACKAGE: &str = "syncline_package";

/// A payment at Stripe: the id of its payment intent, `pi_…`. All that is told of a payment names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId(String);

impl PaymentId {
    /// `None`: it is no id of Stripe's.
    pub fn parse(text: &str) -> Option<PaymentId> {
        is_id(text).then(|| PaymentId(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An event that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody paid.
    Purchase(Purchase),
    /// A payment that takes days did not come.
    Failed(PaymentId),
    /// Money of a payment went back, or came again.
    Reversal(Reversal),
    /// Money of a payment went back, without a word which refunds that are.
    Refunded(Refunded),
}

impl Event {
    /// What it is about.
    pub fn payment(&self) -> &PaymentId {
        match self {
            Event::Purchase(purchase) => &purchase.payment,
            Event::Failed(payment) => payment,
            Event::Reversal(reversal) => &reversal.payment,
            Event::Refunded(refunded) => &refunded.payment,
        }
    }
}

/// A package that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// By what.
    pub payment: PaymentId,
    /// Who has the credits.
    pub user: UserId,
    /// The id of the package.
    pub package: String,
    /// What was paid, with taxes, in the currency's smallest unit; at least 1.
    pub amount: u64,
    /// What was asked for, before taxes and discounts.
    pub subtotal: u64,
    /// Three small letters.
    pub currency: String,
    /// When Stripe says that it was, in seconds.
    pub at_s: u64,
}

/// A refund or a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// Of what.
    pub payment: PaymentId,
    /// Its own id, `re_…` or `du_…`.
    pub id: String,
    /// Which of the two.
    pub kind: Kind,
    /// How much, in the smallest unit of its currency.
    pub amount: u64,
    /// Three small letters. A bank may dispute in another one than was paid.
    pub currency: String,
    /// Where the money is.
    pub state: State,
}

/// What kind of reversal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Whoever sold gives the money back.
    Refund,
    /// A bank takes it back.
    Dispute,
}

/// Where the money of a reversal is. It only goes on: what is told late of an earlier state is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Still here: a bank asks (`warning_…`), or a dispute was kept from being one (`prevented`).
    Asked,
    /// Gone, or going.
    Taken,
    /// Here again: the refund failed or was cancelled, the dispute was won.
    Returned,
}

/// How much of a payment was refunded in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// Of what.
    pub payment: PaymentId,
    /// The charge.
    pub charge: String,
    /// How much, in the smallest unit of the payment's currency.
    pub amount: u64,
}

/// What became of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It matters.
    Event(Event),
    /// It does not.
    Ignored(Ignored),
}

/// Why an event does not matter: it is answered as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ignored {
    /// Another type.
    OtherType,
    /// A checkout that the hub did not begin, or of a subscription; a refund without a payment.
    NotOurs,
    /// A checkout whose money takes days. Another event tells when it is there.
    Unpaid,
    /// A checkout of nothing.
    NothingToPay,
    /// Of test mode where the key is live, or the other way round.
    OtherMode,
}

impl Ignored {
    /// All of them.
    pub const ALL: [Ignored; 5] = [
        Ignored::OtherType,
        Ignored::NotOurs,
        Ignored::Unpaid,
        Ignored::NothingToPay,
        Ignored::OtherMode,
    ];

    /// For metrics.
    pub fn label(self) -> &'static str {
        match self {
            Ignored::OtherType => "other_type",
            Ignored::NotOurs => "not_ours",
            Ignored::Unpaid => "unpaid",
            Ignored::NothingToPay => "nothing_to_pay",
            Ignored::OtherMode => "other_mode",
        }
    }
}

/// Why an event cannot be read. It is not answered as taken, so Stripe tells it again for three days.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than [`EVENT_BYTES_MAX`].
    #[error("event_too_large: it has more than {EVENT_BYTES_MAX} bytes")]
    TooLarge,
    /// It is no event.
    #[error("event_malformed: {0}")]
    Malformed(String),
    /// It matters, and is of a version of Stripe's API that is none of [`RELEASES`].
    #[error("event_version_unknown: have the endpoint at Stripe use another version than {0:?}")]
    Version(String),
}

impl Unreadable {
    /// For metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Unreadable::TooLarge => "too_large",
            Unreadable::Malformed(_) => "malformed",
            Unreadable::Version(_) => "version_unknown",
        }
    }
}

/// Which of Stripe's two worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Of real money.
    Live,
    /// Of none.
    Test,
}

/// Reads the body of an event whose signature holds. Errors: it is to be told again.
pub fn read(body: &[u8], mode: Mode) -> Result<Read, Unreadable> {
    if body.len() > EVENT_BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let read = match stripe::read(body, mode)? {
        Ok(event) => Read::Event(event),
        Err(ignored) => Read::Ignored(ignored),
    };
    Ok(read)
}

/// An id of Stripe's is a word: it can be part of a key.
fn is_id(text: &str) -> bool {
    let of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=STRIPE_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(of_id)
}

#[cfg(test)]
pub(super) mod tests;
