//! Verdicts: what a repeat is answered.

use syncline_protocol::error::{Code, Refusal};
use syncline_protocol::ids::{FieldName, Seq, WriterNo};
use syncline_protocol::json::Json;
use syncline_protocol::stamp::Hlc;
use syncline_protocol::verdict::{Remembered, Status, Verdict, Winner, WonField};

use super::space::{NOW, Space, applied, client, key, verdict};
use crate::Store;

/// Commits one verdict and reads it back.
async fn round_trips(store: &dyn Store, verdict: Verdict) {
    let mut space = Space::open(store).await;
    let remembered = Remembered {
        m: 1,
        hash: std::array::from_fn(|at| at as u8),
        verdict,
    };
    let mut commit = space.marked(Vec::new(), &client("ada", "c1"), None);
    commit.marks[0].verdicts = vec![remembered.clone()];
    space.accept(commit).await;
    assert_eq!(space.verdicts(WriterNo(1), &[1]).await, [Some(remembered)]);
}

/// Moves a client's mark to `last` in one commit, with a verdict for every number.
async fn decide_to(space: &mut Space<'_>, user: &str, last: u64) {
    let client = client(user, "c1");
    let mark = space.mark(&client).await;
    let mut commit = space.marked(Vec::new(), &client, mark);
    let decided = &mut commit.marks[0];
    let first = decided.last.unwrap_or(1);
    decided.verdicts = (first..=last).map(applied).collect();
    decided.last = Some(last);
    space.accept(commit).await;
}

/// Of a writer never seen, and of a number never used.
pub async fn an_unknown_verdict_is_none(store: &dyn Store) {
    let mut space = Space::open(store).await;
    decide_to(&mut space, "ada", 1).await;
    assert_eq!(space.verdicts(WriterNo(7), &[1]).await, [None]);
    assert_eq!(space.verdicts(WriterNo(1), &[0, 2]).await, [None, None]);
}

/// With every kind of winner.
pub async fn applied_round_trips_with_winners(store: &dyn Store) {
    let field = |name, value: Option<&str>| WonField {
        name: FieldName::trusted(name),
        at: Hlc::new(NOW, 3),
        value: value.map(Json::trusted),
    };
    let winner = Winner {
        key: key("tasks", "käse ☕"),
        fields: vec![
            field("title", Some(r#"{"a":[1,null]}"#)),
            field("note", None),
        ],
        deleted_at: Some(Hlc::new(NOW, 1)),
        inserted_at: None,
    };
    let back = Winner {
        fields: Vec::new(),
        deleted_at: None,
        inserted_at: Some(Hlc::new(NOW, 2)),
        ..winner.clone()
    };
    let verdict = Verdict {
        winners: vec![winner, back],
        clamped: true,
        ..verdict(Status::Applied, Seq(u64::from(u32::MAX) + 1))
    };
    round_trips(store, verdict).await;
}

/// A verdict without effect is remembered too.
pub async fn superseded_round_trips(store: &dyn Store) {
    round_trips(store, verdict(Status::Superseded, Seq(0))).await;
}

/// So is a refusal, with its sentence.
pub async fn rejected_round_trips(store: &dyn Store) {
    let refusal = Refusal::new(Code::RecordTooLarge, "the record „x“ is too large");
    round_trips(store, Verdict::rejected(refusal, Seq(3))).await;
}

/// Unknown ones between known ones.
pub async fn verdicts_are_answered_in_the_order_asked(store: &dyn Store) {
    let mut space = Space::open(store).await;
    decide_to(&mut space, "ada", 3).await;
    let read = space.verdicts(WriterNo(1), &[3, 9, 1, 3]).await;
    assert_eq!(
        read,
        [Some(applied(3)), None, Some(applied(1)), Some(applied(3))]
    );
}

/// At the limit: all 256 are there.
pub async fn the_last_256_verdicts_are_kept(store: &dyn Store) {
    let mut space = Space::open(store).await;
    decide_to(&mut space, "ada", 100).await;
    decide_to(&mut space, "ada", 256).await;
    let all: Vec<u64> = (1..=256).collect();
    let expected: Vec<_> = all.iter().map(|m| Some(applied(*m))).collect();
    assert_eq!(space.verdicts(WriterNo(1), &all).await, expected);
}

/// One past the limit: exactly the oldest goes.
pub async fn the_257th_verdict_forgets_the_first(store: &dyn Store) {
    let mut space = Space::open(store).await;
    decide_to(&mut space, "ada", 256).await;
    decide_to(&mut space, "ada", 257).await;
    let read = space.verdicts(WriterNo(1), &[1, 2, 256, 257]).await;
    assert_eq!(
        read,
        [
            None,
            Some(applied(2)),
            Some(applied(256)),
            Some(applied(257))
        ]
    );
}

/// More verdicts in one commit than are kept: the last ones stay.
pub async fn one_move_may_pass_the_256(store: &dyn Store) {
    let mut space = Space::open(store).await;
    decide_to(&mut space, "ada", 300).await;
    let read = space.verdicts(WriterNo(1), &[44, 45, 300]).await;
    assert_eq!(read, [None, Some(applied(45)), Some(applied(300))]);
}

/// Equal numbers of two clients.
pub async fn verdicts_of_two_writers_are_apart(store: &dyn Store) {
    let mut space = Space::open(store).await;
    decide_to(&mut space, "ada", 1).await;
    decide_to(&mut space, "bob", 2).await;
    let adas = space.verdicts(WriterNo(1), &[1, 2]).await;
    let bobs = space.verdicts(WriterNo(2), &[1, 2]).await;
    assert_eq!(adas, [Some(applied(1)), None]);
    assert_eq!(bobs, [Some(applied(1)), Some(applied(2))]);
}
