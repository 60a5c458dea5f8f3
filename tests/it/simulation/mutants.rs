//! Rules broken on purpose: each is caught.

use syncline_protocol::mutant::{Mutant, select};
use syncline_tests::sim::campaign;
use syncline_tests::sim::world;

use super::say;

/// Seeds within which every broken rule must be noticed.
const CAUGHT_WITHIN: u64 = 10_000;

/// Breaks a rule in the real code: some seed must notice, and only because of that.
fn is_caught(mutant: Mutant) -> &'static str {
    let outcome = campaign::run(0..CAUGHT_WITHIN, || select(Some(mutant)));
    let (seed, broken) = outcome
        .failed
        .unwrap_or_else(|| panic!("{mutant:?} was not caught"));
    let (invariant, seen) = (broken.invariant, &broken.seen);
    say(&format!(
        "{mutant:?} caught at seed {seed} by `{invariant}`: {seen}"
    ));
    assert_eq!(
        world::live(seed, false).broken,
        None,
        "seed {seed} fails by itself"
    );
    invariant
}

#[test]
fn a_verdict_before_its_commit_is_caught() {
    is_caught(Mutant::AckBeforeCommit);
}

#[test]
fn a_commit_without_marks_is_caught() {
    is_caught(Mutant::SkipMark);
}

#[test]
fn a_tie_won_by_arrival_is_caught() {
    is_caught(Mutant::TieByArrival);
}

#[test]
fn a_superseded_verdict_without_winners_is_caught() {
    is_caught(Mutant::DropSupersededWinner);
}

#[test]
fn a_catch_up_from_the_next_commit_is_caught() {
    is_caught(Mutant::CursorPlusOne);
}

#[test]
fn a_record_revived_by_an_update_is_caught() {
    is_caught(Mutant::ReviveByUpdate);
}

#[test]
fn a_reply_with_a_cursor_too_far_is_caught() {
    is_caught(Mutant::ReplyCursorPlusOne);
}

#[test]
fn a_changeset_that_is_not_told_what_won_is_caught() {
    is_caught(Mutant::DropEcho);
}

#[test]
fn a_device_that_is_told_nothing_of_its_own_is_caught() {
    is_caught(Mutant::TellNoOwn);
}

#[test]
fn a_clamp_forgotten_when_the_claim_comes_again_is_caught() {
    is_caught(Mutant::ForgetClamp);
}

#[test]
fn a_change_without_a_time_forgotten_when_it_comes_again_is_caught() {
    is_caught(Mutant::ForgetTimeless);
}

#[test]
fn a_change_at_the_latest_time_forgotten_when_it_comes_again_is_caught() {
    is_caught(Mutant::ForgetLatest);
}

#[test]
fn a_later_change_that_may_lose_to_an_earlier_one_of_its_device_is_caught() {
    is_caught(Mutant::ForgetOrder);
}

#[test]
fn notices_that_nobody_gets_are_caught() {
    is_caught(Mutant::TellNoWatcher);
}

#[test]
fn a_cache_believed_after_a_collection_is_caught() {
    is_caught(Mutant::TrustSwept);
}

#[test]
fn a_push_taken_of_a_device_that_has_not_heard_of_an_erasure_is_caught() {
    is_caught(Mutant::TakeErased);
}

#[test]
fn a_changeset_of_before_an_erasure_that_is_stored_is_caught() {
    is_caught(Mutant::StoreErased);
}

#[test]
fn a_merge_onto_a_stale_cached_record_is_caught() {
    is_caught(Mutant::MergeOntoStale);
}

#[test]
fn a_stale_mark_with_a_fresh_head_is_caught() {
    is_caught(Mutant::StaleMark);
}

#[test]
fn a_commit_applied_across_a_gap_is_caught() {
    is_caught(Mutant::ApplyAcrossGap);
}

#[test]
fn a_cursor_past_a_cut_page_is_caught() {
    is_caught(Mutant::CursorPastCut);
}

#[test]
fn a_collection_before_its_time_is_caught() {
    is_caught(Mutant::CollectEarly);
}

#[test]
fn a_message_lost_as_its_session_falls_asleep_is_caught() {
    is_caught(Mutant::LostWakeUp);
}

#[test]
fn a_cursor_of_another_epoch_that_is_believed_is_caught() {
    is_caught(Mutant::IgnoreEpoch);
}

#[test]
fn a_store_that_lost_what_cursors_are_ahead_of_is_caught() {
    is_caught(Mutant::TrustAhead);
}

#[test]
fn nodes_that_never_look_at_the_store_are_caught() {
    is_caught(Mutant::AuditOff);
}

#[test]
fn jobs_left_out_by_a_commit_that_is_tried_again_are_caught() {
    assert_eq!(is_caught(Mutant::DropJobsOfRetry), "put");
}

#[test]
fn a_job_that_follows_from_nothing_is_caught() {
    assert_eq!(is_caught(Mutant::JobForNothing), "put");
}

#[test]
fn jobs_that_make_jobs_for_ever_are_caught() {
    assert_eq!(is_caught(Mutant::DeepForEver), "put");
}

#[test]
fn a_job_that_is_ended_by_a_lost_lease_is_caught() {
    assert_eq!(is_caught(Mutant::IgnoreLease), "fence");
}

#[test]
fn a_job_that_overtakes_another_of_its_lane_is_caught() {
    assert_eq!(is_caught(Mutant::IgnoreLane), "lane");
}

#[test]
fn what_a_job_writes_without_ending_it_is_caught() {
    assert_eq!(is_caught(Mutant::WriteUnfenced), "effect");
}

#[test]
fn a_job_whose_rest_is_forgotten_is_caught() {
    assert_eq!(is_caught(Mutant::ForgetRest), "there");
}

#[test]
fn a_job_that_goes_on_although_it_was_cancelled_is_caught() {
    assert_eq!(is_caught(Mutant::CancelUnheld), "there");
}

#[test]
fn a_job_that_is_begun_although_it_was_snoozed_is_caught() {
    assert_eq!(is_caught(Mutant::SnoozeInVain), "snooze");
}

#[test]
fn a_replayed_job_that_has_not_all_its_tries_is_caught() {
    assert_eq!(is_caught(Mutant::ReplayTired), "tries");
}
