//! What an export holds that was made while devices write: all of one moment, which is on the way to the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde_json::Value;
use syncline_storage::archive::{ArchiveReader, Entry};

use super::hubs::EVENT_EACH;
use super::watcher::Copy;

/// The name of its file.
pub(super) const ARCHIVE: &str = "all.jsonl";

/// A user's space, as an export has it.
#[derive(Debug)]
pub(super) struct Exported {
    pub(super) user: String,
    /// Live records by table and id.
    records: Copy,
}

/// The spaces of an archive that somebody wrote in.
pub(super) fn read(archive: &Path) -> Vec<Exported> {
    let file = BufReader::new(File::open(archive).unwrap());
    let mut reader = ArchiveReader::begin(file).unwrap();
    let mut spaces: Vec<Exported> = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        match entry {
            Entry::Space(space) => spaces.push(Exported {
                user: space.key.space.as_str().to_owned(),
                records: Copy::new(),
            }),
            Entry::Record(row) if row.record.is_live() => {
                let fields = row.record.fields.iter().map(|field| {
                    let value: Value = serde_json::from_str(field.value.as_str()).unwrap();
                    (field.name.as_str().to_owned(), value)
                });
                let names = (row.key.table.as_str(), row.key.id.as_str());
                let names = (names.0.to_owned(), names.1.to_owned());
                let space = spaces.last_mut().expect("a space comes first");
                space.records.insert(names, Value::Object(fields.collect()));
            }
            _ => {}
        }
    }
    spaces.retain(|space| !space.records.is_empty());
    spaces
}

impl Exported {
    /// Of each device the first mutations, none left out and each whole; and what is there stays as it was.
    pub(super) fn check(&self, end: &Copy, decided: &BTreeMap<String, u64>) {
        let shared = ("tasks".to_owned(), "shared".to_owned());
        let shared = &self.records[&shared];
        let of = |table: &str, prefix: &str| {
            let names = self.records.keys();
            let own = names.filter(|(of, id)| of == table && id.starts_with(prefix));
            own.count() as u64
        };
        let mut last = Vec::new();
        for (client, decided) in decided {
            let prefix = format!("{client}-");
            let upto = shared[format!("of {client}")].as_u64().unwrap_or(0);
            assert!(upto <= *decided, "{client}: {upto} of {decided}");
            let whole = (of("tasks", &prefix), of("events", &prefix));
            assert_eq!(whole, (upto, upto / EVENT_EACH), "{client}");
            last.push(format!("{client}-{upto}"));
        }
        let of_all = &shared["of all"];
        assert!(
            last.iter().any(|one| *of_all == *one),
            "{of_all} of {last:?}"
        );
        for (names, record) in &self.records {
            if names.1 != "shared" {
                assert_eq!(end.get(names), Some(record), "{names:?}");
            }
        }
    }
}
