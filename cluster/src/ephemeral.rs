//! What a node tells of a space and nobody stores: presence, broadcasts, and that it gets no turn.

use syncline_protocol::ids::{ClientKey, NodeId, SpaceKey};
use syncline_protocol::json::Json;

use crate::heartbeat::Instance;

/// Something ephemeral of a space, told by a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ephemeral {
    /// The node.
    pub node: NodeId,
    /// Its process: what it showed goes with it.
    pub instance: Instance,
    /// The space.
    pub space: SpaceKey,
    /// What.
    pub what: Spoken,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// What a socket shows.
    Presence(Presence),
    /// Which sockets of the node show something: what is not among them shows nothing any more.
    RollCall(RollCall),
    /// A socket's message to all others.
    Broadcast(Broadcast),
    /// A node wants to know who shows what in the space.
    Asked,
    /// A session of the node has something to commit, and others are always first.
    Late,
}

/// What a socket shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The socket, by its node's number.
    pub conn: u64,
    /// Counted by the node: what is older than another says nothing new.
    pub no: u64,
    /// Whose socket it is.
    pub client: ClientKey,
    /// `None` if it shows nothing any more.
    pub state: Option<Json>,
}

/// Who shows something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollCall {
    /// The last number the node gave: it says nothing of what comes later.
    pub upto: u64,
    /// The sockets, in order, and the number of what each shows.
    pub shown: Vec<(u64, u64)>,
}

/// A message to all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Who says it.
    pub client: ClientKey,
    /// The sender's label.
    pub room: String,
    /// Anything.
    pub data: Json,
}

impl Spoken {
    /// About so many bytes it takes.
    pub fn size_bytes(&self) -> usize {
        let name = |client: &ClientKey| client.user.as_str().len() + client.client.as_str().len();
        match self {
            Spoken::Presence(shown) => {
                let state = shown.state.as_ref().map_or(0, |state| state.as_str().len());
                name(&shown.client) + state
            }
            Spoken::RollCall(call) => 16 * call.shown.len(),
            Spoken::Broadcast(said) => {
                name(&said.client) + said.room.len() + said.data.as_str().len()
            }
            Spoken::Asked | Spoken::Late => 0,
        }
    }
}
