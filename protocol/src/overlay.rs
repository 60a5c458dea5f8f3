//! What a native device shows of a record: the server's data with the device's unacknowledged
//! mutations laid over it.
//!
//! No stamp is compared here: the server's state replaces what the device held, and a mutation
//! leaves the outbox with its verdict, applied or not. The hub lays nothing over: this module says
//! what every client must show, and `vectors/overlay.json` holds the SDKs to it.

use std::collections::BTreeMap;

use crate::change::{Change, Op};
use crate::ids::{FieldName, RecordKey};
use crate::json::Json;

/// A record's visible fields.
pub type Data = BTreeMap<FieldName, Json>;

/// Mutations without a verdict, by number: the order in which they are laid over.
pub type Outbox<S> = BTreeMap<u64, Vec<Change<S>>>;

/// What the device shows of the record `key`, `None` for nothing. `server` is the record as the
/// server last told it, `None` if it told none or a delete. An insert lays its data over what
/// is there, an update sets fields of what is there and is unseen where nothing is, a delete
/// takes all.
pub fn overlay<S>(key: &RecordKey, server: Option<&Data>, outbox: &Outbox<S>) -> Option<Data> {
    let mut shown = server.cloned();
    let own = outbox
        .values()
        .flatten()
        .filter(|change| change.key == *key);
    for change in own {
        match &change.op {
            Op::Insert { data, .. } => shown.get_or_insert_default().extend(data.iter().cloned()),
            Op::Update { fields, .. } => {
                if let Some(shown) = &mut shown {
                    let set = fields
                        .iter()
                        .map(|(name, value, _)| (name.clone(), value.clone()));
                    shown.extend(set);
                }
            }
            Op::Delete { .. } => shown = None,
        }
    }
    shown
}
