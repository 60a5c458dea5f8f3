//! Messages from the hub, written as text. Changes and values are copied as they stand.

use serde::Serialize;

use super::cursor::SnapshotPlace;
use crate::delta::{push_display, push_field, push_joined, push_member, push_time};
use crate::error::{Code, Refusal};
use crate::ids::{Epoch, Seq};
use crate::json::{self, Json};
use crate::stamp::{WallMs, wall_text};
use crate::trace::TraceParent;
use crate::verdict::{Status, Verdict, Winner};

/// The answer to `hello`.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// The node that serves the socket.
    pub node: &'a str,
    /// The space's epoch.
    pub epoch: Epoch,
    /// The space's head.
    pub head: Seq,
    /// Cursors below it are reset.
    pub gc_seq: Seq,
    /// The hub's clock.
    pub now_ms: WallMs,
    /// Seconds until the token expires.
    pub token_expires_in_s: u64,
    /// The client's last number with a verdict.
    pub acked: Option<u64>,
    /// Bytes of one message from the client.
    pub message_bytes: usize,
    /// Changes of one push from the client.
    pub changes_per_push: usize,
}

impl Welcome<'_> {
    /// As text.
    pub fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Limits {
            message_bytes: usize,
            changes_per_push: usize,
        }
        #[derive(Serialize)]
        struct Text<'a> {
            t: &'a str,
            v: u32,
            node: &'a str,
            epoch: String,
            head: u64,
            gc_seq: u64,
            now: String,
            token_expires_in: u64,
            acked: Option<u64>,
            limits: Limits,
        }
        to_text(&Text {
            t: "welcome",
            v: super::VERSION,
            node: self.node,
            epoch: self.epoch.to_string(),
            head: self.head.0,
            gc_seq: self.gc_seq.0,
            now: wall_text(self.now_ms),
            token_expires_in: self.token_expires_in_s,
            acked: self.acked,
            limits: Limits {
                message_bytes: self.message_bytes,
                changes_per_push: self.changes_per_push,
            },
        })
    }
}

/// `delta`: `changes` is the text between the brackets. `more` says that the client must show
/// nothing yet.
pub fn delta(from: Seq, to: Seq, changes: &str, more: bool) -> String {
    let mut out = String::with_capacity(changes.len() + 64);
    out.push_str(r#"{"t":"delta","from":"#);
    push_display(&mut out, from);
    out.push_str(r#","to":"#);
    push_display(&mut out, to);
    out.push_str(r#","changes":["#);
    out.push_str(changes);
    out.push_str(if more { r#"],"more":true}"# } else { "]}" });
    out
}

/// The same of a commit whose way to the devices is measured: the client is asked to say `ack` once
/// it has applied it, and told which trace it may go on with.
pub fn followed_delta(
    (from, to): (Seq, Seq),
    changes: &str,
    more: bool,
    trace: Option<TraceParent>,
) -> String {
    let mut out = delta(from, to, changes, more);
    out.pop();
    out.push_str(r#","ack":true"#);
    if let Some(trace) = trace {
        push_member(&mut out, "traceparent", &trace.to_string());
    }
    out.push('}');
    out
}

/// One part of a snapshot. `changes` is the text between the brackets. `of` is an estimate of
/// the records of the whole; of some tables only there is none, and the member is left out.
pub fn snapshot(place: &SnapshotPlace, of: Option<u64>, changes: &str) -> String {
    let mut out = String::with_capacity(changes.len() + 256);
    out.push_str(r#"{"t":"snapshot","at":"#);
    push_display(&mut out, place.at);
    out.push_str(r#","done":"#);
    push_display(&mut out, place.done);
    if let Some(of) = of {
        out.push_str(r#","of":"#);
        push_display(&mut out, of.max(place.done));
    }
    out.push_str(r#","changes":["#);
    out.push_str(changes);
    out.push(']');
    push_member(&mut out, "next", &place.to_text());
    out.push('}');
    out
}

/// The end of a snapshot: what was sent in all its parts.
pub fn snapshot_end(at: Seq, count: u64, sum: super::cursor::SnapshotSum) -> String {
    format!(r#"{{"t":"snapshot_end","at":{at},"count":{count},"sum":"{sum}"}}"#)
}

/// What a mutation is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its verdict.
    Verdict(Verdict),
    /// Older than what the hub remembers: it has had a verdict.
    Known,
    /// Not judged: the number belongs to another payload.
    Refused(Refusal),
}

/// `verdicts`: `through` is the client's last number with a verdict.
pub fn verdicts(through: u64, now_ms: WallMs, results: &[(u64, Answer)]) -> String {
    let mut out = String::with_capacity(64 + 48 * results.len());
    out.push_str(r#"{"t":"verdicts","through":"#);
    push_display(&mut out, through);
    push_member(&mut out, "now", &wall_text(now_ms));
    out.push_str(r#","results":"#);
    write_results(&mut out, results);
    out.push('}');
    out
}

/// Appends the list of results.
pub fn write_results(out: &mut String, results: &[(u64, Answer)]) {
    out.push('[');
    push_joined(out, results.iter(), |out, (m, answer)| {
        out.push_str(r#"{"m":"#);
        push_display(out, m);
        push_answer(out, answer);
        out.push('}');
    });
    out.push(']');
}

/// The list of results of keyed mutations.
pub fn write_keyed_results(out: &mut String, results: &[(String, Answer)]) {
    out.push('[');
    push_joined(out, results.iter(), |out, (key, answer)| {
        out.push_str(r#"{"key":"#);
        json::push_string(out, key);
        push_answer(out, answer);
        out.push('}');
    });
    out.push(']');
}

fn push_answer(out: &mut String, answer: &Answer) {
    match answer {
        Answer::Known => push_member(out, "status", "known"),
        Answer::Refused(refusal) => push_rejected(out, refusal),
        Answer::Verdict(verdict) => push_verdict(out, verdict),
    }
}

fn push_verdict(out: &mut String, verdict: &Verdict) {
    match &verdict.status {
        Status::Applied => push_member(out, "status", "applied"),
        Status::Superseded => push_member(out, "status", "superseded"),
        Status::Rejected(refusal) => push_rejected(out, refusal),
    }
    out.push_str(r#","seq":"#);
    push_display(out, verdict.seq);
    if verdict.clamped {
        out.push_str(r#","clamped":true"#);
    }
    if !verdict.winners.is_empty() {
        out.push_str(r#","winners":["#);
        push_joined(out, verdict.winners.iter(), push_winner);
        out.push(']');
    }
}

fn push_rejected(out: &mut String, refusal: &Refusal) {
    push_member(out, "status", "rejected");
    push_member(out, "code", refusal.code.as_str());
    push_member(out, "message", &refusal.message);
}

fn push_winner(out: &mut String, winner: &Winner) {
    out.push_str(r#"{"table":"#);
    json::push_string(out, winner.key.table.as_str());
    push_member(out, "id", winner.key.id.as_str());
    out.push_str(r#","fields":{"#);
    push_joined(out, winner.fields.iter(), |out, field| {
        push_field(out, field.name.as_str(), field.value.as_ref(), field.at);
    });
    out.push('}');
    push_time(out, "deletedAt", winner.deleted_at);
    push_time(out, "insertedAt", winner.inserted_at);
    out.push('}');
}

/// Why a client's cursor is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetWhy {
    /// The history is another one: after an import, a restore, an emptying.
    Epoch,
    /// The cursor is older than the tombstones kept.
    Gc,
    /// The cursor is ahead of the head, or a snapshot's place is of no use any more.
    Cursor,
    /// The user's data was erased.
    Erased,
}

impl ResetWhy {
    /// The word on the wire, and the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            ResetWhy::Epoch => "epoch",
            ResetWhy::Gc => "gc",
            ResetWhy::Cursor => "cursor",
            ResetWhy::Erased => "erased",
        }
    }
}

/// `reset`. The snapshot that follows is of `epoch`, which a welcome before it may not have
/// named.
pub fn reset(why: ResetWhy, epoch: Epoch) -> String {
    let why = why.as_str();
    format!(r#"{{"t":"reset","why":"{why}","epoch":"{epoch}"}}"#)
}

/// `auth_due`: the token expires in so many seconds.
pub fn auth_due(in_s: u64) -> String {
    format!(r#"{{"t":"auth_due","in":{in_s}}}"#)
}

/// `reconnect`: come back, to any node, after so long.
pub fn reconnect(after_ms: u64) -> String {
    format!(r#"{{"t":"reconnect","after_ms":{after_ms}}}"#)
}

/// `slow`: nothing was taken; try again after so long. `scope` is user, app or node.
pub fn slow(scope: &str, retry_ms: u64) -> String {
    format!(r#"{{"t":"slow","scope":"{scope}","retry_ms":{retry_ms}}}"#)
}

/// `presence` of another client; `None` when it is gone.
pub fn presence(client: &str, state: Option<&Json>) -> String {
    let mut out = String::from(r#"{"t":"presence","client":"#);
    json::push_string(&mut out, client);
    out.push_str(r#","state":"#);
    out.push_str(state.map_or("null", Json::as_str));
    out.push('}');
    out
}

/// `broadcast` from another client.
pub fn broadcast(room: &str, from: &str, data: &Json) -> String {
    let mut out = String::from(r#"{"t":"broadcast","room":"#);
    json::push_string(&mut out, room);
    push_member(&mut out, "from", from);
    out.push_str(r#","data":"#);
    out.push_str(data.as_str());
    out.push('}');
    out
}

/// `pong`.
pub const PONG: &str = r#"{"t":"pong"}"#;

/// `error`.
pub fn error(refusal: &Refusal) -> String {
    error_with(refusal, "")
}

/// `error` `gap`: the numbers go on after `acked`.
pub fn gap(acked: Option<u64>) -> String {
    let refusal = Refusal::new(Code::Gap, "mutation numbers must be consecutive");
    error_with(
        &refusal,
        &format!(
            r#","acked":{}"#,
            acked.map_or("null".into(), |m| m.to_string())
        ),
    )
}

fn error_with(refusal: &Refusal, more: &str) -> String {
    let mut out = String::from(r#"{"t":"error""#);
    push_refusal(&mut out, refusal);
    out.push_str(more);
    out.push('}');
    out
}

/// The body of an HTTP error: `{"code","message","retry"}`.
pub fn http_error(refusal: &Refusal) -> String {
    let mut out = String::new();
    push_refusal(&mut out, refusal);
    format!("{{{}}}", &out[1..])
}

fn push_refusal(out: &mut String, refusal: &Refusal) {
    push_member(out, "code", refusal.code.as_str());
    push_member(out, "message", &refusal.message);
    push_member(out, "retry", refusal.code.retry().as_str());
}

fn to_text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("a message is plain data")
}

#[cfg(test)]
mod tests;
