//! Names: what was looked at is what is connected to.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::dns::Resolve;

use super::server::Server;
use super::*;
use crate::webhook::guard::Reach;
use crate::webhook::names::{Guarded, allowed};

/// Gives each answer once, the last one for ever.
struct Answers {
    left: Mutex<Vec<Vec<SocketAddr>>>,
    asked: AtomicUsize,
}

impl Answers {
    fn of(answers: &[&[&str]]) -> Arc<Answers> {
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

/// The same through the whole client: nothing arrives.
#[tokio::test]
async fn nothing_is_sent_to_a_name_of_this_machine() {
    let server = Server::saying("200 OK", "").await;
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let names = Answers::of(&[&[address]]);
        let url = format!("https://hook.example:{}/", server.port);
        let members = json!({"url": url, "ports": [server.port]});
        let (said, _) = failed(named_by(members, &names).work(&task()).await);
        assert!(
            said.contains(&format!("address_refused: {address} is")),
            "{said}"
        );
        assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(server.waiting(), 0);
}

/// The guard's answer is used, and nobody asks the name a second time.
#[tokio::test]
async fn a_private_endpoint_is_connected_to_where_its_name_was_looked_at() {
    let mut server = Server::saying("200 OK", "").await;
    let names = Answers::of(&[&["127.0.0.1"]]);
    let url = format!("http://llm.internal:{}/hook", server.port);
    let webhooks = named_by(json!({"url": url, "private": true}), &names);
    assert_eq!(webhooks.work(&task()).await, Worked::Done(None));
    assert!(server.request().await.0.contains("host: llm.internal:"));
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_private_endpoint_never_is_the_metadata_service() {
    let names = Answers::of(&[&["169.254.169.254"]]);
    let members = json!({"url": "http://llm.internal/", "private": true});
    let (said, _) = failed(named_by(members, &names).work(&task()).await);
    assert!(said.contains("is a cloud's metadata service"), "{said}");
}
