//! Everything a database holds, in a form that two databases with the same history share.
//!
//! Ids are minted at random, so each is replaced by what it stands for: the content of its row, and of the rows that
//! that one names, some steps far. What else is random is left out: hashes (of passwords and tokens, which are salted
//! or secret, and of contents that name ids), and the numbers for people, which come from ids.

use std::collections::HashMap;

use ensemble::platform::{audit::digest, ids};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use uuid::Uuid;

/// How far the content of other rows is followed.
const STEPS: usize = 6;

struct Row {
    table: String,
    id: Option<Uuid>,
    text: String,
}

/// Every row of every table as text, sorted.
pub async fn normalised(db: &DatabaseConnection) -> Vec<String> {
    let rows = rows(db).await;
    let mut labels: HashMap<Uuid, String> = HashMap::new();
    for _ in 0..STEPS {
        let label = |row: &Row| Some((row.id?, digest(&labelled(row, &labels))));
        labels = rows.iter().filter_map(label).collect();
    }
    let mut lines: Vec<_> = rows.iter().map(|row| labelled(row, &labels)).collect();
    lines.sort_unstable();
    lines
}

/// One hash over all of it.
pub fn hash(lines: &[String]) -> String {
    digest(&lines.join("\n"))
}

fn labelled(row: &Row, labels: &HashMap<Uuid, String>) -> String {
    let mut text = format!("{}:", row.table);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut rest = row.text.as_str();
    while let Some(start) = rest.find(is_word) {
        text.push_str(&rest[..start]);
        let word = &rest[start..];
        let word = &word[..word.find(|c| !is_word(c)).unwrap_or(word.len())];
        match id(word) {
            Some(id) => text.push_str(labels.get(&id).map_or("id", String::as_str)),
            None if is_number(word) => text.push_str("number"),
            None => text.push_str(word),
        }
        rest = &rest[start + word.len()..];
    }
    text.push_str(rest);
    text
}

/// An id, as databases or the API write it.
fn id(word: &str) -> Option<Uuid> {
    let bare = (word.len() == 32 || word.len() == 36).then(|| Uuid::try_parse(word).ok());
    bare.flatten().or_else(|| {
        let (prefix, _) = word.rsplit_once('_')?;
        ids::decode(prefix, word)
    })
}

/// A number for people, such as `DR-7K3M9QX2P4`.
fn is_number(word: &str) -> bool {
    word.split_once('-').is_some_and(|(prefix, rest)| {
        let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        (1..=3).contains(&prefix.len())
            && prefix.chars().all(|c| c.is_ascii_uppercase())
            && rest.len() == 10
            && rest.chars().all(capital)
    })
}

async fn rows(db: &DatabaseConnection) -> Vec<Row> {
    let backend = db.get_database_backend();
    let postgres = backend == DbBackend::Postgres;
    let columns = if postgres {
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns
         WHERE table_schema = 'public' ORDER BY table_name, column_name"
    } else {
        "SELECT m.name AS t, c.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.name"
    };
    let found = db
        .query_all_raw(Statement::from_string(backend, columns))
        .await
        .unwrap();
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for row in found {
        let table: String = row.try_get("", "t").unwrap();
        let column: String = row.try_get("", "c").unwrap();
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => tables.push((table, vec![column])),
        }
    }
    let mut rows = Vec::new();
    // The list of migrations has the real time of the run.
    for (table, columns) in tables
        .iter()
        .filter(|(table, _)| table != "seaql_migrations")
    {
        let text = |column: &String| match postgres {
            true => format!("coalesce(\"{column}\"::text, '')"),
            false => format!(
                "CASE typeof(\"{column}\") WHEN 'blob' THEN lower(hex(\"{column}\")) ELSE coalesce(CAST(\"{column}\" AS TEXT), '') END"
            ),
        };
        let kept = columns
            .iter()
            .filter(|column| *column != "hash" && !column.ends_with("_hash"));
        let all: Vec<_> = kept.map(text).collect();
        let own = columns.iter().find(|column| *column == "id").map(text);
        let sql = format!(
            "SELECT {} AS own, {} AS line FROM \"{table}\"",
            own.unwrap_or_else(|| "''".to_owned()),
            all.join(" || '|' || ")
        );
        let found = db
            .query_all_raw(Statement::from_string(backend, sql))
            .await
            .unwrap();
        rows.extend(found.iter().map(|row| Row {
            table: table.clone(),
            id: id(&row.try_get::<String>("", "own").unwrap()),
            text: row.try_get("", "line").unwrap(),
        }));
    }
    rows
}
