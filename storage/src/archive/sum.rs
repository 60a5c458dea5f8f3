//! The sum that runs along with the lines.

use sha2::{Digest, Sha256};

use crate::transfer::hex;

/// Bytes of a line's own sum.
const LINE_SUM_BYTES: usize = 4;

/// What stands before a line's sum, and after it.
const BEFORE: &str = r#","sum":""#;
const AFTER: &str = r#""}"#;

/// SHA-256 of the lines so far: of each what stands before its sum, and a line feed.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningSum {
    hash: Sha256,
    digest: [u8; 32],
}

impl RunningSum {
    /// Adds a line, of which only the last brace is missing. Returns how it ends.
    pub(super) fn close(&mut self, body: &str) -> String {
        self.hash.update(body);
        self.hash.update("\n");
        self.digest = self.hash.clone().finalize().into();
        format!("{BEFORE}{}{AFTER}", hex(&self.digest[..LINE_SUM_BYTES]))
    }

    /// Of all lines so far.
    pub(super) const fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// Splits a line where its sum begins; `None` if it cannot have one.
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    let bytes = BEFORE.len() + 2 * LINE_SUM_BYTES + AFTER.len();
    line.split_at_checked(line.len().checked_sub(bytes)?)
}
