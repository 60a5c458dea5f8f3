//! What devices and their users do of free will.

use syncline_hub::gateway::outbox::{Outbox, Speech};
use syncline_hub::session::event::ConnId;

use super::World;
use crate::sim::calls::{Caller, Request};
use crate::sim::count::Kind;
use crate::sim::network::Socket;

impl World {
    /// Somebody does something.
    pub(super) fn act(&mut self) {
        let device = self.aids.rng.below(self.devices.len());
        let socket = self.socket_of(device);
        match (self.aids.rng.below(100), socket) {
            (0..=54, _) => self.with_device(device, |device, cx| device.edit(cx)),
            (55..=64, Some(id)) => self.cut(id),
            (65..=70, Some(id)) => {
                self.aids.counts.add(Kind::Left);
                self.leave(id);
            }
            (71..=80, _) => match self.devices[device].awaits()[..] {
                [] => self.call(device),
                [no] => self.give_up(device, no),
                ref several => {
                    let no = *self.aids.rng.pick(several);
                    self.give_up(device, no);
                }
            },
            (81..=84, None) => self.with_device(device, |device, cx| device.grow(cx)),
            (_, None) => self.connect(device),
            (_, Some(_)) => {}
        }
    }

    /// Every device without a socket takes one.
    pub(super) fn connect_all(&mut self) {
        for device in 0..self.devices.len() {
            if self.socket_of(device).is_none() {
                self.connect(device);
            }
        }
    }

    fn connect(&mut self, device: usize) {
        let Some(node) = self.draw_node(device) else {
            return;
        };
        self.sockets_made += 1;
        let id = self.sockets_made;
        let name = self.devices[device].name();
        let to = &self.nodes[node].name;
        self.aids
            .trace
            .say(&name, || format!("opens socket {id} to {to}"));
        let speech = match self.plan.compat[device] {
            true => Speech::Compat,
            false => Speech::Native,
        };
        let outbox = Outbox::new(ConnId(id), self.plan.outbox_bytes_max).speaking(speech);
        let socket = Socket::new(ConnId(id), (device, node), outbox);
        self.sockets.insert(id, socket);
        self.with_device(device, |device, cx| device.connect(cx));
    }

    /// The node a device comes to: any that takes it.
    fn draw_node(&mut self, device: usize) -> Option<usize> {
        if self.cluster.is_none() {
            return Some(self.aids.rng.below(self.nodes.len()));
        }
        let step = self.aids.trace.step;
        if self
            .cluster
            .as_ref()
            .is_some_and(|cluster| step < cluster.away[device])
        {
            return None;
        }
        let all = 0..self.nodes.len();
        let open: Vec<usize> = all.filter(|node| self.takes(*node)).collect();
        // Those that hear nothing are behind more often than others.
        let deaf = open.iter().copied().filter(|node| self.is_busless(*node));
        let deaf: Vec<usize> = deaf.collect();
        let cluster = self.cluster.as_mut()?;
        let open = match cluster.rng.chance(500) && !deaf.is_empty() {
            true => deaf,
            false => open,
        };
        let node = *open.get(cluster.rng.below(open.len()))?;
        let before = cluster.homes[device].replace(node);
        if before.is_some_and(|before| before != node) {
            self.aids.counts.add(Kind::Moved);
        }
        Some(node)
    }

    /// The wire of a socket breaks.
    pub(super) fn cut(&mut self, id: u64) {
        self.aids.counts.add(Kind::Cut);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.cut(&mut self.aids.rng);
        }
        self.leave(id);
    }

    /// A device pushes by HTTP; the request may be lost or made twice.
    fn call(&mut self, device: usize) {
        let Some((sender, muts)) = self.with_device(device, |device, cx| device.call(cx)) else {
            return;
        };
        let times = match self.aids.rng.below(10) {
            0..=2 => {
                self.aids.counts.add(Kind::CallLost);
                0
            }
            3..=6 => {
                self.aids.counts.add(Kind::CallTwice);
                2
            }
            _ => 1,
        };
        for _ in 0..times {
            let request = Request {
                caller: Caller {
                    device,
                    client: sender.client.clone(),
                },
                epoch: sender.epoch,
                node: self.aids.rng.below(self.nodes.len()),
                muts: muts.clone(),
            };
            self.calls.requests.push(request);
        }
    }
}
