//! Records of a device that an older reply wrote over after a newer one had begun to be taken. The
//! newer one's cursor may pass what the older one told of them, and nothing tells the hub so. Only
//! what the older reply wrote is excused, value by value, and only until a reply tells of it again.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use syncline_protocol::ids::{RecordKey, Seq};

use super::excuses::{Fields, fields};

/// A place in the histories of a space: an epoch by its minute, and a commit.
pub type Place = (u64, Seq);

/// By record.
#[derive(Debug, Default)]
pub struct Crossed(BTreeMap<RecordKey, Older>);

/// What an older reply left of itself.
#[derive(Debug)]
struct Older {
    /// Whoever is told all that changed since here shows the record as it is.
    as_of: Place,
    /// The fields it wrote, and no newer reply since. `deletedAt` is one of them.
    wrote: Fields,
    /// It wrote all of the record: what it did not name is gone.
    is_whole: bool,
    /// The record as it left it.
    left: Fields,
}

/// What a reply writes of a record.
#[derive(Debug)]
pub struct Write<'a> {
    /// Its fields; `deletedAt` is one of them.
    pub fields: &'a Fields,
    /// It leaves nothing else of the record.
    pub is_whole: bool,
    /// The record as it is there, if it is.
    pub onto: Option<&'a Fields>,
}

/// A record as a device shows it, and as it must.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared<'a> {
    pub(super) own: Option<&'a str>,
    pub(super) must: Option<&'a str>,
    /// Fields that it had when it was told everything anew, and that nothing takes away.
    pub(super) had: Option<&'a Fields>,
}

/// Where a reply stands.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// It tells all that changed since here, `None` if it tells everything;
    pub since: Option<Place>,
    /// the records as they were here.
    pub at: Place,
    /// The newest reply that was begun, of any request.
    pub newest: Place,
}

impl Write<'_> {
    fn leaves(&self) -> Fields {
        let mut left = self.onto.filter(|_| !self.is_whole).cloned();
        let left = left.get_or_insert_default();
        left.extend(self.fields.clone());
        std::mem::take(left)
    }
}

impl Told {
    fn goes_on_from(&self, place: Place) -> bool {
        self.since.is_none_or(|since| since <= place)
    }

    /// Whether a newer reply was begun.
    pub fn is_late(&self) -> bool {
        self.at < self.newest
    }
}

impl Crossed {
    /// A reply writes a record.
    pub fn write(&mut self, key: &RecordKey, write: &Write<'_>, told: Told) {
        let was = self.0.remove(key);
        let is_mended = |was: &Older| write.is_whole || told.goes_on_from(was.as_of);
        let as_of = match &was {
            Some(was) if !is_mended(was) => was.as_of.min(told.at),
            _ if told.is_late() => told.at,
            _ => return,
        };
        let mut older = was.filter(|_| !write.is_whole).unwrap_or(Older {
            as_of,
            wrote: Fields::new(),
            is_whole: write.is_whole,
            left: Fields::new(),
        });
        older.as_of = as_of;
        if told.is_late() {
            older.left = write.leaves();
        }
        for (name, value) in write.fields {
            match told.is_late() {
                true => drop(older.wrote.insert(name.clone(), value.clone())),
                false => drop(older.wrote.remove(name)),
            }
        }
        self.0.insert(key.clone(), older);
    }

    /// A reply is written down that told nothing of these records: they are at its place what they
    /// were since its request. Of one that tells everything they are not there, which it cannot tell.
    pub fn pass(&mut self, is_of: impl Fn(&RecordKey) -> bool, told: Told) {
        self.0.retain(|key, older| {
            if !is_of(key) || told.since.is_none_or(|since| since > older.as_of) {
                return true;
            }
            older.as_of = older.as_of.max(told.at);
            older.as_of < told.newest
        });
    }

    /// Its user inserts a record and the hub is never told. Where an older reply had taken the record
    /// away, this is now what is shown in place of what it must be.
    pub fn insert_dropped(&mut self, key: &RecordKey, row: &Fields) {
        let older = self.0.get_mut(key).filter(|older| older.took_away());
        if let Some(older) = older {
            older.wrote.clone_from(row);
            older.left.clone_from(row);
            older.is_whole = true;
        }
    }

    /// Those that are shown as they must be are held to that.
    pub(super) fn retain(&mut self, stays: impl Fn(&RecordKey) -> bool) {
        self.0.retain(|key, _| stays(key));
    }

    /// Whether a record that is shown differs from the space's in nothing but what an older reply
    /// wrote.
    pub(super) fn excuses(&self, key: &RecordKey, compared: Compared<'_>) -> bool {
        let older = self.0.get(key);
        older.is_some_and(|older| older.excuses(compared))
    }
}

impl Older {
    fn deleted(&self) -> Option<bool> {
        self.wrote.get("deletedAt").map(|at| at != "null")
    }

    fn took_away(&self) -> bool {
        self.deleted() == Some(true)
    }

    fn excuses(&self, Compared { own, must, had }: Compared<'_>) -> bool {
        let Some(own) = own else {
            return self.took_away();
        };
        // What is dead may live on just as the older reply left it.
        let (wrote, must) = match must {
            Some(must) => (&self.wrote, must),
            None if self.is_whole || self.deleted() == Some(false) => (&self.left, "{}"),
            None => return false,
        };
        let (own, must) = (fields(own), fields(must));
        let mut names = own.keys().chain(must.keys());
        names.all(|name| {
            let (shown, must) = (text(own.get(name)), text(must.get(name)));
            let of = |fields: &'_ Fields| fields.get(*name).map(String::as_str) == shown;
            let is_older = of(wrote) && (shown.is_some() || self.is_whole);
            let is_left = must.is_none() && had.is_some_and(of);
            is_older || is_left || shown == must
        })
    }
}

fn text<'a>(value: Option<&'a &RawValue>) -> Option<&'a str> {
    value.map(|value| value.get())
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{RecordId, TableName};

    use super::*;

    fn key() -> RecordKey {
        RecordKey {
            table: TableName::trusted("tasks"),
            id: RecordId::trusted("a1"),
        }
    }

    fn place(seq: u64) -> Place {
        (1, Seq(seq))
    }

    fn told(since: u64, at: u64) -> Told {
        Told {
            since: Some(place(since)),
            at: place(at),
            newest: place(7),
        }
    }

    fn named(fields: &[(&str, &str)]) -> Fields {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        fields.iter().map(text).collect()
    }

    /// A device that wrote fields by a reply of 4 when it had begun one of 7.
    fn late(fields: &[(&str, &str)], is_whole: bool) -> Crossed {
        let mut crossed = Crossed::default();
        let fields = &named(fields);
        crossed.write(&key(), &write(fields, is_whole), told(3, 4));
        crossed
    }

    fn write(fields: &Fields, is_whole: bool) -> Write<'_> {
        let onto = None;
        Write {
            fields,
            is_whole,
            onto,
        }
    }

    fn excuses(crossed: &Crossed, own: Option<&str>, must: Option<&str>) -> bool {
        let had = None;
        crossed.excuses(&key(), Compared { own, must, had })
    }

    #[test]
    fn only_the_values_that_the_older_reply_wrote_are_excused() {
        let crossed = late(&[("n", "1")], false);
        let must = Some(r#"{"n":2,"title":5}"#);
        let excuses = |own| excuses(&crossed, own, must);
        assert!(excuses(Some(r#"{"n":1,"title":5}"#)));
        for own in [
            Some(r#"{"n":3,"title":5}"#),
            Some(r#"{"n":1,"title":4}"#),
            Some(r#"{"n":1}"#),
            Some(r#"{"n":1,"title":5,"done":1}"#),
            None,
        ] {
            assert!(!excuses(own), "{own:?}");
        }
        assert!(!excuses(Some(r#"{"n":1}"#)));
    }

    #[test]
    fn what_it_had_before_may_stay_in_a_record_of_an_older_reply() {
        let crossed = late(&[("n", "1")], false);
        let (own, must) = (Some(r#"{"n":1,"old":1}"#), Some(r#"{"n":2}"#));
        let excuses = |old: &str| {
            let had = &named(&[("old", old)]);
            let had = Some(had);
            crossed.excuses(&key(), Compared { own, must, had })
        };
        assert!(excuses("1"));
        assert!(!excuses("2"));
    }

    #[test]
    fn a_whole_record_of_an_older_reply_may_lack_fields_and_live_on() {
        let crossed = late(&[("n", "1")], true);
        let own = Some(r#"{"n":1}"#);
        assert!(excuses(&crossed, own, Some(r#"{"n":2,"title":5}"#)));
        assert!(excuses(&crossed, own, None));
        assert!(!excuses(&crossed, Some(r#"{"n":2}"#), None));
        assert!(!excuses(&crossed, None, own));
    }

    #[test]
    fn what_an_older_reply_brings_back_lives_on_just_as_it_left_it() {
        let mut crossed = Crossed::default();
        let revived = Write {
            fields: &named(&[("deletedAt", "null"), ("n", "1")]),
            is_whole: false,
            onto: Some(&named(&[("deletedAt", "\"then\""), ("old", "7")])),
        };
        crossed.write(&key(), &revived, told(3, 4));
        let excuses = |own| excuses(&crossed, Some(own), None);
        assert!(excuses(r#"{"n":1,"old":7}"#));
        assert!(!excuses(r#"{"n":1,"old":8}"#));
        assert!(!excuses(r#"{"n":1,"old":7,"new":1}"#));
    }

    #[test]
    fn a_delete_of_an_older_reply_hides_the_record_and_excuses_nothing_else() {
        let crossed = late(&[("deletedAt", "\"then\"")], false);
        let must = Some(r#"{"n":2}"#);
        assert!(excuses(&crossed, None, must));
        assert!(!excuses(&crossed, Some(r#"{"n":1}"#), must));
    }

    #[test]
    fn an_insert_that_is_never_sent_stays_where_an_older_reply_took_the_record_away() {
        let mut crossed = late(&[("deletedAt", "\"then\"")], false);
        let (own, must) = (Some(r#"{"title":"mine"}"#), Some(r#"{"n":2,"title":5}"#));
        assert!(!excuses(&crossed, own, must));
        crossed.insert_dropped(&key(), &named(&[("title", "\"mine\"")]));
        assert!(excuses(&crossed, own, must));
        assert!(!excuses(&crossed, Some(r#"{"title":"other"}"#), must));
        assert!(!excuses(&crossed, None, must));
        crossed.pass(|_| true, told(4, 7));
        assert!(!excuses(&crossed, own, must));
    }

    #[test]
    fn an_insert_that_is_never_sent_excuses_nothing_where_no_older_reply_took_the_record_away() {
        let mut crossed = late(&[("n", "1")], false);
        crossed.insert_dropped(&key(), &named(&[("title", "\"mine\"")]));
        let must = Some(r#"{"n":2,"title":5}"#);
        assert!(!excuses(&crossed, Some(r#"{"title":"mine"}"#), must));
    }

    #[test]
    fn what_goes_on_from_the_older_reply_ends_the_excuse_and_what_begins_later_does_not() {
        let (own, must) = (Some(r#"{"n":1}"#), Some(r#"{"n":2}"#));
        for (since, ends) in [(4, true), (5, false)] {
            let mut crossed = late(&[("n", "1")], false);
            crossed.pass(|_| true, told(since, 7));
            assert_eq!(excuses(&crossed, own, must), !ends);
            let mut crossed = late(&[("n", "1")], false);
            let fields = &named(&[("title", "3")]);
            crossed.write(&key(), &write(fields, false), told(since, 7));
            assert_eq!(excuses(&crossed, own, must), !ends);
        }
    }

    #[test]
    fn who_is_told_everything_is_not_told_of_a_record_that_never_was() {
        let mut crossed = late(&[("n", "1")], true);
        let everything = Told {
            since: None,
            ..told(0, 7)
        };
        crossed.pass(|_| true, everything);
        assert!(excuses(&crossed, Some(r#"{"n":1}"#), None));
    }

    #[test]
    fn a_reply_between_the_two_brings_the_record_to_its_own_place_only() {
        let (own, must) = (Some(r#"{"n":1}"#), Some(r#"{"n":2}"#));
        let mut crossed = late(&[("n", "1")], false);
        crossed.pass(|_| true, told(3, 6));
        crossed.pass(|_| true, told(7, 7));
        assert!(excuses(&crossed, own, must));
        crossed.pass(|_| true, told(6, 7));
        assert!(!excuses(&crossed, own, must));
    }
}
