//! Waiting for a place.

use futures_util::FutureExt;

use super::super::{Said, Servers, Whose};
use super::*;

#[tokio::test]
async fn who_stands_in_line_has_the_place_that_is_given_back() {
    let servers = Servers::of(64);
    let (ada, bob) = (space("ada"), space("bob"));
    let one = ("one", Whose::Users);
    let first = servers.take(one, &ada).await.ok().unwrap();
    let mut second = Box::pin(servers.take(one, &bob));
    assert!((&mut second).now_or_never().is_none());
    first.end(Said::Answered);
    assert!(second.await.is_ok());
    assert!(servers.told().desk.is_idle());
}

#[tokio::test]
async fn who_waits_in_vain_is_told_when_to_come_again() {
    let servers = Servers::of(64);
    let (ada, bob) = (space("ada"), space("bob"));
    let one = ("one", Whose::Users);
    let _first = servers.take(one, &ada).await.ok().unwrap();
    assert_eq!(servers.take(one, &bob).await.err(), Some(1_000));
    assert!(servers.told().waiting.is_empty());
}

/// Also one that was told just then.
#[tokio::test]
async fn who_is_stopped_in_line_keeps_no_place() {
    for is_told in [false, true] {
        let servers = Servers::of(64);
        let (ada, bob) = (space("ada"), space("bob"));
        let one = ("one", Whose::Users);
        let first = servers.take(one, &ada).await.ok().unwrap();
        let mut second = Box::pin(servers.take(one, &bob));
        assert!((&mut second).now_or_never().is_none());
        match is_told {
            true => {
                drop(first);
                drop(second);
            }
            false => {
                drop(second);
                drop(first);
            }
        }
        let told = servers.told();
        assert!(told.desk.is_idle() && told.waiting.is_empty(), "{is_told}");
    }
}
