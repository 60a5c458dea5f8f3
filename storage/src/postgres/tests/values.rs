//! What people read with SQL.

use syncline_protocol::ids::{FieldName, Seq};
use syncline_protocol::json::Json;
use syncline_protocol::record::{Field, Record};

use super::{opened, runtime};
use crate::conformance::space::{NOW, Space, key, stamp, titled, tombstone};

/// A live record with a field of each value, named `a`, `b`, `c`…
fn holding(values: &[&str]) -> Record {
    let named = values.iter().zip('a'..).map(|(value, name)| Field {
        name: FieldName::trusted(&name.to_string()),
        value: Json::trusted(value),
        stamp: stamp(1, 0),
        seq: Seq(1),
    });
    Record {
        fields: named.collect(),
        ..titled("", 0)
    }
}

#[test]
fn records_are_a_view() {
    runtime().block_on(async {
        let (store, database) = opened().await;
        let mut space = Space::open_named(&store, "todo", "ada").await;
        let two = [
            (key("tasks", "k1"), titled("Buy milk", 0)),
            (key("tasks", "k2"), tombstone(0)),
        ];
        space.accept(space.draft(two.into())).await;
        let raw = database.raw().await;
        let shown = "SELECT app, space, table_name, id, data->>'title',
            (extract(epoch FROM updated_at) * 1000)::bigint, deleted
            FROM syncline.records ORDER BY id";
        let rows = raw.query(shown, &[]).await.unwrap();
        let text = |row: usize, column| rows[row].get::<_, Option<String>>(column);
        let names = |row| {
            [0, 1, 2, 3]
                .map(|column| text(row, column).unwrap())
                .join(" ")
        };
        assert_eq!(names(0), "todo ada tasks k1");
        assert_eq!(names(1), "todo ada tasks k2");
        assert_eq!(text(0, 4).as_deref(), Some("Buy milk"));
        assert_eq!(text(1, 4), None);
        for (row, deleted) in [(0, false), (1, true)] {
            assert_eq!(rows[row].get::<_, i64>(5), NOW as i64);
            assert_eq!(rows[row].get::<_, bool>(6), deleted);
        }
    });
}

#[test]
fn no_number_is_changed() {
    let numbers = [
        "0",
        "-1.5",
        "0.1",
        "9007199254740992",
        "1e+21",
        "5e-324",
        "1.7976931348623157e+308",
        "123456789012345680000",
    ];
    runtime().block_on(async {
        let (store, database) = opened().await;
        let mut space = Space::open(&store).await;
        let record = (key("t", "a"), holding(&numbers));
        space.accept(space.draft(vec![record])).await;
        let raw = database.raw().await;
        for (number, name) in numbers.iter().zip('a'..) {
            let shown = format!("SELECT data->>'{name}' FROM syncline.records");
            let text: String = raw.query_one(&shown, &[]).await.unwrap().get(0);
            let (shown, stored): (f64, f64) = (text.parse().unwrap(), number.parse().unwrap());
            assert_eq!(
                shown.to_bits(),
                stored.to_bits(),
                "{number} is shown as {text}"
            );
        }
        let read = space.record(&key("t", "a")).await.unwrap();
        let values = read.fields.iter().map(|field| field.value.as_str());
        assert!(values.eq(numbers));
    });
}

#[test]
fn one_record_that_is_no_jsonb_hides_no_others() {
    // NUL is refused before it comes here; were it not, jsonb could not hold it.
    let nul = holding(&[r#""a\u0000b""#]);
    let looks_like_nul = holding(&[r#""a\\u0000b""#]);
    runtime().block_on(async {
        let (store, database) = opened().await;
        let mut space = Space::open(&store).await;
        let two = [(key("t", "1"), nul), (key("t", "2"), looks_like_nul)];
        space.accept(space.draft(two.into())).await;
        let raw = database.raw().await;
        let shown = "SELECT data->>'a' FROM syncline.records ORDER BY id";
        let rows = raw.query(shown, &[]).await.unwrap();
        let texts = rows.iter().map(|row| row.get::<_, Option<String>>(0));
        assert!(texts.eq([None, Some(r"a\u0000b".to_owned())]));
        let read = space.record(&key("t", "1")).await.unwrap();
        assert_eq!(read.fields[0].value.as_str(), r#""a\u0000b""#);
    });
}
