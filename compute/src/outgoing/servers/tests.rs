//! Places at servers: what each gets, and that nobody takes them from the others.

mod shell;
mod world;

use syncline_protocol::ids::{AppId, SpaceId, SpaceKey};

use super::desk::{Asked, Desk, Grant, NEW_TURN_MS, SERVERS_MAX, Said, TURN_MS, WELL_MS, Whose};

fn space(name: &str) -> SpaceKey {
    SpaceKey {
        app: AppId::trusted("todo"),
        space: SpaceId::trusted(name),
    }
}

fn ask(desk: &mut Desk, server: &str, user: &str, now_ms: u64) -> Asked {
    desk.ask((server, Whose::Users), &space(user), now_ms)
}

fn placed(desk: &mut Desk, server: &str, user: &str, now_ms: u64) -> Grant {
    match ask(desk, server, user, now_ms) {
        Asked::Placed(grant) => grant,
        other => panic!("{user} has no place at {server}: {other:?}"),
    }
}

fn turned_away(desk: &mut Desk, server: &str, user: &str, now_ms: u64) -> u64 {
    match ask(desk, server, user, now_ms) {
        Asked::TurnedAway(wait_ms) => wait_ms,
        other => panic!("{user} is not turned away at {server}: {other:?}"),
    }
}

/// A desk whose server `well` has answered all that there may be at once, so often.
fn after_answers(pool: usize, rounds: u64) -> Desk {
    let mut desk = Desk::of(pool);
    for n in 0..rounds {
        let window = desk.window("well").max(1);
        let users = (0..window).map(|user| format!("u{user}"));
        let taken: Vec<Grant> = users
            .map(|user| placed(&mut desk, "well", &user, 0))
            .collect();
        for grant in &taken {
            desk.give_back(grant, Said::Answered, n);
        }
    }
    desk
}

#[test]
fn a_server_that_answers_well_has_half_of_the_pool_and_not_one_more() {
    for (pool, most) in [(1, 1), (2, 1), (16, 8), (17, 8), (256, 128)] {
        let desk = after_answers(pool, 40);
        assert_eq!(desk.window("well"), most, "{pool}");
    }
}

#[test]
fn a_space_has_half_of_a_servers_places() {
    let mut desk = after_answers(64, 40);
    let mut taken = Vec::new();
    while let Asked::Placed(grant) = ask(&mut desk, "well", "ada", 1_000) {
        taken.push(grant);
    }
    assert_eq!(taken.len(), 16);
    placed(&mut desk, "well", "bob", 1_000);
}

/// However many they are, and a space no more than a quarter of that.
#[test]
fn servers_that_nobody_knows_have_an_eighth_of_the_pool_and_not_one_more() {
    for (pool, all, each) in [(1, 1, 1), (15, 1, 1), (16, 2, 1), (64, 8, 2), (256, 32, 8)] {
        let mut desk = Desk::of(pool);
        for n in 0..each {
            placed(&mut desk, &format!("a{n}"), "ada", 0);
        }
        assert!(matches!(
            ask(&mut desk, "a", "ada", 0),
            Asked::InLine(_, NEW_TURN_MS)
        ));
        for n in each..all {
            placed(&mut desk, &format!("s{n}"), &format!("u{n}"), 0);
        }
        let one_more = ask(&mut desk, "z", "zoe", 0);
        assert!(!matches!(one_more, Asked::Placed(_)), "{pool}");
        assert_eq!(desk.shared_new().taken(), all, "{pool}");
    }
}

#[test]
fn who_answers_well_leaves_those_that_nobody_knows() {
    let mut desk = Desk::of(8);
    let grant = placed(&mut desk, "one", "ada", 0);
    let Asked::InLine(ticket, _) = ask(&mut desk, "two", "bob", 0) else {
        panic!("it waits for the only place");
    };
    assert_eq!(desk.give_back(&grant, Said::Answered, 10), [ticket]);
    let two = desk.leave("two", ticket, 10).unwrap();
    // One has places of its own now, and a second by its answer.
    let first = placed(&mut desk, "one", "ada", 10);
    let second = placed(&mut desk, "one", "bob", 10);
    assert_eq!((desk.shared_new().taken(), desk.taken("one")), (1, 2));
    for grant in [two, first, second] {
        desk.give_back(&grant, Said::Answered, 20);
    }
    assert!(desk.is_idle());
}

#[test]
fn a_server_that_says_it_has_too_much_to_do_is_cut_to_half_once_a_round() {
    let mut desk = after_answers(64, 40);
    let users: Vec<String> = (0..32).map(|n| format!("u{n}")).collect();
    let place = |desk: &mut Desk, user: &String| placed(desk, "well", user, 100);
    let taken: Vec<Grant> = users.iter().map(|user| place(&mut desk, user)).collect();
    for grant in &taken {
        desk.give_back(grant, Said::Failed, 200);
    }
    assert_eq!(desk.window("well"), 16);
    let again = placed(&mut desk, "well", "ada", 200);
    desk.give_back(&again, Said::Failed, 300);
    assert_eq!(desk.window("well"), 8, "it is cut again, and known");
    placed(&mut desk, "well", "ada", 300);
    assert_eq!(desk.shared_new().taken(), 0);
}

#[test]
fn a_server_that_hangs_is_left_alone_for_as_long_as_it_took_and_longer_each_time() {
    let mut desk = after_answers(64, 40);
    let mut now_ms = 1_000;
    // The second that hung meanwhile says nothing new.
    let also = placed(&mut desk, "well", "bob", now_ms);
    for (n, bar_ms) in [10_000, 20_000, 40_000, 80_000, 80_000]
        .into_iter()
        .enumerate()
    {
        let grant = placed(&mut desk, "well", "ada", now_ms);
        now_ms += 10_000;
        desk.give_back(&grant, Said::Failed, now_ms);
        if n == 0 {
            desk.give_back(&also, Said::Failed, now_ms);
        }
        assert_eq!(desk.window("well"), 1);
        let wait_ms = turned_away(&mut desk, "well", "ada", now_ms);
        assert!(wait_ms >= bar_ms, "{wait_ms}");
        turned_away(&mut desk, "well", "ada", now_ms + bar_ms - 1);
        now_ms += bar_ms;
    }
    // It is known again once it has answered well for a while.
    for round in 0..30 {
        let grant = placed(&mut desk, "well", "ada", now_ms);
        assert!(
            round > 0 || desk.shared_new().taken() == 1,
            "nobody knows it any more"
        );
        desk.give_back(&grant, Said::Answered, now_ms);
    }
    placed(&mut desk, "well", "ada", now_ms);
    assert_eq!(
        (desk.shared_new().taken(), desk.shared_small().taken()),
        (0, 1)
    );
}

/// One that hangs as often as not is not known, however well it answers others.
#[test]
fn a_server_of_which_one_in_eight_hangs_is_not_known() {
    // The window is cut to half by what is lost, and closed by what is too much.
    for (every, rounds, window) in [(32, 64, 8), (4, 9, 1)] {
        let mut desk = after_answers(64, 40);
        for n in 0..rounds {
            let now_ms = 1_000 + n * 20_000;
            let grant = placed(&mut desk, "well", "ada", now_ms);
            let also = placed(&mut desk, "well", "bob", now_ms);
            desk.give_back(&also, Said::Answered, now_ms + 100);
            match n % every {
                0 => desk.give_back(&grant, Said::Failed, now_ms + 10_000),
                _ => desk.give_back(&grant, Said::Answered, now_ms + 100),
            };
        }
        assert_eq!(desk.window("well"), window, "one in {every}");
    }
}

#[test]
fn where_some_hang_nobody_joins_them() {
    let mut desk = Desk::of(64);
    let first = placed(&mut desk, "one", "ada", 0);
    desk.give_back(&first, Said::Answered, 10);
    let _hangs = placed(&mut desk, "one", "ada", 10);
    let other = placed(&mut desk, "one", "bob", 10 + WELL_MS);
    desk.give_back(&other, Said::Answered, 10 + WELL_MS);
    assert_eq!(turned_away(&mut desk, "one", "bob", 11 + WELL_MS), 1_000);
}

/// So that many of them do not hold the pool that hang all at once.
#[test]
fn servers_of_small_windows_share_a_quarter_of_the_pool() {
    let mut desk = Desk::of(64);
    for n in 0..40 {
        let grant = placed(&mut desk, &format!("s{n}"), "ada", 0);
        desk.give_back(&grant, Said::Answered, 0);
    }
    let place = |desk: &mut Desk, n: usize| ask(desk, &format!("s{n}"), &format!("u{n}"), 10);
    for n in 0..16 {
        assert!(matches!(place(&mut desk, n), Asked::Placed(_)), "{n}");
    }
    assert!(matches!(place(&mut desk, 16), Asked::InLine(_, TURN_MS)));
    assert_eq!(desk.shared_small().taken(), 16);
}

/// What is slow is no better than what hangs, at two seconds and one past.
#[test]
fn an_answer_counts_as_good_within_two_seconds() {
    for (took_ms, is_known) in [(WELL_MS, true), (WELL_MS + 1, false)] {
        let mut desk = Desk::of(64);
        let grant = placed(&mut desk, "one", "ada", 0);
        desk.give_back(&grant, Said::Answered, took_ms);
        let next = ask(&mut desk, "one", "ada", took_ms);
        assert_eq!(matches!(next, Asked::Placed(_)), is_known, "{next:?}");
    }
}

/// One answer of many that is lost is no reason to leave a server alone.
#[test]
fn a_server_that_answered_others_meanwhile_is_only_cut_to_half() {
    let mut desk = after_answers(64, 40);
    let lost = placed(&mut desk, "well", "ada", 1_000);
    let good = placed(&mut desk, "well", "bob", 1_000);
    desk.give_back(&good, Said::Answered, 1_100);
    desk.give_back(&lost, Said::Failed, 11_000);
    assert_eq!(desk.window("well"), 16);
    placed(&mut desk, "well", "ada", 11_000);
}

#[test]
fn a_server_of_the_config_may_be_slow_and_is_never_left_alone() {
    let mut desk = Desk::of(256);
    let mail = |desk: &mut Desk, user: &str, now_ms| match desk.ask(
        ("mail", Whose::Operators),
        &space(user),
        now_ms,
    ) {
        Asked::Placed(grant) => grant,
        other => panic!("no place: {other:?}"),
    };
    assert_eq!(desk.window("mail"), 0);
    let slow = mail(&mut desk, "ada", 0);
    assert_eq!((desk.window("mail"), desk.shared_new().taken()), (8, 0));
    desk.give_back(&slow, Said::Answered, 20_000);
    assert_eq!(desk.window("mail"), 8);
    for (now_ms, window) in [(30_000, 4), (60_000, 2), (90_000, 1), (120_000, 1)] {
        let hangs = mail(&mut desk, "ada", now_ms);
        desk.give_back(&hangs, Said::Failed, now_ms + 30_000);
        assert_eq!(desk.window("mail"), window);
    }
    // It grows up to an eighth of the pool.
    for round in 0..100 {
        let now_ms = 200_000 + round;
        let window = desk.window("mail");
        let users: Vec<String> = (0..window).map(|n| format!("u{n}")).collect();
        let taken: Vec<Grant> = users
            .iter()
            .map(|user| mail(&mut desk, user, now_ms))
            .collect();
        for grant in taken {
            desk.give_back(&grant, Said::Answered, now_ms);
        }
    }
    assert_eq!(desk.window("mail"), 32);
}

#[test]
fn where_somebody_waited_in_vain_nobody_stands_in_line_until_it_answers() {
    let mut desk = Desk::of(64);
    let grant = placed(&mut desk, "one", "ada", 0);
    let Asked::InLine(ticket, NEW_TURN_MS) = ask(&mut desk, "one", "bob", 0) else {
        panic!("it stands in line");
    };
    assert_eq!(desk.leave("one", ticket, 1_000), Err(1_000));
    assert_eq!(turned_away(&mut desk, "one", "eve", 1_000), 1_000);
    desk.give_back(&grant, Said::Answered, 1_500);
    let taken = [
        placed(&mut desk, "one", "ada", 1_500),
        placed(&mut desk, "one", "bob", 1_500),
    ];
    let line = ask(&mut desk, "one", "eve", 1_500);
    assert!(matches!(line, Asked::InLine(_, TURN_MS)), "{line:?}");
    assert_eq!(taken.len(), 2);
}

#[test]
fn who_is_turned_away_comes_again_the_later_the_more_there_are() {
    let mut desk = Desk::of(64);
    let _grant = placed(&mut desk, "one", "ada", 0);
    let Asked::InLine(ticket, _) = ask(&mut desk, "one", "bob", 0) else {
        panic!("it stands in line");
    };
    assert_eq!(desk.leave("one", ticket, 1_000), Err(1_000));
    let mut waits = (0..2_000).map(|_| turned_away(&mut desk, "one", "eve", 1_000));
    assert_eq!((waits.nth(30), waits.next()), (Some(1_000), Some(2_000)));
    assert_eq!(waits.last(), Some(30_000));
}

#[test]
fn who_stops_waiting_keeps_no_place() {
    for is_told in [false, true] {
        let mut desk = Desk::of(64);
        let grant = placed(&mut desk, "one", "ada", 0);
        let Asked::InLine(ticket, _) = ask(&mut desk, "one", "bob", 0) else {
            panic!("it stands in line");
        };
        if is_told {
            assert_eq!(desk.give_back(&grant, Said::Nothing, 10), [ticket]);
            assert_eq!(desk.withdraw("one", ticket, 20), []);
        } else {
            assert_eq!(desk.withdraw("one", ticket, 10), []);
            assert_eq!(desk.give_back(&grant, Said::Nothing, 20), []);
        }
        assert!(desk.is_idle(), "{is_told}");
    }
}

/// Those where somebody is stay, and the others while they say something.
#[test]
fn servers_without_end_are_not_kept_without_end() {
    let mut desk = after_answers(64, 1);
    let held = placed(&mut desk, "held", "ada", 10);
    for n in 2..SERVERS_MAX {
        let grant = placed(&mut desk, &format!("s{n}"), "eve", 10);
        desk.give_back(&grant, Said::Nothing, 10);
    }
    assert_eq!(desk.servers(), SERVERS_MAX);
    let one_more = placed(&mut desk, "one more", "eve", 10);
    assert_eq!(desk.servers(), 3);
    assert_eq!((desk.window("well"), desk.taken("held")), (2, 1));
    for grant in [held, one_more] {
        desk.give_back(&grant, Said::Answered, 20);
    }
}
