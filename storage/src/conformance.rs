//! What every engine must do, one named behaviour a function, run on every engine and on every
//! engine behind faults.
//!
//! A behaviour gets an empty store and panics if its one claim does not hold. An engine's tests
//! are one line: [`conformance_tests!`](crate::conformance_tests) makes a `#[test]` of each and
//! runs it with the function given, which makes the store and drives the future. [`Patient`] is
//! the caller that the faulty runs need: it asks again until the store answers. [`Alternating`] is
//! two hubs on one database, for the engines that share one, and [`Accompanied`] puts every commit
//! into a group. Behaviours of [`transfer`] get two
//! stores, those of [`jobs`] a store that also has jobs, those of [`ledger`] an empty ledger.

mod accompanied;
mod alternating;
pub mod changes;
pub mod commits;
pub mod dead_letters;
pub mod epochs;
pub mod erasure;
pub mod jobs;
pub mod ledger;
pub mod marks;
pub mod opening;
mod patient;
pub mod racing;
pub mod records;
pub mod retention;
pub mod snapshots;
pub(crate) mod space;
pub mod transfer;
pub mod verdicts;

use std::pin::Pin;

pub use accompanied::Accompanied;
pub use alternating::Alternating;
pub use patient::{FAULTS, Patient, UNHURRIED, Unhurried, losing_answers, seed_of_test};

use crate::Store;

/// A behaviour, ready to be run on a store.
pub type Behaviour = for<'a> fn(&'a dyn Store) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Makes a `#[test]` of every behaviour. `$run` is a `fn(Behaviour)`: it makes an empty store
/// and runs the behaviour on it.
#[macro_export]
macro_rules! conformance_tests {
    ($run:path) => {
        $crate::conformance_tests! { @list @tests $run }
    };
    (@list $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            opening: a_space_never_opened_is_none, an_opened_space_is_empty,
                views_of_many_spaces_are_in_the_order_asked,
                opening_again_changes_nothing, two_opens_at_once_agree_on_the_epoch,
                epochs_of_two_spaces_differ, spaces_of_two_apps_are_apart,
                spaces_of_one_app_are_apart, reads_of_a_space_never_opened_fail;
            commits: a_commit_moves_the_head, a_commit_moves_clock_live_and_writers,
                a_stale_head_conflicts, a_head_not_reached_yet_conflicts,
                a_stale_epoch_conflicts, a_space_never_opened_conflicts,
                a_conflict_writes_nothing, a_group_is_answered_in_order,
                a_conflict_leaves_the_rest_of_its_group, an_empty_group_has_no_answers,
                marks_alone_keep_the_head, the_clock_never_goes_back,
                a_commit_of_5000_records_is_whole, reads_are_of_one_snapshot,
                of_two_equal_commits_one_conflicts;
            marks: a_client_without_numbers_has_a_writer_and_no_last,
                given_stamps_are_kept_until_others_replace_them,
                a_commit_that_has_missed_given_stamps_conflicts, an_unknown_client_has_no_mark, a_mark_holds_writer_and_last,
                marks_are_answered_in_the_order_asked, a_stale_mark_conflicts_and_writes_nothing,
                a_mark_expected_of_an_unknown_client_conflicts,
                no_mark_expected_of_a_known_client_conflicts, a_wrong_writer_number_conflicts,
                a_writer_number_given_before_conflicts,
                a_commit_that_has_missed_a_writer_number_conflicts,
                a_repeated_commit_conflicts_and_the_mark_tells,
                equal_client_ids_of_two_users_share_nothing, marks_of_two_spaces_share_nothing,
                several_clients_move_in_one_commit, one_stale_mark_of_several_refuses_all;
            verdicts: an_unknown_verdict_is_none, applied_round_trips_with_winners,
                superseded_round_trips, rejected_round_trips,
                verdicts_are_answered_in_the_order_asked, the_last_256_verdicts_are_kept,
                the_257th_verdict_forgets_the_first, one_move_may_pass_the_256,
                verdicts_of_two_writers_are_apart;
            records: records_round_trip_with_hidden_fields, unicode_round_trips,
                a_record_at_the_size_limit_round_trips, an_unknown_record_is_none,
                records_are_answered_in_the_order_asked, a_changed_record_replaces_the_old,
                a_dead_record_is_read, names_are_compared_by_bytes,
                records_are_read_up_to_some_bytes;
            changes: changes_after_the_head_are_none, changes_begin_after_the_cursor,
                changes_are_ordered_by_seq, a_record_changed_twice_comes_once_with_its_last_seq,
                tombstones_are_changes, an_uncut_page_ends_at_the_head,
                a_page_is_cut_between_commits_where_it_can_be, changes_of_a_commit_are_ordered_by_key,
                a_first_commit_larger_than_the_page_is_cut_inside,
                a_page_goes_on_inside_a_commit, the_rest_of_a_commit_and_the_next_share_a_page,
                a_record_that_moves_on_between_pages_is_in_a_later_one,
                a_page_goes_on_although_its_place_is_gone,
                a_page_filled_exactly_is_not_cut, one_record_more_cuts_the_page,
                a_page_is_limited_by_bytes, pages_together_are_all_changes,
                changes_of_a_table_hold_no_others,
                writers_of_changes_are_named_once, the_hub_as_a_writer_has_no_name;
            snapshots: a_snapshot_of_an_empty_space_is_empty,
                a_snapshot_is_ordered_by_table_then_id, a_snapshot_holds_live_records_only,
                a_snapshot_resumes_after_a_record, a_snapshot_resumes_after_a_record_gone,
                a_snapshot_of_tables_holds_no_others, a_snapshot_of_tables_resumes,
                more_is_exact_at_the_limit, a_snapshot_is_limited_by_bytes,
                parts_together_are_all_live_records, writers_of_a_snapshot_are_named_once;
            dead_letters: dead_letters_are_kept_newest_first, the_same_dead_letter_is_kept_once,
                the_last_1000_dead_letters_are_kept, a_conflict_keeps_no_dead_letter;
            epochs: epochs_are_a_minute_apart, a_new_epoch_replaces_the_expected_one, a_new_epoch_keeps_everything_else,
                a_new_epoch_of_another_expected_one_changes_nothing,
                the_old_epoch_commits_no_more, a_new_epoch_needs_an_opened_space;
            erasure: holdings_are_counted,
                an_erasure_says_what_it_removed,
                an_erased_space_is_empty,
                an_erased_space_goes_on_under_a_new_epoch,
                a_commit_under_way_while_a_space_is_erased_conflicts,
                an_epoch_before_an_erasure_is_told_as_erased,
                an_epoch_after_an_erasure_is_told_as_any_other,
                a_second_erasure_is_told_to_those_of_after_the_first,
                a_space_never_erased_tells_no_erasure,
                erasing_leaves_other_spaces_alone,
                spaces_of_a_name_are_found_in_all_apps,
                erasing_needs_an_opened_space;
            retention: every_space_is_listed_once,
                the_list_of_spaces_goes_on_after_one,
                where_nothing_is_old_nothing_is_written,
                a_space_never_written_is_forgotten_once_it_is_old,
                what_says_something_to_anybody_is_not_forgotten,
                a_forgotten_space_begins_anew,
                a_collected_record_is_gone,
                a_live_record_is_never_collected,
                a_revived_record_is_not_collected,
                a_tombstone_that_changes_is_young_again,
                a_record_never_inserted_is_collected,
                collecting_records_moves_the_head,
                a_commit_under_way_while_records_go_conflicts,
                the_space_goes_on_after_collecting,
                gc_seq_never_goes_back,
                collecting_is_limited, collecting_is_limited_by_bytes,
                more_to_collect_is_exact,
                a_key_that_is_kept_loses_only_its_fields,
                a_kept_key_is_collected_once,
                a_kept_key_lives_and_dies_again,
                a_client_not_used_for_long_loses_its_numbers,
                collecting_marks_leaves_the_head,
                a_client_used_since_keeps_its_numbers,
                a_client_without_numbers_still_names_its_records,
                what_a_client_was_given_is_never_collected,
                a_forgotten_client_may_begin_again,
                a_forgotten_client_is_not_forgotten_again,
                collecting_leaves_other_spaces_alone,
                collecting_needs_an_opened_space,
                fields_of_the_living_stay;
        }
    };
    (@racing $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            racing: of_commits_at_once_one_passes, of_moves_of_a_mark_at_once_one_passes,
                of_new_clients_at_once_one_gets_the_number, those_who_try_again_all_get_in,
                groups_in_any_order_pass_each_other, of_new_epochs_at_once_there_is_one,
                no_read_sees_half_a_commit,
                a_space_is_erased_while_others_write,
                what_is_old_is_collected_while_others_write,
                holdings_are_counted_while_others_write,
                an_epoch_is_changed_while_others_write;
        }
    };
    (@transfer $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            transfer: everything_arrives_as_it_was,
                everything_arrives_in_pages_of_any_size,
                an_empty_store_travels,
                every_space_has_a_new_epoch,
                an_erasure_is_still_told,
                what_was_decided_stays_decided,
                what_was_given_is_tested,
                the_space_goes_on,
                the_old_epoch_commits_no_more_here,
                tombstones_arrive_with_their_age,
                dead_letters_keep_their_order,
                an_interrupted_import_goes_on,
                a_half_written_space_is_not_there,
                spaces_already_whole_are_skipped,
                a_store_with_data_is_refused,
                another_archive_is_refused_while_one_is_unfinished,
                an_archive_imported_whole_is_refused,
                an_earlier_run_is_locked_out,
                a_space_that_lacks_something_is_not_taken,
                the_calls_of_an_import_follow_each_other,
                a_space_is_read_of_one_snapshot, a_space_is_read_while_others_write,
                a_part_is_never_larger_than_the_page,
                who_stops_receiving_ends_the_reading,
                a_space_never_opened_sends_nothing;
        }
    };
    (@jobs $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            putting: a_job_is_put_by_its_commit,
                jobs_of_a_conflicting_commit_are_not_written,
                jobs_of_a_group_are_those_of_what_was_accepted,
                jobs_alone_leave_the_head,
                a_job_that_is_there_is_kept,
                a_job_that_is_there_is_replaced,
                moves_of_a_commit_follow_each_other,
                a_cancelled_job_is_gone,
                equal_keys_of_two_spaces_and_kinds_share_nothing,
                a_job_round_trips,
                a_space_with_a_job_is_not_forgotten,
                erasing_takes_jobs_along,
                a_space_never_opened_has_no_jobs;
            leasing: a_job_is_claimed_once_it_is_due,
                a_lease_says_whose_it_is_and_until_when,
                a_leased_job_is_not_claimed_again,
                a_lease_that_runs_out_is_claimed_again,
                a_lease_says_whether_a_try_has_failed,
                the_longest_due_come_first,
                no_more_is_claimed_than_wanted,
                a_claim_asks_of_each_kind_by_itself,
                an_extended_lease_lasts,
                a_lost_lease_is_not_extended,
                who_lost_a_lease_cannot_finish,
                a_late_finish_counts_while_nobody_else_has_the_job,
                replacing_a_job_ends_its_lease,
                keeping_a_leased_job_leaves_its_lease,
                cancelling_a_job_ends_its_lease,
                erasing_a_space_ends_its_leases,
                a_lease_is_of_the_job_and_not_of_its_name;
            ending: a_done_job_is_gone_and_its_key_is_free,
                a_finish_may_be_repeated,
                a_retried_job_waits_for_its_time,
                a_retry_may_come_at_once,
                a_job_that_is_due_again_begins_anew,
                a_dead_job_is_kept_and_not_claimed,
                a_dead_job_holds_its_key,
                a_dead_job_is_replaced,
                many_are_finished_in_one_call,
                an_empty_call_has_no_answers;
            fenced: a_commit_ends_the_leases_it_names,
                a_lease_ends_in_one_commit,
                a_commit_of_a_lost_lease_is_not_written,
                who_was_overtaken_writes_nothing,
                lost_leases_are_told_by_their_places,
                ends_alone_leave_the_head,
                a_job_may_be_put_by_the_commit_that_ends_it,
                a_job_may_be_due_again_by_the_commit_that_ends_it,
                a_conflicting_commit_ends_no_lease,
                a_lost_lease_leaves_the_others_of_a_group_alone;
            fairness: a_space_with_many_due_jobs_leaves_room_for_others,
                a_space_that_is_alone_gets_all_that_is_wanted,
                a_space_gives_no_more_than_its_share,
                a_full_space_gives_nothing_and_the_others_their_share,
                a_full_space_keeps_its_turn,
                a_space_is_full_of_one_kind,
                no_more_full_spaces_are_passed_over_than_the_bound,
                spaces_take_turns,
                putting_more_brings_no_turn_forward,
                what_is_due_is_found_whatever_came_before,
                spaces_without_anything_left_are_passed_over,
                when_something_is_due_next_is_told,
                what_is_told_in_vain_is_told_once;
            lanes: of_a_lane_one_is_claimed_at_a_time,
                a_job_waits_for_the_one_before_it_in_its_lane,
                the_next_of_a_lane_waits_for_its_own_time,
                other_lanes_hold_nobody_up,
                a_lease_that_runs_out_holds_its_lane_up,
                jobs_of_one_commit_are_in_the_order_of_its_moves,
                lanes_go_in_the_order_of_commits,
                lanes_of_one_commit_go_beside_each_other,
                what_is_behind_is_seen_as_scheduled,
                a_long_lane_is_drained_by_a_claim_a_job,
                what_is_behind_is_not_told_as_due,
                a_lane_of_an_erased_space_begins_anew,
                a_job_given_back_has_not_been_tried,
                a_retried_job_given_back_waits_for_its_next_try;
            passing: dead_jobs_hold_nobody_up,
                a_job_that_is_tried_again_holds_its_lane_up,
                a_job_that_is_given_back_holds_its_lane_up,
                a_job_that_is_due_again_lets_others_pass,
                a_job_that_is_alone_in_its_lane_is_due_again,
                who_cancels_the_first_of_a_lane_has_the_next_follow,
                what_is_behind_is_cancelled_and_nobody_passes,
                several_of_a_lane_go_in_one_commit,
                a_replaced_job_goes_to_the_end_of_its_lane,
                a_job_is_replaced_by_one_of_another_lane,
                a_kept_job_keeps_its_place_in_its_lane,
                what_is_left_out_is_in_no_lane,
                the_next_of_a_lane_follows_the_commit,
                a_commit_may_end_cancel_and_put_in_one_lane,
                a_commit_may_have_a_job_of_a_lane_due_again,
                ends_of_many_lanes_have_each_go_on,
                a_lease_that_is_lost_has_nobody_pass,
                who_snoozes_the_first_of_a_lane_holds_it_up,
                what_is_behind_is_snoozed;
            replaying: a_replayed_job_comes_before_those_that_wait,
                a_replayed_job_waits_for_the_one_that_is_leased,
                what_is_tried_again_goes_behind_a_replayed_one,
                a_replayed_job_waits_for_a_lease_that_ran_out,
                a_replayed_job_is_alone_in_its_lane,
                all_dead_jobs_of_a_lane_are_replayed_in_order,
                a_dead_job_in_the_middle_of_a_lane_has_its_place,
                a_dead_job_of_a_lane_is_replaced,
                forgetting_the_dead_has_nobody_pass,
                what_was_tried_and_is_behind_is_snoozed_and_stays_the_same;
            people: a_job_is_cancelled_by_its_name,
                a_job_that_waits_is_snoozed,
                snoozing_a_job_keeps_no_other,
                a_job_that_was_tried_is_snoozed_and_stays_the_same,
                what_a_clock_ahead_put_off_is_found_and_brought_forward,
                what_is_leased_or_dead_does_not_wait,
                what_is_leased_or_dead_is_not_snoozed,
                dead_jobs_are_told_newest_first,
                a_dead_job_is_replayed,
                all_dead_jobs_of_a_kind_are_replayed,
                old_dead_jobs_are_forgotten,
                jobs_are_counted_by_state;
        }
    };
    (@job_transfer $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            transfer: jobs_arrive_and_are_done,
                lanes_keep_their_order,
                an_interrupted_import_of_jobs_goes_on;
        }
    };
    (@racing_jobs $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            racing: claimers_at_once_lease_each_job_once,
                commits_claims_and_ends_pass_each_other,
                nobody_of_a_lane_is_left_behind,
                lanes_keep_their_order_whoever_is_under_way,
                a_job_put_by_many_at_once_is_there_once,
                jobs_are_done_while_others_write;
        }
    };
    (@ledger $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            posting: an_account_never_used_is_empty,
                a_grant_brings_credits,
                a_use_takes_credits,
                who_is_short_is_refused_and_nothing_is_written,
                what_lapses_ends_unused,
                a_refund_gives_back_what_was_used,
                refunds_are_together_no_more_than_the_use,
                only_a_use_is_refunded,
                an_amount_of_0_is_refused,
                an_account_takes_2_to_the_53_less_1_and_no_more,
                a_line_round_trips,
                accounts_of_a_user_and_a_pool_of_one_name_share_nothing,
                nothing_is_done_with_an_account_of_nobody;
            keys: an_order_handed_in_again_is_done_once,
                a_key_of_another_order_is_refused,
                equal_keys_of_two_accounts_share_nothing,
                a_refused_order_leaves_its_key_free,
                an_order_that_could_not_be_done_any_more_was_done,
                a_reservation_of_another_time_is_the_same_order;
            reserving: what_is_reserved_cannot_be_used,
                what_was_reserved_is_used,
                what_is_not_used_of_a_reservation_goes_back,
                no_more_is_settled_than_reserved,
                a_released_reservation_goes_back,
                a_reservation_that_has_ended_ends_no_more,
                only_what_was_reserved_is_settled,
                a_settled_use_is_refunded,
                a_reservation_runs_out,
                what_has_ended_does_not_run_out,
                what_is_over_and_has_not_run_out_is_settled,
                reservations_run_out_the_longest_over_first;
            transferring: a_transfer_has_a_line_in_both_accounts,
                what_was_transferred_is_used,
                no_more_is_transferred_than_there_is,
                a_transfer_handed_in_again_is_done_once,
                nothing_is_transferred_to_where_it_comes_from,
                what_an_account_does_not_take_stays_where_it_was,
                where_nothing_is_left_in_the_middle_nothing_is_relayed;
            listing: lines_are_told_newest_first,
                lines_have_numbers_without_a_gap,
                pages_are_all_lines_whatever_is_written_meanwhile;
            auditing: where_there_are_no_accounts_there_is_nothing_to_audit,
                all_entries_together_are_0,
                an_audit_sees_every_account_once,
                an_erased_account_is_nobodys,
                others_name_nobody_once_somebody_is_erased,
                who_was_erased_begins_at_0,
                an_account_that_is_not_there_is_not_erased;
        }
    };
    (@racing_ledger $($how:tt)*) => {
        $crate::conformance_tests! { $($how)*;
            racing: an_order_handed_in_by_many_at_once_is_done_once,
                a_first_order_handed_in_by_many_at_once_is_done_once,
                of_two_orders_of_a_key_at_once_one_is_done,
                as_many_uses_pass_as_there_are_credits,
                transfers_in_a_circle_pass_each_other,
                a_reservation_is_ended_by_one_of_many,
                refunds_at_once_are_together_no_more_than_the_use,
                accounts_begin_beside_each_other;
        }
    };
    (@books $run:path; $($module:ident: $($name:ident),+;)+) => {
        $($(
            #[test]
            fn $name() {
                $run(|ledger| Box::pin($crate::conformance::ledger::$module::$name(ledger)));
            }
        )+)+
    };
    (@desks $run:path; $($module:ident: $($name:ident),+;)+) => {
        $($(
            #[test]
            fn $name() {
                $run(|store| Box::pin($crate::conformance::jobs::$module::$name(store)));
            }
        )+)+
    };
    (@pairs $run:path; $($module:ident: $($name:ident),+;)+) => {
        $($(
            #[test]
            fn $name() {
                $run(|from, to| Box::pin($crate::conformance::$module::$name(from, to)));
            }
        )+)+
    };
    (@tests $run:path; $($module:ident: $($name:ident),+;)+) => {
        $($(
            #[test]
            fn $name() {
                $run(|store| Box::pin($crate::conformance::$module::$name(store)));
            }
        )+)+
    };
    (@behaviours; $($module:ident: $($name:ident),+;)+) => {
        &[$($((
            stringify!($module),
            stringify!($name),
            |store| Box::pin($crate::conformance::$module::$name(store)),
        )),+),+]
    };
    (@names; $($module:ident: $($name:ident),+;)+) => {
        &[$($(stringify!($name)),+),+]
    };
}

/// The same for the behaviours of several callers at once.
#[macro_export]
macro_rules! racing_tests {
    ($run:path) => {
        $crate::conformance_tests! { @racing @tests $run }
    };
}

/// The same for the behaviours of two stores: `$run` is a `fn(transfer::Behaviour)`, or one of
/// `transfer::JobBehaviour`.
#[macro_export]
macro_rules! transfer_tests {
    ($run:path) => {
        $crate::conformance_tests! { @transfer @pairs $run }
    };
}

/// The same for those of two stores that keep jobs: `$run` is a `fn(transfer::JobBehaviour)`.
#[macro_export]
macro_rules! job_transfer_tests {
    ($run:path) => {
        $crate::conformance_tests! { @job_transfer @pairs $run }
    };
}

/// The same for the behaviours of jobs: `$run` is a `fn(jobs::Behaviour)`.
#[macro_export]
macro_rules! jobs_tests {
    ($run:path) => {
        $crate::conformance_tests! { @jobs @desks $run }
    };
}

/// The same for the behaviours of jobs with several callers at once.
#[macro_export]
macro_rules! racing_jobs_tests {
    ($run:path) => {
        $crate::conformance_tests! { @racing_jobs @desks $run }
    };
}

/// The same for the behaviours of the ledger: `$run` is a `fn(ledger::Behaviour)`.
#[macro_export]
macro_rules! ledger_tests {
    ($run:path) => {
        $crate::conformance_tests! { @ledger @books $run }
    };
}

/// The same for those of the ledger with several callers at once.
#[macro_export]
macro_rules! racing_ledger_tests {
    ($run:path) => {
        $crate::conformance_tests! { @racing_ledger @books $run }
    };
}

/// Every behaviour's name.
pub const NAMES: &[&[&str]] = &[
    conformance_tests! { @list @names },
    conformance_tests! { @racing @names },
    conformance_tests! { @transfer @names },
    conformance_tests! { @job_transfer @names },
    conformance_tests! { @jobs @names },
    conformance_tests! { @racing_jobs @names },
    conformance_tests! { @ledger @names },
    conformance_tests! { @racing_ledger @names },
];

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn every_behaviour_is_listed() {
        let sources = [
            include_str!("conformance/opening.rs"),
            include_str!("conformance/commits.rs"),
            include_str!("conformance/marks.rs"),
            include_str!("conformance/verdicts.rs"),
            include_str!("conformance/records.rs"),
            include_str!("conformance/changes.rs"),
            include_str!("conformance/snapshots.rs"),
            include_str!("conformance/epochs.rs"),
            include_str!("conformance/dead_letters.rs"),
            include_str!("conformance/retention.rs"),
            include_str!("conformance/erasure.rs"),
            include_str!("conformance/racing.rs"),
            include_str!("conformance/transfer.rs"),
            include_str!("conformance/jobs/putting.rs"),
            include_str!("conformance/jobs/leasing.rs"),
            include_str!("conformance/jobs/ending.rs"),
            include_str!("conformance/jobs/fenced.rs"),
            include_str!("conformance/jobs/fairness.rs"),
            include_str!("conformance/jobs/lanes.rs"),
            include_str!("conformance/jobs/passing.rs"),
            include_str!("conformance/jobs/replaying.rs"),
            include_str!("conformance/jobs/people.rs"),
            include_str!("conformance/jobs/racing.rs"),
            include_str!("conformance/ledger/posting.rs"),
            include_str!("conformance/ledger/keys.rs"),
            include_str!("conformance/ledger/reserving.rs"),
            include_str!("conformance/ledger/transferring.rs"),
            include_str!("conformance/ledger/listing.rs"),
            include_str!("conformance/ledger/auditing.rs"),
            include_str!("conformance/ledger/racing.rs"),
        ];
        let written: Vec<&str> = sources
            .iter()
            .flat_map(|source| source.split("\npub async fn ").skip(1))
            .filter_map(|rest| rest.split('(').next())
            .collect();
        let listed = NAMES.concat();
        let unlisted: Vec<_> = written
            .iter()
            .filter(|name| !listed.contains(name))
            .collect();
        assert!(unlisted.is_empty(), "not listed: {unlisted:?}");
    }
}
