//! What is done about reminders, looked at one by one and in worlds whose clocks jump.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LIMITS: PlanLimits = PlanLimits {
    late_ms: MINUTE,
    cut_off_ms: 12 * HOUR,
    past_ms: MINUTE,
};

/// Set a day before it is due.
fn due(at_ms: u64) -> Option<Due> {
    let set_ms = at_ms - DAY;
    Some(Due { at_ms, set_ms })
}

fn planned(now_ms: u64, state: &State, due: Option<Due>) -> Plan {
    plan(now_ms, state, due, &LIMITS)
}

/// Of a reminder that is waited for, which leaves no trace.
fn waiting() -> State {
    let state = State::default().after(Plan::Arm { due_ms: NOW });
    assert_eq!(state, State::default());
    state
}

fn fired(due_ms: u64) -> State {
    waiting().after(fire(due_ms))
}

fn fire(due_ms: u64) -> Plan {
    let is_late = false;
    Plan::Fire { due_ms, is_late }
}

fn late(due_ms: u64) -> Plan {
    let is_late = true;
    Plan::Fire { due_ms, is_late }
}

#[test]
fn a_reminder_waits_fires_is_late_and_is_missed() {
    let state = waiting();
    for (now_ms, expected) in [
        (NOW - DAY, Plan::Arm { due_ms: NOW }),
        (NOW - 1, Plan::Arm { due_ms: NOW }),
        (NOW, fire(NOW)),
        (NOW + MINUTE, fire(NOW)),
        (NOW + MINUTE + 1, late(NOW)),
        (NOW + 12 * HOUR, late(NOW)),
        (NOW + 12 * HOUR + 1, Plan::Missed { due_ms: NOW }),
    ] {
        assert_eq!(planned(now_ms, &state, due(NOW)), expected);
    }
    assert_eq!(planned(NOW, &state, None), Plan::Nothing(Idle::NotDue));
}

#[test]
fn what_fired_does_not_fire_again() {
    for now_ms in [NOW - DAY, NOW - 1, NOW, NOW + HOUR, NOW + DAY] {
        let plan = planned(now_ms, &fired(NOW), due(NOW));
        assert_eq!(plan, Plan::Nothing(Idle::Fired));
    }
}

#[test]
fn a_miss_is_told_once() {
    let state = waiting().after(Plan::Missed { due_ms: NOW });
    let plan = planned(NOW + DAY, &state, due(NOW));
    assert_eq!(plan, Plan::Nothing(Idle::Told));
}

#[test]
fn an_edit_before_it_fires_moves_it() {
    let later = due(NOW + HOUR);
    assert_eq!(
        planned(NOW, &waiting(), later),
        Plan::Arm { due_ms: NOW + HOUR }
    );
    let sooner = Some(Due {
        at_ms: NOW - MINUTE,
        set_ms: NOW - HOUR,
    });
    assert_eq!(planned(NOW, &waiting(), sooner), fire(NOW - MINUTE));
}

/// The first try has told the user, and not yet said so.
#[test]
fn an_edit_while_it_fires_is_known_by_the_same_key_unless_it_moves_it() {
    let state = waiting();
    let (first, second) = (
        planned(NOW, &state, due(NOW)),
        planned(NOW + 1, &state, due(NOW)),
    );
    assert_eq!(first, second);
    let moved = planned(NOW + 1, &state, due(NOW + HOUR));
    assert_eq!(moved, Plan::Arm { due_ms: NOW + HOUR });
}

#[test]
fn an_edit_after_it_fired_arms_it_for_another_time() {
    let state = fired(NOW);
    let plan = planned(NOW + MINUTE, &state, due(NOW + HOUR));
    assert_eq!(plan, Plan::Arm { due_ms: NOW + HOUR });
    let state = state.after(plan);
    assert_eq!(
        planned(NOW + HOUR, &state, due(NOW + HOUR)),
        fire(NOW + HOUR)
    );
    let back = Some(Due {
        at_ms: NOW,
        set_ms: NOW + MINUTE,
    });
    assert_eq!(
        planned(NOW + MINUTE, &state, back),
        Plan::Nothing(Idle::Fired)
    );
}

#[test]
fn who_sets_it_into_the_past_is_told_nothing() {
    for (set_ms, expected) in [
        (NOW + MINUTE, fire(NOW)),
        (NOW + MINUTE + 1, Plan::Nothing(Idle::SetInPast)),
        (NOW + HOUR, Plan::Nothing(Idle::SetInPast)),
    ] {
        let due = Some(Due { at_ms: NOW, set_ms });
        assert_eq!(planned(set_ms, &State::default(), due), expected);
    }
}

/// That it was waited for is kept nowhere: it counts as set in the past, unless it was written so soon
/// after its time that it would fire if it were new.
#[test]
fn who_writes_it_again_after_its_time_before_it_was_looked_at_is_told_nothing() {
    for (set_ms, expected) in [
        (NOW - 1, late(NOW)),
        (NOW + MINUTE, late(NOW)),
        (NOW + MINUTE + 1, Plan::Nothing(Idle::SetInPast)),
        (NOW + HOUR, Plan::Nothing(Idle::SetInPast)),
    ] {
        let due = Some(Due { at_ms: NOW, set_ms });
        assert_eq!(planned(NOW + HOUR, &waiting(), due), expected);
    }
}

/// A space's clock that was ahead once stays ahead, and with it what the hub stamps.
#[test]
fn what_seems_to_be_set_later_than_now_is_not_set_in_the_past() {
    let due = Some(Due {
        at_ms: NOW,
        set_ms: NOW + DAY,
    });
    for (now_ms, expected) in [
        (NOW - 1, Plan::Arm { due_ms: NOW }),
        (NOW, fire(NOW)),
        (NOW + MINUTE, fire(NOW)),
        (NOW + MINUTE + 1, Plan::Nothing(Idle::SetInPast)),
    ] {
        assert_eq!(planned(now_ms, &waiting(), due), expected);
    }
}

/// Written in time by a device that was offline, or while the hub was away.
#[test]
fn what_is_heard_of_too_late_fires_late() {
    let due = Some(Due {
        at_ms: NOW,
        set_ms: NOW - HOUR,
    });
    assert_eq!(planned(NOW + HOUR, &State::default(), due), late(NOW));
}

#[test]
fn a_clock_that_was_ahead_takes_nothing_away_when_it_is_back() {
    for (jump, fires) in [(HOUR, true), (DAY, false)] {
        let state = waiting();
        let plan = planned(NOW - MINUTE + jump, &state, due(NOW));
        let state = state.after(plan);
        let back = planned(NOW - MINUTE, &state, due(NOW));
        match fires {
            true => assert_eq!((plan, back), (late(NOW), Plan::Nothing(Idle::Fired))),
            false => {
                let arm = Plan::Arm { due_ms: NOW };
                assert_eq!((plan, back), (Plan::Missed { due_ms: NOW }, arm));
                assert_eq!(planned(NOW, &state.after(arm), due(NOW)), fire(NOW));
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_fires_nothing_twice() {
    for jump in [HOUR, DAY] {
        let plan = planned(NOW - jump, &fired(NOW), due(NOW));
        assert_eq!(plan, Plan::Nothing(Idle::Fired));
        let plan = planned(NOW - jump, &waiting(), due(NOW));
        assert_eq!(plan, Plan::Arm { due_ms: NOW });
    }
}

#[test]
fn sixteen_firings_are_kept_the_newest() {
    let mut state = State::default();
    for n in 0..20 {
        state = state.after(fire(NOW + n));
    }
    let kept: Vec<u64> = (4..20).map(|n| NOW + n).collect();
    assert_eq!(state.fired_ms, kept);
    assert_eq!(state.newest_ms(), Some(NOW + 19));
    let missed = state.clone().after(Plan::Missed { due_ms: NOW + 20 });
    assert_eq!(missed.newest_ms(), Some(NOW + 20));
    assert_eq!(State::default().newest_ms(), None);
    let text = serde_json::to_string(&state).unwrap();
    assert!(text.starts_with(r#"{"fired":[1795514400004,"#), "{text}");
    assert!(
        text.ends_with(r#"],"missed":null,"putOff":null}"#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    assert_eq!(
        serde_json::from_str::<State>("{}").unwrap(),
        State::default()
    );
}

#[test]
fn a_firing_is_known_by_its_reminder_and_its_time() {
    assert_eq!(
        FiringKey::of(&key("r1"), NOW).as_str(),
        "reminders/r1@1795514400000"
    );
    let keys = [("r1", NOW), ("r1", NOW + 1), ("r2", NOW)];
    let keys: BTreeSet<FiringKey> = keys.map(|(id, at)| FiringKey::of(&key(id), at)).into();
    assert_eq!(keys.len(), 3);
}

/// What happens to a reminder.
#[derive(Clone, Debug)]
enum Event {
    /// So many minutes pass; its job is done when it is due.
    Pass(u64),
    /// The hub is away for so many minutes.
    Outage(u64),
    /// The clock jumps by so many minutes.
    Jump(i64),
    /// Somebody sets it to a time, by minutes from the beginning.
    Set(u64),
    /// Somebody writes something else of it.
    Touch,
    /// Its task is done, or it is deleted.
    Cancel,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..90_u64).prop_map(Event::Pass),
        1 => (1..1_000_u64).prop_map(Event::Outage),
        1 => prop::sample::select(vec![-1_440, -60, 60, 1_440_i64]).prop_map(Event::Jump),
        3 => prop::sample::select(vec![2_000, 2_010, 2_030, 2_060, 3_000, 3_500]).prop_map(Event::Set),
        1 => Just(Event::Touch),
        1 => Just(Event::Cancel),
    ]
}

/// A reminder, its job and the clock of its hub.
#[derive(Default)]
struct World {
    now_ms: u64,
    due: Option<Due>,
    state: State,
    /// When its job is due.
    job_ms: Option<u64>,
    /// The time it is for, and when it fired.
    fired: Vec<(u64, u64)>,
}

impl World {
    fn look(&mut self) {
        let plan = plan(self.now_ms, &self.state, self.due, &LIMITS);
        self.job_ms = match plan {
            Plan::Arm { due_ms } => Some(due_ms),
            _ => None,
        };
        if let Plan::Fire { due_ms, .. } = plan {
            self.fired.push((due_ms, self.now_ms));
        }
        self.state = std::mem::take(&mut self.state).after(plan);
    }

    fn look_if_due(&mut self) {
        if self.job_ms.is_some_and(|job_ms| job_ms <= self.now_ms) {
            self.look();
        }
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Pass(minutes) => {
                for _ in 0..*minutes {
                    self.now_ms += MINUTE;
                    self.look_if_due();
                }
            }
            Event::Outage(minutes) => {
                self.now_ms += minutes * MINUTE;
                self.look_if_due();
            }
            Event::Jump(minutes) => {
                self.now_ms = self.now_ms.saturating_add_signed(minutes * 60_000);
                self.look_if_due();
            }
            Event::Set(minutes) => {
                self.due = Some(Due {
                    at_ms: NOW + minutes * MINUTE,
                    set_ms: self.now_ms,
                });
                self.look();
            }
            Event::Touch => self.look(),
            Event::Cancel => {
                self.due = None;
                self.look();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens, each time fires once at most and not before it is there; and what is set for
    /// a time to come and left alone fires, or it is told that it was missed.
    #[test]
    fn each_time_fires_once_and_none_is_forgotten(events in prop::collection::vec(event(), 1..40)) {
        let mut world = World { now_ms: NOW + 1_990 * MINUTE, ..World::default() };
        for event in &events {
            world.happens(event);
        }
        let last = Due { at_ms: world.now_ms + 30 * MINUTE, set_ms: world.now_ms };
        world.due = Some(last);
        world.look();
        world.happens(&Event::Pass(60));
        let times: BTreeSet<u64> = world.fired.iter().map(|(due_ms, _)| *due_ms).collect();
        prop_assert_eq!(times.len(), world.fired.len(), "{:?}", world.fired);
        prop_assert!(world.fired.iter().all(|(due_ms, at_ms)| at_ms >= due_ms));
        let ended = times.contains(&last.at_ms) || world.state.missed_ms == Some(last.at_ms);
        prop_assert!(ended, "{:?}", world.state);
    }
}
