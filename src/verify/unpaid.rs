//! A payout run leaves nothing out: a line that was due is in a payment, or its partner is an exception of the run.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};

use super::Finding;
use crate::{
    entity::{
        audit_event,
        ids::{PartnerId, ProgramVersionId},
        payout_run::{self, RunStatus},
        program_version,
    },
    error::Result,
    payouts::select,
    platform::{ids::TypedId, money::Currency},
};

/// What is promised.
pub(super) const PROMISE: &str = "every line that was due when a payout run was calculated is paid, or its partner is an exception of the run";

pub(super) async fn accounted_for<C: ConnectionTrait>(db: &C) -> Result<Finding> {
    let mut finding = Finding::new(PROMISE, 0);
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
        for (partner, currency, minor) in forgotten(db, &run, zone).await? {
            finding.name(format!(
                "{} leaves out {} {currency} of {partner}",
                run.id,
                currency.decimal(minor)
            ));
        }
    }
    Ok(finding)
}

/// What a partner was due in one currency when a run was calculated, and is not in the run or one before it.
#[derive(FromQueryResult)]
struct Left {
    partner_id: PartnerId,
    currency: Currency,
    amount_minor: i64,
    lines: i64,
    /// Lines that were booked about when the run was calculated, and may have been seen or not.
    fresh: i64,
}

#[derive(FromQueryResult)]
struct Excepted {
    partner_id: PartnerId,
    currency: Currency,
    amount_minor: i64,
}

/// A payment of an earlier run that was given up after this one was created: what it held then was not free.
#[derive(FromQueryResult)]
struct Held {
    partner_id: PartnerId,
    currency: Currency,
    amount_minor: i64,
    line_count: i64,
    updated_at: DateTime<Utc>,
    period_end: NaiveDate,
}

/// What is known of one partner and currency in a run.
#[derive(Default)]
struct Account {
    left: Option<(i64, i64, i64)>,
    excepted: Option<i64>,
    /// Payments that held their lines until the run was calculated.
    held: Vec<(i64, i64)>,
    /// Payments that were given up meanwhile: the run found their lines or not.
    perhaps_held: Vec<(i64, i64)>,
    /// Whether one of them is of a later period, so that not all it held was due here.
    reaches_further: bool,
}

/// A unit of work that books lines may end after a run that began meanwhile; it lasts no longer than this.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(1);

/// So many payments of one partner that were given up meanwhile are told apart.
const TOLD_APART: usize = 8;

impl Account {
    /// What is wrong, in minor units: what was left out, or what an exception says too much or too little.
    fn missing(&self) -> Option<i64> {
        let (amount, lines, fresh) = self.left.unwrap_or_default();
        let most: i64 = self
            .held
            .iter()
            .chain(&self.perhaps_held)
            .map(|held| held.1)
            .sum();
        if fresh > 0 || self.reaches_further || self.perhaps_held.len() > TOLD_APART {
            // Not known to the cent: no more lines were left than others held.
            return (self.excepted.is_none() && lines > most).then_some(amount);
        }
        let waits = self.excepted.unwrap_or_default();
        let is_so = |amount_held: i64, lines_held: i64| {
            amount == waits.saturating_add(amount_held)
                && (self.excepted.is_some() || lines == lines_held)
        };
        let sum = |of: &mut dyn Iterator<Item = &(i64, i64)>| {
            of.fold((0_i64, 0_i64), |sum, held| {
                (sum.0.saturating_add(held.0), sum.1.saturating_add(held.1))
            })
        };
        let sure = sum(&mut self.held.iter());
        let explained = (0..1_u32 << self.perhaps_held.len()).any(|chosen| {
            let perhaps = self.perhaps_held.iter().zip(0..);
            let perhaps = sum(&mut perhaps
                .filter(|(_, place)| chosen >> place & 1 == 1)
                .map(|(held, _)| held));
            is_so(
                sure.0.saturating_add(perhaps.0),
                sure.1.saturating_add(perhaps.1),
            )
        });
        (!explained).then(|| amount.saturating_sub(waits).saturating_sub(sure.0))
    }
}

/// Partners whose lines that were due are not accounted for by a run: each is in a payment of this run or one before it,
/// or its partner is an exception of just this amount, or another run held it that was given up later.
async fn forgotten<C: ConnectionTrait>(
    db: &C,
    run: &payout_run::Model,
    zone: Tz,
) -> Result<Vec<(PartnerId, Currency, i64)>> {
    let calculated_at = calculated_at(db, run).await?;
    let mut accounts: BTreeMap<(PartnerId, Currency), Account> = BTreeMap::new();
    let sql = "SELECT a.partner_id, a.currency, CAST(SUM(a.amount_minor) AS BIGINT) AS amount_minor, \
         CAST(SUM(CASE WHEN a.created_at < $3 THEN 1 ELSE 0 END) AS BIGINT) AS lines, \
         CAST(SUM(CASE WHEN a.created_at < $3 THEN 0 ELSE 1 END) AS BIGINT) AS fresh FROM accrual a \
         LEFT JOIN payout p ON p.id = a.payout_id \
         WHERE a.program_id = $1 AND a.earned_at < $2 AND a.available_at < $2 AND a.created_at <= $4 \
         AND (a.payout_id IS NULL OR p.run_id > $5) GROUP BY a.partner_id, a.currency";
    let values = [
        run.program_id.uuid().into(),
        select::cut_off(run.period_end, zone, run.created_at).into(),
        (run.created_at - UNDER_WAY).into(),
        calculated_at.into(),
        run.id.uuid().into(),
    ];
    let backend = db.get_database_backend();
    let left = Left::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
    for row in left.all(db).await? {
        let account = accounts.entry((row.partner_id, row.currency)).or_default();
        account.left = Some((row.amount_minor, row.lines, row.fresh));
    }
    let sql = "SELECT partner_id, currency, amount_minor FROM payout_exception WHERE run_id = $1";
    let values = [run.id.uuid().into()];
    let excepted =
        Excepted::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
    for row in excepted.all(db).await? {
        let account = accounts.entry((row.partner_id, row.currency)).or_default();
        account.excepted = Some(row.amount_minor);
    }
    let sql = "SELECT c.partner_id, c.currency, c.amount_minor, c.line_count, c.updated_at, d.period_end FROM payout c \
         JOIN payout_run d ON d.id = c.run_id WHERE c.status = 'CANCELLED' AND d.program_id = $1 AND d.id < $2 \
         AND c.updated_at >= $3";
    let values = [
        run.program_id.uuid().into(),
        run.id.uuid().into(),
        run.created_at.into(),
    ];
    let held = Held::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
    for row in held.all(db).await? {
        let account = accounts.entry((row.partner_id, row.currency)).or_default();
        account.reaches_further |= row.period_end > run.period_end;
        let held = (row.amount_minor, row.line_count);
        if row.updated_at > calculated_at {
            account.held.push(held);
        } else {
            account.perhaps_held.push(held);
        }
    }
    let missing = accounts
        .into_iter()
        .filter_map(|((partner, currency), account)| {
            account.missing().map(|minor| (partner, currency, minor))
        });
    Ok(missing.collect())
}

/// When a run was calculated to its end, by the audit trail.
async fn calculated_at<C: ConnectionTrait>(
    db: &C,
    run: &payout_run::Model,
) -> Result<DateTime<Utc>> {
    use audit_event::Column;
    let at: Option<DateTime<Utc>> = audit_event::Entity::find()
        .select_only()
        .column(Column::At)
        .filter(Column::SubjectId.eq(run.id.uuid()))
        .filter(Column::Action.eq("payout_run.calculated"))
        .order_by_asc(Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(at.unwrap_or(run.updated_at))
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

#[cfg(test)]
mod tests {
    use super::Account;

    fn account(left: (i64, i64, i64), excepted: Option<i64>, held: &[(i64, i64)]) -> Account {
        Account {
            left: Some(left),
            excepted,
            held: held.to_vec(),
            ..Account::default()
        }
    }

    #[test]
    fn an_exception_is_of_just_what_waits() {
        assert_eq!(account((90, 2, 0), Some(90), &[]).missing(), None);
        assert_eq!(account((90, 2, 0), Some(80), &[]).missing(), Some(10));
        assert_eq!(account((90, 2, 0), None, &[]).missing(), Some(90));
        let nothing_waits = Account {
            excepted: Some(-5),
            ..Account::default()
        };
        assert_eq!(nothing_waits.missing(), Some(5));
    }

    #[test]
    fn a_run_that_was_given_up_hides_only_what_it_held() {
        assert_eq!(account((90, 2, 0), None, &[(90, 2)]).missing(), None);
        assert_eq!(account((91, 3, 0), None, &[(90, 2)]).missing(), Some(1));
        // Lines that cancel out are counted.
        assert_eq!(account((90, 4, 0), None, &[(90, 2)]).missing(), Some(0));
        let all = account((95, 3, 0), Some(5), &[(60, 1), (30, 1)]);
        assert_eq!(all.missing(), None);
    }

    #[test]
    fn what_was_given_up_meanwhile_was_found_or_not() {
        let perhaps = |left| Account {
            perhaps_held: vec![(60, 1), (30, 1)],
            ..account(left, None, &[(7, 1)])
        };
        for (amount, lines) in [(7, 1), (67, 2), (37, 2), (97, 3)] {
            assert_eq!(perhaps((amount, lines, 0)).missing(), None);
        }
        assert_eq!(perhaps((98, 3, 0)).missing(), Some(91));
    }

    #[test]
    fn what_was_booked_meanwhile_is_not_told_to_the_cent() {
        assert_eq!(account((90, 0, 1), None, &[]).missing(), None);
        assert_eq!(account((90, 1, 1), None, &[]).missing(), Some(90));
        assert_eq!(account((90, 1, 1), Some(3), &[]).missing(), None);
    }
}
