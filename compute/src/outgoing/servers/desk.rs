//! Who gets a place at a server, who waits for one, and who is turned away. Pure: without waiting and
//! without a clock.
//!
//! Servers of which nobody knows that they answer well share a few places, however many they are: those
//! that never answered well, and those that hung since. So do those that answer well and have a small
//! window. Whoever names servers without end holds no more than these. One where some hang gets no more
//! until they are answered, and one that answers nobody is left alone for as long as it took, longer
//! each time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use syncline_protocol::ids::SpaceKey;

use super::shared::Shared;
use super::window::Window;

/// A good answer comes within this, in milliseconds; what takes longer hangs.
pub(super) const WELL_MS: u64 = 2_000;

/// How long somebody waits for a place at a server that answers well, in milliseconds: it has answered
/// by then.
pub(super) const TURN_MS: u64 = WELL_MS;

/// The same at a server that nobody knows.
pub(super) const NEW_TURN_MS: u64 = 1_000;

/// A server has at most this part of the pool.
const PART: usize = 2;

/// Mail, and all servers together that nobody knows, have at most this part.
const SMALL_PART: usize = 8;

/// All servers together that answer well and have a small window have at most this part.
const SMALLS_PART: usize = 4;

/// A window is small that is less than this part of the pool.
const SMALL_WINDOW_PART: usize = 16;

/// Those who wait for a place that is shared so are at most this part of the pool for each of the two,
/// half of it at one server.
const LINE_PART: usize = 4;

/// Of a server's window this part may hang, and it still gets more.
const STUCK_PART: usize = 8;

/// How many of the last answers of a server hung, of 1,024: with more it is not known to answer well.
const HUNG_MAX: u32 = 128;

/// An answer is this part of that.
const HUNG_PART: u32 = 16;

/// Servers that are kept, of those that nobody is at. Past it those are forgotten of which nothing is
/// known, and then all: users name any host.
pub(super) const SERVERS_MAX: usize = 1_000;

/// A server that hung so often is left alone no longer than before.
const DOUBLINGS_MAX: u32 = 3;

/// After so many milliseconds it is as if it had hung once less.
const FORGIVEN_MS: u64 = 60_000;

/// One that hung so often is dead.
const DEAD_STRIKES: u32 = 4;

/// The wait of the first that are turned away, in milliseconds.
const WAIT_MS: u64 = 1_000;

/// The longest such wait.
const WAIT_MS_MAX: u64 = 30_000;

/// The longest at a server that is dead: many jobs would else be claimed and given back twice a minute
/// for as long as it is.
const DEAD_WAIT_MS_MAX: u64 = 300_000;

/// So many come again together, at least.
const TOGETHER: u64 = 32;

/// A place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Whose a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// One that users name.
    Users,
    /// One of the config. It may be slow: it is cut back, and never left alone.
    Operators,
}

/// A place at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) server: Arc<str>,
    pub(super) space: SpaceKey,
    /// It is one of those that servers share.
    of: Option<Class>,
    begun_ms: u64,
}

/// What somebody gets who asks for a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// One.
    Placed(Grant),
    /// One as soon as it is its turn; it waits no longer than so many milliseconds.
    InLine(Ticket, u64),
    /// None: it comes again after so many milliseconds.
    TurnedAway(u64),
}

/// What a server said to who had a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It answered: it does its work, whatever it said.
    Answered,
    /// It did not, or that it has too much to do.
    Failed,
    /// Nobody waited for it.
    Nothing,
}

/// What servers share places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Nobody knows that they answer well.
    New,
    /// They do, and have a small window.
    Small,
}

/// The places of a pool. Times are of a clock that never goes back, in milliseconds.
#[derive(Debug)]
pub(super) struct Desk {
    pool: usize,
    servers: HashMap<Arc<str>, Server>,
    /// What servers share that nobody knows.
    new: Shared,
    /// What servers share that have a small window.
    small: Shared,
    /// Those whose turn has come and who have not been told yet.
    granted: HashMap<Ticket, Grant>,
    last: u64,
}

#[derive(Debug)]
struct Server {
    whose: Whose,
    window: Window,
    taken: usize,
    /// Places that a space has, if it has any.
    taken_of: HashMap<SpaceKey, usize>,
    /// When each of these places was taken, the oldest first.
    begun_ms: VecDeque<u64>,
    line: VecDeque<(Ticket, SpaceKey)>,
    /// How many of its last answers hung, of 1,024.
    hung: u32,
    /// It answered well, and has not hung since.
    is_known: bool,
    /// When it last answered well.
    well_ms: Option<u64>,
    /// When its window was last cut.
    cut_ms: Option<u64>,
    /// How often it hung, less what is forgiven, and when last.
    strikes: u32,
    struck_ms: u64,
    /// Nobody gets a place before.
    barred_until_ms: u64,
    /// Somebody waited in vain since it last answered well.
    in_vain: bool,
    /// Those who were turned away since then.
    turned_away: u64,
}

impl Desk {
    /// Of a pool of so many workers.
    pub(super) fn of(pool: usize) -> Desk {
        let pool = pool.max(1);
        Desk {
            pool,
            servers: HashMap::new(),
            new: Shared::of(pool / SMALL_PART),
            small: Shared::of(pool / SMALLS_PART),
            granted: HashMap::new(),
            last: 0,
        }
    }

    /// How many a server has at most.
    pub(super) fn per_server_max(&self) -> usize {
        (self.pool / PART).max(1)
    }

    fn shared(&self, class: Class) -> &Shared {
        match class {
            Class::New => &self.new,
            Class::Small => &self.small,
        }
    }

    fn shared_mut(&mut self, class: Class) -> &mut Shared {
        match class {
            Class::New => &mut self.new,
            Class::Small => &mut self.small,
        }
    }

    /// With what others a server shares its places, if it does.
    fn class(&self, server: &Server) -> Option<Class> {
        let small = (self.pool / SMALL_WINDOW_PART).max(2);
        match server.whose {
            Whose::Operators => None,
            Whose::Users if !server.is_known => Some(Class::New),
            Whose::Users => (server.window.size() < small).then_some(Class::Small),
        }
    }

    /// Somebody wants a place.
    pub(super) fn ask(
        &mut self,
        (name, whose): (&str, Whose),
        space: &SpaceKey,
        now_ms: u64,
    ) -> Asked {
        let name = self.named(name, whose, now_ms);
        if self.may_place(&name, space, now_ms) {
            return Asked::Placed(self.place(&name, space, now_ms));
        }
        let line_max = (self.pool / LINE_PART).max(1);
        let class = self.servers.get(&name).and_then(|one| self.class(one));
        let waiting = class.map_or(0, |class| self.shared(class).waiting());
        let server = self.servers.get_mut(&name).expect("it was named");
        let is_room =
            class.is_none() || (waiting < line_max && server.line.len() < (line_max / 2).max(1));
        let hangs = server.in_vain || now_ms < server.barred_until_ms || server.is_stuck(now_ms);
        if hangs || !is_room {
            return Asked::TurnedAway(server.turn_away(now_ms));
        }
        self.last += 1;
        let ticket = Ticket(self.last);
        server.line.push_back((ticket, space.clone()));
        if let Some(class) = class {
            self.shared_mut(class).stand(ticket, name);
        }
        let for_ms = match class {
            Some(Class::New) => NEW_TURN_MS,
            _ => TURN_MS,
        };
        Asked::InLine(ticket, for_ms)
    }

    /// A place is given back. Returns who have one now that stood in line.
    pub(super) fn give_back(&mut self, grant: &Grant, said: Said, now_ms: u64) -> Vec<Ticket> {
        let Grant {
            server,
            space,
            of,
            begun_ms,
        } = grant;
        if let Some(class) = of {
            self.shared_mut(*class).give_back(space);
        }
        if let Some(server) = self.servers.get_mut(server) {
            server.hear(said, *begun_ms, now_ms);
            server.end(space, *begun_ms);
        }
        let mut told = self.pass_on(server, now_ms);
        for class in [Class::New, Class::Small] {
            for name in self.shared(class).wait_for_it() {
                told.extend(self.pass_on(&name, now_ms));
            }
        }
        told
    }

    /// Somebody leaves the line: with a place, if it was its turn. Errors: how long to wait until asking
    /// again, in milliseconds.
    pub(super) fn leave(&mut self, name: &str, ticket: Ticket, now_ms: u64) -> Result<Grant, u64> {
        if let Some(grant) = self.granted.remove(&ticket) {
            return Ok(grant);
        }
        self.forget(name, ticket);
        Err(self.servers.get_mut(name).map_or(WAIT_MS, |server| {
            // One that has no place of those that all share does not hang for it.
            server.in_vain |= server.taken > 0;
            server.turn_away(now_ms)
        }))
    }

    /// Somebody who stood in line does not want a place any more. Returns who have one now.
    pub(super) fn withdraw(&mut self, name: &str, ticket: Ticket, now_ms: u64) -> Vec<Ticket> {
        match self.granted.remove(&ticket) {
            Some(grant) => self.give_back(&grant, Said::Nothing, now_ms),
            None => {
                self.forget(name, ticket);
                Vec::new()
            }
        }
    }

    fn forget(&mut self, name: &str, ticket: Ticket) {
        if let Some(server) = self.servers.get_mut(name) {
            server.line.retain(|(other, _)| *other != ticket);
        }
        self.new.leave(ticket);
        self.small.leave(ticket);
    }

    /// A server's name, which is kept from then on.
    fn named(&mut self, name: &str, whose: Whose, now_ms: u64) -> Arc<str> {
        if let Some((name, _)) = self.servers.get_key_value(name) {
            return name.clone();
        }
        if self.servers.len() >= SERVERS_MAX {
            self.servers
                .retain(|_, server| server.is_used() || server.says_something(now_ms));
        }
        if self.servers.len() >= SERVERS_MAX {
            self.servers.retain(|_, server| server.is_used());
        }
        let window = match whose {
            Whose::Users => Window::of(1, self.per_server_max()),
            Whose::Operators => Window::of(self.new.per_space(), self.new.most()),
        };
        let name: Arc<str> = Arc::from(name);
        self.servers.insert(name.clone(), Server::of(whose, window));
        name
    }

    fn may_place(&self, name: &str, space: &SpaceKey, now_ms: u64) -> bool {
        let Some(server) = self.servers.get(name) else {
            return false;
        };
        let class = self.class(server);
        server.has_place(space, now_ms)
            && class.is_none_or(|class| self.shared(class).has_place(space))
    }

    fn place(&mut self, name: &Arc<str>, space: &SpaceKey, now_ms: u64) -> Grant {
        let of = self.servers.get(name).and_then(|one| self.class(one));
        if let Some(class) = of {
            self.shared_mut(class).take(space);
        }
        if let Some(server) = self.servers.get_mut(name) {
            server.begin(space, now_ms);
        }
        Grant {
            server: name.clone(),
            space: space.clone(),
            of,
            begun_ms: now_ms,
        }
    }

    /// Gives what is free at a server to who stands in its line.
    fn pass_on(&mut self, name: &Arc<str>, now_ms: u64) -> Vec<Ticket> {
        let mut told = Vec::new();
        while let Some(server) = self.servers.get(name) {
            if server.taken >= server.window.size() {
                break;
            }
            let mut line = server.line.iter();
            let Some(at) = line.position(|(_, space)| self.may_place(name, space, now_ms)) else {
                break;
            };
            let server = self.servers.get_mut(name);
            let Some((ticket, space)) = server.and_then(|server| server.line.remove(at)) else {
                break;
            };
            self.new.leave(ticket);
            self.small.leave(ticket);
            let grant = self.place(name, &space, now_ms);
            self.granted.insert(ticket, grant);
            told.push(ticket);
        }
        told
    }
}

impl Server {
    fn of(whose: Whose, window: Window) -> Server {
        Server {
            whose,
            window,
            taken: 0,
            taken_of: HashMap::new(),
            begun_ms: VecDeque::new(),
            hung: 0,
            line: VecDeque::new(),
            is_known: whose == Whose::Operators,
            well_ms: None,
            cut_ms: None,
            strikes: 0,
            struck_ms: 0,
            barred_until_ms: 0,
            in_vain: false,
            turned_away: 0,
        }
    }

    fn is_used(&self) -> bool {
        self.taken > 0 || !self.line.is_empty()
    }

    /// Something is known of it that matters.
    fn says_something(&self, now_ms: u64) -> bool {
        self.is_known || now_ms < self.barred_until_ms
    }

    fn has_place(&self, space: &SpaceKey, now_ms: u64) -> bool {
        let of_space = self.taken_of.get(space).copied().unwrap_or(0);
        now_ms >= self.barred_until_ms
            && !self.is_stuck(now_ms)
            && self.taken < self.window.size()
            && of_space < self.window.per_space()
    }

    /// So many of those who are there hang that nobody joins them.
    fn is_stuck(&self, now_ms: u64) -> bool {
        let oldest = self.begun_ms.get(self.window.size() / STUCK_PART);
        let hangs = oldest.is_some_and(|begun_ms| now_ms - begun_ms > WELL_MS);
        self.whose == Whose::Users && hangs
    }

    fn begin(&mut self, space: &SpaceKey, now_ms: u64) {
        self.taken += 1;
        *self.taken_of.entry(space.clone()).or_default() += 1;
        self.begun_ms.push_back(now_ms);
    }

    fn end(&mut self, space: &SpaceKey, begun_ms: u64) {
        self.taken -= 1;
        one_less(&mut self.taken_of, space);
        if let Some(at) = self.begun_ms.iter().position(|other| *other == begun_ms) {
            self.begun_ms.remove(at);
        }
    }

    /// What it said to somebody who is still counted. Who began before its window was cut says no more
    /// than what it was cut for.
    fn hear(&mut self, said: Said, begun_ms: u64, now_ms: u64) {
        let is_slow = now_ms - begun_ms > WELL_MS;
        self.hung -= self.hung / HUNG_PART;
        self.hung += if is_slow { 1_024 / HUNG_PART } else { 0 };
        let is_cut = self.cut_ms.is_some_and(|cut_ms| begun_ms < cut_ms);
        match (said, self.whose) {
            (Said::Answered, _) if !is_slow => self.was_well(now_ms),
            (Said::Answered, Whose::Operators) | (Said::Nothing, Whose::Operators) => {}
            (Said::Nothing, _) if !is_slow => {}
            _ if is_cut => {}
            (_, Whose::Users) if is_slow && self.answered_nobody_since(begun_ms) => {
                self.strike(begun_ms, now_ms);
            }
            _ => {
                self.window.halve();
                self.cut_ms = Some(now_ms);
            }
        }
    }

    /// Nobody, or too few.
    fn answered_nobody_since(&self, begun_ms: u64) -> bool {
        self.hung > HUNG_MAX || self.well_ms.is_none_or(|ms| ms < begun_ms)
    }

    fn was_well(&mut self, now_ms: u64) {
        self.window.grow(self.taken);
        self.is_known |= self.hung <= HUNG_MAX;
        self.well_ms = Some(now_ms);
        self.in_vain = false;
        self.turned_away = 0;
    }

    /// It hung, and answered nobody meanwhile, or too few.
    fn strike(&mut self, begun_ms: u64, now_ms: u64) {
        let forgiven = (now_ms - self.struck_ms) / FORGIVEN_MS;
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        self.strikes = self.strikes.saturating_sub(forgiven) + 1;
        self.struck_ms = now_ms;
        let doublings = (self.strikes - 1).min(DOUBLINGS_MAX);
        self.barred_until_ms = now_ms + ((now_ms - begun_ms) << doublings);
        self.window.close();
        self.cut_ms = Some(now_ms);
        self.is_known = false;
    }

    /// The more are turned away, the later they come again, so that the jobs of a dead server are not
    /// claimed and given back as fast as the store can.
    fn turn_away(&mut self, now_ms: u64) -> u64 {
        let together = TOGETHER.max(self.window.size() as u64);
        let wait_ms = WAIT_MS.saturating_mul(1 + self.turned_away / together);
        self.turned_away += 1;
        let wait_ms = wait_ms.min(match self.strikes >= DEAD_STRIKES {
            true => DEAD_WAIT_MS_MAX,
            false => WAIT_MS_MAX,
        });
        wait_ms.max(self.barred_until_ms.saturating_sub(now_ms))
    }
}

pub(super) fn one_less(counts: &mut HashMap<SpaceKey, usize>, space: &SpaceKey) {
    match counts.get_mut(space) {
        Some(count) if *count > 1 => *count -= 1,
        _ => {
            counts.remove(space);
        }
    }
}

#[cfg(test)]
impl Desk {
    /// Places that are taken: at a server, and at those that nobody knows.
    pub(super) fn taken(&self, name: &str) -> usize {
        self.servers.get(name).map_or(0, |server| server.taken)
    }

    pub(super) fn shared_new(&self) -> &Shared {
        &self.new
    }

    pub(super) fn shared_small(&self) -> &Shared {
        &self.small
    }

    pub(super) fn window(&self, name: &str) -> usize {
        self.servers
            .get(name)
            .map_or(0, |server| server.window.size())
    }

    pub(super) fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Nobody has a place, waits, or was told.
    pub(super) fn is_idle(&self) -> bool {
        let is_used = self.servers.values().any(Server::is_used);
        !is_used && self.new.is_idle() && self.small.is_idle() && self.granted.is_empty()
    }
}
