//! Migrating databases that are new, old, half done or too new, by one process or several at once.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::account::{number, observer};
use crate::{
    cases,
    support::{TestApp, program::Installation},
};

cases!(
    a_migration_killed_half_way_runs_again,
    four_processes_migrate_an_empty_and_an_older_database_at_once,
    a_database_of_a_newer_version_is_refused_and_left_as_it_is,
);

/// How many migrations there are.
fn all() -> i64 {
    i64::try_from(Migrator::migrations().len()).unwrap()
}

async fn applied(db: &DatabaseConnection) -> i64 {
    number(db, "SELECT count(*) FROM seaql_migrations").await
}

/// Tables, columns, indexes and triggers as the database knows them.
async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Postgres {
        "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable AS line \
         FROM information_schema.columns WHERE table_schema = 'public' \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
         UNION ALL SELECT event_object_table || ' ' || trigger_name || ' ' || event_manipulation \
         FROM information_schema.triggers WHERE trigger_schema = 'public' \
         UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
         WHERE connamespace = 'public'::regnamespace ORDER BY line"
    } else {
        "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') AS line FROM sqlite_master ORDER BY line"
    };
    let rows = db
        .query_all_raw(Statement::from_string(backend, sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.try_get("", "line").unwrap())
        .collect()
}

async fn a_migration_killed_half_way_runs_again(t: TestApp) {
    let sound = schema(&observer(t.url()).await).await;
    let mut half_way = 0;
    for seen in 1..all() {
        let url = t.fresh_database().await;
        let site = Installation::new(t.folder().join("site"), &url);
        let db = observer(&url).await;
        if db.get_database_backend() == DbBackend::Sqlite {
            // So that looking on never stands in the way.
            db.execute_unprepared("PRAGMA journal_mode = WAL")
                .await
                .unwrap();
        }
        let mut process = site.command(["migrate"]).spawn().unwrap();
        // The moment: so many migrations are there and the next is under way.
        while process.try_wait().unwrap().is_none() {
            let count = Statement::from_string(
                db.get_database_backend(),
                "SELECT count(*) FROM seaql_migrations",
            );
            let row = db.query_one_raw(count).await.ok().flatten();
            if row.is_some_and(|row| row.try_get_by_index::<i64>(0).unwrap() >= seen) {
                break;
            }
            tokio::task::yield_now().await;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        if applied(&db).await < all() {
            half_way += 1;
        }
        site.done(["migrate"]).await;
        assert_eq!(applied(&db).await, all());
        assert_eq!(schema(&db).await, sound);
        db.close().await.unwrap();
    }
    assert!(
        half_way > 0,
        "every migration was over before it was killed"
    );
}

/// Rows of the first version.
const ROWS: [&str; 2] = [
    "INSERT INTO \"user\" (id, email, name, role, status, locale, version, created_at, updated_at) VALUES \
     ({id}, 'old@vendor.example', 'Old Hand', 'ADMINISTRATOR', 'ACTIVE', 'en', 1, '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')",
    "INSERT INTO job (id, topic, payload, status, run_at, attempts, max_attempts, lease_epoch, created_at) VALUES \
     ({id}, 'event', '{}', 'DEAD', '2026-01-01 00:00:00+00:00', 12, 12, 12, '2026-01-01 00:00:00+00:00')",
];

async fn four_processes_migrate_an_empty_and_an_older_database_at_once(t: TestApp) {
    let sound = schema(&observer(t.url()).await).await;
    for older in [false, true] {
        let url = t.fresh_database().await;
        let db = observer(&url).await;
        if older {
            let before = u32::try_from(all() - 1).unwrap();
            Migrator::up(&db, Some(before)).await.unwrap();
            let id = match db.get_database_backend() {
                DbBackend::Postgres => "'01900000-0000-7000-8000-000000000001'",
                _ => "x'01900000000070008000000000000001'",
            };
            for row in ROWS {
                db.execute_unprepared(&row.replace("{id}", id))
                    .await
                    .unwrap();
            }
        }
        let site = Installation::new(t.folder().join("site"), &url);
        let four = (0..4).map(|_| {
            let site = site.clone();
            tokio::spawn(async move { site.done(["migrate"]).await })
        });
        for process in four.collect::<Vec<_>>() {
            assert_eq!(process.await.unwrap(), "The database is up to date.\n");
        }
        assert_eq!(applied(&db).await, all());
        assert_eq!(schema(&db).await, sound);
        if older {
            let kept = "SELECT (SELECT count(*) FROM \"user\" WHERE email = 'old@vendor.example' AND name = 'Old Hand') \
                        + (SELECT count(*) FROM job WHERE attempts = 12 AND status = 'DEAD')";
            assert_eq!(number(&db, kept).await, 2);
        }
    }
}

async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.done(["migrate"]).await;
    let db = observer(&url).await;
    db.execute_unprepared(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_from_the_future', 0)",
    )
    .await
    .unwrap();
    for command in ["migrate", "serve", "worker", "verify", "seed"] {
        let refused = site.run([command]).await;
        assert_eq!(refused.status.code(), Some(1), "{command}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("m9999_from_the_future"), "{said}");
    }
    assert_eq!(applied(&db).await, all() + 1);
    assert_eq!(number(&db, "SELECT count(*) FROM \"user\"").await, 0);
}
