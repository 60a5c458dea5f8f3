//! What the moves of one commit amount to, so that no engine has to care for their order.

use std::collections::BTreeMap;

use syncline_protocol::stamp::WallMs;

use super::{Ended, IfThere, Job, JobKey, JobKind, JobMove, Outcome};

/// What becomes of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net<'m> {
    /// A job is put.
    Put(&'m Job, IfThere),
    /// What is there goes.
    Cancel,
}

/// What the moves amount to when they are made one after the other: each name once, in the order in
/// which what is left of them was put.
pub fn net(moves: &[JobMove]) -> Vec<((&JobKind, &JobKey), Net<'_>)> {
    let mut nets: BTreeMap<(&JobKind, &JobKey), (usize, Net<'_>)> = BTreeMap::new();
    for (place, one) in moves.iter().enumerate() {
        let (name, then) = match one {
            JobMove::Put { job, if_there } => ((&job.kind, &job.key), Net::Put(job, *if_there)),
            JobMove::Cancel { kind, key } => ((kind, key), Net::Cancel),
        };
        let before = nets.get(&name).copied();
        let both = match (before, then) {
            // The one before it is there by then.
            (Some(put @ (_, Net::Put(..))), Net::Put(_, IfThere::Keep)) => put,
            // Nothing is.
            (Some((_, Net::Cancel)), Net::Put(job, IfThere::Keep)) => {
                (place, Net::Put(job, IfThere::Replace))
            }
            (_, then) => (place, then),
        };
        nets.insert(name, both);
    }
    let mut nets: Vec<_> = nets.into_iter().collect();
    nets.sort_unstable_by_key(|(_, (place, _))| *place);
    nets.into_iter()
        .map(|(name, (_, net))| (name, net))
        .collect()
}

/// When the first of the jobs is due that come with these ends and moves; `None` if none come.
pub fn first_due_ms(ends: &[Ended], moves: &[JobMove]) -> Option<WallMs> {
    let put = moves.iter().filter_map(|one| match one {
        JobMove::Put { job, .. } => Some(job.due_at_ms),
        JobMove::Cancel { .. } => None,
    });
    let back = ends.iter().filter_map(|ended| match &ended.outcome {
        Outcome::Again { due_at_ms } => Some(*due_at_ms),
        Outcome::Retry { at_ms, .. } | Outcome::Wait { at_ms } => Some(*at_ms),
        Outcome::Done | Outcome::Dead { .. } => None,
    });
    put.chain(back).min()
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{Epoch, Seq};

    use super::super::{JobArgs, Origin, TriggerId};
    use super::*;

    fn job(key: &str, due_at_ms: u64) -> Job {
        Job {
            kind: JobKind::trusted("k"),
            key: JobKey::trusted(key),
            lane: None,
            due_at_ms,
            args: JobArgs::trusted("null"),
            depth: 0,
            origin: Origin {
                epoch: Epoch(1),
                seq: Seq(1),
                trigger: TriggerId::trusted("t"),
            },
        }
    }

    fn put(due_at_ms: u64, if_there: IfThere) -> JobMove {
        let job = job("a", due_at_ms);
        JobMove::Put { job, if_there }
    }

    fn cancel() -> JobMove {
        let Job { kind, key, .. } = job("a", 0);
        JobMove::Cancel { kind, key }
    }

    #[test]
    fn moves_of_one_name_amount_to_one() {
        use IfThere::{Keep, Replace};
        let cases = [
            (vec![put(1, Keep), put(2, Keep)], Some((1, Keep))),
            (vec![put(1, Keep), put(2, Replace)], Some((2, Replace))),
            (vec![put(1, Replace), put(2, Keep)], Some((1, Replace))),
            (vec![cancel(), put(1, Keep)], Some((1, Replace))),
            (vec![cancel(), put(1, Replace)], Some((1, Replace))),
            (vec![put(1, Keep), cancel()], None),
            (
                vec![put(1, Keep), cancel(), put(3, Keep)],
                Some((3, Replace)),
            ),
            (vec![cancel(), cancel()], None),
        ];
        for (moves, expected) in cases {
            let nets = net(&moves);
            let found = match nets.first() {
                Some((_, Net::Put(job, if_there))) => Some((job.due_at_ms, *if_there)),
                Some((_, Net::Cancel)) => None,
                None => panic!("nothing of {moves:?}"),
            };
            assert_eq!((nets.len(), found), (1, expected), "{moves:?}");
        }
    }

    #[test]
    fn the_first_that_is_put_says_when_jobs_are_due() {
        let keep = IfThere::Keep;
        assert_eq!(
            first_due_ms(&[], &[put(5, keep), cancel(), put(3, keep)]),
            Some(3)
        );
        assert_eq!(first_due_ms(&[], &[cancel()]), None);
    }

    #[test]
    fn names_come_in_the_order_they_were_put() {
        use IfThere::{Keep, Replace};
        let put = |(key, if_there)| JobMove::Put {
            job: job(key, 0),
            if_there,
        };
        // `b` stays where it was, `a` is put anew.
        let puts = [
            ("b", Keep),
            ("a", Keep),
            ("c", Keep),
            ("b", Keep),
            ("a", Replace),
        ];
        let moves = puts.map(put);
        let nets = net(&moves);
        let keys: Vec<&str> = nets.iter().map(|((_, key), _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "c", "a"]);
    }
}
