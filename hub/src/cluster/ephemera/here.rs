//! What this node's sockets show, as the other nodes are to be told. Pure.
//!
//! Each socket's last word alone waits to be told. Who shows what is said again: three times after
//! a change, and now and then as long as somebody shows something, so that nothing lost stays lost.

use std::collections::{BTreeMap, HashMap, VecDeque};

use syncline_cluster::ephemeral::{Presence, RollCall, Spoken};
use syncline_protocol::ids::{ClientKey, SpaceKey};
use syncline_protocol::json::Json;

/// Spaces of which it is told who shows something. Of more, other nodes are told nothing.
pub(super) const SPACES_MAX: usize = 20_000;

/// Roll calls after a change, one a round.
const ROUNDS: u8 = 3;

/// Rounds from one roll call to the next while nothing changes.
const SWEEP_ROUNDS: u8 = 20;

/// After a node appeared the roll calls are spread over so many rounds.
const SOON_ROUNDS: usize = 3;

/// What is shown here.
#[derive(Debug, Default)]
pub(super) struct Here {
    spaces: HashMap<SpaceKey, Space>,
    /// Sockets whose word is to be told, in order; each once.
    due: VecDeque<(SpaceKey, u64)>,
    /// The last number given, and the last that was told.
    no: u64,
    told: u64,
}

#[derive(Debug, Default)]
struct Space {
    sockets: BTreeMap<u64, Shown>,
    /// Roll calls that are still to follow the last change.
    rounds: u8,
    /// Rounds until the next one.
    sweep_in: u8,
}

/// A socket's last word.
#[derive(Debug)]
struct Shown {
    client: ClientKey,
    /// `None` until that is told.
    state: Option<Json>,
    no: u64,
    /// What the others were told last.
    told: Option<u64>,
    is_due: bool,
}

impl Here {
    /// A socket shows something, or nothing any more. False if there is no room for its space.
    pub(super) fn show(
        &mut self,
        space: &SpaceKey,
        conn: u64,
        (client, state): (ClientKey, Option<Json>),
    ) -> bool {
        let is_new = !self.spaces.contains_key(space);
        if is_new && (state.is_none() || self.spaces.len() >= SPACES_MAX) {
            return state.is_none();
        }
        self.no += 1;
        let of_space = self.spaces.entry(space.clone()).or_default();
        let shown = of_space.sockets.entry(conn).or_insert(Shown {
            client,
            state: None,
            no: 0,
            told: None,
            is_due: false,
        });
        (shown.state, shown.no) = (state, self.no);
        if !std::mem::replace(&mut shown.is_due, true) {
            self.due.push_back((space.clone(), conn));
        }
        (of_space.rounds, of_space.sweep_in) = (ROUNDS, SWEEP_ROUNDS);
        true
    }

    /// A socket went. True if that is to be told.
    pub(super) fn gone(&mut self, space: &SpaceKey, conn: u64) -> bool {
        let shown = self.spaces.get(space).and_then(|s| s.sockets.get(&conn));
        let Some(client) = shown.filter(|shown| shown.state.is_some()) else {
            return false;
        };
        let client = client.client.clone();
        self.show(space, conn, (client, None))
    }

    /// Somebody wants to know who shows what in a space. True if anybody does.
    pub(super) fn asked(&mut self, space: &SpaceKey) -> bool {
        let Some(of_space) = self.spaces.get_mut(space) else {
            return false;
        };
        for (conn, shown) in &mut of_space.sockets {
            if !std::mem::replace(&mut shown.is_due, true) {
                self.due.push_back((space.clone(), *conn));
            }
        }
        of_space.rounds = of_space.rounds.max(1);
        true
    }

    /// What is to be told now, of about so many bytes.
    pub(super) fn take_due(&mut self, bytes_max: usize) -> Vec<(SpaceKey, Spoken)> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < bytes_max
            && let Some((space, conn)) = self.due.pop_front()
        {
            let of_space = self.spaces.get_mut(&space);
            let Some(sockets) = of_space.map(|of_space| &mut of_space.sockets) else {
                continue;
            };
            let Some(shown) = sockets.get_mut(&conn) else {
                continue;
            };
            (shown.is_due, shown.told) = (false, Some(shown.no));
            self.told = self.told.max(shown.no);
            let presence = Spoken::Presence(Presence {
                conn,
                no: shown.no,
                client: shown.client.clone(),
                state: shown.state.clone(),
            });
            if shown.state.is_none() {
                sockets.remove(&conn);
            }
            bytes += presence.size_bytes() + MESSAGE_BYTES;
            taken.push((space, presence));
        }
        taken
    }

    /// The roll calls of this round: of what was told.
    pub(super) fn round(&mut self) -> Vec<(SpaceKey, Spoken)> {
        let upto = self.told;
        let mut calls = Vec::new();
        self.spaces.retain(|key, space| {
            if space.is_called() {
                let told = space.sockets.iter();
                let told = told.filter_map(|(conn, shown)| Some((*conn, shown.told?)));
                let shown = told.collect();
                calls.push((key.clone(), Spoken::RollCall(RollCall { upto, shown })));
            }
            space.rounds > 0 || !space.sockets.is_empty()
        });
        calls
    }

    /// All that is shown is said again soon.
    pub(super) fn sweep_soon(&mut self) {
        for (at, space) in self.spaces.values_mut().enumerate() {
            space.sweep_in = u8::try_from(at % SOON_ROUNDS).unwrap_or(0);
        }
    }
}

/// What a message takes beside its content.
const MESSAGE_BYTES: usize = 128;

impl Space {
    fn is_called(&mut self) -> bool {
        if self.rounds > 0 {
            self.rounds -= 1;
            return true;
        }
        let is_called = self.sweep_in == 0;
        self.sweep_in = match self.sweep_in {
            0 => SWEEP_ROUNDS,
            rounds => rounds - 1,
        };
        is_called
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, ClientId, SpaceId, UserId};

    use super::*;

    fn space(name: &str) -> SpaceKey {
        SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted(name),
        }
    }

    fn client() -> ClientKey {
        ClientKey {
            user: UserId::trusted("ada"),
            client: ClientId::trusted("phone"),
        }
    }

    fn show(here: &mut Here, conn: u64, state: Option<&str>) -> bool {
        here.show(&space("ada"), conn, (client(), state.map(Json::trusted)))
    }

    /// Socket, number and state of what is told now.
    fn told(here: &mut Here) -> Vec<(u64, u64, Option<Json>)> {
        let due = here.take_due(usize::MAX).into_iter();
        let presences = due.map(|(_, what)| match what {
            Spoken::Presence(shown) => (shown.conn, shown.no, shown.state),
            other => panic!("{other:?}"),
        });
        presences.collect()
    }

    /// The socket and number of each that is named.
    fn called(here: &mut Here) -> Option<Vec<(u64, u64)>> {
        let mut round = here.round().into_iter();
        let call = round.next().map(|(_, what)| match what {
            Spoken::RollCall(call) => call.shown,
            other => panic!("{other:?}"),
        });
        assert!(round.next().is_none());
        call
    }

    #[test]
    fn of_each_socket_the_last_word_is_told_once() {
        let mut here = Here::default();
        show(&mut here, 1, Some("1"));
        show(&mut here, 2, Some("2"));
        show(&mut here, 1, Some("3"));
        let (two, three) = (Json::trusted("2"), Json::trusted("3"));
        assert_eq!(told(&mut here), [(1, 3, Some(three)), (2, 2, Some(two))]);
        assert_eq!(told(&mut here), []);
    }

    #[test]
    fn who_shows_something_is_said_again_after_a_change_and_now_and_then() {
        let mut here = Here::default();
        show(&mut here, 1, Some("1"));
        told(&mut here);
        for _ in 0..ROUNDS {
            assert_eq!(called(&mut here), Some(vec![(1, 1)]));
        }
        for _ in 0..2 {
            for _ in 0..SWEEP_ROUNDS {
                assert_eq!(called(&mut here), None);
            }
            assert_eq!(called(&mut here), Some(vec![(1, 1)]));
        }
        here.sweep_soon();
        assert_eq!(called(&mut here), Some(vec![(1, 1)]));
    }

    #[test]
    fn that_nobody_shows_anything_is_said_again_and_then_forgotten() {
        let mut here = Here::default();
        show(&mut here, 1, Some("1"));
        told(&mut here);
        assert!(here.gone(&space("ada"), 1));
        assert!(!here.gone(&space("ada"), 1));
        // Until it is told, the others are not told otherwise.
        assert_eq!(called(&mut here), Some(vec![(1, 1)]));
        assert_eq!(told(&mut here), [(1, 2, None)]);
        for _ in 1..ROUNDS {
            assert_eq!(called(&mut here), Some(vec![]));
        }
        assert_eq!(called(&mut here), None);
        assert!(here.spaces.is_empty());
    }

    #[test]
    fn who_asks_is_told_what_is_shown_in_that_space() {
        let mut here = Here::default();
        show(&mut here, 1, Some("1"));
        told(&mut here);
        assert!(!here.asked(&space("bob")));
        assert!(here.asked(&space("ada")));
        assert!(here.asked(&space("ada")));
        assert_eq!(told(&mut here), [(1, 1, Some(Json::trusted("1")))]);
    }

    #[test]
    fn no_more_is_told_at_once_than_may_be() {
        let mut here = Here::default();
        assert!((0..10).all(|conn| show(&mut here, conn, Some("1"))));
        let at_once = here.take_due(1).len();
        assert_eq!(at_once, 1);
        assert_eq!(told(&mut here).len(), 9);
    }

    #[test]
    fn spaces_are_told_of_up_to_the_limit_and_not_one_past_it() {
        let mut here = Here::default();
        for at in 0..SPACES_MAX {
            let shown = (client(), Some(Json::trusted("1")));
            assert!(here.show(&space(&at.to_string()), 1, shown));
        }
        assert!(!show(&mut here, 1, Some("1")));
        assert!(show(&mut here, 1, None));
    }
}
