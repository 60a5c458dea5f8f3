//! One reader that reads space after space.

use std::time::{Duration, Instant};

use syncline_protocol::delta::write_data;
use syncline_protocol::ids::Seq;
use syncline_storage::Store;
use syncline_storage::types::{After, PageLimit};

use super::fill::{SPACES, space_key};

/// A page as the hub reads it.
pub(crate) const PAGE: PageLimit = PageLimit {
    records: 500,
    bytes: 256 << 10,
};

/// Records of changes a second, from the beginning of each space to its end.
pub(crate) async fn changes(store: &dyn Store, lasts: Duration) -> anyhow::Result<f64> {
    let (began, mut records, mut space) = (Instant::now(), 0, 0);
    while began.elapsed() < lasts {
        let key = space_key(space % SPACES);
        let mut after = After::from(Seq(0));
        loop {
            let page = store.changes(&key, after, PAGE).await?;
            records += page.records.len();
            if page.is_complete() {
                break;
            }
            after = page.next();
        }
        // Neighbours in the file are not read one after another.
        space += 1_231;
    }
    Ok(records as f64 / began.elapsed().as_secs_f64())
}

/// Records of snapshots a second, their data written as JSON.
pub(crate) async fn snapshot(store: &dyn Store, lasts: Duration) -> anyhow::Result<f64> {
    let (began, mut records, mut space) = (Instant::now(), 0, 0);
    let mut text = String::new();
    while began.elapsed() < lasts {
        let key = space_key(space % SPACES);
        let mut after = None;
        loop {
            let page = store.snapshot(&key, None, after.as_ref(), PAGE).await?;
            text.clear();
            for (_, record) in &page.records {
                write_data(&mut text, record);
            }
            records += page.records.len();
            after = page.records.last().map(|(key, _)| key.clone());
            if !page.more {
                break;
            }
        }
        space += 1_231;
    }
    Ok(records as f64 / began.elapsed().as_secs_f64())
}
