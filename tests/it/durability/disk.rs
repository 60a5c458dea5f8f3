//! A disk that forgets what was not synced when the power goes.
//!
//! It mirrors the files of one directory by name: of each what is on the platter, and the
//! operations since its last sync. A file that was never synced is absent afterwards; one that
//! was deleted without a sync of the directory is back. What it does not model: writes that
//! damage bytes beside them, and syncs that lie.

use std::collections::BTreeMap;
use std::path::Path;

use syncline_storage::faulty::Prng;

/// What a disk writes at once. A write may be torn between two of them.
const SECTOR: usize = 512;

/// What happened to a file since its last sync.
#[derive(Clone, Debug)]
enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

impl Pending {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Pending::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(bytes);
            }
            Pending::Truncate { len } => content.truncate(*len),
        }
    }
}

/// A file as the running program sees it.
#[derive(Clone, Debug, Default)]
struct Live {
    /// The content at the last sync, empty before the first.
    synced: Vec<u8>,
    /// There was a first sync, so the name is on the platter.
    ever_synced: bool,
    pending: Vec<Pending>,
}

/// A name in the directory.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// The file under the name; `None` once deleted.
    live: Option<Live>,
    /// A deleted file whose deletion is not on the platter yet.
    undead: Option<Vec<u8>>,
}

/// Which unsynced operations reach the platter all the same.
#[derive(Clone, Copy, Debug)]
pub(super) enum Survivors {
    /// None.
    None,
    /// Each with an even chance, some of the writes in part.
    Some {
        /// Draws them.
        seed: u64,
    },
}

/// The disk. Every write, truncation, sync and deletion counts as one operation.
#[derive(Debug)]
pub(super) struct Disk {
    entries: BTreeMap<String, Entry>,
    operations: u64,
    /// The operation that no longer happens.
    fails_at: u64,
    wal_starts: u64,
}

/// The power is gone: nothing happens any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct PowerLost;

impl Disk {
    /// An empty disk that fails at the `fails_at`-th operation, counted from 0.
    pub(super) fn failing_at(fails_at: u64) -> Disk {
        Disk {
            entries: BTreeMap::new(),
            operations: 0,
            fails_at,
            wal_starts: 0,
        }
    }

    /// Operations that happened.
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// How often a WAL was begun at its front: once more than it started over.
    pub(super) fn wal_starts(&self) -> u64 {
        self.wal_starts
    }

    pub(super) fn has_power(&self) -> Result<(), PowerLost> {
        match self.operations < self.fails_at {
            true => Ok(()),
            false => Err(PowerLost),
        }
    }

    fn operate(&mut self) -> Result<(), PowerLost> {
        self.has_power()?;
        self.operations += 1;
        Ok(())
    }

    /// A file is opened, and created if it is not there.
    pub(super) fn open(&mut self, name: &str) {
        let entry = self.entries.entry(name.to_owned()).or_default();
        entry.live.get_or_insert_default();
    }

    pub(super) fn write(&mut self, name: &str, at: usize, bytes: &[u8]) -> Result<(), PowerLost> {
        self.operate()?;
        self.wal_starts += u64::from(name.ends_with("-wal") && at == 0);
        let bytes = bytes.to_vec();
        self.live(name).pending.push(Pending::Write { at, bytes });
        Ok(())
    }

    pub(super) fn truncate(&mut self, name: &str, len: usize) -> Result<(), PowerLost> {
        self.operate()?;
        self.live(name).pending.push(Pending::Truncate { len });
        Ok(())
    }

    pub(super) fn sync(&mut self, name: &str) -> Result<(), PowerLost> {
        self.operate()?;
        let live = self.live(name);
        for pending in std::mem::take(&mut live.pending) {
            pending.apply(&mut live.synced);
        }
        live.ever_synced = true;
        if let Some(entry) = self.entries.get_mut(name) {
            entry.undead = None;
        }
        Ok(())
    }

    /// `with_directory`: the deletion is on the platter at once.
    pub(super) fn delete(&mut self, name: &str, with_directory: bool) -> Result<(), PowerLost> {
        self.operate()?;
        let entry = self.entries.entry(name.to_owned()).or_default();
        if let Some(live) = entry.live.take().filter(|live| live.ever_synced) {
            entry.undead = Some(live.synced);
        }
        if with_directory {
            entry.undead = None;
        }
        Ok(())
    }

    fn live(&mut self, name: &str) -> &mut Live {
        let entry = self.entries.entry(name.to_owned()).or_default();
        entry.live.get_or_insert_default()
    }

    /// Writes what is on the platter into an empty directory.
    pub(super) fn write_image(&self, dir: &Path, survivors: Survivors) {
        let mut draw = match survivors {
            Survivors::None => None,
            Survivors::Some { seed } => Some(Prng::new(seed)),
        };
        for (name, entry) in &self.entries {
            if let Some(content) = entry.image(draw.as_mut()) {
                std::fs::write(dir.join(name), content).unwrap();
            }
        }
    }
}

impl Entry {
    fn image(&self, draw: Option<&mut Prng>) -> Option<Vec<u8>> {
        let Some(live) = &self.live else {
            let reaches = draw.is_some_and(|random| random.below(2) == 0);
            return self.undead.clone().filter(|_| !reaches);
        };
        let Some(random) = draw else {
            let on_platter = live.ever_synced.then(|| live.synced.clone());
            return on_platter.or_else(|| self.undead.clone());
        };
        if !live.ever_synced && random.below(2) == 0 {
            return self.undead.clone();
        }
        let mut content = live.synced.clone();
        for pending in &live.pending {
            if let Some(part) = pending.surviving(random) {
                part.apply(&mut content);
            }
        }
        Some(content)
    }
}

impl Pending {
    /// What of it reaches the platter: all, nothing, or the sectors of a write up to one.
    fn surviving(&self, random: &mut Prng) -> Option<Pending> {
        match (random.below(4), self) {
            (0, _) => None,
            (1, Pending::Write { at, bytes }) => {
                let sectors = random.below(1 + (bytes.len() / SECTOR) as u64) as usize;
                let bytes = bytes[..sectors * SECTOR].to_vec();
                Some(Pending::Write { at: *at, bytes })
            }
            (1, Pending::Truncate { .. }) => None,
            _ => Some(self.clone()),
        }
    }
}

#[test]
fn what_was_not_synced_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::failing_at(6);
    for name in ["kept", "never-synced", "deleted"] {
        disk.open(name);
        disk.write(name, 0, b"old").unwrap();
    }
    disk.sync("kept").unwrap();
    disk.write("kept", 1, b"new").unwrap();
    disk.sync("deleted").unwrap();
    assert!(disk.delete("deleted", false).is_err());
    disk.write_image(dir.path(), Survivors::None);
    assert_eq!(std::fs::read(dir.path().join("kept")).unwrap(), b"old");
    assert_eq!(std::fs::read(dir.path().join("deleted")).unwrap(), b"old");
    assert!(!dir.path().join("never-synced").exists());
}
