//! What a database holds, counted, to be compared with what was acknowledged.

use std::{collections::BTreeMap, time::Duration};

use ensemble::platform::db::pool;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

/// Counts by name.
pub type Counts = BTreeMap<String, i64>;

/// A connection of an observer.
pub async fn observer(url: &str) -> DatabaseConnection {
    let mut options = pool(url, 1);
    options
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// The rows of a query of a name and a number.
pub async fn counted(db: &DatabaseConnection, sql: &str) -> Counts {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get("", "name").unwrap(),
                row.try_get("", "n").unwrap(),
            )
        })
        .collect()
}

/// One number.
pub async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Every effect that a journey has: rows by table, and events by name.
pub async fn effects(db: &DatabaseConnection) -> Counts {
    let tables = [
        "customer",
        "deal_registration",
        "deal",
        "deal_participant",
        "touchpoint",
        "attribution_run",
        "attribution_credit",
        "accrual",
        "payout_run",
        "payout",
        "session",
    ];
    let tables =
        tables.map(|table| format!("SELECT '{table}' AS name, count(*) AS n FROM {table}"));
    let mut effects = counted(db, &tables.join(" UNION ALL ")).await;
    effects.extend(
        counted(
            db,
            "SELECT action AS name, count(*) AS n FROM audit_event GROUP BY action",
        )
        .await,
    );
    effects
}

/// What came in between.
pub fn difference(before: &Counts, after: &Counts) -> Counts {
    after
        .iter()
        .map(|(name, n)| (name.clone(), n - before.get(name).copied().unwrap_or(0)))
        .filter(|(_, n)| *n != 0)
        .collect()
}
