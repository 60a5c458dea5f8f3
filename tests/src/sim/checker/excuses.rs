//! Why a device of the compatibility protocol may show a record otherwise than the space has it.
//! Each is for one kind of history, and is let go as soon as the record is shown as it must be. How
//! often each may be used is bounded in the campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use syncline_protocol::ids::RecordKey;

use super::crossed::{Compared, Crossed};
use super::{Differing, Moment};
use crate::sim::count::Kind;

/// A record's fields as text.
pub type Fields = BTreeMap<String, String>;

/// What a device may show besides.
#[derive(Debug, Default)]
pub struct Excuses {
    /// Records it has changes of that are not answered.
    pub unsent: BTreeSet<RecordKey>,
    /// Records it had when it was told everything anew, with their fields then, and such as were
    /// named `erased` and not stored. Of one that the space never had nothing tells it so; nor that
    /// one in its first life has not some of these fields.
    pub haunted: BTreeMap<RecordKey, Fields>,
    /// Records it shows whose insert it never sent. One that is told as revived keeps its fields.
    pub dropped: BTreeSet<RecordKey>,
    /// Records that a reply of a lost history wrote over before their changes were sent, or of
    /// which a late copy of a request may come to the history after it: the hub cannot know what
    /// it told there.
    pub overwritten: BTreeSet<RecordKey>,
    /// Records that an older reply wrote over after a newer one was begun.
    pub crossed: Crossed,
}

impl Excuses {
    /// Why a record may be shown otherwise than it is in the space, if it may.
    pub(super) fn of(
        &self,
        key: &RecordKey,
        (own, must): (Option<&String>, Option<&Arc<str>>),
        moment: &Moment,
    ) -> Option<Kind> {
        if self.unsent.contains(key) {
            return Some(Kind::ExcusedUnsent);
        }
        let haunted = self.haunted.get(key);
        let dropped = self.dropped.contains(key);
        let first_life = haunted.filter(|_| !moment.buried.contains(key));
        let older = match (own, must) {
            (Some(own), Some(must)) => {
                dropped && holds(own, must)
                    || first_life.is_some_and(|had| holds_with(own, must, had))
            }
            _ => false,
        };
        match (own, must) {
            _ if older => Some(Kind::ExcusedOlder),
            (Some(_), None) if dropped => Some(Kind::ExcusedDropped),
            (Some(_), None) if haunted.is_some() && !moment.known.contains(key) => {
                Some(match moment.erased {
                    true => Kind::ExcusedErased,
                    false => Kind::ExcusedGhost,
                })
            }
            _ => {
                let compared = Compared {
                    own: own.map(String::as_str),
                    must: must.map(|must| &**must),
                    had: first_life,
                };
                if self.crossed.excuses(key, compared) {
                    return Some(Kind::ExcusedCrossed);
                }
                let overwritten = self.overwritten.contains(key);
                overwritten.then_some(Kind::ExcusedOverwritten)
            }
        }
    }

    /// A table was compared. What was as it must be is held to that from now on, unless a copy of
    /// a request that names it was still under way.
    pub fn keep(&mut self, table: &str, differing: &Differing, under_way: &BTreeSet<RecordKey>) {
        let unsent = &self.unsent;
        let stays = |key: &RecordKey| {
            key.table.as_str() != table || differing.contains(key) || unsent.contains(key)
        };
        self.haunted.retain(|key, _| stays(key));
        self.dropped.retain(&stays);
        self.crossed.retain(stays);
        self.overwritten
            .retain(|key| stays(key) || under_way.contains(key));
    }
}

pub(super) fn fields(text: &str) -> BTreeMap<&str, &RawValue> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Whether a record shows every field of another.
fn holds(own: &str, text: &str) -> bool {
    let own = fields(own);
    let told = |name: &str| own.get(name).map(|value| value.get());
    let mut must = fields(text).into_iter();
    must.all(|(name, value)| told(name) == Some(value.get()))
}

/// Whether it does, and what it shows besides is what it had.
fn holds_with(own: &str, text: &str, had: &Fields) -> bool {
    let told = fields(text);
    let shown = fields(own);
    let mut besides = shown.iter().filter(|(name, _)| !told.contains_key(*name));
    let had =
        |(name, value): (&&str, &&RawValue)| had.get(*name).is_some_and(|had| had == value.get());
    holds(own, text) && besides.all(had)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use syncline_protocol::ids::{RecordId, TableName};

    use super::*;

    fn key() -> RecordKey {
        RecordKey {
            table: TableName::trusted("tasks"),
            id: RecordId::trusted("a1"),
        }
    }

    /// The excuse of a device that had `old` when it was told everything anew, shows `own` and must
    /// show `must`.
    fn excused(own: &str, must: Option<&str>, moment: &Moment) -> Option<Kind> {
        let had = Fields::from([("old".to_owned(), "1".to_owned())]);
        let excuses = Excuses {
            haunted: BTreeMap::from([(key(), had)]),
            ..Excuses::default()
        };
        let must = must.map(Arc::<str>::from);
        excuses.of(&key(), (Some(&own.to_owned()), must.as_ref()), moment)
    }

    fn only_key() -> Rc<BTreeSet<RecordKey>> {
        Rc::new(BTreeSet::from([key()]))
    }

    #[test]
    fn a_record_of_its_first_life_may_keep_the_fields_it_had_and_no_others() {
        let moment = Moment::default();
        let must = Some(r#"{"n":2}"#);
        let older = Some(Kind::ExcusedOlder);
        assert_eq!(excused(r#"{"n":2,"old":1}"#, must, &moment), older);
        for own in [
            r#"{"n":2,"old":7}"#,
            r#"{"n":2,"new":1}"#,
            r#"{"n":3,"old":1}"#,
            r#"{"old":1}"#,
        ] {
            assert_eq!(excused(own, must, &moment), None, "{own}");
        }
    }

    #[test]
    fn a_record_of_a_later_life_is_shown_as_it_is() {
        let moment = Moment {
            buried: only_key(),
            ..Moment::default()
        };
        let must = Some(r#"{"n":2}"#);
        assert_eq!(excused(r#"{"n":2,"old":1}"#, must, &moment), None);
    }

    #[test]
    fn a_ghost_is_of_a_record_that_never_was() {
        let own = r#"{"old":1}"#;
        let never = Moment::default();
        assert_eq!(excused(own, None, &never), Some(Kind::ExcusedGhost));
        let erased = Moment {
            erased: true,
            ..Moment::default()
        };
        assert_eq!(excused(own, None, &erased), Some(Kind::ExcusedErased));
        let died = Moment {
            known: only_key(),
            ..Moment::default()
        };
        assert_eq!(excused(own, None, &died), None);
    }
}
