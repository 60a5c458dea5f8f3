//! The dead letters of a commit. The store keeps the last ones of a space only, so no commit
//! carries more than that, and none carries more bytes than it should.

use syncline_protocol::compat::request::SyncChange;
use syncline_protocol::error::Code;
use syncline_protocol::ids::ClientKey;
use syncline_protocol::stamp::WallMs;
use syncline_storage::types::{DEAD_LETTERS_MAX, DeadLetter};

/// Bytes of the texts of all dead letters of one commit. Past it, as past [`DEAD_LETTERS_MAX`],
/// further ones are left out and counted; who sent them is told of each all the same.
const LETTERS_BYTES_MAX: usize = 1 << 20;

/// The letters of a commit in the making.
#[derive(Debug, Default)]
pub(super) struct Letters {
    kept: Vec<DeadLetter>,
    bytes: usize,
    /// Letters that were left out.
    pub(super) left_out: usize,
}

impl Letters {
    /// Sets a change aside. False if not all of it is kept.
    pub(super) fn add(
        &mut self,
        change: &SyncChange,
        code: Code,
        (client, at_ms): (&ClientKey, WallMs),
    ) -> bool {
        let letter = DeadLetter {
            at_ms,
            client: client.clone(),
            table: DeadLetter::kept(&change.table),
            id: DeadLetter::kept(&change.id),
            code,
            change: DeadLetter::kept(&change.text),
        };
        let bytes = self.bytes + letter.bytes();
        if self.kept.len() == DEAD_LETTERS_MAX || bytes > LETTERS_BYTES_MAX {
            self.left_out += 1;
            return false;
        }
        self.bytes = bytes;
        self.kept.push(letter);
        DeadLetter::keeps(&change.text)
    }

    /// The letters, in the order they came.
    pub(super) fn take(&mut self) -> Vec<DeadLetter> {
        self.bytes = 0;
        std::mem::take(&mut self.kept)
    }
}
