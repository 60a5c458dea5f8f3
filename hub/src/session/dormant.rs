//! A session while nothing happens: what it must know again when something does.
//!
//! A session falls asleep only when everything it took is decided and every socket has all
//! there is. What is kept of it is the view and a few words a socket, so waking asks nothing of
//! the store: the view is as good as a running session's that heard nothing meanwhile, and the
//! next commit tests it as ever. Its cached records stay as current as the view they belong to,
//! so it also keeps its activation.

use std::sync::Arc;

use syncline_cluster::ephemeral::Spoken;
use syncline_cluster::heartbeat::Instance;
use syncline_protocol::given::Given;
use syncline_protocol::ids::{ClientKey, NodeId, Seq, SpaceKey, TableName, WriterNo};
use syncline_protocol::json::Json;
use syncline_storage::types::SpaceView;

use super::cache::Activation;
use super::conn::{Conn, Phase};
use super::elsewhere::Elsewhere;
use super::event::ConnId;
use super::few::Few;
use super::state::{SessionParts, SessionState, Work};

/// What is kept of a sleeping session.
#[derive(Debug)]
pub struct Dormant {
    /// The space as the session knew it.
    pub view: SpaceView,
    activation: Activation,
    sockets: Few<DormantSocket>,
}

/// A socket of a sleeping session.
#[derive(Debug)]
enum DormantSocket {
    Attached(DormantConn),
    Watching(ConnId),
}

impl DormantSocket {
    fn conn(&self) -> ConnId {
        match self {
            DormantSocket::Attached(attached) => attached.conn,
            DormantSocket::Watching(conn) => *conn,
        }
    }

    /// Others must be told of its end, or it holds what is theirs.
    fn concerns_others(&self) -> bool {
        let is_concerning = |rare: &Rare| rare.presence.is_some() || !rare.elsewhere.is_empty();
        self.rare().is_some_and(is_concerning)
    }

    fn rare(&self) -> Option<&Rare> {
        match self {
            DormantSocket::Attached(attached) => attached.rare.as_deref(),
            DormantSocket::Watching(_) => None,
        }
    }
}

/// An attached socket that has everything up to the view's head.
#[derive(Debug)]
struct DormantConn {
    conn: ConnId,
    client: ClientKey,
    tables: Option<Arc<[TableName]>>,
    sent: Seq,
    writer: Option<WriterNo>,
    decided: Option<u64>,
    rare: Option<Box<Rare>>,
}

/// What few sockets have.
#[derive(Debug, Default)]
struct Rare {
    presence: Option<Json>,
    given: Option<Arc<Given>>,
    erased: bool,
    /// With the first of them: what sockets of other nodes show.
    elsewhere: Elsewhere,
}

/// What becomes of a sleeping session when a socket leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It sleeps on.
    Asleep,
    /// Nobody is left: there is nothing to wake for.
    Empty,
    /// The others must be told: it has to wake for that.
    Concerned,
}

impl Dormant {
    /// Lets a socket go.
    pub fn leave(&mut self, conn: ConnId) -> Left {
        let attached = |socket: &&DormantSocket| matches!(socket, DormantSocket::Attached(_));
        let mut attached = self.sockets.iter().filter(attached);
        let others = attached.any(|socket| socket.conn() != conn);
        let mut sockets = self.sockets.iter();
        if others && sockets.any(|socket| socket.conn() == conn && socket.concerns_others()) {
            return Left::Concerned;
        }
        self.sockets.retain(|socket| socket.conn() != conn);
        match self.is_empty() {
            true => Left::Empty,
            false => Left::Asleep,
        }
    }

    /// Whether something ephemeral of another node is news to anybody here.
    pub fn is_concerned(&self, instance: Instance, what: &Spoken) -> bool {
        let mut attached = self.sockets.iter().filter_map(|socket| match socket {
            DormantSocket::Attached(attached) => Some(attached),
            DormantSocket::Watching(_) => None,
        });
        match (attached.next(), what) {
            (None, _) | (_, Spoken::Late) => false,
            (Some(first), Spoken::RollCall(call)) => match &first.rare {
                Some(rare) => !rare.elsewhere.agrees_with(instance, call),
                None => !call.shown.is_empty(),
            },
            (Some(_), _) => true,
        }
    }

    /// Whether nobody is attached.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

impl SessionState {
    /// Whether it may fall asleep: nothing is undecided, nobody is behind. The shell must have
    /// no answer of the store under way.
    pub fn is_quiet(&self) -> bool {
        let up_to_date = |conn: &Conn| {
            let told = matches!(conn.phase, Phase::Live) && conn.seen == self.view.head;
            told && !conn.misses_presence()
        };
        self.attaching.is_empty()
            && self.calls.is_empty()
            && self.pending.is_empty()
            && self.repeats.is_empty()
            && matches!(self.work, Work::Idle)
            && !self.stale
            && self.conns.values().all(up_to_date)
    }

    /// Falls asleep. Only a quiet session may.
    pub fn sleep(&mut self) -> Dormant {
        debug_assert!(self.is_quiet());
        let mut elsewhere = std::mem::take(&mut self.elsewhere);
        let conns = std::mem::take(&mut self.conns).into_iter();
        let conns = conns.map(|(id, conn)| {
            let client = self.clients.get(&conn.client);
            let given = client.and_then(|client| client.given.clone());
            let elsewhere = std::mem::take(&mut elsewhere);
            let has_more = given.is_some() || conn.erased || !elsewhere.is_empty();
            let is_rare = conn.presence.is_some() || has_more;
            let rare = is_rare.then_some(Rare {
                presence: conn.presence,
                given,
                erased: conn.erased,
                elsewhere,
            });
            DormantSocket::Attached(DormantConn {
                conn: id,
                tables: conn.tables,
                sent: conn.sent,
                writer: client.and_then(|client| client.writer),
                decided: client.and_then(|client| client.decided),
                client: conn.client,
                rare: rare.map(Box::new),
            })
        });
        let watchers = std::mem::take(&mut self.watchers).into_iter();
        Dormant {
            view: self.view,
            activation: self.activation,
            sockets: conns.chain(watchers.map(DormantSocket::Watching)).collect(),
        }
    }

    /// A session that goes on where it fell asleep.
    pub fn wake(
        space: SpaceKey,
        node: NodeId,
        dormant: Dormant,
        parts: SessionParts,
    ) -> SessionState {
        let mut state = SessionState::new(space, node, dormant.view, parts);
        state.activation = dormant.activation;
        let head = dormant.view.head;
        for socket in dormant.sockets {
            let dormant = match socket {
                DormantSocket::Attached(dormant) => dormant,
                DormantSocket::Watching(conn) => {
                    state.watchers.insert(conn);
                    continue;
                }
            };
            let rare = dormant.rare.map(|rare| *rare).unwrap_or_default();
            let Rare {
                presence,
                given,
                erased,
                elsewhere,
            } = rare;
            if !elsewhere.is_empty() {
                state.elsewhere = elsewhere;
            }
            let client = state.client(&dormant.client);
            client.writer = dormant.writer;
            client.decided = dormant.decided;
            client.taken = dormant.decided.unwrap_or(0);
            client.given = given;
            client.conn = Some(dormant.conn);
            let conn = Conn {
                client: dormant.client,
                tables: dormant.tables,
                sent: dormant.sent,
                seen: head,
                inside: None,
                partial: false,
                phase: Phase::Live,
                presence,
                missed: None,
                token_ended: false,
                erased,
            };
            state.conns.insert(dormant.conn, conn);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_costs_a_sleeping_session_little() {
        let one_more = size_of::<DormantSocket>();
        assert!(one_more <= 96, "{one_more}");
        // The first one lies inside.
        assert!(size_of::<Dormant>() <= 176, "{}", size_of::<Dormant>());
    }
}
