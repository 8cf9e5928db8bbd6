//! Queries of statements.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Statement, Value,
    sea_query::{Expr, SimpleExpr},
};

use super::{Period, Span, Subject, Sums};
use crate::{
    access::{Action, Scope, Visible, of_partner},
    entity::{
        accrual,
        ids::{PartnerId, ProgramId},
        partner_statement, payout, payout_run, statement_publication,
    },
    error::Result,
    incentives::belonging,
    partners::Chunk,
    platform::{
        ids::TypedId,
        money::Currency,
        sql::{padded, rows},
    },
    programs::calendar::Bound,
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

/// The text of a statement that sums what moved by partner and currency: before the first day of a period, and in it.
/// `whose` says of which partners and currencies; the values begin with [`bounds`].
fn moved_of(whose: &str, period: &Period) -> String {
    let sum = |column: &str| format!("CAST(SUM({column}) AS BIGINT) AS {column}");
    let [opening, earned, taken_back, paid] = ["opening", "earned", "taken_back", "paid"].map(sum);
    let bounds = join_bounds(period, "program_id");
    let payouts = if period.bounds.len() == 1 {
        "payout"
    } else {
        "(SELECT p.*, r.program_id FROM payout p JOIN payout_run r ON r.id = p.run_id) AS paid_under"
    };
    let before_end = belonging::earned_before("column2");
    format!(
        "SELECT partner_id, currency, {opening}, {earned}, {taken_back}, {paid} FROM (\
         SELECT partner_id, currency, \
         CASE WHEN earned_at < column1 THEN amount_minor ELSE 0 END AS opening, \
         CASE WHEN earned_at >= column1 AND amount_minor > 0 THEN amount_minor ELSE 0 END AS earned, \
         CASE WHEN earned_at >= column1 AND amount_minor < 0 THEN amount_minor ELSE 0 END AS taken_back, \
         0 AS paid \
         FROM accrual {bounds} WHERE {whose} AND {before_end} \
         UNION ALL SELECT partner_id, currency, CASE WHEN paid_at < column1 THEN -amount_minor ELSE 0 END, 0, 0, \
         CASE WHEN paid_at >= column1 THEN amount_minor ELSE 0 END \
         FROM {payouts} {bounds} WHERE {whose} AND paid_at < column2) AS moved GROUP BY partner_id, currency"
    )
}

/// Joins the rows of a programme in `program` with the start and the end of the period in its time zone, as `column1`
/// and `column2`; where there is one zone, with that of all.
fn join_bounds(period: &Period, program: &str) -> String {
    if period.bounds.len() == 1 {
        return format!("JOIN (VALUES {}) AS bound ON 1 = 1", rows(1, 2));
    }
    let programs = period.bounds.iter().map(|bound| bound.programs.len()).sum();
    format!(
        "JOIN (VALUES {}) AS bound ON column3 = {program}",
        rows(programs, 3)
    )
}

/// The values of [`join_bounds`].
fn bounds(period: &Period) -> Vec<Value> {
    if let [only] = &*period.bounds {
        return vec![only.start.into(), only.end.into()];
    }
    let of_zone = |bound: &Bound| -> Vec<Value> {
        let (start, end) = (Value::from(bound.start), Value::from(bound.end));
        let row = |program: &ProgramId| [start.clone(), end.clone(), program.uuid().into()];
        bound.programs.iter().flat_map(row).collect()
    };
    period.bounds.iter().flat_map(of_zone).collect()
}

/// What moved for partners until the end of a span; those without movements are left out.
pub(super) async fn moved<C: ConnectionTrait>(
    db: &C,
    partners: &[PartnerId],
    span: &Span,
) -> Result<Vec<Moved>> {
    let partners = padded(partners);
    let mut values = bounds(&span.period);
    values.push(span.currency.code().into());
    let currency = values.len();
    let places: Vec<String> = (currency + 1..)
        .take(partners.len())
        .map(|at| format!("${at}"))
        .collect();
    let whose = format!(
        "partner_id IN ({}) AND currency = ${currency}",
        places.join(",")
    );
    let sql = moved_of(&whose, &span.period);
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
    period: &Period,
) -> Result<Vec<Moved>> {
    let [after, last] = chunk.bounds();
    let mut values = bounds(period);
    let [first_day, last_day, behind, until] = [1, 2, 3, 4].map(|place| values.len() + place);
    values.extend([period.first_day.into(), period.last_day.into(), after, last]);
    // Amounts of lines and payments are never 0, those earned never negative, those taken back never positive.
    let sql = format!(
        "{} HAVING (SUM(opening) <> 0 OR SUM(earned) <> 0 OR SUM(taken_back) <> 0 OR SUM(paid) <> 0) \
         AND NOT EXISTS (SELECT 1 FROM partner_statement s WHERE s.partner_id = moved.partner_id \
         AND s.currency = moved.currency AND s.period_start = ${first_day} AND s.period_end = ${last_day}) \
         ORDER BY partner_id, currency",
        moved_of(
            &format!("partner_id > ${behind} AND partner_id <= ${until}"),
            period
        )
    );
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

impl Visible for partner_statement::Entity {
    const ID: Self::Column = partner_statement::Column::Id;
    const ARGUMENT: &'static str = "statementId";
    const READ: Action = Action::PayoutRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, partner_statement::Column::PartnerId)
    }
}

/// The commission lines of statements about a span, of whichever partner.
#[must_use]
pub fn lines(span: &Span) -> Select<accrual::Entity> {
    use accrual::Column;
    let of_programs = |programs: Vec<ProgramId>| Column::ProgramId.is_in(programs);
    accrual::Entity::find()
        .filter(Column::Currency.eq(span.currency))
        .filter(within(&span.period, Column::EarnedAt, of_programs))
}

/// The payments of statements about a span, of whichever partner.
pub(super) fn payments(span: &Span) -> Select<payout::Entity> {
    use payout::Column;
    let of_programs = |programs: Vec<ProgramId>| {
        let runs = payout_run::Entity::find()
            .select_only()
            .column(payout_run::Column::Id)
            .filter(payout_run::Column::ProgramId.is_in(programs));
        Column::RunId.in_subquery(runs.into_query())
    };
    payout::Entity::find()
        .filter(Column::Currency.eq(span.currency))
        .filter(within(&span.period, Column::PaidAt, of_programs))
}

/// What happened in a period: a range that an index serves, and where programmes are in several time zones, the days of
/// each.
fn within(
    period: &Period,
    at: impl ColumnTrait,
    of_programs: impl Fn(Vec<ProgramId>) -> SimpleExpr,
) -> Condition {
    let between = |start: DateTime<Utc>, end: DateTime<Utc>| {
        Condition::all().add(at.gte(start)).add(at.lt(end))
    };
    let all = between(period.start(), period.end());
    if period.bounds.len() == 1 {
        return all;
    }
    let each = period
        .bounds
        .iter()
        .map(|bound| between(bound.start, bound.end).add(of_programs(bound.programs.clone())));
    all.add(each.fold(Condition::any(), Condition::add))
}

/// A row of the export: a commission line with its deal, or a payment as a negative amount.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Line {
    /// When it was earned, taken back or paid.
    pub at: DateTime<Utc>,
    /// Under which programme.
    pub program_id: ProgramId,
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
pub(super) async fn rows_of<C: ConnectionTrait>(
    db: &C,
    subject: &Subject,
    limit: usize,
) -> Result<Vec<Line>> {
    let mut values = bounds(&subject.span.period);
    let [partner, currency] = [1, 2].map(|place| values.len() + place);
    values.extend([
        subject.partner.uuid().into(),
        subject.span.currency.code().into(),
    ]);
    let period = &subject.span.period;
    let before_end = belonging::earned_before("column2");
    let (of_lines, of_payments) = (
        join_bounds(period, "a.program_id"),
        join_bounds(period, "r.program_id"),
    );
    let sql = format!(
        "SELECT a.earned_at AS at, a.kind AS kind, d.number AS reference, d.name AS name, a.amount_minor AS amount_minor, a.id AS id, \
         a.program_id AS program_id \
         FROM accrual a {of_lines} JOIN deal d ON d.id = a.deal_id \
         WHERE a.partner_id = ${partner} AND a.currency = ${currency} AND a.earned_at >= column1 AND a.{before_end} \
         UNION ALL SELECT p.paid_at, 'PAYMENT', p.number, '', -p.amount_minor, p.id, r.program_id FROM payout p \
         JOIN payout_run r ON r.id = p.run_id {of_payments} \
         WHERE p.partner_id = ${partner} AND p.currency = ${currency} AND p.paid_at >= column1 AND p.paid_at < column2 \
         ORDER BY 1, 6 LIMIT {limit}"
    );
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    Ok(Line::find_by_statement(statement).all(db).await?)
}
