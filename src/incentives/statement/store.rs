//! Queries of statements.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Select, Statement,
    Value,
};

use super::Subject;
use crate::{
    entity::{accrual, payout},
    error::{Error, Result},
    platform::ids::TypedId,
};

/// What was booked, in minor units.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Booked {
    /// Earned less taken back before the period.
    pub before: i64,
    /// Earned in the period.
    pub earned: i64,
    /// Taken back in the period; zero or negative.
    pub taken_back: i64,
}

/// What was paid, in minor units.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Paid {
    /// Before the period.
    pub before: i64,
    /// In the period.
    pub within: i64,
}

pub(super) async fn booked<C: ConnectionTrait>(db: &C, subject: Subject) -> Result<Booked> {
    let sql = "SELECT \
         CAST(COALESCE(SUM(CASE WHEN earned_at < $3 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS before, \
         CAST(COALESCE(SUM(CASE WHEN earned_at >= $3 AND amount_minor > 0 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS earned, \
         CAST(COALESCE(SUM(CASE WHEN earned_at >= $3 AND amount_minor < 0 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS taken_back \
         FROM accrual WHERE partner_id = $1 AND currency = $2 AND earned_at < $4";
    one(Booked::find_by_statement(statement(db, sql, subject))
        .one(db)
        .await?)
}

pub(super) async fn paid<C: ConnectionTrait>(db: &C, subject: Subject) -> Result<Paid> {
    let sql = "SELECT \
         CAST(COALESCE(SUM(CASE WHEN paid_at < $3 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS before, \
         CAST(COALESCE(SUM(CASE WHEN paid_at >= $3 THEN amount_minor ELSE 0 END), 0) AS BIGINT) AS within \
         FROM payout WHERE partner_id = $1 AND currency = $2 AND paid_at < $4";
    one(Paid::find_by_statement(statement(db, sql, subject))
        .one(db)
        .await?)
}

fn one<T>(row: Option<T>) -> Result<T> {
    row.ok_or_else(|| Error::internal("a sum has no row"))
}

fn statement<C: ConnectionTrait>(db: &C, sql: &str, subject: Subject) -> Statement {
    let values: [Value; 4] = [
        subject.partner.uuid().into(),
        subject.currency.code().into(),
        subject.period.start.into(),
        subject.period.end.into(),
    ];
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// The commission lines of a statement.
pub fn lines(subject: Subject) -> Select<accrual::Entity> {
    use accrual::Column;
    accrual::Entity::find()
        .filter(Column::PartnerId.eq(subject.partner))
        .filter(Column::Currency.eq(subject.currency))
        .filter(Column::EarnedAt.gte(subject.period.start))
        .filter(Column::EarnedAt.lt(subject.period.end))
}

/// The payments of a statement.
pub(super) fn payments(subject: Subject) -> Select<payout::Entity> {
    use payout::Column;
    payout::Entity::find()
        .filter(Column::PartnerId.eq(subject.partner))
        .filter(Column::Currency.eq(subject.currency))
        .filter(Column::PaidAt.gte(subject.period.start))
        .filter(Column::PaidAt.lt(subject.period.end))
}

/// A row of the export: a commission line with its deal, or a payment as a negative amount.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Line {
    /// When it was earned, taken back or paid.
    pub at: DateTime<Utc>,
    /// `EARNED`, `HOLDBACK`, `CLAWBACK` or `PAYMENT`.
    pub kind: String,
    /// The number of the deal or of the payment.
    pub reference: String,
    /// The name of the deal; empty for a payment.
    pub name: String,
    /// In minor units.
    pub amount_minor: i64,
}

/// Lines and payments together by time, at most so many.
pub(super) async fn rows<C: ConnectionTrait>(
    db: &C,
    subject: Subject,
    limit: usize,
) -> Result<Vec<Line>> {
    let sql = format!(
        "SELECT a.earned_at AS at, a.kind AS kind, d.number AS reference, d.name AS name, a.amount_minor AS amount_minor, a.id AS id \
         FROM accrual a JOIN deal d ON d.id = a.deal_id \
         WHERE a.partner_id = $1 AND a.currency = $2 AND a.earned_at >= $3 AND a.earned_at < $4 \
         UNION ALL SELECT paid_at, 'PAYMENT', number, '', -amount_minor, id FROM payout \
         WHERE partner_id = $1 AND currency = $2 AND paid_at >= $3 AND paid_at < $4 ORDER BY 1, 6 LIMIT {limit}"
    );
    Ok(Line::find_by_statement(statement(db, &sql, subject))
        .all(db)
        .await?)
}
