//! The space as it was after each commit, which is what devices may show.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use syncline_protocol::ids::{RecordKey, Seq};
use syncline_protocol::record::Record;
use syncline_storage::types::Commit;

use crate::sim::reference::data_text;

/// The live records with their data as text.
pub type Visible = Rc<BTreeMap<RecordKey, Arc<str>>>;

/// The space after a commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    pub(super) visible: Visible,
    /// Records that ever lived.
    pub(super) known: Rc<BTreeSet<RecordKey>>,
    /// Records that died, or of which a delete took a part.
    pub(super) buried: Rc<BTreeSet<RecordKey>>,
    /// Everything was erased before. A device of the compatibility protocol is not told, so it goes
    /// on showing what it had.
    pub(super) erased: bool,
}

impl Moment {
    /// What a store holds.
    pub(super) fn of(stored: &BTreeMap<RecordKey, Arc<Record>>) -> Moment {
        let live = stored.iter().filter(|(_, record)| record.is_live());
        let known = stored.iter().filter(|(_, record)| has_lived(record));
        let buried = stored
            .iter()
            .filter(|(_, record)| record.deleted_seq > Seq(0));
        Moment {
            visible: Rc::new(
                live.map(|(key, record)| (key.clone(), data_text(record)))
                    .collect(),
            ),
            known: Rc::new(known.map(|(key, _)| key.clone()).collect()),
            buried: Rc::new(buried.map(|(key, _)| key.clone()).collect()),
            erased: false,
        }
    }

    /// A commit took effect.
    pub(super) fn move_on(&mut self, commit: &Commit) {
        let visible = Rc::make_mut(&mut self.visible);
        for (key, record) in &commit.records {
            if has_lived(record) && !self.known.contains(key) {
                Rc::make_mut(&mut self.known).insert(key.clone());
            }
            let lost = record.inserted_seq == commit.head || !record.is_live();
            if record.deleted.is_some() && lost && !self.buried.contains(key) {
                Rc::make_mut(&mut self.buried).insert(key.clone());
            }
            if record.is_live() {
                visible.insert(key.clone(), data_text(record));
            } else {
                visible.remove(key);
            }
        }
    }
}

/// Whether a record lived after a commit: one that was inserted and deleted in the same commit
/// was there for nobody.
fn has_lived(record: &Record) -> bool {
    let died_at_once = !record.is_live() && record.inserted_seq == record.deleted_seq;
    record.inserted_seq > Seq(0) && !died_at_once
}
