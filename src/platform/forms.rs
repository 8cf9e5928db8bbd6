//! The version of the canonical forms that the rows of a table are stored in. When a form changes, the program rewrites
//! the rows before it accepts requests: otherwise lookups would miss rows recorded earlier.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::error::Result;

/// The table with the version of one kind of row; it is empty before the first start.
#[derive(Clone, Copy, Debug)]
pub struct Forms(pub &'static str);

impl Forms {
    /// The version in which every row is stored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn stored<C: ConnectionTrait>(self, db: &C) -> Result<i64> {
        let sql = format!(
            "SELECT COALESCE(MAX(version), 0) AS version FROM {}",
            self.0
        );
        let row = db
            .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
            .await?;
        Ok(row.map_or(Ok(0), |row| row.try_get("", "version"))?)
    }

    /// Records that every row is stored in this version.
    ///
    /// # Errors
    /// The database failed.
    pub async fn store<C: ConnectionTrait>(self, db: &C, version: i64) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (version) VALUES ($1) ON CONFLICT (version) DO NOTHING",
            self.0
        );
        let backend = db.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [Value::from(version)]);
        db.execute_raw(statement).await?;
        Ok(())
    }
}
