//! What is expanded: typical rules, and rules made to cost.

/// A rule and the window it is expanded in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Typical {
    pub(crate) name: &'static str,
    pub(crate) rule: &'static str,
    /// Local, in the zone.
    pub(crate) start: &'static str,
    pub(crate) zone: &'static str,
    /// The instants of the window.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

const YEAR: Typical = Typical {
    name: "",
    rule: "",
    start: "2024-01-01T09:00:00",
    zone: "UTC",
    from: "2026-01-01T00:00:00Z",
    to: "2027-01-01T00:00:00Z",
};

/// What people repeat.
pub(crate) const TYPICAL: [Typical; 8] = [
    Typical {
        name: "daily, a year",
        rule: "FREQ=DAILY",
        ..YEAR
    },
    Typical {
        name: "daily, a month ten years on",
        rule: "FREQ=DAILY",
        start: "2016-01-01T09:00:00",
        to: "2026-02-01T00:00:00Z",
        ..YEAR
    },
    Typical {
        name: "three days a week, a year",
        rule: "FREQ=WEEKLY;BYDAY=MO,WE,FR",
        ..YEAR
    },
    Typical {
        name: "second Tuesday, a year",
        rule: "FREQ=MONTHLY;BYDAY=2TU",
        ..YEAR
    },
    Typical {
        name: "last working day, a year",
        rule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ..YEAR
    },
    Typical {
        name: "Thanksgiving, ten years",
        rule: "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        to: "2036-01-01T00:00:00Z",
        ..YEAR
    },
    Typical {
        name: "daily in Berlin, a year",
        rule: "FREQ=DAILY",
        zone: "Europe/Berlin",
        ..YEAR
    },
    Typical {
        name: "weekly in New York, a year",
        rule: "FREQ=WEEKLY;BYDAY=MO,WE,FR",
        zone: "America/New_York",
        ..YEAR
    },
];

/// Rules that take all steps there are, or nearly; they start in 1970.
pub(crate) const HOSTILE: [(&str, &str); 8] = [
    ("every second", "FREQ=SECONDLY"),
    ("seconds, never", "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1"),
    (
        "seconds, no position",
        "FREQ=SECONDLY;BYMINUTE=0;BYSETPOS=2",
    ),
    (
        "seconds in a zone, counted",
        "FREQ=SECONDLY;INTERVAL=997;COUNT=1500000",
    ),
    ("hours, never", "FREQ=HOURLY;INTERVAL=24;BYHOUR=5"),
    (
        "minutes, positions",
        "FREQ=MINUTELY;BYSECOND=0,1,2,3,4,5,6,7,8,9;BYSETPOS=11,12,13,14,15,16,17,18,19,20",
    ),
    (
        "weeks, never",
        "FREQ=YEARLY;BYWEEKNO=1,2,3,-1,-2,-3;BYMONTH=6",
    ),
    (
        "days, counted",
        "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2;COUNT=4000000000",
    ),
];
