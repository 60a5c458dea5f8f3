//! The lines as JSON: shapes of their own, apart from what a store holds.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use syncline_protocol::codec;
use syncline_protocol::error::Code;
use syncline_protocol::ids::{
    AppId, ClientId, ClientKey, Epoch, FieldName, RecordId, RecordKey, Seq, SpaceId, SpaceKey,
    TableName, UserId, WriterNo,
};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};
use syncline_protocol::stamp::{Hlc, Stamp};
use syncline_protocol::verdict::{Mark, Remembered};

use crate::transfer::{ClientImage, Counts, RecordImage, Since, SpaceImage, VerdictImage};
use crate::types::{DeadLetter, Erased, SpaceView};

mod job;

pub(super) use job::JobLine;

type Text<'a> = Cow<'a, str>;

/// A line's kind: its `t`.
pub(super) trait Line {
    const T: &'static str;
}

macro_rules! kinds {
    ($($line:ty: $t:literal;)+) => {
        $(impl Line for $line {
            const T: &'static str = $t;
        })+
    };
}

kinds! {
    HeaderLine: "archive";
    SpaceLine<'_>: "space";
    ClientLine<'_>: "client";
    VerdictLine<'_>: "verdict";
    RecordLine<'_>: "record";
    DeadLetterLine<'_>: "dead_letter";
    JobLine<'_>: "job";
    SpaceEndLine: "space_end";
    EndLine<'_>: "end";
}

/// What cannot be read.
pub(super) type Unreadable = String;

#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine {
    pub(super) format: u32,
    pub(super) begun_ms: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SpaceLine<'a> {
    #[serde(borrow)]
    app: Text<'a>,
    #[serde(borrow)]
    space: Text<'a>,
    #[serde(borrow)]
    epoch: Text<'a>,
    epoch_at_ms: u64,
    lost_at_ms: u64,
    erased_at_ms: u64,
    head: u64,
    gc_seq: u64,
    swept: u64,
    clock: (u64, u16),
    live: u64,
    writers: u32,
}

/// Milliseconds, or `"never"`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum SinceLine {
    At(u64),
    Never(Never),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Never {
    Never,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ClientLine<'a> {
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow)]
    client: Text<'a>,
    writer: u32,
    last: Option<u64>,
    used_ms: SinceLine,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    given: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct VerdictLine<'a> {
    writer: u32,
    m: u64,
    #[serde(borrow)]
    hash: Text<'a>,
    #[serde(borrow)]
    verdict: Text<'a>,
}

/// Wall milliseconds, counter, writer.
type StampLine = (u64, u16, u32);

#[derive(Serialize, Deserialize)]
pub(super) struct RecordLine<'a> {
    #[serde(borrow)]
    table: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    seq: u64,
    by: u32,
    inserted: Option<StampLine>,
    deleted: Option<StampLine>,
    inserted_seq: u64,
    deleted_seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_ms: Option<SinceLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_ms: Option<u64>,
    #[serde(borrow)]
    fields: Vec<FieldLine<'a>>,
}

/// Name, value, stamp, seq.
#[derive(Serialize, Deserialize)]
struct FieldLine<'a>(
    #[serde(borrow)] Text<'a>,
    #[serde(borrow)] &'a RawValue,
    StampLine,
    u64,
);

#[derive(Serialize, Deserialize)]
pub(super) struct DeadLetterLine<'a> {
    at_ms: u64,
    #[serde(borrow)]
    user: Text<'a>,
    #[serde(borrow)]
    client: Text<'a>,
    #[serde(borrow)]
    table: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    change: Text<'a>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct SpaceEndLine {
    clients: u64,
    verdicts: u64,
    records: u64,
    dead_letters: u64,
    /// None in the first format.
    #[serde(default)]
    jobs: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EndLine<'a> {
    pub(super) spaces: u64,
    #[serde(flatten)]
    pub(super) counts: SpaceEndLine,
    #[serde(borrow)]
    pub(super) sha256: Text<'a>,
}

fn since(since: Since) -> SinceLine {
    match since {
        Since::At(at) => SinceLine::At(at),
        Since::Never => SinceLine::Never(Never::Never),
    }
}

fn since_of(line: SinceLine) -> Since {
    match line {
        SinceLine::At(at) => Since::At(at),
        SinceLine::Never(Never::Never) => Since::Never,
    }
}

fn stamp(stamp: Stamp) -> StampLine {
    (stamp.at.wall_ms(), stamp.at.counter(), stamp.writer.0)
}

fn stamp_of((wall_ms, counter, writer): StampLine) -> Stamp {
    Stamp {
        at: Hlc::new(wall_ms, counter),
        writer: WriterNo(writer),
    }
}

fn bytes_of(what: &str, text: &str) -> Result<Vec<u8>, Unreadable> {
    let bytes = STANDARD.decode(text);
    bytes.map_err(|error| format!("{what}: {error}"))
}

impl<'a> SpaceLine<'a> {
    pub(super) fn of(image: &'a SpaceImage) -> SpaceLine<'a> {
        let view = &image.view;
        SpaceLine {
            app: image.key.app.as_str().into(),
            space: image.key.space.as_str().into(),
            epoch: view.epoch.to_string().into(),
            epoch_at_ms: view.epoch_at_ms,
            lost_at_ms: view.lost_at_ms,
            erased_at_ms: image.erased_at_ms,
            head: view.head.0,
            gc_seq: view.gc_seq.0,
            swept: view.swept.0,
            clock: (view.clock.wall_ms(), view.clock.counter()),
            live: view.live,
            writers: view.writers.0,
        }
    }

    pub(super) fn image(self) -> Result<SpaceImage, Unreadable> {
        let epoch = Epoch::parse(&self.epoch).ok_or("an epoch that is none")?;
        Ok(SpaceImage {
            key: SpaceKey {
                app: AppId::trusted(&self.app),
                space: SpaceId::trusted(&self.space),
            },
            view: SpaceView {
                epoch,
                epoch_at_ms: self.epoch_at_ms,
                lost_at_ms: self.lost_at_ms,
                erased: Erased::at(self.erased_at_ms),
                head: Seq(self.head),
                gc_seq: Seq(self.gc_seq),
                swept: Seq(self.swept),
                clock: Hlc::new(self.clock.0, self.clock.1),
                live: self.live,
                writers: WriterNo(self.writers),
            },
            erased_at_ms: self.erased_at_ms,
        })
    }
}

impl<'a> ClientLine<'a> {
    pub(super) fn of(image: &'a ClientImage) -> ClientLine<'a> {
        let given = image.mark.given.as_deref().map(codec::encode_given);
        ClientLine {
            user: image.key.user.as_str().into(),
            client: image.key.client.as_str().into(),
            writer: image.mark.writer.0,
            last: image.mark.last,
            used_ms: since(image.used),
            given: given.map(|bytes| STANDARD.encode(bytes).into()),
        }
    }

    pub(super) fn image(self) -> Result<ClientImage, Unreadable> {
        let given = self.given.map(|text| {
            let bytes = bytes_of("given stamps", &text)?;
            codec::decode_given(&bytes).map_err(|error| format!("given stamps: {error}"))
        });
        Ok(ClientImage {
            key: client_key(&self.user, &self.client),
            mark: Mark {
                writer: WriterNo(self.writer),
                last: self.last,
                given: given.transpose()?.map(Arc::new),
            },
            used: since_of(self.used_ms),
        })
    }
}

fn client_key(user: &str, client: &str) -> ClientKey {
    ClientKey {
        user: UserId::trusted(user),
        client: ClientId::trusted(client),
    }
}

impl VerdictLine<'_> {
    pub(super) fn of(image: &VerdictImage) -> VerdictLine<'static> {
        let remembered = &image.remembered;
        let verdict = codec::encode_verdict(&remembered.verdict);
        VerdictLine {
            writer: image.writer.0,
            m: remembered.m,
            hash: STANDARD.encode(remembered.hash).into(),
            verdict: STANDARD.encode(verdict).into(),
        }
    }

    pub(super) fn image(self) -> Result<VerdictImage, Unreadable> {
        let hash = bytes_of("a hash", &self.hash)?;
        let verdict = bytes_of("a verdict", &self.verdict)?;
        let verdict = codec::decode_verdict(&verdict);
        Ok(VerdictImage {
            writer: WriterNo(self.writer),
            remembered: Remembered {
                m: self.m,
                hash: hash.try_into().map_err(|_| "a hash that is none")?,
                verdict: verdict.map_err(|error| format!("a verdict: {error}"))?,
            },
        })
    }
}

impl<'a> RecordLine<'a> {
    /// Errors: a stored value is no JSON.
    pub(super) fn of(image: &'a RecordImage) -> Result<RecordLine<'a>, Unreadable> {
        let record = &image.record;
        let field = |field: &'a Field| {
            let value = serde_json::from_str(field.value.as_str());
            let value = value.map_err(|error| format!("a value: {error}"))?;
            let name = field.name.as_str().into();
            Ok(FieldLine(name, value, stamp(field.stamp), field.seq.0))
        };
        Ok(RecordLine {
            table: image.key.table.as_str().into(),
            id: image.key.id.as_str().into(),
            seq: record.seq.0,
            by: record.by.0,
            inserted: record.inserted.map(stamp),
            deleted: record.deleted.map(stamp),
            inserted_seq: record.inserted_seq.0,
            deleted_seq: record.deleted_seq.0,
            dead_ms: image.dead.map(since),
            committed_ms: image.committed_at_ms,
            fields: record
                .fields
                .iter()
                .map(field)
                .collect::<Result<_, Unreadable>>()?,
        })
    }

    pub(super) fn image(self) -> RecordImage {
        let field = |FieldLine(name, value, stamp, seq): FieldLine<'_>| Field {
            name: FieldName::trusted(&name),
            value: Json::trusted(value.get()),
            stamp: stamp_of(stamp),
            seq: Seq(seq),
        };
        RecordImage {
            key: RecordKey {
                table: TableName::trusted(&self.table),
                id: RecordId::trusted(&self.id),
            },
            record: Record {
                inserted: self.inserted.map(stamp_of),
                deleted: self.deleted.map(stamp_of),
                fields: self.fields.into_iter().map(field).collect(),
                seq: Seq(self.seq),
                by: WriterNo(self.by),
                inserted_seq: Seq(self.inserted_seq),
                deleted_seq: Seq(self.deleted_seq),
            },
            dead: self.dead_ms.map(since_of),
            committed_at_ms: self.committed_ms,
        }
    }
}

impl<'a> DeadLetterLine<'a> {
    pub(super) fn of(letter: &'a DeadLetter) -> DeadLetterLine<'a> {
        DeadLetterLine {
            at_ms: letter.at_ms,
            user: letter.client.user.as_str().into(),
            client: letter.client.client.as_str().into(),
            table: letter.table.as_str().into(),
            id: letter.id.as_str().into(),
            code: letter.code.as_str().into(),
            change: letter.change.as_str().into(),
        }
    }

    pub(super) fn letter(self) -> DeadLetter {
        DeadLetter {
            at_ms: self.at_ms,
            client: client_key(&self.user, &self.client),
            table: self.table.into_owned(),
            id: self.id.into_owned(),
            // A code of a newer version says at least that the change was no good.
            code: Code::parse(&self.code).unwrap_or(Code::ChangeInvalid),
            change: self.change.into_owned(),
        }
    }
}

impl From<Counts> for SpaceEndLine {
    fn from(counts: Counts) -> SpaceEndLine {
        SpaceEndLine {
            clients: counts.clients,
            verdicts: counts.verdicts,
            records: counts.records,
            dead_letters: counts.dead_letters,
            jobs: counts.jobs,
        }
    }
}

impl From<SpaceEndLine> for Counts {
    fn from(line: SpaceEndLine) -> Counts {
        Counts {
            clients: line.clients,
            verdicts: line.verdicts,
            records: line.records,
            dead_letters: line.dead_letters,
            jobs: line.jobs,
        }
    }
}
