//! What a package may be, and what is paid for one.

use super::*;
use crate::payments::event::tests::purchase;

pub(in crate::payments) fn small() -> PackageConfig {
    PackageConfig {
        id: "small".to_owned(),
        credits: 100,
        price: "price_1".to_owned(),
        currency: "eur".to_owned(),
        amount: Some(499),
        retired: false,
    }
}

fn is_taken(change: impl FnOnce(&mut PackageConfig)) -> bool {
    let mut config = small();
    change(&mut config);
    Packages::of(&[config]).is_ok()
}

fn numbered(count: usize) -> Vec<PackageConfig> {
    let one = |n: usize| PackageConfig {
        id: format!("p{n}"),
        price: format!("price_{n}"),
        ..small()
    };
    (0..count).map(one).collect()
}

#[test]
fn a_package_is_within_its_limits() {
    assert!(is_taken(|_| {}));
    for (credits, expected) in [
        (0, false),
        (1, true),
        (CREDITS_MAX, true),
        (CREDITS_MAX + 1, false),
    ] {
        assert_eq!(is_taken(|one| one.credits = credits), expected, "{credits}");
    }
    for (amount, expected) in [
        (0, false),
        (1, true),
        (AMOUNT_MAX, true),
        (AMOUNT_MAX + 1, false),
    ] {
        assert_eq!(
            is_taken(|one| one.amount = Some(amount)),
            expected,
            "{amount}"
        );
    }
    assert!(is_taken(|one| one.amount = None));
    for (id, expected) in [
        ("", false),
        ("a", true),
        ("a-b_9", true),
        ("A", false),
        ("a b", false),
        ("é", false),
    ] {
        assert_eq!(is_taken(|one| one.id = id.to_owned()), expected, "{id}");
    }
    assert!(is_taken(|one| one.id = "x".repeat(ID_BYTES_MAX)));
    assert!(!is_taken(|one| one.id = "x".repeat(ID_BYTES_MAX + 1)));
    for (price, expected) in [
        ("price_", false),
        ("price_1Ab", true),
        ("prod_1", false),
        ("price_1/2", false),
        ("", false),
    ] {
        assert_eq!(
            is_taken(|one| one.price = price.to_owned()),
            expected,
            "{price}"
        );
    }
    let of_bytes = |bytes: usize| format!("price_{}", "x".repeat(bytes - 6));
    assert!(is_taken(|one| one.price = of_bytes(PRICE_BYTES_MAX)));
    assert!(!is_taken(|one| one.price = of_bytes(PRICE_BYTES_MAX + 1)));
    for (currency, expected) in [
        ("usd", true),
        ("EUR", false),
        ("eu", false),
        ("euro", false),
    ] {
        assert_eq!(is_taken(|one| one.currency = currency.to_owned()), expected);
    }
}

#[test]
fn there_are_100_packages_and_each_is_one() {
    assert!(Packages::of(&[]).is_ok());
    assert!(Packages::of(&numbered(PACKAGES_MAX)).is_ok());
    let said = Packages::of(&numbered(PACKAGES_MAX + 1)).unwrap_err();
    assert_eq!(said, ["credits: there are more than 100 packages"]);
    let mut twice = small();
    twice.credits = 7;
    let said = Packages::of(&[small(), twice]).unwrap_err();
    let expected = [
        "credits: package \"small\": price: another package has it",
        "credits: package \"small\": id: another package has it",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_config_is_read_and_says_what_is_wrong() {
    let text = r#"{"id": "small", "credits": 100, "price": "price_1", "currency": "eur"}"#;
    let config: PackageConfig = serde_json::from_str(text).unwrap();
    assert_eq!((config.amount, config.retired), (None, false));
    let unknown = text.replacen("credits", "credit", 1);
    assert!(serde_json::from_str::<PackageConfig>(&unknown).is_err());
    let wrong = PackageConfig {
        id: "A".to_owned(),
        credits: 0,
        price: "1".to_owned(),
        currency: "€".to_owned(),
        amount: Some(0),
        retired: false,
    };
    assert_eq!(Packages::of(&[wrong]).unwrap_err().len(), 5);
}

#[test]
fn what_is_retired_is_not_sold_and_still_booked() {
    let mut retired = small();
    retired.retired = true;
    let packages = Packages::of(&[retired]).unwrap();
    assert_eq!(packages.sold().count(), 0);
    assert!(packages.paid_for(&purchase()).is_ok());
}

#[test]
fn only_what_was_asked_for_is_booked() {
    let packages = Packages::of(&[small()]).unwrap();
    let paid = |change: fn(&mut Purchase)| {
        let mut purchase = purchase();
        change(&mut purchase);
        packages.paid_for(&purchase).map(|package| package.credits)
    };
    assert_eq!(paid(|_| {}), Ok(100));
    assert_eq!(paid(|one| one.amount = 499), Ok(100));
    assert_eq!(paid(|one| one.amount = 498), Err(NotSold::AmountMismatch));
    assert_eq!(paid(|one| one.subtotal = 498), Err(NotSold::AmountMismatch));
    assert_eq!(paid(|one| one.subtotal = 500), Err(NotSold::AmountMismatch));
    assert_eq!(
        paid(|one| one.currency = "usd".to_owned()),
        Err(NotSold::CurrencyMismatch)
    );
    assert_eq!(
        paid(|one| one.package = "large".to_owned()),
        Err(NotSold::PackageUnknown)
    );
    let mut any = small();
    any.amount = None;
    let packages = Packages::of(&[any]).unwrap();
    let mut other = purchase();
    (other.subtotal, other.amount) = (1, 1);
    assert!(packages.paid_for(&other).is_ok());
    other.subtotal = 2;
    assert_eq!(packages.paid_for(&other), Err(NotSold::AmountMismatch));
}
