//! Imports that hubs come in the way of.

use super::super::space;
use super::{opened, runtime};
use crate::conformance::space::{NOW, space_key};
use crate::transfer::{Import, ImportError};

/// It looked before the import began, and wrote after it.
#[test]
fn a_space_that_a_hub_made_meanwhile_is_not_taken_for_one_that_was_brought() {
    runtime().block_on(async {
        let (store, _lent) = opened().await;
        let begun = store.begin_import([7; 32], NOW).await.unwrap();
        let ada = space_key("todo", "ada");
        let made = space::create(&store.server, &ada, NOW).await;
        assert!(matches!(made, Ok(Some(_))));
        let refused = store.begin_space(begun.run, &ada).await;
        assert!(
            matches!(&refused, Err(ImportError::SpaceTaken(space)) if *space == ada),
            "{refused:?}"
        );
    });
}
