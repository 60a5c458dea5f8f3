//! A job's arguments, made of a record: JSON in which some texts stand for something else.

use std::collections::BTreeSet;

use serde_json::Value;
use syncline_protocol::ids::FieldName;
use syncline_protocol::json::{Json, push_string};
use syncline_protocol::limits::JSON_DEPTH_CEILING;
use syncline_protocol::out::{Counted, Out};
use syncline_protocol::record::Record;
use syncline_storage::jobs::{ArgsTooLarge, JOB_ARGS_BYTES_MAX, JobArgs};

use super::condition::field;
use super::config::{Side, When};
use super::event::{Changed, Committed};

/// What stands for what is not there, or too large.
const NULL: &str = "null";

/// A value that stays for as long as a job holds it: a name, a number, a time.
const SMALL_VALUE_BYTES: usize = 256;

/// Arguments before they are about a record.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    /// As it is.
    Text(String),
    App,
    Space,
    Table,
    Id,
    Who,
    When,
    Seq,
    Field(Side, FieldName),
    Record(Side),
}

/// What arguments may be about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) committed: &'a Committed<'a>,
    pub(super) changed: &'a Changed<'a>,
    pub(super) when: When,
}

impl Template {
    /// Checks arguments. Errors: what is wrong with them.
    pub(super) fn of(args: &Value) -> Result<Template, String> {
        let text = Json::parse(&args.to_string(), JSON_DEPTH_CEILING);
        let text = text.map_err(|refusal| refusal.message)?;
        if text.as_str().len() > JOB_ARGS_BYTES_MAX {
            return Err(ArgsTooLarge(text.as_str().len()).to_string());
        }
        let mut template = Template(Vec::new());
        template.add(args)?;
        Ok(template)
    }

    fn add(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) => self.add_text(text)?,
            Value::Array(all) => {
                self.text("[");
                for (n, one) in all.iter().enumerate() {
                    self.text(if n == 0 { "" } else { "," });
                    self.add(one)?;
                }
                self.text("]");
            }
            Value::Object(members) => {
                self.text("{");
                for (n, (name, one)) in members.iter().enumerate() {
                    self.text(if n == 0 { "" } else { "," });
                    self.quoted(name);
                    self.text(":");
                    self.add(one)?;
                }
                self.text("}");
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.text(&value.to_string()),
        }
        Ok(())
    }

    fn add_text(&mut self, text: &str) -> Result<(), String> {
        let Some(named) = text.strip_prefix('$') else {
            self.quoted(text);
            return Ok(());
        };
        if named.starts_with('$') {
            self.quoted(named);
            return Ok(());
        }
        let piece = match named {
            "app" => Piece::App,
            "space" => Piece::Space,
            "table" => Piece::Table,
            "id" => Piece::Id,
            "who" => Piece::Who,
            "when" => Piece::When,
            "seq" => Piece::Seq,
            "after" => Piece::Record(Side::After),
            "before" => Piece::Record(Side::Before),
            _ => match named.split_once('.') {
                Some(("after", name)) => Piece::Field(Side::After, field(name)?),
                Some(("before", name)) => Piece::Field(Side::Before, field(name)?),
                _ => {
                    return Err(format!(
                        "{text:?} stands for nothing; write \"${text}\" for itself"
                    ));
                }
            },
        };
        self.0.push(piece);
        Ok(())
    }

    fn quoted(&mut self, text: &str) {
        let mut quoted = String::new();
        push_string(&mut quoted, text);
        self.text(&quoted);
    }

    fn text(&mut self, more: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text.push_str(more),
            _ => self.0.push(Piece::Text(more.to_owned())),
        }
    }

    /// The arguments about a record: its place, who changed it and how, and what the trigger says.
    /// What does not fit into so many bytes is null: whole records first, then the largest values, until the
    /// rest fits or is small. Errors: even that is more than a job holds, by the config's own text and by names.
    pub(super) fn filled(
        &self,
        about: About<'_>,
        bytes_max: usize,
    ) -> Result<JobArgs, ArgsTooLarge> {
        let mut text = String::new();
        self.write(&mut text, about, &self.left_out(about, bytes_max));
        // Members stand in the config's order, which is not always the canonical one.
        let args = Json::parse(&text, usize::MAX).unwrap_or_else(|_| Json::trusted(&text));
        JobArgs::new(args)
    }

    fn write(&self, out: &mut impl Out, about: About<'_>, left_out: &BTreeSet<usize>) {
        let place = [
            ("{\"id\":", Piece::Id),
            (",\"table\":", Piece::Table),
            (",\"when\":", Piece::When),
            (",\"who\":", Piece::Who),
        ];
        for (name, piece) in place {
            out.push_str(name);
            piece.write(out, about);
        }
        out.push_str(",\"args\":");
        for (n, piece) in self.0.iter().enumerate() {
            match left_out.contains(&n) {
                true => out.push_str(NULL),
                false => piece.write(out, about),
            }
        }
        out.push('}');
    }

    /// The places of what does not fit: who wants it reads the record.
    fn left_out(&self, about: About<'_>, bytes_max: usize) -> BTreeSet<usize> {
        let mut left_out = BTreeSet::new();
        let mut bytes = Counted::default();
        self.write(&mut bytes, about, &left_out);
        let Counted(mut bytes) = bytes;
        if bytes <= bytes_max {
            return left_out;
        }
        let mut values = Vec::new();
        for (n, piece) in self.0.iter().enumerate() {
            let saved = piece.bytes(about).saturating_sub(NULL.len());
            match piece {
                // Of two records both go: one alone would tell of a change that was none.
                Piece::Record(_) => {
                    left_out.insert(n);
                    bytes -= saved;
                }
                Piece::Field(..) => values.push((saved, n)),
                _ => {}
            }
        }
        values.sort_unstable();
        while bytes > bytes_max
            && let Some((saved, n)) = values.pop()
        {
            if saved <= SMALL_VALUE_BYTES && bytes <= JOB_ARGS_BYTES_MAX {
                break;
            }
            left_out.insert(n);
            bytes -= saved;
        }
        left_out
    }

    /// What it is of every record, as JSON; `None` if it stands for something of one.
    pub(super) fn fixed(&self) -> Option<&str> {
        match &self.0[..] {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What it is of a record; `None` if that is no text.
    pub(super) fn text_of(&self, about: About<'_>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            piece.write(&mut text, about);
        }
        serde_json::from_str(&text).ok()
    }
}

impl Piece {
    fn bytes(&self, about: About<'_>) -> usize {
        let mut bytes = Counted::default();
        self.write(&mut bytes, about);
        bytes.0
    }

    fn write(&self, out: &mut impl Out, about: About<'_>) {
        let (space, key) = (about.committed.space, about.changed.key);
        match self {
            Piece::Text(text) => out.push_str(text),
            Piece::App => push_string(out, space.app.as_str()),
            Piece::Space => push_string(out, space.space.as_str()),
            Piece::Table => push_string(out, key.table.as_str()),
            Piece::Id => push_string(out, key.id.as_str()),
            Piece::Who => push_string(out, about.changed.who),
            Piece::When => push_string(out, when(about.when)),
            Piece::Seq => out.push_str(&about.committed.seq.0.to_string()),
            Piece::Field(side, name) => {
                let value = about.changed.value(*side, name.as_str());
                out.push_str(value.map_or(NULL, Json::as_str));
            }
            Piece::Record(side) => match about.changed.shown(*side) {
                Some(record) => push_record(out, record),
                None => out.push_str(NULL),
            },
        }
    }
}

/// The fields of a record, by name.
fn push_record(out: &mut impl Out, record: &Record) {
    out.push('{');
    for (n, field) in record.fields.iter().enumerate() {
        out.push_str(if n == 0 { "" } else { "," });
        push_string(out, field.name.as_str());
        out.push(':');
        out.push_str(field.value.as_str());
    }
    out.push('}');
}

fn when(when: When) -> &'static str {
    match when {
        When::Insert => "insert",
        When::Update => "update",
        When::Delete => "delete",
        When::Any => "any",
    }
}
