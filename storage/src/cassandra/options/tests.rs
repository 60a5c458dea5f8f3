use super::*;

fn parsed(url: &str) -> CassandraOptions {
    CassandraOptions::parse(url).unwrap()
}

#[test]
fn a_url_names_nodes_and_keyspace() {
    let options = parsed("cassandra://a:1,b,[::1]:9/data?datacenter=dc1&serial=global");
    assert_eq!(options.nodes, ["a:1", "b:9042", "[::1]:9"]);
    assert_eq!(options.keyspace, "data");
    assert_eq!(options.datacenter.as_deref(), Some("dc1"));
    assert_eq!(options.serial, Serial::Global);
    let options = parsed("scylla://db");
    assert_eq!(
        (options.keyspace.as_str(), options.serial),
        ("syncline", Serial::Local)
    );
    assert_eq!(options.replication, None);
}

#[test]
fn a_home_is_taken_only_by_a_datacenter_that_is_named() {
    assert!(!parsed("cassandra://db/k?datacenter=two").takes_home);
    assert!(parsed("cassandra://db/k?take_home=true&datacenter=two").takes_home);
    for url in [
        "cassandra://db/k?take_home=true",
        "cassandra://db/k?datacenter=two&take_home=false",
        "cassandra://db/k?datacenter=two&serial=global&take_home=true",
    ] {
        let told = CassandraOptions::parse(url).unwrap_err();
        assert!(told.contains("take_home="), "{told}");
    }
}

#[test]
fn replication_is_of_one_datacenter_or_of_each() {
    for (text, cql) in [
        ("3", "{'class': 'NetworkTopologyStrategy', 'o''ne': 3}"),
        (
            "eu-1:3,us:2",
            "{'class': 'NetworkTopologyStrategy', 'eu-1': 3, 'us': 2}",
        ),
    ] {
        let options = parsed(&format!("cassandra://db/k?replication={text}"));
        assert_eq!(options.replication.unwrap().cql(Some("o'ne")).unwrap(), cql);
    }
}

#[test]
fn tls_is_required_except_on_this_machine() {
    for (url, encryption) in [
        ("cassandra://localhost", Encryption::Off),
        ("cassandra://127.0.0.1:9/k", Encryption::Off),
        ("cassandra://db", Encryption::On(None)),
        ("cassandra://db,localhost", Encryption::On(None)),
        ("cassandra://localhost/k?tls=require", Encryption::On(None)),
        ("cassandra://db/k?tls=disable", Encryption::Off),
        (
            "cassandra://db?sslrootcert=/x.pem",
            Encryption::On(Some("/x.pem".into())),
        ),
    ] {
        assert_eq!(parsed(url).encryption, encryption, "{url}");
    }
}

#[test]
fn what_is_no_url_is_told_without_the_password() {
    for url in [
        "cassandra://u:secret@db:port/k",
        "cassandra://u:secret@/k",
        "cassandra://u:secret@db/Key-Space",
        "cassandra://u:secret@db/k?serial=none",
        "cassandra://u:secret@db/k?replication=0",
        "cassandra://u:secret@db/k?replication=d'c:1",
        "cassandra://u:secret@db/k?datacenter=d'c",
        "cassandra://u:secret@db/k?what=x",
        "cassandra://u:secret@db/k?tls=prefer",
        "cassandra://u:secret@db/k?commit_bytes_max=0",
        "cassandra://u%4:secret@db/k",
        "postgres://u:secret@db/k",
    ] {
        let why = CassandraOptions::parse(url).unwrap_err();
        assert!(!why.contains("secret"), "{url}: {why}");
    }
    let options = parsed("cassandra://u:s%65cret@db/k");
    assert_eq!(options.user, Some(("u".to_owned(), "secret".to_owned())));
    assert!(!format!("{options:?}").contains("secret"));
}
