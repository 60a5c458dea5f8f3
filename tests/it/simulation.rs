//! The simulation: see [`syncline_tests::sim`].

// A build without debug assertions holds no mutants.
#[cfg(debug_assertions)]
mod mutants;

use std::io::Write as _;
use std::time::Instant;

use syncline_tests::sim::campaign::{self, SEEDS};
use syncline_tests::sim::count::Kind;
use syncline_tests::sim::plan::Mix;
use syncline_tests::sim::world::{self, Ending};

fn env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number")),
    )
}

/// Prints also where the output of tests that pass is kept back.
fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// `SIM_SEEDS` seeds from `SIM_SEED` on; with `SIM_TRACE` one, told line by line.
#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_all_devices_end_equal() {
    let first = env("SIM_SEED").unwrap_or(0);
    if env("SIM_TRACE").is_some_and(|on| on != 0) {
        let ending = world::live(first, true);
        assert_eq!(ending.broken, None, "seed {first}");
        return;
    }
    let began = Instant::now();
    let outcome = campaign::run(first..first + env("SIM_SEEDS").unwrap_or(SEEDS), || ());
    say(&outcome.counts.to_string());
    let took_s = began.elapsed().as_secs_f64();
    say(&format!("{} seeds in {took_s:.1} s", outcome.seeds));
    if let Some(failure) = outcome.failure() {
        panic!("{failure}");
    }
}

/// Also as the command does that a failure prints, which tells what happens.
#[test]
fn a_seed_lives_the_same_life_each_time() {
    for seed in 0..40 {
        let told = |ending: Ending| (ending.steps, ending.counts.to_string(), ending.broken);
        let [once, again] = [false, true].map(|traced| told(world::live(seed, traced)));
        assert_eq!(once, again, "seed {seed}");
    }
}

/// What must happen in a seed, for it to say anything of what it is named after.
type Holds<'a> = &'a [Kind];

/// A seed that once failed lives on under the name of what it found.
fn lives(seed: u64, holds: Holds<'_>) {
    let ending = world::live_with(seed, world::drawn(seed), false);
    well(seed, &ending, holds);
}

/// The same, of a world of native devices, whatever the seed would have made of it.
fn lives_native(seed: u64, holds: Holds<'_>) {
    let ending = world::live_with(seed, (Mix::Native, false), false);
    well(seed, &ending, holds);
}

/// The same, of a world as the campaign has them, some with a real cluster.
fn lives_now(seed: u64, holds: Holds<'_>) {
    well(seed, &world::live(seed, false), holds);
}

fn well(seed: u64, ending: &Ending, holds: Holds<'_>) {
    assert_eq!(ending.broken, None, "seed {seed}");
    for kind in holds {
        let times = ending.counts.of(*kind);
        assert!(times > 0, "seed {seed} has no {}", kind.name());
    }
}

#[test]
fn a_writer_number_that_the_store_has_lost_is_given_to_nobody_twice() {
    lives_now(12_437, &[Kind::RestoredSilently, Kind::Commit]);
}

#[test]
fn an_insert_that_is_never_sent_may_stay_where_replies_crossed() {
    lives_now(19_793, &[Kind::InsertDropped, Kind::AskedBeside]);
}

#[test]
fn an_insert_without_a_time_wins_no_tie_against_another_device() {
    lives(25, &[Kind::Timeless, Kind::SyncDone]);
}

#[test]
fn an_edit_that_a_lost_history_wrote_over_is_not_told_again() {
    lives(14_871, &[Kind::Restored, Kind::SyncDone]);
}

#[test]
fn a_late_copy_of_a_lost_history_leaves_a_ghost_of_what_it_inserts_and_deletes() {
    lives(14_287, &[Kind::RestoredSilently, Kind::AskOutlived]);
}

#[test]
fn a_session_that_reads_what_it_missed_in_pages_tells_no_half_commit() {
    lives_native(1, &[Kind::PageInside, Kind::BusGap]);
}

#[test]
fn an_answer_to_an_older_read_of_a_socket_is_not_told() {
    lives_native(464, &[Kind::AnswersReordered, Kind::CatchUp]);
}

#[test]
fn a_mutation_decided_on_another_node_is_not_applied_again() {
    lives_native(22, &[Kind::Conflict, Kind::Repeat]);
}

#[test]
fn a_mark_of_a_lost_history_does_not_block_its_client_for_ever() {
    lives_native(1_213, &[Kind::Restored, Kind::Repeat]);
    lives_native(10, &[Kind::Restored, Kind::NewClientId]);
}

#[test]
fn a_verdict_of_a_lost_history_is_not_told_to_another_client() {
    lives_native(34_282, &[Kind::Restored, Kind::Repeat]);
}

#[test]
fn a_snapshot_ends_in_a_delta_although_the_store_failed() {
    lives_native(195, &[Kind::ReadFails, Kind::Snapshot]);
}

#[test]
fn a_store_that_lost_commits_turns_no_cursor_back() {
    lives_native(100, &[Kind::RestoredSilently, Kind::EpochLost]);
}

#[test]
fn a_device_is_not_live_after_a_page_that_was_cut() {
    lives_native(456, &[Kind::Cut, Kind::CatchUp]);
}
