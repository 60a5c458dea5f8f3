//! What can happen next by itself, and how it happens.

use syncline_hub::gateway::frame::Frame;
use syncline_hub::session::event::{Event, FrameKind, Origin, Push, Sender};
use syncline_hub::session::turns::Turns;
use syncline_protocol::limits::Limits;
use syncline_protocol::wire::ClientMessage;

use super::World;
use super::jobs::Work;
use super::ticking::Act;
use crate::sim::count::Kind;
use crate::sim::network::{AUTH_OK, Down};
use crate::sim::trace::Checked;

/// Something that can happen. Numbers are places in the world's lists.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Store work takes effect.
    Operate { node: usize, at: usize },
    /// An answer of the store arrives.
    Answer { node: usize, at: usize },
    /// A session has waited long enough.
    Retry { node: usize, at: usize },
    /// A node reads the space, to begin a session.
    Open { node: usize },
    /// A session begins.
    Begin { node: usize },
    /// A session that has finished ends.
    Stop { node: usize },
    /// The hub's end of a socket reads a message.
    Read(u64),
    /// A session takes what a socket has for it.
    Mail(u64),
    /// The hub's end of a socket writes.
    Write(u64),
    /// A device receives.
    Receive(u64),
    /// The hub's end learns that the device has left.
    End(u64),
    /// A node hears of a commit.
    Hear(usize),
    /// An HTTP push arrives.
    Request(usize),
    /// An HTTP reply arrives.
    Reply(usize),
    /// A device pushes.
    Push(usize),
    /// A device asks by HTTP, as those of the compatibility protocol do.
    Ask(usize),
    /// What a device asked goes a step further.
    Exchange(usize),
    /// A device waits no longer for what is lost.
    GiveUp(usize, u64),
    /// A device goes on taking a reply.
    WriteDown(usize),
    /// Something happens to jobs.
    Work(Work),
    /// Something of a real cluster.
    Act { node: usize, act: Act },
}

impl World {
    pub(super) fn possible_steps(&self) -> Vec<Step> {
        let mut steps = Vec::with_capacity(32);
        for (number, node) in self.nodes.iter().enumerate() {
            let (of, node_no) = (number, number);
            steps.extend((0..node.operations.len()).map(|at| Step::Operate { node: of, at }));
            steps.extend((0..node.answers.len()).map(|at| Step::Answer { node: of, at }));
            steps.extend((0..node.retries.len()).map(|at| Step::Retry { node: of, at }));
            match &node.session {
                Some(session) if session.drained => steps.push(Step::Stop { node: node_no }),
                Some(_) => {}
                None if !self.is_wanted(number) => {}
                None if node.opened.is_some() => steps.push(Step::Begin { node: node_no }),
                None => steps.push(Step::Open { node: node_no }),
            }
        }
        for (id, socket) in &self.sockets {
            let has_session = self.nodes[socket.node].session.is_some();
            let begins = socket.begins();
            let can = [
                (!socket.up.is_empty() && !socket.ended, Step::Read(*id)),
                (
                    socket.may_tell() && (has_session || !begins),
                    Step::Mail(*id),
                ),
                (socket.woken && !socket.ended, Step::Write(*id)),
                (!socket.down.is_empty() && !socket.left, Step::Receive(*id)),
                (
                    socket.left && socket.up.is_empty() && !socket.ended,
                    Step::End(*id),
                ),
            ];
            steps.extend(can.iter().filter(|(can, _)| *can).map(|(_, step)| *step));
        }
        steps.extend((0..self.bus.messages.len()).map(Step::Hear));
        let requests = self.calls.requests.iter().enumerate();
        steps.extend(
            requests
                .filter(|(_, request)| self.nodes[request.node].session.is_some())
                .map(|(at, _)| Step::Request(at)),
        );
        steps.extend((0..self.calls.replies.len()).map(Step::Reply));
        let devices = self.devices.iter().enumerate();
        steps.extend(
            devices
                .filter(|(_, device)| device.wants_to_push())
                .map(|(number, _)| Step::Push(number)),
        );
        self.add_exchange_steps(&mut steps);
        self.add_work(&mut steps);
        self.add_acts(&mut steps);
        if self.cluster.is_some() {
            steps.retain(|step| self.can_happen(*step));
        }
        steps
    }

    /// Whether nothing of a real cluster is in the way of a step.
    fn can_happen(&self, step: Step) -> bool {
        let now = self.aids.trace.step;
        match step {
            // Stores and devices go on whatever nodes do.
            Step::Operate { node, at } => self.nodes[node].operations[at].held_until <= now,
            Step::Answer { node, at } => {
                self.runs(node) && self.nodes[node].answers[at].held_until <= now
            }
            Step::Open { node } => self.runs(node) && self.takes(node) && !self.is_storeless(node),
            Step::Begin { node } => self.runs(node) && self.takes(node),
            // A node that is drained tells its sockets first.
            Step::Stop { node } => self.runs(node) && self.takes(node),
            Step::Retry { node, .. } => self.runs(node),
            Step::Read(id) | Step::Mail(id) | Step::Write(id) | Step::End(id) => self
                .sockets
                .get(&id)
                .is_some_and(|socket| self.runs(socket.node)),
            Step::Hear(at) => {
                let message = &self.bus.messages[at];
                self.runs(message.to) && message.held_until <= now
            }
            Step::Request(at) => self.runs(self.calls.requests[at].node),
            Step::Exchange(at) => {
                let exchange = &self.exchanges[at];
                exchange.is_on_its_way() || self.runs(exchange.node)
            }
            _ => true,
        }
    }

    /// Somebody waits for a session of this node.
    fn is_wanted(&self, node: usize) -> bool {
        let mut sockets = self.sockets.values();
        let mut requests = self.calls.requests.iter();
        sockets.any(|socket| socket.node == node && socket.begins())
            || requests.any(|request| request.node == node)
            || self.exchanges.iter().any(|one| one.wants_session(node))
            || self.has_job_for(node)
    }

    fn mail(&mut self, id: u64) {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        let node = socket.node;
        let Some(event) = socket.mailbox.pop_front() else {
            return;
        };
        let incarnation = self.nodes[node].incarnation;
        if let (Event::Detach(conn), true) = (&event, self.cluster.is_some())
            && socket.attached == Some(incarnation)
            && !self.nodes[node].leave(*conn)
        {
            self.sockets.retain(|_, socket| !socket.is_over());
            return;
        }
        let watches = matches!(event, Event::Watch(_));
        if watches || matches!(event, Event::Attach(_)) {
            socket.attached = Some(incarnation);
            socket.waits = self.cluster.is_some();
        }
        let of_this = socket.attached == Some(incarnation) && self.nodes[node].session.is_some();
        if of_this && watches && self.cluster.is_none() {
            let frame = Frame::text(AUTH_OK);
            socket.outbox.push(frame, FrameKind::Answer);
            socket.woken = true;
        }
        if of_this {
            self.tell(node, event);
        }
        self.sockets.retain(|_, socket| !socket.is_over());
    }

    fn receive(&mut self, id: u64) -> Checked {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        let device = socket.device;
        match socket.down.pop_front() {
            None => Ok(()),
            Some(Down::Closed) => {
                self.leave(id);
                Ok(())
            }
            Some(Down::Frame(frame)) => {
                let text = String::from_utf8_lossy(frame.message());
                self.with_device(device, |device, cx| {
                    cx.aids
                        .trace
                        .say(&device.name(), || format!("receives {text}"));
                    device.receive(&text, cx)
                })
            }
        }
    }

    fn request(&mut self, at: usize) {
        let request = self.calls.requests.swap_remove(at);
        let text = format!(r#"{{"t":"push","muts":[{}]}}"#, request.muts);
        let Ok(ClientMessage::Push(muts, _)) = ClientMessage::parse(&text, &Limits::DEFAULT) else {
            unreachable!("devices push what can be read: {text}");
        };
        let sender = Sender {
            client: request.caller.client.clone(),
            epoch: request.epoch,
        };
        let call = self.calls.take(request.caller);
        let push = Push {
            origin: Origin::Call(call, sender),
            muts,
            permit: None,
            trace: None,
        };
        self.tell(request.node, Event::Push(push));
    }

    fn reply(&mut self, at: usize) -> Checked {
        let (caller, text) = self.calls.replies.swap_remove(at);
        if self.chaos && self.aids.rng.chance(200) {
            self.aids.counts.add(Kind::CallReplyLost);
            return Ok(());
        }
        self.with_device(caller.device, |device, cx| {
            device.called(&caller.client, &text, cx)
        })
    }

    fn read(&mut self, id: u64) {
        let rate = self.plan.slow;
        let slow = self.chaos && self.aids.rng.chance(rate);
        if let Some(socket) = self.sockets.get_mut(&id) {
            let is_push = socket
                .up
                .front()
                .is_some_and(|text| text.starts_with(r#"{"t":"push""#));
            if slow && is_push {
                self.aids.counts.add(Kind::Slow);
            }
            socket.read(&self.user, slow);
        }
    }
}

/// Has a step happen.
pub(super) fn take(world: &mut World, step: Step) -> Checked {
    match step {
        Step::Operate { node, at } => return world.operate(node, at),
        Step::Answer { node, at } => world.answer(node, at),
        Step::Retry { node, at } => {
            let no = world.nodes[node].retries.swap_remove(at);
            world.aids.counts.add(Kind::Retry);
            world.tell(node, Event::RetryDue(no));
        }
        Step::Open { node } => {
            world.nodes[node].turns = Turns::starting(());
            world.nodes[node].opened = Some(world.store.view());
        }
        Step::Begin { node } => {
            world.nodes[node].begin(&world.space, &world.plan);
            let name = world.nodes[node].name.clone();
            world.aids.trace.say(&name, || "begins a session".into());
            world.drain_late(node);
        }
        Step::Stop { node } => world.end_session(node),
        Step::Read(id) => world.read(id),
        Step::Mail(id) => world.mail(id),
        Step::Write(id) => {
            if let Some(socket) = world.sockets.get_mut(&id) {
                socket.write(&mut world.aids.rng);
            }
        }
        Step::Receive(id) => return world.receive(id),
        Step::End(id) => {
            if let Some(socket) = world.sockets.get_mut(&id) {
                socket.end();
            }
        }
        Step::Hear(at) => world.hear(at),
        Step::Request(at) => world.request(at),
        Step::Reply(at) => return world.reply(at),
        Step::Push(device) => world.with_device(device, |device, cx| device.push(cx)),
        Step::Ask(device) => world.ask(device),
        Step::Exchange(at) => return world.go_on(at),
        Step::GiveUp(device, no) => world.give_up(device, no),
        Step::Work(work) => return world.do_work(work),
        Step::Act { node, act } => return world.act_on(node, act),
        Step::WriteDown(device) => return world.with_device(device, |device, cx| device.write(cx)),
    }
    Ok(())
}
