//! Everything a database holds, as text, by walking its catalogue.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::support::TestApp;

/// The rows of every table, sorted, one text each.
pub type Everything = BTreeMap<String, Vec<String>>;

/// Reads every column of every table.
pub async fn everything(t: &TestApp) -> Everything {
    let postgres = t.app.db().backend() == DbBackend::Postgres;
    let columns = if postgres {
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
    } else {
        "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, p.cid"
    };
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for [table, column] in texts::<2>(t, columns).await {
        tables.entry(table).or_default().push(column);
    }
    assert!(tables.len() > 30, "the catalogue was not read: {tables:?}");
    let mut all = Everything::new();
    for (table, columns) in tables {
        let texts_of: Vec<_> = columns
            .iter()
            .map(|column| match postgres {
                true => format!("COALESCE(\"{column}\"::text, '')"),
                false => format!("COALESCE(CASE typeof(\"{column}\") WHEN 'blob' THEN hex(\"{column}\") ELSE CAST(\"{column}\" AS TEXT) END, '')"),
            })
            .collect();
        let sql = format!(
            "SELECT {} FROM \"{table}\" ORDER BY 1",
            texts_of.join(" || '|' || ")
        );
        let rows = texts::<1>(t, &sql)
            .await
            .into_iter()
            .map(|[row]| row)
            .collect();
        all.insert(table, rows);
    }
    all
}

/// Fails with the rows that differ.
#[track_caller]
pub fn assert_same(before: &Everything, after: &Everything) {
    for (table, rows) in after {
        let was = &before[table];
        let new: Vec<_> = rows.iter().filter(|row| !was.contains(row)).collect();
        let gone: Vec<_> = was.iter().filter(|row| !rows.contains(row)).collect();
        assert!(
            new.is_empty() && gone.is_empty(),
            "{table} was written: new {new:?}, gone {gone:?}"
        );
    }
    assert_eq!(before, after);
}

async fn texts<const N: usize>(t: &TestApp, sql: &str) -> Vec<[String; N]> {
    let db = t.app.db().reader();
    let rows = db
        .query_all_raw(Statement::from_string(t.app.db().backend(), sql))
        .await
        .unwrap();
    let row = |row: &sea_orm::QueryResult| {
        std::array::from_fn(|place| row.try_get_by_index(place).unwrap())
    };
    rows.iter().map(row).collect()
}
