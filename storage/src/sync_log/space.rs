//! A space as it is folded: what goes into the store of it, in pages, and its row.

use syncline_protocol::error::Code;
use syncline_protocol::ids::{ClientId, ClientKey, Epoch, SpaceKey, UserId, WriterNo};
use syncline_protocol::limits::Limits;
use syncline_protocol::mutation::KEYED_CLIENT;
use syncline_protocol::stamp::WallMs;
use syncline_protocol::verdict::Mark;

use super::fold::Folding;
use super::letters::Letters;
use super::row::{LogRow, Written};
use super::summary::{Aside, Summary};
use crate::transfer::{ClientImage, Counts, Filling, Part, RecordImage, Since, SpaceImage};
use crate::types::{DeadLetter, PageLimit, SpaceView};

/// A space under way. Every row that is merged is a commit of its own.
pub(super) struct Space {
    key: SpaceKey,
    user: UserId,
    view: SpaceView,
    counts: Counts,
    clients: Filling<ClientImage>,
    records: Filling<RecordImage>,
    dead_letters: Filling<DeadLetter>,
    letters: Letters,
    /// The record whose rows come.
    folding: Option<Folding>,
    now_ms: WallMs,
}

impl Space {
    pub(super) fn new(key: SpaceKey, page: PageLimit, now_ms: WallMs) -> Space {
        Space {
            user: UserId::trusted(key.space.as_str()),
            key,
            view: SpaceView {
                // A new one follows it.
                epoch: Epoch(0),
                ..SpaceView::NEVER_OPENED
            },
            counts: Counts::default(),
            clients: Filling::new(page),
            records: Filling::new(page),
            dead_letters: Filling::new(page),
            letters: Letters::default(),
            folding: None,
            now_ms,
        }
    }

    /// A client, by its number. Returns the page that is full.
    pub(super) fn client(&mut self, writer: WriterNo, name: &str) -> Option<Part> {
        self.view.writers = self.view.writers.max(writer);
        let client = client_id(name)?;
        self.counts.clients += 1;
        let bytes = self.user.as_str().len() + name.len();
        let image = ClientImage {
            key: ClientKey {
                user: self.user.clone(),
                client,
            },
            mark: Mark {
                writer,
                last: None,
                given: None,
            },
            used: Since::Never,
        };
        self.clients.take(image, bytes).map(Part::Clients)
    }

    /// A row, counted. Returns the pages that are full.
    pub(super) fn row(
        &mut self,
        row: &LogRow,
        limits: &Limits,
        summary: &mut Summary,
    ) -> [Option<Part>; 2] {
        let read = row
            .read(limits, self.now_ms)
            .map_err(|refusal| refusal.code);
        let mut full = None;
        let folded = read.and_then(|written| {
            full = self.turn_to(&written, summary);
            self.fold(&written, limits)?;
            Ok(written)
        });
        let letters = match folded {
            Ok(written) => {
                summary.folded += 1;
                summary.adjusted(written.adjusted);
                summary.rows_unnamed += u64::from(client_id(&row.client).is_none());
                None
            }
            Err(code) => self.set_aside(row, code, summary),
        };
        [full, letters]
    }

    fn fold(&mut self, written: &Written, limits: &Limits) -> Result<(), Code> {
        let seq = self.view.head.next();
        let folding = self.folding.as_mut().expect("it was turned to");
        folding.fold(written, seq, limits)?;
        self.view.head = seq;
        Ok(())
    }

    fn set_aside(&mut self, row: &LogRow, code: Code, summary: &mut Summary) -> Option<Part> {
        summary.set_aside(Aside::Change(code));
        let from = (&self.user, client_id(&row.client));
        let letter = self.letters.of(row, from, (code, self.now_ms))?;
        self.counts.dead_letters += 1;
        summary.dead_letters += 1;
        let bytes = letter.bytes();
        self.dead_letters.take(letter, bytes).map(Part::DeadLetters)
    }

    /// Ends the record before this row's, if it is another one.
    fn turn_to(&mut self, written: &Written, summary: &mut Summary) -> Option<Part> {
        let key = &written.changes[0].key;
        if self.folding.as_ref().is_some_and(|last| last.key == *key) {
            return None;
        }
        let full = self.end_record(summary);
        self.folding = Some(Folding::new(key.clone()));
        full
    }

    fn end_record(&mut self, summary: &mut Summary) -> Option<Part> {
        let folding = self.folding.take()?;
        self.view.clock = self.view.clock.max(folding.clock);
        let image = folding.image(self.now_ms)?;
        let record = &image.record;
        match (record.is_live(), record.deleted) {
            (true, _) => {
                self.view.live += 1;
                summary.records += 1;
            }
            (false, Some(_)) => summary.tombstones += 1,
            (false, None) => summary.hidden += 1,
        }
        self.counts.records += 1;
        let names = image.key.table.as_str().len() + image.key.id.as_str().len();
        let bytes = record.size_bytes() + names;
        self.records.take(image, bytes).map(Part::Records)
    }

    /// The last pages, how much there is in all, and the space's row.
    pub(super) fn end(mut self, summary: &mut Summary) -> (Vec<Part>, Counts, SpaceImage) {
        let full = self.end_record(summary);
        summary.spaces += 1;
        summary.clients += self.counts.clients;
        let parts = [
            self.clients.end().map(Part::Clients),
            full,
            self.records.end().map(Part::Records),
            self.dead_letters.end().map(Part::DeadLetters),
        ];
        let image = SpaceImage {
            key: self.key,
            view: self.view,
            erased_at_ms: 0,
        };
        (parts.into_iter().flatten().collect(), self.counts, image)
    }
}

/// A client that may come again under this name.
fn client_id(name: &str) -> Option<ClientId> {
    let client = ClientId::parse(name).ok()?;
    (!name.starts_with(KEYED_CLIENT)).then_some(client)
}
