//! Migrating databases that are new, old, half done or too new, by one process or several at once.

use ensemble::{
    entity::{ids::ProgramId, tier_change},
    platform::ids::TypedId,
    settings::ProgramSettings,
};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryOrder, Statement};

use super::account::{number, observer};
use crate::{
    cases,
    support::{TestApp, program::Installation},
};

cases!(
    a_migration_killed_half_way_runs_again,
    four_processes_migrate_an_empty_and_an_older_database_at_once,
    a_database_of_a_newer_version_is_refused_and_left_as_it_is,
    the_past_of_tiers_comes_from_the_audit_trail,
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

/// Rows that stand in older databases: the table, the first version that has it, and what is written; `{id}` and
/// `{other}` are ids, `{at}` an instant. The books they make are in order.
const ROWS: [(&str, i64, &str); 13] = [
    (
        "\"user\"",
        1,
        "(id, email, name, role, status, locale, version, created_at, updated_at) VALUES \
      ({id}, 'old@vendor.example', 'Old Hand', 'ADMINISTRATOR', 'ACTIVE', 'en', 1, {at}, {at})",
    ),
    (
        "job",
        2,
        "(id, topic, payload, status, run_at, attempts, max_attempts, lease_epoch, created_at) VALUES \
      ({id}, 'event', '{}', 'DEAD', {at}, 12, 12, 12, {at})",
    ),
    (
        "partner",
        3,
        "(id, legal_name, display_name, name_key, status, version, created_at, updated_at) VALUES \
      ({id}, 'Old Partner', 'Old Partner', 'old partner', 'ACTIVE', 7, {at}, {at})",
    ),
    (
        "partner_lifecycle_event",
        3,
        "(id, partner_id, action, to_status, at) VALUES ({id}, {id}, 'ACTIVATE', 'ACTIVE', {at})",
    ),
    (
        "program",
        4,
        "(id, name, status, version, created_at, updated_at) VALUES ({id}, 'Old Program', 'ACTIVE', 1, {at}, {at})",
    ),
    (
        "program_version",
        4,
        "(id, program_id, number, effective_from, settings, created_at) VALUES \
      ({id}, {id}, 1, {at}, '{settings}', {at})",
    ),
    (
        "deal",
        6,
        "(id, number, name, program_id, program_version_id, partner_id, value_minor, currency, stage, status, \
      time_zone, opened_at, refunded_minor, version, created_at, updated_at) VALUES \
      ({id}, 'D-1', 'Old Deal', {id}, {id}, {id}, 700, 'USD', 'QUALIFY', 'OPEN', 'UTC', {at}, 0, 1, {at}, {at})",
    ),
    (
        "ledger_account",
        8,
        "(id, kind, currency, balance_minor, created_at, updated_at) VALUES \
      ({id}, 'CASH', 'USD', -700, {at}, {at}), ({other}, 'COMMISSION_EXPENSE', 'USD', 700, {at}, {at})",
    ),
    (
        "ledger_transaction",
        8,
        "(id, kind, transaction_key, input_hash, subject_type, subject_id, effective_at, recorded_at, period) \
      VALUES ({id}, 'COMMISSION', 'old', '6bbd3fc492fbe1998b775ccf35684fd47a7b3754922cfe7f902914230c24bbef', 'deal', {id}, {at}, {at}, '2026-01')",
    ),
    (
        "ledger_entry",
        8,
        "(id, transaction_id, account_id, currency, amount_minor) VALUES \
      ({id}, {id}, {id}, 'USD', -700), ({other}, {id}, {other}, 'USD', 700)",
    ),
    (
        "payout_run",
        9,
        "(id, number, program_id, program_version_id, period_start, period_end, status, created_by, approved_by, \
      approved_at, executed_by, executed_at, completed_at, version, created_at, updated_at) VALUES \
      ({id}, 'PR-1', {id}, {id}, '2026-01-02', '2026-01-31', 'CANCELLED', {id}, {other}, {at}, {id}, {at}, {at}, 4, {at}, {at})",
    ),
    (
        "payout",
        9,
        "(id, number, run_id, partner_id, amount_minor, currency, line_count, status, version, created_at, updated_at) VALUES \
      ({id}, 'PO-1', {id}, {id}, 700, 'USD', 1, 'CANCELLED', 3, {at}, {at})",
    ),
    (
        "payout_exception",
        9,
        "(id, run_id, partner_id, currency, amount_minor, reason) VALUES ({id}, {id}, {id}, 'EUR', -7, 'NEGATIVE_BALANCE')",
    ),
];

/// The last version whose rows got no fingerprint.
fn before_fingerprints() -> i64 {
    before("m0020_fingerprints")
}

/// The version before a migration.
fn before(name: &str) -> i64 {
    let migrations = Migrator::migrations();
    let first = migrations
        .iter()
        .position(|migration| migration.name() == name);
    i64::try_from(first.unwrap()).unwrap()
}

async fn up(db: &DatabaseConnection, steps: i64) {
    let steps = u32::try_from(steps).unwrap();
    Migrator::up(db, Some(steps)).await.unwrap();
}

/// Brings an empty database to an older version, with rows of that version. Since rows have fingerprints only the program
/// writes them, so a later version gets rows that were there before.
async fn age(db: &DatabaseConnection, version: i64) {
    let written = version.min(before_fingerprints());
    up(db, written).await;
    for (table, _, row) in ROWS.iter().filter(|(_, since, _)| *since <= version) {
        let [id, other] = [1, 2].map(|n| match db.get_database_backend() {
            DbBackend::Postgres => format!("'01900000-0000-7000-8000-00000000000{n}'"),
            _ => format!("x'0190000000007000800000000000000{n}'"),
        });
        let row = row
            .replace("{id}", &id)
            .replace("{other}", &other)
            .replace(
                "{settings}",
                &serde_json::to_string(&ProgramSettings::default().documents().unwrap()).unwrap(),
            )
            .replace("{at}", "'2026-01-01 00:00:00+00:00'");
        db.execute_unprepared(&format!("INSERT INTO {table} {row}"))
            .await
            .unwrap();
    }
    if version > written {
        up(db, version - written).await;
    }
}

/// What an older database holds, in the columns that it had.
async fn content(db: &DatabaseConnection, version: i64) -> Vec<String> {
    let backend = db.get_database_backend();
    let mut found = Vec::new();
    for (table, _, row) in ROWS.iter().filter(|(_, since, _)| *since <= version) {
        let columns = row.trim_start_matches('(').split(')').next().unwrap();
        let line = match backend {
            DbBackend::Postgres => format!("concat_ws(' ', {columns})"),
            _ => format!("quote({})", columns.replace(", ", ") || ' ' || quote(")),
        };
        let sql = format!("SELECT {line} AS line FROM {table} ORDER BY id");
        let rows = db.query_all_raw(Statement::from_string(backend, sql));
        let rows = rows.await.unwrap();
        found.extend(rows.iter().map(|row| row.try_get("", "line").unwrap()));
    }
    found
}

async fn four_processes_migrate_an_empty_and_an_older_database_at_once(t: TestApp) {
    let sound = schema(&observer(t.url()).await).await;
    let mut all_rows = 0;
    // Nothing, the first version, one in the middle whose ledger is new, and the one before this.
    for version in [0, 1, all() / 2 + 1, all() - 1] {
        let url = t.fresh_database().await;
        let db = observer(&url).await;
        if version > 0 {
            age(&db, version).await;
        }
        let before = content(&db, version).await;
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
        assert_eq!(content(&db, version).await, before);
        let verified = site.run(["verify"]).await;
        let printed = String::from_utf8(verified.stdout).unwrap();
        assert!(!printed.contains("BROKEN"), "{version}: {printed}");
        // Before the audit trail and the ledger there is nothing to check, and that is not called good.
        assert_eq!(verified.status.success(), version > 1, "{printed}");
        all_rows = before.len();
    }
    assert_eq!(all_rows, 15);
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

async fn the_past_of_tiers_comes_from_the_audit_trail(t: TestApp) {
    let url = t.fresh_database().await;
    let db = observer(&url).await;
    age(&db, before("m0042_tier_changes")).await;
    let id = |n: u32| match db.get_database_backend() {
        DbBackend::Postgres => format!("'01900000-0000-7000-8000-0000000000{n:02}'"),
        _ => format!("x'01900000000070008000000000000{n:03}'"),
    };
    let at = |day: u32| format!("'2026-02-{day:02} 10:00:00+00:00'");
    // The programme and the first partner are those of the older rows; the third was imported, and the tier of the
    // second was last changed without an event.
    for (partner, tier, joined, changed) in
        [(1, "GOLD", 1, 20), (2, "GOLD", 3, 25), (3, "SILVER", 4, 4)]
    {
        if partner > 1 {
            let row = format!(
                "INSERT INTO partner (id, legal_name, display_name, name_key, status, version, created_at, updated_at) \
                 VALUES ({}, 'P', 'P', 'p', 'ACTIVE', 1, {at}, {at})",
                id(partner),
                at = at(1)
            );
            db.execute_unprepared(&row).await.unwrap();
        }
        let row = format!(
            "INSERT INTO enrollment (id, program_id, partner_id, tier, version, created_at, updated_at) \
             VALUES ({}, {}, {}, '{tier}', 2, {}, {})",
            id(10 + partner),
            id(1),
            id(partner),
            at(joined),
            at(changed)
        );
        db.execute_unprepared(&row).await.unwrap();
    }
    let program = ProgramId(uuid::Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0001,
    ))
    .text();
    for (event, partner, tier, day) in [
        (21, 1, "REGISTERED", 1),
        (22, 2, "SILVER", 3),
        (23, 1, "GOLD", 20),
    ] {
        let details =
            format!(r#"{{"type":"partner.enrolled","programId":"{program}","tier":"{tier}"}}"#);
        let row = format!(
            "INSERT INTO audit_event (id, at, actor_kind, actor_id, action, subject_type, subject_id, details) \
             VALUES ({}, {}, 'USER', {}, 'partner.enrolled', 'partner', {}, '{details}')",
            id(event),
            at(day),
            id(1),
            id(partner)
        );
        db.execute_unprepared(&row).await.unwrap();
    }
    up(&db, 1).await;
    let history = tier_change::Entity::find()
        .order_by_asc(tier_change::Column::PartnerId)
        .order_by_asc(tier_change::Column::EffectiveFrom)
        .all(&db)
        .await
        .unwrap();
    let history: Vec<_> = history
        .iter()
        .map(|change| {
            let partner = change.partner_id.uuid().as_u128() & 0xf;
            let day = change.effective_from.format("%m-%d").to_string();
            (
                partner,
                change.tier.as_str(),
                day,
                change.decided_by.is_some(),
            )
        })
        .collect();
    let change = |partner, tier, day: &str, by| (partner, tier, day.to_owned(), by);
    assert_eq!(
        history,
        [
            change(1, "REGISTERED", "02-01", true),
            change(1, "GOLD", "02-20", true),
            change(2, "SILVER", "02-03", true),
            change(2, "GOLD", "02-25", false),
            change(3, "SILVER", "02-04", false),
        ]
    );
    db.close().await.unwrap();
}
