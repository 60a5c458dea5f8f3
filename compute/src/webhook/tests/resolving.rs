//! Names: what was looked at is what is connected to, through the whole client.

use std::sync::atomic::Ordering;

use super::*;
use crate::outgoing::tests::names::Answers;
use crate::outgoing::tests::server::Server;

/// Nothing arrives.
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
