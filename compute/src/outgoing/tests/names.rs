//! Names: what was looked at is what is connected to.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use reqwest::dns::Resolve;

use crate::outgoing::guard::Reach;
use crate::outgoing::names::{Guarded, Names, allowed};

/// Gives each answer once, the last one for ever.
pub(crate) struct Answers {
    left: Mutex<Vec<Vec<SocketAddr>>>,
    pub(crate) asked: AtomicUsize,
}

impl Answers {
    pub(crate) fn of(answers: &[&[&str]]) -> Arc<Answers> {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
        let answer = |texts: &&[&str]| texts.iter().map(address).collect();
        Arc::new(Answers {
            left: Mutex::new(answers.iter().rev().map(answer).collect()),
            asked: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Names for Answers {
    async fn addresses(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut left = self.left.lock().unwrap();
        Ok(match left.len() {
            1 => left[0].clone(),
            _ => left.pop().unwrap(),
        })
    }
}

async fn resolved(guarded: &Guarded) -> Result<Vec<String>, String> {
    let found = guarded.resolve("hook.example".parse().unwrap()).await;
    let found = found.map_err(|error| error.to_string())?;
    Ok(found.map(|address| address.ip().to_string()).collect())
}

/// A name that is public when it is looked at and private a moment later.
#[tokio::test]
async fn a_name_that_changes_its_address_is_looked_at_each_time() {
    let names = Answers::of(&[&["8.8.8.8"], &["127.0.0.1"], &["8.8.4.4"]]);
    let guarded = Guarded::new(names.clone(), Reach::Public);
    assert_eq!(resolved(&guarded).await.unwrap(), ["8.8.8.8"]);
    let refused = resolved(&guarded).await.unwrap_err();
    assert_eq!(refused, "address_refused: 127.0.0.1 is loopback");
    assert_eq!(resolved(&guarded).await.unwrap(), ["8.8.4.4"]);
    assert_eq!(names.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_name_with_addresses_of_both_kinds_is_reached_at_the_public_ones() {
    let both: &[&str] = &["10.0.0.1", "8.8.8.8", "::1", "2001:4860:4860::8888"];
    let guarded = Guarded::new(Answers::of(&[both]), Reach::Public);
    let found = resolved(&guarded).await.unwrap();
    assert_eq!(found, ["8.8.8.8", "2001:4860:4860::8888"]);
}

#[test]
fn a_name_without_addresses_is_no_place_to_go() {
    let refused = allowed(Vec::new(), Reach::Public).unwrap_err();
    assert_eq!(refused.to_string(), "the name has no address");
}

#[test]
fn eight_addresses_are_tried() {
    let many = |n: u8| {
        (0..n)
            .map(|n| SocketAddr::from(([8, 8, 8, n], 0)))
            .collect()
    };
    assert_eq!(allowed(many(8), Reach::Public).unwrap().len(), 8);
    assert_eq!(allowed(many(9), Reach::Public).unwrap().len(), 8);
}
