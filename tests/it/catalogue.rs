//! What the migrations make of a database, read from its own catalogue.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::{cases, support::TestApp};

cases!(every_migration_goes_down_and_up_again);

/// Tables, columns, constraints, indexes and triggers, one a line.
async fn catalogue(connection: &DatabaseConnection) -> Vec<String> {
    let backend = connection.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT line FROM (
                SELECT concat_ws(' ', 'column', table_name, column_name, data_type,
                    character_maximum_length, is_nullable, column_default) AS line
                FROM information_schema.columns WHERE table_schema = 'public'
                UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
                UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace
                UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            ) AS everything WHERE line NOT LIKE '%seaql_migrations%' ORDER BY line"
        }
        _ => {
            "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') AS line FROM sqlite_master
             WHERE tbl_name <> 'seaql_migrations' ORDER BY line"
        }
    };
    let rows = connection
        .query_all_raw(Statement::from_string(backend, sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.try_get("", "line").unwrap())
        .collect()
}

async fn every_migration_goes_down_and_up_again(t: TestApp) {
    let connection = Database::connect(t.fresh_database().await).await.unwrap();
    Migrator::up(&connection, None).await.unwrap();
    let complete = catalogue(&connection).await;
    assert!(complete.len() > 100, "{complete:#?}");
    let count = u32::try_from(Migrator::migrations().len()).unwrap();
    for steps in 1..=count {
        Migrator::down(&connection, Some(steps)).await.unwrap();
        if steps == count {
            assert_eq!(catalogue(&connection).await, Vec::<String>::new());
        }
        Migrator::up(&connection, None).await.unwrap();
        assert_eq!(catalogue(&connection).await, complete, "{steps} down");
    }
    connection.close().await.unwrap();
}
