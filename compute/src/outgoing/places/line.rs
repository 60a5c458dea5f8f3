//! Who has a place at a server, who stands in line for one, and who is turned away: without waiting
//! and without a clock.

use std::collections::{HashMap, VecDeque};

use syncline_protocol::ids::SpaceKey;

/// How long a space that has no place stands in line, in milliseconds.
pub(super) const TURN_MS: u64 = 1_000;

/// How long one does that has some, or all it may have, in milliseconds.
pub(super) const MORE_MS: u64 = 250;

/// The wait of the first that are turned away, in milliseconds.
const WAIT_MS: u64 = 1_000;

/// The longest wait. A server that comes back is posted to within it.
const WAIT_MS_MAX: u64 = 30_000;

/// The longest wait where nobody has been answered for long: of many records' events each would
/// otherwise be claimed and given back twice a minute for as long as the server hangs.
const DEAD_WAIT_MS_MAX: u64 = 300_000;

/// So many rounds of all places without an answer are long. A round takes as long as the endpoint's
/// `timeout_ms`: two minutes in all, if that is what it is by default.
const DEAD_ROUNDS: u64 = 12;

/// A place in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u64);

/// What somebody gets who asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// One.
    Placed,
    /// One as soon as it is its turn; it waits no longer than so many milliseconds.
    InLine(Ticket, u64),
    /// None: it comes again after so many milliseconds.
    TurnedAway(u64),
}

/// The places of a server.
#[derive(Debug)]
pub(super) struct Line {
    /// How many there are.
    size: usize,
    free: usize,
    /// Places that a space has, if it has any.
    placed: HashMap<SpaceKey, usize>,
    /// Spaces that have none, each once, at most as many as there are places.
    turns: VecDeque<(Ticket, SpaceKey)>,
    /// Spaces that have some and want more, each at most as often as it may have places.
    more: VecDeque<(Ticket, SpaceKey)>,
    last: u64,
    /// Somebody stood in line in vain since a place was last given back.
    in_vain: bool,
    /// Those who were turned away since then; of an endpoint that is dead, since it was alive.
    turned_away: u64,
    /// Places that were given back without an answer since there was one.
    unanswered: u64,
}

impl Line {
    /// So many places, at least one, all of them free.
    pub(super) fn of(size: usize) -> Line {
        let size = size.max(1);
        Line {
            size,
            free: size,
            placed: HashMap::new(),
            turns: VecDeque::new(),
            more: VecDeque::new(),
            last: 0,
            in_vain: false,
            turned_away: 0,
            unanswered: 0,
        }
    }

    /// How many one space may have: half of them.
    fn per_space(&self) -> usize {
        (self.size / 2).max(1)
    }

    fn placed(&self, space: &SpaceKey) -> usize {
        self.placed.get(space).copied().unwrap_or(0)
    }

    /// Somebody wants a place.
    pub(super) fn ask(&mut self, space: &SpaceKey) -> Asked {
        let placed = self.placed(space);
        if self.free > 0 && placed < self.per_space() {
            self.place(space);
            return Asked::Placed;
        }
        let ticket = Ticket(self.last + 1);
        let stands = |line: &VecDeque<(Ticket, SpaceKey)>| {
            let of_space = line.iter().filter(|(_, other)| other == space);
            of_space.count()
        };
        let for_ms = if placed == 0 && stands(&self.turns) == 0 && self.turns.len() < self.size {
            self.turns.push_back((ticket, space.clone()));
            TURN_MS
        } else if !self.in_vain && placed > 0 && stands(&self.more) < self.per_space() {
            self.more.push_back((ticket, space.clone()));
            MORE_MS
        } else {
            return Asked::TurnedAway(self.turn_away());
        };
        self.last = ticket.0;
        Asked::InLine(ticket, for_ms)
    }

    /// A place is given back by who had an answer. Returns who has it now.
    pub(super) fn give_back(&mut self, space: &SpaceKey) -> Option<Ticket> {
        self.unanswered = 0;
        self.turned_away = 0;
        self.pass_on(space)
    }

    /// The same by who had none.
    pub(super) fn give_back_unanswered(&mut self, space: &SpaceKey) -> Option<Ticket> {
        self.unanswered = self.unanswered.saturating_add(1);
        if !self.is_dead() {
            self.turned_away = 0;
        }
        self.pass_on(space)
    }

    fn is_dead(&self) -> bool {
        self.unanswered / self.size as u64 >= DEAD_ROUNDS
    }

    fn pass_on(&mut self, space: &SpaceKey) -> Option<Ticket> {
        self.free += 1;
        self.in_vain = false;
        match self.placed.get_mut(space) {
            Some(placed) if *placed > 1 => *placed -= 1,
            _ => {
                self.placed.remove(space);
            }
        }
        let (ticket, space) = match self.turns.pop_front() {
            Some(next) => next,
            None => {
                let may = |(_, space): &(Ticket, SpaceKey)| self.placed(space) < self.per_space();
                let at = self.more.iter().position(may)?;
                self.more.remove(at)?
            }
        };
        self.place(&space);
        Some(ticket)
    }

    /// Somebody leaves the line. False if it has a place already.
    pub(super) fn leave(&mut self, ticket: Ticket) -> bool {
        let before = self.turns.len() + self.more.len();
        self.turns.retain(|(other, _)| *other != ticket);
        self.more.retain(|(other, _)| *other != ticket);
        before > self.turns.len() + self.more.len()
    }

    /// Somebody who left the line since it stood there too long comes again after so many
    /// milliseconds: a space that has no place soon, to be in line when its turn comes.
    pub(super) fn left_in_vain(&mut self, space: &SpaceKey) -> u64 {
        self.in_vain = true;
        match self.placed(space) {
            0 => WAIT_MS,
            _ => self.turn_away(),
        }
    }

    /// The more are turned away, the later they come again, so that the jobs of a dead server are not
    /// claimed and given back as fast as the store can.
    fn turn_away(&mut self) -> u64 {
        let before = self.turned_away;
        self.turned_away += 1;
        let wait_ms = WAIT_MS.saturating_mul(1 + before / self.size as u64);
        wait_ms.min(match self.is_dead() {
            true => DEAD_WAIT_MS_MAX,
            false => WAIT_MS_MAX,
        })
    }

    fn place(&mut self, space: &SpaceKey) {
        self.free -= 1;
        *self.placed.entry(space.clone()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, SpaceId};

    use super::*;

    fn space(name: &str) -> SpaceKey {
        SpaceKey {
            app: AppId::trusted("todo"),
            space: SpaceId::trusted(name),
        }
    }

    /// Who asks gets this.
    fn ask(line: &mut Line, name: &str) -> Asked {
        line.ask(&space(name))
    }

    fn stand(line: &mut Line, name: &str, for_ms: u64) -> Ticket {
        match ask(line, name) {
            Asked::InLine(ticket, asked) if asked == for_ms => ticket,
            other => panic!("{name} does not stand in line for {for_ms} ms: {other:?}"),
        }
    }

    #[test]
    fn a_space_has_half_of_the_places_and_another_finds_the_rest() {
        for (size, half) in [(1, 1), (2, 1), (3, 1), (8, 4)] {
            let mut line = Line::of(size);
            for _ in 0..half {
                assert_eq!(ask(&mut line, "ada"), Asked::Placed, "{size}");
            }
            stand(&mut line, "ada", MORE_MS);
            for n in half..size {
                let other = format!("s{n}");
                assert_eq!(ask(&mut line, &other), Asked::Placed, "{size}");
            }
            stand(&mut line, "bob", TURN_MS);
        }
    }

    /// However much one has to do.
    #[test]
    fn spaces_take_turns_where_there_is_one_place() {
        let mut line = Line::of(1);
        assert_eq!(ask(&mut line, "ada"), Asked::Placed);
        let bob = stand(&mut line, "bob", TURN_MS);
        let more = stand(&mut line, "ada", MORE_MS);
        assert_eq!(line.give_back(&space("ada")), Some(bob));
        let ada = stand(&mut line, "ada", TURN_MS);
        assert_eq!(line.give_back(&space("bob")), Some(ada));
        let bob = stand(&mut line, "bob", TURN_MS);
        assert_eq!(line.give_back(&space("ada")), Some(bob));
        assert_eq!(line.give_back(&space("bob")), Some(more));
        assert_eq!(line.give_back(&space("ada")), None);
        assert_eq!(ask(&mut line, "bob"), Asked::Placed);
    }

    /// A place that is free is not kept for a space that has all it may have.
    #[test]
    fn who_wants_more_than_half_waits_for_its_own_places() {
        let mut line = Line::of(4);
        for name in ["ada", "ada", "bob"] {
            assert_eq!(ask(&mut line, name), Asked::Placed);
        }
        let more = stand(&mut line, "ada", MORE_MS);
        assert_eq!(line.give_back(&space("bob")), None);
        assert_eq!(line.give_back(&space("ada")), Some(more));
    }

    #[test]
    fn a_line_is_no_longer_than_places_and_has_a_space_once() {
        let mut line = Line::of(2);
        for name in ["ada", "bob"] {
            assert_eq!(ask(&mut line, name), Asked::Placed);
        }
        for name in ["s1", "s2"] {
            stand(&mut line, name, TURN_MS);
            assert!(
                matches!(ask(&mut line, name), Asked::TurnedAway(_)),
                "{name}"
            );
        }
        assert!(matches!(ask(&mut line, "s3"), Asked::TurnedAway(_)));
        stand(&mut line, "ada", MORE_MS);
        assert!(matches!(ask(&mut line, "ada"), Asked::TurnedAway(_)));
    }

    /// Else those who wait for one that hangs would take the workers of their space.
    #[test]
    fn where_somebody_waited_in_vain_nobody_wants_more_until_a_place_is_given_back() {
        let mut line = Line::of(2);
        assert_eq!(ask(&mut line, "ada"), Asked::Placed);
        let more = stand(&mut line, "ada", MORE_MS);
        assert!(line.leave(more));
        assert_eq!(line.left_in_vain(&space("ada")), 1_000);
        assert_eq!(ask(&mut line, "ada"), Asked::TurnedAway(1_000));
        assert_eq!(ask(&mut line, "bob"), Asked::Placed);
        let turn = stand(&mut line, "eve", TURN_MS);
        assert!(line.leave(turn), "one without a place still has its turn");
        assert_eq!(line.left_in_vain(&space("eve")), 1_000);
        assert_eq!(line.give_back(&space("bob")), None);
        stand(&mut line, "ada", MORE_MS);
        assert!(!line.leave(turn));
    }

    #[test]
    fn who_is_turned_away_comes_again_the_later_the_more_there_are() {
        let mut line = Line::of(2);
        assert_eq!(ask(&mut line, "ada"), Asked::Placed);
        stand(&mut line, "ada", MORE_MS);
        let mut turned_away = || match ask(&mut line, "ada") {
            Asked::TurnedAway(wait_ms) => wait_ms,
            other => panic!("{other:?}"),
        };
        let waits: Vec<u64> = (0..5).map(|_| turned_away()).collect();
        assert_eq!(waits, [1_000, 1_000, 2_000, 2_000, 3_000]);
        for _ in 0..100 {
            turned_away();
        }
        assert_eq!(turned_away(), 30_000);
        line.give_back(&space("ada"));
        stand(&mut line, "ada", MORE_MS);
        assert_eq!(ask(&mut line, "ada"), Asked::TurnedAway(1_000));
    }

    /// The wait of the last of many who are turned away.
    fn longest(line: &mut Line) -> u64 {
        let waits = (0..1_000).map(|_| match ask(line, "ada") {
            Asked::TurnedAway(wait_ms) => wait_ms,
            other => panic!("{other:?}"),
        });
        waits.last().unwrap_or(0)
    }

    /// Two places, and nobody is answered for twelve rounds of both.
    #[test]
    fn who_is_turned_away_comes_again_later_still_where_nobody_is_answered_for_long() {
        let mut line = Line::of(2);
        assert_eq!(ask(&mut line, "ada"), Asked::Placed);
        for _ in 0..23 {
            let next = stand(&mut line, "ada", MORE_MS);
            assert_eq!(line.give_back_unanswered(&space("ada")), Some(next));
        }
        let next = stand(&mut line, "ada", MORE_MS);
        assert_eq!(longest(&mut line), 30_000);
        assert_eq!(line.give_back_unanswered(&space("ada")), Some(next));
        let next = stand(&mut line, "ada", MORE_MS);
        assert_eq!(longest(&mut line), 300_000);
        // One more in vain does not have them all come at once.
        assert_eq!(line.give_back_unanswered(&space("ada")), Some(next));
        let next = stand(&mut line, "ada", MORE_MS);
        assert_eq!(ask(&mut line, "ada"), Asked::TurnedAway(300_000));
        // One answer does.
        assert_eq!(line.give_back(&space("ada")), Some(next));
        stand(&mut line, "ada", MORE_MS);
        assert_eq!(ask(&mut line, "ada"), Asked::TurnedAway(1_000));
        assert_eq!(longest(&mut line), 30_000);
    }

    /// Places are neither lost nor made, whatever happens.
    #[test]
    fn places_add_up() {
        let mut random = syncline_storage::faulty::Prng::new(7);
        for size in [1, 2, 5, 8] {
            let mut line = Line::of(size);
            let mut has: Vec<SpaceKey> = Vec::new();
            let mut stands: HashMap<Ticket, SpaceKey> = HashMap::new();
            for _ in 0..5_000 {
                let name = space(&format!("s{}", random.below(4)));
                match random.below(3) {
                    0 => match line.ask(&name) {
                        Asked::Placed => has.push(name),
                        Asked::InLine(ticket, _) => {
                            stands.insert(ticket, name);
                        }
                        Asked::TurnedAway(_) => {}
                    },
                    1 if !has.is_empty() => {
                        let at = random.below(has.len() as u64) as usize;
                        if let Some(ticket) = line.give_back(&has.swap_remove(at)) {
                            has.extend(stands.remove(&ticket));
                        }
                    }
                    _ => {
                        let least = stands.keys().min_by_key(|ticket| ticket.0).copied();
                        if let Some(ticket) = least {
                            assert!(line.leave(ticket));
                            stands.remove(&ticket);
                        }
                    }
                }
                assert_eq!(has.len() + line.free, size);
                assert_eq!(line.turns.len() + line.more.len(), stands.len());
                for one in &has {
                    let of_space = has.iter().filter(|other| *other == one).count();
                    assert!(of_space <= (size / 2).max(1));
                    assert_eq!(of_space, line.placed(one));
                }
                let waits = line.turns.front().is_some();
                assert!(
                    !waits || line.free == 0,
                    "a place is free, and somebody waits"
                );
            }
        }
    }
}
