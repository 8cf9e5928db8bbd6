//! Queries of statements.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select, Statement, Value, sea_query::Expr,
};

use super::{Period, Span, Subject, Sums};
use crate::{
    entity::{
        accrual,
        ids::{PartnerId, PartnerStatementId},
        partner_statement, payout, statement_publication,
    },
    error::Result,
    identity::Scope,
    incentives::belonging,
    partners::Chunk,
    platform::{
        ids::TypedId,
        money::Currency,
        sql::{any_of, padded},
    },
    tx::Tx,
};

/// What was booked and paid for a partner in a currency, in minor units.
#[derive(Clone, Copy, Debug, FromQueryResult)]
pub(super) struct Moved {
    /// Whose it is.
    pub partner_id: PartnerId,
    /// In which currency.
    pub currency: Currency,
    opening: i64,
    earned: i64,
    taken_back: i64,
    paid: i64,
}

impl Moved {
    /// The sums of the statement.
    pub(super) const fn sums(&self) -> Sums {
        Sums {
            opening: self.opening,
            earned: self.earned,
            adjustments: self.taken_back,
            paid: self.paid,
        }
    }
}

/// The text of a statement that sums what moved by partner and currency: before the instant `$1`, and from it until the
/// instant `$2`. `whose` says of which partners and currencies.
fn moved_of(whose: &str) -> String {
    let sum = |column: &str| format!("CAST(SUM({column}) AS BIGINT) AS {column}");
    let sums = ["opening", "earned", "taken_back", "paid"]
        .map(sum)
        .join(", ");
    let earned = belonging::earned_before("$2");
    format!(
        "SELECT partner_id, currency, {sums} FROM (\
         SELECT partner_id, currency, \
         CASE WHEN earned_at < $1 THEN amount_minor ELSE 0 END AS opening, \
         CASE WHEN earned_at >= $1 AND amount_minor > 0 THEN amount_minor ELSE 0 END AS earned, \
         CASE WHEN earned_at >= $1 AND amount_minor < 0 THEN amount_minor ELSE 0 END AS taken_back, \
         0 AS paid \
         FROM accrual WHERE {whose} AND {earned} \
         UNION ALL SELECT partner_id, currency, CASE WHEN paid_at < $1 THEN -amount_minor ELSE 0 END, 0, 0, \
         CASE WHEN paid_at >= $1 THEN amount_minor ELSE 0 END \
         FROM payout WHERE {whose} AND paid_at < $2) AS moved GROUP BY partner_id, currency"
    )
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
    let sql = moved_of(&format!(
        "partner_id IN ({}) AND currency = $3",
        places.join(",")
    ));
    let mut values: Vec<Value> = vec![
        span.period.start.into(),
        span.period.end.into(),
        span.currency.code().into(),
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

/// What moved for the partners of a chunk about whom there is something to tell and nothing published yet, in a stable
/// order: what was owed before, or a line or a payment in the period.
pub(super) async fn unpublished<C: ConnectionTrait>(
    db: &C,
    chunk: Chunk,
    period: Period,
) -> Result<Vec<Moved>> {
    // Amounts of lines and payments are never 0, those earned never negative, those taken back never positive.
    let sql = format!(
        "{} HAVING (SUM(opening) <> 0 OR SUM(earned) <> 0 OR SUM(taken_back) <> 0 OR SUM(paid) <> 0) \
         AND NOT EXISTS (SELECT 1 FROM partner_statement s WHERE s.partner_id = moved.partner_id \
         AND s.currency = moved.currency AND s.period_start = $3 AND s.period_end = $4) \
         ORDER BY partner_id, currency",
        moved_of("partner_id > $5 AND partner_id <= $6")
    );
    let [after, last] = chunk.bounds();
    let values: [Value; 6] = [
        period.start.into(),
        period.end.into(),
        period.first_day.into(),
        period.last_day.into(),
        after,
        last,
    ];
    Ok(Moved::find_by_statement(Statement::from_sql_and_values(
        db.get_database_backend(),
        sql,
        values,
    ))
    .all(db)
    .await?)
}

/// The latest month that the schedule took on, held until the end of the unit of work.
pub(super) async fn lock_publication(tx: &Tx) -> Result<Option<statement_publication::Model>> {
    let latest = statement_publication::Entity::find()
        .order_by_desc(statement_publication::Column::PeriodStart)
        .limit(1)
        .lock_exclusive();
    Ok(latest.one(tx).await?)
}

/// Notes how far the schedule came with a month.
pub(super) async fn save_publication(tx: &Tx, row: statement_publication::Model) -> Result<()> {
    use statement_publication::Column;
    statement_publication::Entity::update_many()
        .filter(Column::PeriodStart.eq(row.period_start))
        .col_expr(Column::AfterPartnerId, Expr::value(row.after_partner_id))
        .col_expr(Column::CompletedAt, Expr::value(row.completed_at))
        .exec(tx)
        .await?;
    Ok(())
}

/// The published statements that the scope shows: a partner's people see their own.
pub(super) fn published(scope: Scope) -> Select<partner_statement::Entity> {
    use partner_statement::Column;
    partner_statement::Entity::find().filter(match scope {
        Scope::All => Condition::all(),
        Scope::Partner(partner) => Condition::all().add(Column::PartnerId.eq(partner)),
        Scope::Nothing => Condition::all().add(Expr::value(false)),
    })
}

/// Published statements by id under a scope.
pub(super) async fn published_by_id<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    ids: &[PartnerStatementId],
) -> Result<Vec<partner_statement::Model>> {
    let of_ids = any_of(db, partner_statement::Column::Id, ids.iter().copied());
    Ok(published(scope).filter(of_ids).all(db).await?)
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
    let earned = belonging::earned_before("$4");
    let sql = format!(
        "SELECT a.earned_at AS at, a.kind AS kind, d.number AS reference, d.name AS name, a.amount_minor AS amount_minor, a.id AS id \
         FROM accrual a JOIN deal d ON d.id = a.deal_id \
         WHERE a.partner_id = $1 AND a.currency = $2 AND a.earned_at >= $3 AND a.{earned} \
         UNION ALL SELECT paid_at, 'PAYMENT', number, '', -amount_minor, id FROM payout \
         WHERE partner_id = $1 AND currency = $2 AND paid_at >= $3 AND paid_at < $4 ORDER BY 1, 6 LIMIT {limit}"
    );
    Ok(Line::find_by_statement(statement(db, &sql, subject))
        .all(db)
        .await?)
}
