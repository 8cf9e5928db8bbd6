//! The version of the canonical forms that the rows of a table are stored in. When a form changes, the program rewrites
//! the rows before it accepts requests: otherwise lookups would miss rows recorded earlier.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{
    app::App,
    error::Result,
    tx::{Call, Tx, Work},
};

/// Rewrites the next rows after an id. Returns how many there were and the id of the last; at their end it stores the
/// version and returns no id.
pub type RewriteChunk<I> = for<'t> fn(&'t Tx, Option<I>) -> Work<'t, (u64, Option<I>)>;

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

    /// Rewrites all rows, in chunks, unless they have this version. Several processes may do this at once, and another
    /// process continues after one is killed. Returns how many rows were checked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bring_up_to_date<I: Copy + Send + Sync + 'static>(
        self,
        app: &App,
        name: &'static str,
        version: i64,
        rewrite: RewriteChunk<I>,
    ) -> Result<u64> {
        if self.stored(app.db().reader()).await? >= version {
            return Ok(0);
        }
        let (mut seen, mut after) = (0, None);
        loop {
            let chunk = app.write(Call::system(name), move |tx| rewrite(tx, after));
            let (rows, last) = chunk.await?;
            seen += rows;
            if last.is_none() {
                return Ok(seen);
            }
            after = last;
        }
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
