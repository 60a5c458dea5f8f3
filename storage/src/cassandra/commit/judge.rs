//! Whether a commit fits what was seen: the contract, as the model has it.

use super::look::{Seen, SeenMark};
use crate::types::{Commit, MarkMove};

/// Whether nothing of what the commit expects is otherwise.
pub(super) fn fits(commit: &Commit, seen: &Seen) -> bool {
    let view = &seen.row.view;
    let expected = (commit.expect_epoch, commit.expect_head);
    let mark_fits = |moved: &MarkMove| match seen.marks.get(&moved.client) {
        Some(stored) => known_fits(moved, stored),
        None => {
            let no_given = moved.expect_given.unwrap_or(0) == 0;
            moved.writer > view.writers && moved.expect_last.is_none() && no_given
        }
    };
    (view.epoch, view.head) == expected
        && view.writers <= commit.writers
        && commit.marks.iter().all(mark_fits)
}

fn known_fits(moved: &MarkMove, stored: &SeenMark) -> bool {
    let given_fits = |expected| expected == stored.given_count;
    stored.writer == moved.writer
        && stored.last == moved.expect_last
        && moved.expect_given.is_none_or(given_fits)
}
