//! Queries of statements.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Select, Statement,
    Value,
};

use super::{Span, Subject};
use crate::{
    entity::{accrual, ids::PartnerId, payout},
    error::Result,
    platform::{ids::TypedId, sql::padded},
};

/// What was booked and paid for a partner, in minor units.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Moved {
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Earned less taken back less paid before the period.
    pub opening: i64,
    /// Earned in the period.
    pub earned: i64,
    /// Taken back in the period; zero or negative.
    pub taken_back: i64,
    /// Paid in the period.
    pub paid: i64,
}

/// What moved for partners until the end of a span; those without movements are left out.
pub(super) async fn moved<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
    span: Span,
) -> Result<Vec<Moved>> {
    let partners = padded(partners);
    let places: Vec<String> = (4..)
        .take(partners.len())
        .map(|at| format!("${at}"))
        .collect();
    let places = places.join(",");
    let sum = |column: &str| format!("CAST(SUM({column}) AS BIGINT) AS {column}");
    let [opening, earned, taken_back, paid] = ["opening", "earned", "taken_back", "paid"].map(sum);
    let sql = format!(
        "SELECT partner_id, {opening}, {earned}, {taken_back}, {paid} FROM (\
         SELECT partner_id, \
         CASE WHEN earned_at < $2 THEN amount_minor ELSE 0 END AS opening, \
         CASE WHEN earned_at >= $2 AND amount_minor > 0 THEN amount_minor ELSE 0 END AS earned, \
         CASE WHEN earned_at >= $2 AND amount_minor < 0 THEN amount_minor ELSE 0 END AS taken_back, \
         0 AS paid \
         FROM accrual WHERE partner_id IN ({places}) AND currency = $1 AND earned_at < $3 \
         UNION ALL SELECT partner_id, CASE WHEN paid_at < $2 THEN -amount_minor ELSE 0 END, 0, 0, \
         CASE WHEN paid_at >= $2 THEN amount_minor ELSE 0 END \
         FROM payout WHERE partner_id IN ({places}) AND currency = $1 AND paid_at < $3) AS moved GROUP BY partner_id"
    );
    let mut values: Vec<Value> = vec![
        span.currency.code().into(),
        span.period.start.into(),
        span.period.end.into(),
    ];
    values.extend(partners.into_iter().map(|id| Value::from(id.uuid())));
    Ok(Moved::find_by_statement(Statement::from_sql_and_values(
        db.get_database_backend(),
        sql,
        values,
    ))
    .all(db)
    .await?)
}

fn statement<C: ConnectionTrait>(db: &C, sql: &str, subject: Subject) -> Statement {
    let values: [Value; 4] = [
        subject.partner.uuid().into(),
        subject.span.currency.code().into(),
        subject.span.period.start.into(),
        subject.span.period.end.into(),
    ];
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// The commission lines of statements about a span, of whichever partner.
#[must_use]
pub fn lines(span: Span) -> Select<accrual::Entity> {
    use accrual::Column;
    accrual::Entity::find()
        .filter(Column::Currency.eq(span.currency))
        .filter(Column::EarnedAt.gte(span.period.start))
        .filter(Column::EarnedAt.lt(span.period.end))
}

/// The payments of statements about a span, of whichever partner.
pub(super) fn payments(span: Span) -> Select<payout::Entity> {
    use payout::Column;
    payout::Entity::find()
        .filter(Column::Currency.eq(span.currency))
        .filter(Column::PaidAt.gte(span.period.start))
        .filter(Column::PaidAt.lt(span.period.end))
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
