//! Queries of the volumes behind rebates: set-based, whatever the number of deals.

use chrono::NaiveDate;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement, Value,
};

use super::rebate::Volume;
use crate::{
    entity::{
        ids::{DealId, IncentivePlanId, PartnerId},
        rebate_entry, rebate_volume,
    },
    error::{Error, Result},
    platform::{ids::TypedId, sql},
    tx::{CHUNK, Tx},
};

/// Which volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Under which plan.
    pub plan: IncentivePlanId,
    /// Under which of its components.
    pub component: i32,
    /// Whose.
    pub partner: PartnerId,
    /// The first day of the period.
    pub period_start: NaiveDate,
}

const COLUMNS: usize = 4;

fn values(keys: &[Key]) -> Vec<Value> {
    let values = |key: &Key| -> [Value; COLUMNS] {
        [
            key.plan.uuid().into(),
            key.component.into(),
            key.partner.uuid().into(),
            key.period_start.into(),
        ]
    };
    keys.iter().flat_map(values).collect()
}

/// Makes the rows that are lacking, with nothing sold yet.
pub async fn open(tx: &Tx, keys: &[Key]) -> Result<()> {
    for keys in keys.chunks(CHUNK) {
        let mut values = values(keys);
        values.push(tx.now().into());
        let sql = format!(
            "INSERT INTO rebate_volume (plan_id, component, partner_id, period_start, volume_minor, rebate_minor, updated_at) \
             SELECT column1, column2, column3, column4, 0, 0, ${now} FROM (VALUES {rows}) AS s WHERE 1 = 1 ON CONFLICT DO NOTHING",
            rows = sql::rows(keys.len(), COLUMNS),
            now = values.len(),
        );
        let statement = Statement::from_sql_and_values(tx.backend(), sql, values);
        tx.execute_raw(statement).await?;
    }
    Ok(())
}

/// The rows of these keys, held until the end of the unit of work; keys come in their order.
pub async fn lock(tx: &Tx, keys: &[Key]) -> Result<Vec<rebate_volume::Model>> {
    let hold = match tx.backend() {
        DbBackend::Postgres => " FOR UPDATE",
        _ => "",
    };
    read(tx, keys, hold).await
}

/// The rows of these keys, as far as there are any.
pub async fn find<C: ConnectionTrait>(db: &C, keys: &[Key]) -> Result<Vec<rebate_volume::Model>> {
    read(db, keys, "").await
}

async fn read<C: ConnectionTrait>(
    db: &C,
    keys: &[Key],
    hold: &str,
) -> Result<Vec<rebate_volume::Model>> {
    let mut rows = Vec::with_capacity(keys.len());
    for keys in keys.chunks(CHUNK) {
        let sql = format!(
            "SELECT * FROM rebate_volume WHERE (plan_id, component, partner_id, period_start) IN (VALUES {}) \
             ORDER BY plan_id, component, partner_id, period_start{hold}",
            sql::rows(keys.len(), COLUMNS)
        );
        let statement =
            Statement::from_sql_and_values(db.get_database_backend(), sql, values(keys));
        let found = rebate_volume::Entity::find().from_raw_sql(statement);
        rows.extend(found.all(db).await?);
    }
    Ok(rows)
}

/// Writes volumes that this unit of work holds.
pub async fn save(tx: &Tx, volumes: &[(Key, Volume)]) -> Result<()> {
    for chunk in volumes.chunks(CHUNK) {
        let mut list = Vec::with_capacity(chunk.len() * (COLUMNS + 2) + 1);
        for (key, volume) in chunk {
            list.extend(values(std::slice::from_ref(key)));
            list.extend([volume.volume_minor.into(), volume.rebate_minor.into()]);
        }
        list.push(tx.now().into());
        let sql = format!(
            "UPDATE rebate_volume SET volume_minor = s.column5, rebate_minor = s.column6, updated_at = ${now} \
             FROM (VALUES {rows}) AS s WHERE rebate_volume.plan_id = s.column1 AND rebate_volume.component = s.column2 \
             AND rebate_volume.partner_id = s.column3 AND rebate_volume.period_start = s.column4",
            rows = sql::rows(chunk.len(), COLUMNS + 2),
            now = list.len(),
        );
        let statement = Statement::from_sql_and_values(tx.backend(), sql, list);
        let done = tx.execute_raw(statement).await?;
        if done.rows_affected() != sql::count(chunk.len()) {
            return Err(Error::internal("a volume that was held is gone"));
        }
    }
    Ok(())
}

/// What deals and their refunds added to volumes.
pub async fn entries<C: ConnectionTrait>(
    db: &C,
    deals: &[DealId],
) -> Result<Vec<rebate_entry::Model>> {
    let mut rows = Vec::new();
    for chunk in deals.chunks(CHUNK) {
        let of_deals = rebate_entry::Column::DealId.is_in(chunk.iter().copied());
        rows.extend(
            rebate_entry::Entity::find()
                .filter(of_deals)
                .all(db)
                .await?,
        );
    }
    Ok(rows)
}
