//! Runs one text of SQL on either database.
//!
//! | token    | SQLite | PostgreSQL  | holds                                             |
//! |----------|--------|-------------|---------------------------------------------------|
//! | `{id}`   | BLOB   | UUID        | an identifier, 16 bytes, time-ordered             |
//! | `{time}` | TEXT   | TIMESTAMPTZ | an instant in UTC, microseconds                   |
//! | `{date}` | TEXT   | DATE        | a calendar day                                    |
//! | `{json}` | TEXT   | JSONB       | a document                                        |
//! | `{money}`| BIGINT | BIGINT      | minor units; write it as `{money:column}`, which adds the bound of 10^15 |

use sea_orm_migration::{
    prelude::{DbErr, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend, Statement},
};

/// Statements are separated by a line that holds only `;;`, so that trigger bodies may hold semicolons.
pub async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = connection.get_database_backend();
    for statement in sql
        .split(";;")
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        connection
            .execute_unprepared(&translate(backend, statement))
            .await?;
    }
    Ok(())
}

/// Refuses UPDATE and DELETE on a table whose rows are facts: corrections are new rows.
pub async fn append_only(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        refuse(manager, table, "UPDATE").await?;
        refuse(manager, table, "DELETE").await?;
    }
    Ok(())
}

/// Refuses one kind of change (`DELETE`, `UPDATE`, `UPDATE OF a, b`, `TRUNCATE`) on a table. SQLite knows no TRUNCATE.
pub async fn refuse(manager: &SchemaManager<'_>, table: &str, change: &str) -> Result<(), DbErr> {
    refuse_when(manager, table, change, "").await
}

/// Refuses one kind of change on the rows for which a condition holds, such as `OLD.status <> 'DRAFT'`; on every row
/// where it is empty.
pub async fn refuse_when(
    manager: &SchemaManager<'_>,
    table: &str,
    change: &str,
    condition: &str,
) -> Result<(), DbErr> {
    let verb: String = change
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    let name = format!("{table}_no_{}", verb.to_lowercase());
    let when = if condition.is_empty() {
        String::new()
    } else {
        format!(" WHEN ({condition})")
    };
    let connection = manager.get_connection();
    let statement = match (connection.get_database_backend(), verb.as_str()) {
        (DbBackend::Postgres, verb) => {
            let each = if verb == "TRUNCATE" {
                "STATEMENT"
            } else {
                "ROW"
            };
            format!(
                "CREATE TRIGGER {name} BEFORE {change} ON {table} FOR EACH {each}{when} EXECUTE FUNCTION refuse_change()"
            )
        }
        (_, "TRUNCATE") => return Ok(()),
        _ => format!(
            "CREATE TRIGGER {name} BEFORE {change} ON {table}{when} \
             BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        ),
    };
    connection.execute_unprepared(&statement).await?;
    Ok(())
}

/// Lets a kind of change (`DELETE`, `UPDATE`, `TRUNCATE`) that [`refuse`] refuses on a table happen again.
pub async fn allow(manager: &SchemaManager<'_>, table: &str, verb: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let name = format!("{table}_no_{}", verb.to_lowercase());
    let statement = match (connection.get_database_backend(), verb) {
        (DbBackend::Postgres, _) => format!("DROP TRIGGER {name} ON {table}"),
        (_, "TRUNCATE") => return Ok(()),
        _ => format!("DROP TRIGGER {name}"),
    };
    connection.execute_unprepared(&statement).await?;
    Ok(())
}

/// The function behind every PostgreSQL trigger of [`refuse`]; SQLite needs none.
pub async fn create_refusal(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if connection.get_database_backend() == DbBackend::Postgres {
        connection
            .execute_unprepared(
                "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
            )
            .await?;
    }
    Ok(())
}

/// Writes a table of SQLite anew with parts of its definition replaced: SQLite changes no constraint. Columns, indexes and
/// triggers stay as they are, whichever migration made them, and rows that refer to it find its rows again before the end
/// of the transaction.
pub async fn rewrite(
    manager: &SchemaManager<'_>,
    table: &str,
    changes: &[(&str, &str)],
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let read = Statement::from_string(
        connection.get_database_backend(),
        format!(
            "SELECT type AS kind, sql AS text FROM sqlite_master WHERE tbl_name = '{table}' AND sql IS NOT NULL \
             ORDER BY rowid"
        ),
    );
    let (mut definition, mut beside) = (None, Vec::new());
    for row in connection.query_all_raw(read).await? {
        let text: String = row.try_get("", "text")?;
        if row.try_get::<String>("", "kind")? == "table" {
            definition = Some(text);
        } else {
            beside.push(text);
        }
    }
    let missing = |part: &str| DbErr::Custom(format!("the table {table} has no {part}"));
    let mut definition = definition.ok_or_else(|| missing("definition"))?;
    for (from, to) in changes {
        if !definition.contains(from) {
            return Err(missing(from));
        }
        definition = definition.replace(from, to);
    }
    let kept = format!("{table}_kept");
    let mut steps = vec![
        "PRAGMA defer_foreign_keys = ON".to_owned(),
        format!("CREATE TABLE {kept} AS SELECT * FROM {table}"),
        format!("DROP TABLE {table}"),
        definition,
        format!("INSERT INTO {table} SELECT * FROM {kept}"),
        format!("DROP TABLE {kept}"),
    ];
    steps.extend(beside);
    for step in steps {
        connection.execute_unprepared(&step).await?;
    }
    Ok(())
}

/// Drops tables, the last created first.
pub async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    for table in tables {
        manager
            .get_connection()
            .execute_unprepared(&format!("DROP TABLE IF EXISTS \"{table}\""))
            .await?;
    }
    Ok(())
}

fn translate(backend: DbBackend, statement: &str) -> String {
    let (id, time, date, json) = match backend {
        DbBackend::Postgres => ("UUID", "TIMESTAMPTZ", "DATE", "JSONB"),
        _ => ("BLOB", "TEXT", "TEXT", "TEXT"),
    };
    let mut text = statement
        .replace("{id}", id)
        .replace("{time}", time)
        .replace("{date}", date)
        .replace("{json}", json);
    while let Some((before, rest)) = text.split_once("{money:") {
        let Some((column, after)) = rest.split_once('}') else {
            break;
        };
        text = format!(
            "{before}BIGINT CHECK ({column} BETWEEN -1000000000000000 AND 1000000000000000){after}"
        );
    }
    text
}

/// Declares a migration that runs `$sql`, guards `$facts` against change and drops `$tables` on the way down.
macro_rules! migration {
    ($name:literal, sql: $sql:expr, facts: $facts:expr, tables: $tables:expr) => {
        use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, SchemaManager};

        pub struct Migration;

        impl MigrationName for Migration {
            fn name(&self) -> &str {
                $name
            }
        }

        #[async_trait::async_trait]
        impl MigrationTrait for Migration {
            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }

            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::ddl::create_refusal(manager).await?;
                crate::ddl::run(manager, $sql).await?;
                crate::ddl::append_only(manager, &$facts).await
            }

            async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::ddl::drop_tables(manager, &$tables).await
            }
        }
    };
}
pub(crate) use migration;
