//! What rows become, by themselves and out of a real log.

mod folding;
mod importing;
mod old_server;
mod reading;
mod resuming;

use syncline_protocol::ids::WriterNo;
use syncline_protocol::limits::Limits;

use super::row::LogRow;

const LIMITS: Limits = Limits::DEFAULT;

/// 2026-03-01T00:00:00Z.
const DAY_MS: u64 = 1_772_323_200_000;

/// A moment of that day, some seconds after its begin.
fn at(second: u64) -> String {
    syncline_protocol::stamp::wall_text(DAY_MS + second * 1_000)
}

/// Later than every row.
const NOW: u64 = DAY_MS + 1_000_000_000;

/// A row of `tasks/k1` that arrived so many seconds after the begin of the day.
fn row(writer: u32, (op, data, stamps): (&str, &str, &str), arrived: u64) -> LogRow {
    LogRow {
        writer: WriterNo(writer),
        client: format!("d{writer}"),
        table: "tasks".to_owned(),
        id: "k1".to_owned(),
        op: op.to_owned(),
        data: Some(data.to_owned()),
        stamps: Some(stamps.to_owned()),
        at_us: Some((DAY_MS as i64 + arrived as i64 * 1_000) * 1_000),
    }
}
