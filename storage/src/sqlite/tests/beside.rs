//! Reading a file beside a hub that writes it.

use rusqlite::Connection;
use syncline_protocol::ids::SpaceKey;
use tokio::sync::mpsc;

use super::{FILE, opened, runtime};
use crate::conformance::space::{Space, UNLIMITED, records};
use crate::sqlite::{OpenError, SqliteOptions, SqliteReader, schema};
use crate::transfer::{Export, Part, Sent};

async fn ids(reader: &SqliteReader, space: &SpaceKey) -> Vec<String> {
    let (to, mut sent) = mpsc::channel(1);
    let receiving = async {
        let mut ids = Vec::new();
        while let Some(sent) = sent.recv().await {
            if let Sent::Part(Part::Records(rows)) = sent {
                ids.extend(rows.iter().map(|row| row.key.id.to_string()));
            }
        }
        ids
    };
    let (ended, ids) = tokio::join!(reader.export_space(space, UNLIMITED, to), receiving);
    ended.unwrap();
    ids
}

#[test]
fn a_reader_sees_what_was_committed_before_each_space() {
    let opened = opened();
    let reader = SqliteReader::open(&SqliteOptions::new(opened.dir.path().join(FILE))).unwrap();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        for id in ["a", "b"] {
            space.put(&[("tasks", id)]).await;
            assert_eq!(ids(&reader, &space.key).await.last().unwrap(), id);
        }
        assert_eq!(reader.exported_spaces(None, 9).await, Ok(vec![space.key]));
    });
}

/// The writer's log (WAL) starts over only without it, but commits wait for nobody.
#[test]
fn commits_go_on_while_a_space_is_read() {
    let opened = opened();
    let reader = SqliteReader::open(&SqliteOptions::new(opened.dir.path().join(FILE))).unwrap();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        space.put(&[("tasks", "a"), ("tasks", "b")]).await;
        let (to, mut sent) = mpsc::channel(1);
        let key = space.key.clone();
        let reading = reader.export_space(&key, records(1), to);
        let writing = async {
            assert!(matches!(sent.recv().await, Some(Sent::Space(_))));
            for n in 0..50 {
                space.put(&[("more", &n.to_string())]).await;
            }
            while sent.recv().await.is_some() {}
        };
        let (ended, ()) = tokio::join!(reading, writing);
        assert_eq!(ended, Ok(()));
    });
}

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    assert!(SqliteReader::open(&SqliteOptions::new(&path)).is_err());
    assert!(!path.exists());
}

#[test]
fn a_file_of_another_schema_is_left_as_it_is() {
    for (version, is_older) in [(1, true), (99, false)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let other = Connection::open(&path).unwrap();
        other.execute_batch(schema::STEPS[0]).unwrap();
        other.pragma_update(None, "user_version", version).unwrap();
        let refused = SqliteReader::open(&SqliteOptions::new(&path)).unwrap_err();
        match refused {
            OpenError::SchemaOlder { found: 1, .. } => assert!(is_older),
            OpenError::SchemaNewer { found: 99, .. } => assert!(!is_older),
            other => panic!("{other}"),
        }
        let found = other.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        assert_eq!(found, Ok(version));
    }
}

#[test]
fn what_cannot_be_read_ends_the_reading() {
    let opened = opened();
    let reader = SqliteReader::open(&SqliteOptions::new(opened.dir.path().join(FILE))).unwrap();
    runtime().block_on(async {
        let mut space = Space::open(&opened.store).await;
        space.put(&[("tasks", "a"), ("tasks", "b")]).await;
        let damaged = "UPDATE records SET state = x'01ff' WHERE id = 'b'";
        opened.raw().execute(damaged, []).unwrap();
        let (to, mut sent) = mpsc::channel(8);
        let ended = reader.export_space(&space.key, UNLIMITED, to);
        let ended = ended.await.unwrap_err();
        assert!(
            ended.to_string().contains("a record in space number"),
            "{ended}"
        );
        assert!(sent.recv().await.is_some());
    });
}
