//! A web app on the hub's own origin.

use std::fs;
use std::path::Path;

use reqwest::{Client, Method, Response, StatusCode};
use syncline_tests::node::{Setup, TestNode};

async fn serving(dir: &Path) -> TestNode {
    fs::create_dir_all(dir.join("app/assets")).unwrap();
    fs::write(dir.join("app/index.html"), "<title>app</title>").unwrap();
    fs::write(dir.join("app/assets/main-1.js"), "1").unwrap();
    fs::write(dir.join("secret.txt"), "no").unwrap();
    let mut setup = Setup::default();
    setup.config.web.dir = Some(dir.join("app"));
    TestNode::start_with(setup).await
}

async fn ask(node: &TestNode, method: Method, path: &str) -> Response {
    let asked = Client::new().request(method, node.url(path));
    asked.send().await.expect("an answer")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().expect("text")
}

#[tokio::test]
async fn files_stand_where_no_route_is() {
    let dir = tempfile::tempdir().unwrap();
    let node = serving(dir.path()).await;
    let page = ask(&node, Method::GET, "/").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(header(&page, "content-type"), "text/html");
    assert_eq!(header(&page, "cache-control"), "no-cache");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(page.text().await.unwrap(), "<title>app</title>");
    let asset = ask(&node, Method::HEAD, "/assets/main-1.js").await;
    assert_eq!(asset.status(), StatusCode::OK);
    assert!(header(&asset, "cache-control").ends_with("immutable"));
    assert_eq!(header(&asset, "content-type"), "text/javascript");
    assert!(header(&ask(&node, Method::GET, "/health").await, "content-type").contains("json"));
}

#[tokio::test]
async fn what_is_no_file_is_no_route() {
    let dir = tempfile::tempdir().unwrap();
    let node = serving(dir.path()).await;
    for (method, path) in [
        (Method::GET, "/nothing.js"),
        (Method::GET, "/v1/nothing"),
        (Method::GET, "/assets"),
        (Method::GET, "/%2e%2e/secret.txt"),
        (Method::GET, "/..%2fsecret.txt"),
        (Method::GET, "/assets/%2e%2e/%2e%2e/secret.txt"),
        (Method::POST, "/index.html"),
        (Method::DELETE, "/"),
    ] {
        let answer = ask(&node, method.clone(), path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{method} {path}");
        let answer = answer.text().await.unwrap();
        assert!(answer.contains(r#""code":"not_found""#), "{path}: {answer}");
    }
    // The admin listener has none.
    let admin = format!("http://{}/", node.app.admin_addr());
    assert_eq!(
        reqwest::get(admin).await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}
