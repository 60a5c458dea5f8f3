//! What is sent to begin a checkout (Stripe's docs, "Create a Checkout Session"): a form, whose names say
//! what is in what, `line_items[0][price]`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::payments::event::{PACKAGE, USER};
use crate::payments::gateway::Checkout;

/// All but what no form escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Names and values, in one order: equal checkouts are equal requests.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn of(checkout: &Checkout, success_url: &str, cancel_url: &str) -> Form {
        let user = checkout.user.as_str();
        let pairs = [
            ("mode", "payment"),
            ("line_items[0][price]", &checkout.package.price),
            ("line_items[0][quantity]", "1"),
            // Else what is paid, and refunded, may be in another currency than the package's.
            ("adaptive_pricing[enabled]", "false"),
            ("client_reference_id", user),
            (&format!("metadata[{USER}]"), user),
            (&format!("metadata[{PACKAGE}]"), &checkout.package.id),
            ("success_url", success_url),
            ("cancel_url", cancel_url),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Form(pairs.map(owned).into())
    }

    pub(super) fn encoded(&self) -> String {
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let pair =
            |(name, value): &(String, String)| format!("{}={}", escaped(name), escaped(value));
        let pairs: Vec<String> = self.0.iter().map(pair).collect();
        pairs.join("&")
    }
}
