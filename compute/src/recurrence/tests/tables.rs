//! Tables of rules and their occurrences. A block is a name; its start and zone; the rule; `all`,
//! or `first` if there are more; and the readings of the occurrences.

use super::{first, series, start, zone};
use crate::recurrence::calendar::DAY_S;
use crate::recurrence::zone::Zone;

struct Case {
    name: String,
    begins: String,
    zone: String,
    rule: String,
    is_all: bool,
    readings: Vec<String>,
}

fn cases(table: &str) -> Vec<Case> {
    let table = table.lines().filter(|line| !line.starts_with('#'));
    let table = table.collect::<Vec<_>>().join("\n");
    let case = |block: &str| {
        let mut lines = block.lines().map(str::trim);
        let name = lines.next().unwrap().to_owned();
        let begins = lines.next().unwrap().strip_prefix("start ").unwrap();
        let (begins, zone) = begins.split_once(' ').unwrap();
        let rule = lines.next().unwrap().strip_prefix("rule ").unwrap();
        let is_all = match lines.next().unwrap() {
            "all" => true,
            "first" => false,
            other => panic!("{name}: {other}"),
        };
        let readings = lines.flat_map(str::split_whitespace).map(str::to_owned);
        Case {
            begins: begins.to_owned(),
            zone: zone.to_owned(),
            rule: rule.to_owned(),
            is_all,
            readings: readings.collect(),
            name,
        }
    };
    let blocks = table.split("\n\n").map(str::trim);
    blocks.filter(|block| !block.is_empty()).map(case).collect()
}

/// Walks each case from its start, and again from every one of its occurrences, as somebody does
/// who looks at a window only.
fn check(table: &str, count: usize) {
    let cases = cases(table);
    assert_eq!(cases.len(), count);
    for case in cases {
        let zone = zone(&case.zone);
        let series = series(&case.rule, start(&case.begins, zone.clone()));
        let mut placing = Zone::new(zone.clone());
        let mut place = |text: &String| placing.place(start(text, zone.clone()).reading).instant;
        let expected: Vec<i64> = case.readings.iter().map(&mut place).collect();
        let begins = series.starts_at();
        // A century holds the rarest of them.
        let to = begins + 36_525 * DAY_S;
        let most = expected.len() + usize::from(case.is_all);
        let found = first(&series, (begins, to), most).unwrap();
        let context = format!("{}: {}", case.name, case.rule);
        assert_eq!(
            super::shown(&found, &zone),
            super::shown(&expected, &zone),
            "{context}"
        );
        for (at, from) in expected.iter().enumerate() {
            let most = most - at;
            let found = first(&series, (*from, to), most).unwrap();
            assert_eq!(
                found,
                expected[at..],
                "{context} from {}",
                case.readings[at]
            );
            let found = first(&series, (*from + 1, to), most - 1).unwrap();
            assert_eq!(
                found,
                expected[at + 1..],
                "{context} after {}",
                case.readings[at]
            );
        }
    }
}

#[test]
fn the_table_of_libical_holds() {
    check(include_str!("tables/libical.txt"), 137);
}

#[test]
fn the_examples_of_the_rfc_hold() {
    check(include_str!("tables/rfc5545.txt"), 42);
}

#[test]
fn random_rules_are_what_dateutil_makes_of_them() {
    check(include_str!("tables/dateutil.txt"), 160);
}
