//! Rows set aside, as dead letters of their user.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientId, ClientKey, UserId};
use syncline_protocol::stamp::{WallMs, wall_text};

use super::row::LogRow;
use crate::types::{DEAD_LETTERS_MAX, DeadLetter};

/// In place of a client's name that is none.
const UNNAMED: &str = "unnamed";

/// Those of a space so far. The same one twice is one.
#[derive(Debug, Default)]
pub(super) struct Letters(HashSet<[u8; 32]>);

/// The row as it is kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    table: &'a str,
    id: &'a str,
    op: &'a str,
    data: Option<&'a RawValue>,
    field_timestamps: Option<&'a RawValue>,
    created_at: Option<String>,
}

impl Letters {
    /// The row's letter, written at `now_ms`; `None` if it is there already, or there are as many
    /// as a space keeps.
    pub(super) fn of(
        &mut self,
        row: &LogRow,
        (user, client): (&UserId, Option<ClientId>),
        (code, now_ms): (Code, WallMs),
    ) -> Option<DeadLetter> {
        let client = client.unwrap_or_else(|| ClientId::trusted(UNNAMED));
        let change = DeadLetter::kept(&text(row));
        let same = Sha256::new_with_prefix(change.as_bytes()).chain_update(client.as_str());
        if self.0.len() >= DEAD_LETTERS_MAX || !self.0.insert(same.finalize().into()) {
            return None;
        }
        Some(DeadLetter {
            at_ms: now_ms,
            client: ClientKey {
                user: user.clone(),
                client,
            },
            table: DeadLetter::kept(&row.table),
            id: DeadLetter::kept(&row.id),
            code,
            change,
        })
    }
}

fn text(row: &LogRow) -> String {
    let raw = |text: &'_ Option<String>| -> Option<Box<RawValue>> {
        RawValue::from_string(text.clone()?).ok()
    };
    let (data, stamps) = (raw(&row.data), raw(&row.stamps));
    let at_ms = row
        .at_us
        .and_then(|at_us| u64::try_from(at_us / 1_000).ok());
    let kept = Kept {
        table: &row.table,
        id: &row.id,
        op: &row.op,
        data: data.as_deref(),
        field_timestamps: stamps.as_deref(),
        created_at: at_ms.map(wall_text),
    };
    serde_json::to_string(&kept).expect("texts and JSON are written as JSON")
}
