//! Whether a session is behind what is heard or read of its space, and what it is then told. The two
//! ways to it ask this, [`super::hearing`] and [`super::audit`], and the simulation.
//!
//! `known` is where the session believes its space to be; `None` while it starts: it may have read
//! the store before.

use syncline_cluster::event::SpaceHead;
use syncline_storage::types::SpaceView;

use crate::session::event::Event;

/// For a head that another node says. Who has it already is told nothing.
pub fn of_head(known: Option<SpaceView>, at: &SpaceHead) -> Option<Event> {
    let (epoch, head) = (at.epoch, at.head);
    let is_behind = |known: SpaceView| known.epoch != epoch || known.head < head;
    let is_behind = known.is_none_or(is_behind);
    is_behind.then_some(Event::HeadHeard { epoch, head })
}

/// For the space as the store has it; `None` if it has it not. Who is anywhere else, also further,
/// is told.
pub fn of_view(known: Option<SpaceView>, stored: Option<SpaceView>) -> Option<Event> {
    let place = |view: SpaceView| (view.epoch, view.head);
    let is_there = known.is_some() && known.map(place) == stored.map(place);
    (!is_there).then_some(Event::Missed)
}

#[cfg(test)]
mod tests {
    use syncline_protocol::ids::{AppId, Epoch, Seq, SpaceId, SpaceKey};

    use super::*;

    fn at(epoch: u64, head: u64) -> SpaceHead {
        SpaceHead {
            space: SpaceKey {
                app: AppId::trusted("todo"),
                space: SpaceId::trusted("ada"),
            },
            epoch: Epoch(epoch),
            head: Seq(head),
        }
    }

    fn view(epoch: u64, head: u64) -> Option<SpaceView> {
        let mut view = syncline_storage::model::ModelStore::new(1).open_space(&at(1, 1).space, 0);
        (view.epoch, view.head) = (Epoch(epoch), Seq(head));
        Some(view)
    }

    #[test]
    fn who_has_a_head_or_more_is_not_told_of_it() {
        let told = [(1, 2), (1, 3), (1, 1), (2, 3)].map(|(epoch, head)| {
            let known = view(epoch, head);
            of_head(known, &at(1, 2)).is_some()
        });
        assert_eq!(told, [false, false, true, true]);
        assert!(of_head(None, &at(1, 2)).is_some());
    }

    #[test]
    fn who_is_elsewhere_than_the_store_is_told() {
        let told = [(1, 2), (1, 3), (1, 1), (2, 2)].map(|(epoch, head)| {
            let known = view(epoch, head);
            of_view(known, view(1, 2)).is_some()
        });
        assert_eq!(told, [false, true, true, true]);
        assert!(of_view(None, view(1, 2)).is_some());
        assert!(of_view(view(1, 2), None).is_some());
    }
}
