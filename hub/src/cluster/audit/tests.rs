use super::*;

const AT: Moment = Moment {
    is_away: false,
    random: 0,
};

/// Spaces of which the reads are as many as wanted.
fn open(reads: usize) -> Vec<usize> {
    (0..reads * BATCH).collect()
}

fn resting() -> Audit<usize> {
    Audit::begin(AT).0
}

/// A look that is wanted, of so many reads; how many begin at once.
fn wanted(audit: &mut Audit<usize>, reads: usize) -> usize {
    let cause = CatchUpCause::Reconnect;
    assert_eq!(audit.step(Event::Wanted(cause), AT), [Effect::List]);
    looks(&audit.step(Event::Listed(open(reads)), AT), cause)
}

fn looks(effects: &[Effect<usize>], of: CatchUpCause) -> usize {
    let is_look = |effect: &&Effect<usize>| matches!(effect, Effect::Look(spaces, cause) if spaces.len() == BATCH && *cause == of);
    assert_eq!(effects.iter().filter(is_look).count(), effects.len());
    effects.len()
}

#[test]
fn looks_are_spread_and_more_often_without_the_bus() {
    for (is_away, range) in [(false, 30_000..=60_000), (true, 3_000..=6_000)] {
        let waits = [0, 1, 7_654_321, u64::MAX];
        let waits = waits.map(|random| until_next_ms(Moment { is_away, random }));
        for wait_ms in waits {
            assert!(range.contains(&wait_ms), "{wait_ms}");
        }
        assert_ne!(waits[0], waits[2]);
    }
}

#[test]
fn a_regular_look_reads_one_batch_after_the_other_with_pauses() {
    let mut audit = resting();
    assert_eq!(audit.step(Event::Waited, AT), [Effect::List]);
    let mut effects = audit.step(Event::Listed(open(3)), AT);
    for _ in 0..3 {
        assert_eq!(looks(&effects, CatchUpCause::Audit), 1);
        // A store that does not answer is asked at the next look.
        assert_eq!(
            audit.step(Event::Looked(false), AT),
            [Effect::Wait(PAUSE_MS)]
        );
        effects = audit.step(Event::Waited, AT);
    }
    assert_eq!(effects, [Effect::Wait(EVERY_MS.0)]);
}

#[test]
fn a_wanted_look_reads_several_batches_at_once_and_keeps_its_distance() {
    let mut audit = resting();
    assert_eq!(wanted(&mut audit, 6), READS_AT_ONCE);
    for _ in 0..2 {
        let effects = audit.step(Event::Looked(true), AT);
        assert_eq!(looks(&effects, CatchUpCause::Reconnect), 1);
    }
    for _ in 0..3 {
        assert_eq!(audit.step(Event::Looked(true), AT), []);
        assert!(!audit.takes_wishes());
    }
    assert_eq!(
        audit.step(Event::Looked(true), AT),
        [Effect::Wait(APART_MS)]
    );
    assert!(!audit.takes_wishes());
    assert_eq!(audit.step(Event::Waited, AT), [Effect::Wait(EVERY_MS.0)]);
    assert!(audit.takes_wishes());
}

#[test]
fn a_wanted_look_that_the_store_did_not_answer_comes_again() {
    let mut audit = resting();
    wanted(&mut audit, 2);
    assert_eq!(audit.step(Event::Looked(false), AT), []);
    assert_eq!(
        audit.step(Event::Looked(true), AT),
        [Effect::Wait(APART_MS)]
    );
    assert_eq!(audit.step(Event::Waited, AT), [Effect::List]);
    let effects = audit.step(Event::Listed(open(2)), AT);
    assert_eq!(looks(&effects, CatchUpCause::Reconnect), 2);
}

#[test]
fn a_regular_look_gives_way_to_one_that_is_wanted() {
    let mut audit = resting();
    audit.step(Event::Waited, AT);
    audit.step(Event::Listed(open(2)), AT);
    assert!(audit.takes_wishes());
    assert_eq!(wanted(&mut audit, 1), 1);
}

#[test]
fn a_look_at_no_open_space_ends_at_once() {
    let mut audit = resting();
    audit.step(Event::Waited, AT);
    assert_eq!(
        audit.step(Event::Listed(Vec::new()), AT),
        [Effect::Wait(EVERY_MS.0)]
    );
    audit.step(Event::Wanted(CatchUpCause::Slow), AT);
    assert_eq!(
        audit.step(Event::Listed(Vec::new()), AT),
        [Effect::Wait(APART_MS)]
    );
}
