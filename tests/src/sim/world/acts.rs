//! What devices and their users do of free will.

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
            (71..=80, _) if self.devices[device].awaits().is_some() => self.give_up(device),
            (71..=80, _) => self.call(device),
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
        self.sockets_made += 1;
        let id = self.sockets_made;
        let node = self.aids.rng.below(self.nodes.len());
        let name = self.devices[device].name();
        let to = &self.nodes[node].name;
        self.aids
            .trace
            .say(&name, || format!("opens socket {id} to {to}"));
        let socket = Socket::new(ConnId(id), device, node, self.plan.outbox_bytes_max);
        self.sockets.insert(id, socket);
        self.with_device(device, |device, cx| device.connect(cx));
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
