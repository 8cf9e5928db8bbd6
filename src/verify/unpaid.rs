//! A payout run leaves nothing out: a line that was due is in a payment, or its partner is an exception of the run.

use chrono::TimeDelta;
use chrono_tz::Tz;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};

use super::Finding;
use crate::{
    entity::{
        ids::{PartnerId, ProgramVersionId},
        payout_run::{self, RunStatus},
        program_version,
    },
    error::Result,
    payouts::select,
    platform::{ids::TypedId, money::Currency},
};

#[derive(FromQueryResult)]
struct Forgotten {
    partner_id: PartnerId,
    currency: Currency,
    amount_minor: i64,
}

/// A unit of work that books lines may end after a run that began meanwhile; it lasts no longer than this.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(1);

pub(super) async fn accounted_for<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(
        "every line that was due when a payout run was calculated is paid, or its partner is an exception of the run",
        0,
    );
    let unfinished = [
        RunStatus::Calculating,
        RunStatus::Cancelling,
        RunStatus::Cancelled,
    ];
    let runs = payout_run::Entity::find()
        .filter(payout_run::Column::Status.is_not_in(unfinished))
        .order_by_asc(payout_run::Column::Id)
        .all(db)
        .await?;
    for run in runs {
        finding.rows += 1;
        let Some(zone) = zone(db, run.program_version_id).await? else {
            finding.name(format!(
                "{} cannot be compared: {} gives it no time zone",
                run.id, run.program_version_id
            ));
            continue;
        };
        for left in forgotten(db, &run, zone).await? {
            finding.name(format!(
                "{} leaves out {} {} of {}",
                run.id,
                left.currency.decimal(left.amount_minor),
                left.currency,
                left.partner_id
            ));
        }
    }
    Ok(finding)
}

/// Lines that were due and that only a later run claimed, or none, of partners who are no exception. Where a run that was
/// cancelled later held lines of the partner, which they were is not known any more.
async fn forgotten<C: ConnectionTrait>(
    db: &C,
    run: &payout_run::Model,
    zone: Tz,
) -> Result<Vec<Forgotten>> {
    let sql = "SELECT a.partner_id, a.currency, CAST(SUM(a.amount_minor) AS BIGINT) AS amount_minor FROM accrual a \
         LEFT JOIN payout p ON p.id = a.payout_id LEFT JOIN payout_run q ON q.id = p.run_id \
         WHERE a.program_id = $1 AND a.earned_at < $2 AND a.available_at < $2 AND a.created_at < $3 \
         AND (a.payout_id IS NULL OR q.created_at > $4) \
         AND NOT EXISTS (SELECT 1 FROM payout_exception x WHERE x.run_id = $5 AND x.partner_id = a.partner_id \
           AND x.currency = a.currency) \
         AND NOT EXISTS (SELECT 1 FROM payout c JOIN payout_run d ON d.id = c.run_id WHERE c.status = 'CANCELLED' \
           AND c.partner_id = a.partner_id AND c.currency = a.currency AND d.program_id = $1 AND c.updated_at >= $4) \
         GROUP BY a.partner_id, a.currency ORDER BY a.partner_id LIMIT 21";
    let values = [
        run.program_id.uuid().into(),
        select::cut_off(run.period_end, zone, run.created_at).into(),
        (run.created_at - UNDER_WAY).into(),
        run.created_at.into(),
        run.id.uuid().into(),
    ];
    let rows = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(Forgotten::find_by_statement(rows).all(db).await?)
}

/// The time zone of the version that a run was created under, as far as the version is there and still says one: verification
/// names what is wrong with rows instead of failing on them.
async fn zone<C: ConnectionTrait>(db: &C, version: ProgramVersionId) -> Result<Option<Tz>> {
    let settings: Option<serde_json::Value> = program_version::Entity::find_by_id(version)
        .select_only()
        .column(program_version::Column::Settings)
        .into_tuple()
        .one(db)
        .await?;
    let zone = settings
        .as_ref()
        .and_then(|settings| settings.get("defaultTimeZone")?.as_str()?.parse().ok());
    Ok(zone)
}
