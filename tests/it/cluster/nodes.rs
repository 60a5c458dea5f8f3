//! Which nodes are there, as operators are told.

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use syncline_tests::node::TestNode;
use syncline_tests::until;

use super::processes::{end, start_hub};
use super::server::Server;
use super::{KEY, insert, listed, lists, metric, on, on_bus};
use crate::postgres::server::Server as Postgres;
use syncline_tests::device::Device;

#[tokio::test]
async fn three_hubs_list_each_other_until_one_is_killed_and_one_stops() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let dirs = ["n1", "n2", "n3"].map(|name| (name, tempfile::tempdir().unwrap()));
    let url = database.url();
    let mut hubs = Vec::new();
    for (name, dir) in &dirs {
        hubs.push(start_hub((&url, bus.url()), (name, dir.path())).await);
    }
    for hub in &hubs {
        lists(hub.admin, &["n1", "n2", "n3"]).await;
    }
    // It says nothing any more, not even goodbye.
    end(hubs.remove(1), "KILL").await;
    for hub in &hubs {
        lists(hub.admin, &["n1", "n3"]).await;
    }
    assert_eq!(end(hubs.remove(1), "TERM").await, Some(0));
    let left = lists(hubs[0].admin, &["n1"]).await;
    assert_eq!(left[0]["isSelf"], true);
}

#[tokio::test]
async fn a_node_tells_the_others_how_it_is() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let [one, other] =
        ["n1", "n2"].map(|name| TestNode::start_with(on_bus(&database, name, bus.url())));
    let (one, other) = tokio::join!(one, other);
    let mut phone = Device::new("ada", "phone");
    phone.connect(&other).await;
    phone.edit(&insert("k1", &json!({})));
    phone.push().await;
    let its = async || {
        let nodes = lists(one.app.admin_addr(), &["n1", "n2"]).await;
        (nodes[0].clone(), nodes[1].clone())
    };
    while its().await.1["sockets"] != 1 {
        tokio::task::yield_now().await;
    }
    let (own, its) = its().await;
    assert_eq!((&own["isSelf"], &own["sockets"]), (&json!(true), &json!(0)));
    assert_eq!(
        (&its["isSelf"], &its["sessions"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(its["standing"], "serving");
    assert_eq!(its["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(its["sharesName"], false);
    assert!(its["startedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(its["instance"].as_str().unwrap().len(), 16);
    assert_ne!(its["instance"], own["instance"]);
    assert_eq!(metric(&one, "syncline_nodes"), 2);
    assert_eq!(metric(&one, "syncline_nodes_sharing_name"), 0);
}

#[tokio::test]
async fn two_nodes_of_one_name_are_both_listed_and_said_to_share_it() {
    let (database, bus) = (Postgres::shared().database().await, Server::start());
    let [one, other] =
        ["n", "n"].map(|name| TestNode::start_with(on_bus(&database, name, bus.url())));
    let (one, other) = tokio::join!(one, other);
    for node in [&one, &other] {
        let both = lists(node.app.admin_addr(), &["n", "n"]).await;
        assert!(
            both.iter().all(|node| node["sharesName"] == true),
            "{both:?}"
        );
        until("it is counted", || {
            metric(node, "syncline_nodes_sharing_name") == 2
        })
        .await;
    }
}

#[tokio::test]
async fn a_node_alone_lists_itself_to_who_has_the_key_and_on_the_admin_listener_only() {
    let database = Postgres::shared().database().await;
    let node = TestNode::start_with(on(&database, "n1")).await;
    let admin = node.app.admin_addr();
    let nodes = listed(admin).await;
    assert_eq!((nodes.len(), &nodes[0]["node"]), (1, &json!("n1")));
    let path = "/api/v1/admin/cluster";
    let url = format!("http://{admin}{path}");
    let asks = |method: Method, header: (&'static str, HeaderValue)| {
        let asked = reqwest::Client::new().request(method, &url);
        let asked = asked.header(header.0, header.1);
        async move {
            let answer = asked.send().await.unwrap();
            let status = answer.status().as_u16();
            let told: Value = answer.json().await.unwrap();
            (status, told["code"].as_str().unwrap().to_owned())
        }
    };
    let refused = || (401, "token_invalid".to_owned());
    let key = |key: &[u8]| ("x-service-key", HeaderValue::from_bytes(key).unwrap());
    for header in [
        key(b""),
        key(b"wrong"),
        key(&KEY.as_bytes()[1..]),
        key(b"\xff"),
        ("accept", HeaderValue::from_static("*/*")),
        (
            "authorization",
            HeaderValue::try_from(format!("Bearer {}", node.token("ada"))).unwrap(),
        ),
    ] {
        assert_eq!(
            asks(Method::GET, header.clone()).await,
            refused(),
            "{header:?}"
        );
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let not_allowed = (405, "method_not_allowed".to_owned());
        let answer = asks(method.clone(), key(KEY.as_bytes())).await;
        assert_eq!(answer, not_allowed, "{method}");
    }
    let public = reqwest::Client::new().get(node.url(path));
    let public = public.header("x-service-key", KEY).send().await.unwrap();
    assert_eq!(public.status().as_u16(), 404);
}
