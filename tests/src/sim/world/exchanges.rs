//! Requests of the compatibility protocol, stage by stage.

use std::collections::BTreeSet;

use syncline_hub::gateway::compat::answer::{ALL, Answering, Next, Question, asker, from_memory};
use syncline_hub::session::event::{Event, Sync};
use syncline_protocol::compat::cursor::{Place, Reach, Since};
use syncline_protocol::compat::request::{SyncChange, SyncRequest};
use syncline_protocol::ids::RecordKey;
use syncline_protocol::limits::Limits;
use syncline_storage::types::SpaceView;

use super::World;
use super::steps::Step;
use crate::sim::checker::What;
use crate::sim::count::Kind;
use crate::sim::exchange::{Exchange, Reply, Stage, Wish};
use crate::sim::trace::Checked;

/// Of a thousand changesets, how many are answered alone.
const UNREAD: u64 = 90;

impl World {
    pub(super) fn add_exchange_steps(&self, steps: &mut Vec<Step>) {
        let can_go_on = |exchange: &Exchange| match exchange.stage {
            Stage::Sent => self.nodes[exchange.node].session.is_some(),
            Stage::Merging { .. } => false,
            _ => true,
        };
        let exchanges = self.exchanges.iter().enumerate();
        steps.extend(
            exchanges
                .filter(|(_, exchange)| can_go_on(exchange))
                .map(|(at, _)| Step::Exchange(at)),
        );
        for (number, device) in self.devices.iter().enumerate() {
            if device.wants_to_ask() {
                steps.push(Step::Ask(number));
            }
            let awaited = device.awaits().into_iter();
            let lost = awaited.filter(|no| !self.is_under_way(number, *no));
            steps.extend(lost.map(|no| Step::GiveUp(number, no)));
            if device.wants_to_write() {
                steps.push(Step::WriteDown(number));
            }
        }
    }

    fn is_under_way(&self, device: usize, no: u64) -> bool {
        let mut exchanges = self.exchanges.iter();
        exchanges.any(|one| one.device == device && one.ask.no == no)
    }

    /// Records that changesets of a device name which are not merged yet: on their way, in a
    /// session, or in a commit whose session may be gone.
    fn under_way(&self, device: usize) -> BTreeSet<RecordKey> {
        let mut changes: Vec<SyncChange> = Vec::new();
        for exchange in self.exchanges.iter().filter(|one| one.device == device) {
            let merges = matches!(exchange.stage, Stage::Sent | Stage::Merging { .. });
            if let (true, Wish::Sync(body)) = (merges, &exchange.ask.wish) {
                let request = SyncRequest::parse(body, &Limits::DEFAULT);
                changes.extend(request.expect("devices send what can be read").changes);
            }
        }
        let name = self.devices[device].name();
        let operations = self.nodes.iter().flat_map(|node| &node.operations);
        let batches = operations.filter_map(|operation| operation.batch.as_ref());
        for judged in batches.flat_map(|batch| &batch.judged) {
            if let (true, What::Changeset(more)) =
                (judged.client.client.as_str() == name, &judged.what)
            {
                changes.extend(more.changes.iter().cloned());
            }
        }
        let asked = changes.into_iter().filter_map(|change| change.asked.ok());
        asked.map(|asked| asked.key).collect()
    }

    /// A device asks. The request may be lost, or made twice on the way.
    pub(super) fn ask(&mut self, device: usize) {
        let under_way = self.under_way(device);
        let Some(ask) = self.with_device(device, |device, cx| device.ask(under_way, cx)) else {
            return;
        };
        let name = self.devices[device].name();
        self.aids.trace.say(&name, || format!("asks {ask:?}"));
        let times = match self.aids.rng.below(20) {
            0 if self.chaos => {
                self.aids.counts.add(Kind::AskLost);
                0
            }
            1 if self.chaos => {
                self.aids.counts.add(Kind::AskTwice);
                2
            }
            _ => 1,
        };
        let socket = self.socket_of(device).filter(|_| self.sticky);
        let own = socket.map(|id| self.sockets[&id].node);
        for _ in 0..times {
            let exchange = Exchange {
                device,
                ask: ask.clone(),
                node: own.unwrap_or_else(|| self.aids.rng.below(self.nodes.len())),
                stage: Stage::Sent,
            };
            self.exchanges.push(exchange);
        }
    }

    /// A device stops waiting. What it asked may still be under way.
    pub(super) fn give_up(&mut self, device: usize, no: u64) {
        if self.is_under_way(device, no) {
            self.aids.counts.add(Kind::AskOutlived);
        }
        let name = self.devices[device].name();
        self.aids.trace.say(&name, || format!("gives up {no}"));
        self.with_device(device, |device, cx| device.answered(no, &Reply::Failed, cx))
            .expect("nothing is wrong with a failure");
    }

    /// A request goes a step further.
    pub(super) fn go_on(&mut self, at: usize) -> Checked {
        let mut exchange = self.exchanges.swap_remove(at);
        let (since, table) = exchange.since();
        let place = std::mem::replace(&mut exchange.stage, Stage::Sent);
        let reads = matches!(
            place,
            Stage::Marks | Stage::Lost(_) | Stage::View(_) | Stage::Changes(_)
        );
        let rate = self.plan.store_faults;
        let is_away = reads && self.is_away(exchange.node);
        if is_away || reads && self.chaos && self.aids.rng.chance(rate) {
            self.aids.counts.add(Kind::ReplyReadFails);
            exchange.stage = Stage::Back(Reply::Failed);
            self.exchanges.push(exchange);
            return Ok(());
        }
        exchange.stage = match place {
            Stage::Sent => {
                self.arrive(exchange);
                return Ok(());
            }
            Stage::Merging { .. } => place,
            Stage::Held { shown } => match from_memory(since, &shown.get()) {
                Some(text) => self.told_from_memory(shown.get().head, text),
                None => Stage::Marks,
            },
            Stage::Marks => {
                let client = std::slice::from_ref(&exchange.ask.client);
                let read = self.store.model.marks(&self.space, client);
                let read = read.expect("the space is there");
                if self.has_lost(since, &read.view, exchange.node) {
                    Stage::Lost(read.view.epoch)
                } else {
                    Stage::View(Question {
                        since,
                        synced: asker(read),
                        table: table.map(str::to_owned),
                    })
                }
            }
            Stage::Lost(epoch) => {
                self.change_lost_epoch(exchange.node, epoch);
                Stage::Marks
            }
            Stage::View(question) => {
                let alone = question.table.is_none() && self.is_answered_alone();
                let answering = Answering::new(question, &self.store.view());
                match alone.then(|| self.store.view()) {
                    Some(view) => self.answered_alone(answering, &view),
                    None => Stage::Changes(answering),
                }
            }
            Stage::Changes(answering) => {
                let page = self
                    .store
                    .model
                    .changes(&self.space, &answering.from().into(), ALL)
                    .expect("the space is there");
                match answering.page(page, usize::MAX) {
                    Next::Read(again) => Stage::Changes(again),
                    Next::Reply(reply) => Stage::Back(Reply::Done(reply.into_text())),
                    Next::TooLarge => unreachable!("a reply has no bound here"),
                    Next::Elsewhere => {
                        self.aids.counts.add(Kind::Elsewhere);
                        if self.nodes[exchange.node].session.is_some() {
                            self.tell(exchange.node, Event::Missed);
                        }
                        Stage::Back(Reply::Failed)
                    }
                }
            }
            Stage::Back(reply) => return self.arrive_back(&exchange, &reply),
        };
        self.exchanges.push(exchange);
        Ok(())
    }

    /// What changed is too much for one reply.
    fn is_answered_alone(&mut self) -> bool {
        let rng = self.newer.as_mut().filter(|_| self.chaos);
        rng.is_some_and(|rng| rng.chance(UNREAD))
    }

    fn answered_alone(&mut self, answering: Answering, view: &SpaceView) -> Stage {
        self.aids.counts.add(Kind::Unread);
        match answering.unread(view, usize::MAX) {
            Next::Reply(reply) => {
                let place = Place {
                    epoch_at_ms: view.epoch_at_ms,
                    head: view.head,
                    gc_seq: view.gc_seq,
                };
                Stage::Back(Reply::Unread(reply.into_text(), place.cursor(Reach::All)))
            }
            _ => Stage::Back(Reply::Failed),
        }
    }

    fn told_from_memory(&mut self, head: syncline_protocol::ids::Seq, text: String) -> Stage {
        self.aids.counts.add(Kind::FromMemory);
        if self.store.view().head > head {
            self.aids.counts.add(Kind::StaleMemory);
        }
        Stage::Back(Reply::Done(text))
    }

    /// A request is at its node.
    fn arrive(&mut self, mut exchange: Exchange) {
        let node = exchange.node;
        match &exchange.ask.wish {
            Wish::Sync(body) => {
                let request = SyncRequest::parse(body, &Limits::DEFAULT)
                    .expect("devices send what can be read");
                let call = self.calls.number();
                let incarnation = self.nodes[node].incarnation;
                exchange.stage = Stage::Merging { call, incarnation };
                let sync = Sync {
                    call,
                    client: exchange.ask.client.clone(),
                    changes: request.changes,
                    since: Since::parse(&request.since).expect("devices send what can be read"),
                    permit: None,
                    trace: None,
                };
                self.exchanges.push(exchange);
                self.tell(node, Event::Sync(sync));
            }
            Wish::Pull { .. } => {
                let session = self.nodes[node].session.as_ref();
                let shown = session.expect("a request waits for one").shown.clone();
                let (since, _) = exchange.since();
                exchange.stage = match from_memory(since, &shown.get()) {
                    Some(_) if self.aids.rng.chance(400) => {
                        self.aids.counts.add(Kind::PullHeld);
                        Stage::Held { shown }
                    }
                    Some(text) => self.told_from_memory(shown.get().head, text),
                    None => Stage::Marks,
                };
                self.exchanges.push(exchange);
            }
        }
    }

    /// A reply is at its device, unless it is lost or nobody waits any more.
    fn arrive_back(&mut self, exchange: &Exchange, reply: &Reply) -> Checked {
        if self.chaos && self.aids.rng.chance(60) {
            self.aids.counts.add(Kind::ReplyLost);
            return Ok(());
        }
        let no = exchange.ask.no;
        if !self.devices[exchange.device].awaits().contains(&no) {
            self.aids.counts.add(Kind::ReplyLate);
            return Ok(());
        }
        self.with_device(exchange.device, |device, cx| {
            cx.aids
                .trace
                .say(&device.name(), || format!("is replied {reply:?}"));
            device.answered(no, reply, cx)
        })
    }

    /// A session ends over the changesets it was merging.
    pub(super) fn abandon_merges(&mut self, (node, ended): (usize, u64)) {
        for exchange in &mut self.exchanges {
            let of_session = matches!(exchange.stage, Stage::Merging { incarnation, .. } if incarnation == ended);
            if exchange.node == node && of_session {
                exchange.unmerged(&mut self.aids);
            }
        }
    }

    /// A node ends over the requests it was answering.
    pub(super) fn abandon_exchanges(&mut self, node: usize) {
        let counts = &mut self.aids.counts;
        self.exchanges.retain(|exchange| {
            let in_node = !matches!(exchange.stage, Stage::Sent | Stage::Back(_));
            if exchange.node == node && matches!(exchange.stage, Stage::View(_) | Stage::Changes(_))
            {
                counts.add(Kind::ReplyCrash);
            }
            exchange.node != node || !in_node
        });
    }
}
