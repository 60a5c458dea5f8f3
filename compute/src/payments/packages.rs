//! What is sold: packages of credits, as the config has them, and whether what was paid is one of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::event::Purchase;

/// Packages of a config. One more is wrong.
pub const PACKAGES_MAX: usize = 100;

/// Bytes of a package's id.
pub const ID_BYTES_MAX: usize = 64;

/// Credits of a package.
pub const CREDITS_MAX: u64 = 1_000_000_000;

/// The largest amount of money, in the smallest unit of its currency: Stripe takes twelve digits at most.
pub const AMOUNT_MAX: u64 = 999_999_999_999;

/// Bytes of the id of a price.
pub const PRICE_BYTES_MAX: usize = 255;

/// A package, `[[credits.package]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageConfig {
    /// What it is called, by apps and for ever: purchases name it. Small letters, digits, `-` and `_`.
    pub id: String,
    /// How many credits it is.
    pub credits: u64,
    /// Its price at Stripe, `price_…`, of one payment.
    pub price: String,
    /// The price's currency, three small letters.
    pub currency: String,
    /// The price in the smallest unit of its currency, before taxes. If it is said, a payment of another one
    /// is not booked.
    #[serde(default)]
    pub amount: Option<u64>,
    /// It is sold no more, and what was paid for it before is booked.
    #[serde(default)]
    pub retired: bool,
}

/// What is sold, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages(BTreeMap<String, PackageConfig>);

/// Why a payment is not booked. It stays visible, and is booked when it is told again after the config was
/// mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotSold {
    /// No package has the id.
    #[error("package_unknown: no package has this id")]
    PackageUnknown,
    /// It was paid in another currency.
    #[error("currency_mismatch: it was paid in another currency than the package's")]
    CurrencyMismatch,
    /// Another amount was asked for, or less was paid.
    #[error("amount_mismatch: it was paid with another amount than the package's")]
    AmountMismatch,
}

impl NotSold {
    /// Its code, for metrics and the admin page.
    pub fn code(self) -> &'static str {
        match self {
            NotSold::PackageUnknown => "package_unknown",
            NotSold::CurrencyMismatch => "currency_mismatch",
            NotSold::AmountMismatch => "amount_mismatch",
        }
    }
}

impl Packages {
    /// Checks what a config sells. Errors: everything that is wrong, a sentence each.
    pub fn of(configs: &[PackageConfig]) -> Result<Packages, Vec<String>> {
        if configs.len() > PACKAGES_MAX {
            return Err(vec![format!(
                "credits: there are more than {PACKAGES_MAX} packages"
            )]);
        }
        let (mut by_id, mut prices) = (BTreeMap::new(), BTreeSet::new());
        let mut wrong = Vec::new();
        for config in configs {
            let mut found = config.wrong();
            if !prices.insert(config.price.as_str()) {
                found.push("price: another package has it".to_owned());
            }
            if by_id.insert(config.id.clone(), config.clone()).is_some() {
                found.push("id: another package has it".to_owned());
            }
            wrong.extend(
                found
                    .iter()
                    .map(|why| format!("credits: package {:?}: {why}", config.id)),
            );
        }
        match wrong.is_empty() {
            true => Ok(Packages(by_id)),
            false => Err(wrong),
        }
    }

    /// The one with an id.
    pub fn get(&self, id: &str) -> Option<&PackageConfig> {
        self.0.get(id)
    }

    /// Those that may be bought, by id.
    pub fn sold(&self) -> impl Iterator<Item = &PackageConfig> {
        self.0.values().filter(|package| !package.retired)
    }

    /// The package that was paid for. What is above its amount is taxes. Errors: it is not what was paid.
    pub fn paid_for(&self, purchase: &Purchase) -> Result<&PackageConfig, NotSold> {
        let package = self.get(&purchase.package);
        let package = package.ok_or(NotSold::PackageUnknown)?;
        if purchase.currency != package.currency {
            return Err(NotSold::CurrencyMismatch);
        }
        let is_as_asked = package
            .amount
            .is_none_or(|amount| purchase.subtotal == amount);
        // A discount would be money that nobody here gave.
        match is_as_asked && purchase.amount >= purchase.subtotal {
            true => Ok(package),
            false => Err(NotSold::AmountMismatch),
        }
    }
}

impl PackageConfig {
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let of_id = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if self.id.is_empty() || self.id.len() > ID_BYTES_MAX || !self.id.bytes().all(of_id) {
            wrong.push(format!(
                "id: 1 to {ID_BYTES_MAX} small letters, digits, - and _"
            ));
        }
        if !(1..=CREDITS_MAX).contains(&self.credits) {
            wrong.push(format!("credits: between 1 and {CREDITS_MAX}"));
        }
        let named = self.price.strip_prefix("price_").unwrap_or_default();
        let of_price = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if named.is_empty() || self.price.len() > PRICE_BYTES_MAX || !named.bytes().all(of_price) {
            wrong.push("price: the id of a price at Stripe, price_…".to_owned());
        }
        if !is_currency(&self.currency) {
            wrong.push("currency: three small letters".to_owned());
        }
        if self
            .amount
            .is_some_and(|amount| !(1..=AMOUNT_MAX).contains(&amount))
        {
            wrong.push(format!("amount: between 1 and {AMOUNT_MAX}"));
        }
        wrong
    }
}

/// Three small letters, as Stripe writes a currency.
pub(super) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
pub(super) mod tests;
