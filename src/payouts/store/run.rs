//! Calculating, approving and giving up a run.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, FromQueryResult, Iterable, QueryFilter,
    QueryOrder, QuerySelect, Statement, UpdateMany,
    sea_query::{Expr, LockBehavior, LockType, SimpleExpr},
};

use crate::{
    entity::{
        accrual,
        ids::{PartnerId, PaymentDetailsId, PayoutId, PayoutRunId, ProgramId, UserId},
        partner::PartnerStatus,
        payout::{self, PayoutStatus},
        payout_run::{self, RunStatus},
        program,
    },
    error::{Error, Result},
    incentives::belonging,
    partners::Chunk,
    payouts::{select::Due, status::PayoutAction},
    platform::{
        ids::TypedId,
        money::Currency,
        sql::{self, any_of},
        transition::StateMachine,
    },
    tx::Tx,
};

/// What a run may claim: the lines of some partners in a programme that are in no payout, earned and available before
/// an instant.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The run.
    pub run_id: PayoutRunId,
    /// The programme.
    pub program_id: ProgramId,
    /// The instant, excluded.
    pub before: DateTime<Utc>,
    /// Of these partners.
    pub partners: Chunk,
}

impl Claim {
    /// A statement whose text knows the claim as `$1` (the programme), `$2` (the instant), `$3` and `$4` (the bounds of
    /// its partners) and `$5` (the run).
    fn statement(&self, tx: &Tx, text: &str) -> Statement {
        let [after, last] = self.partners.bounds();
        let values = [
            self.program_id.uuid().into(),
            self.before.into(),
            after,
            last,
            self.run_id.uuid().into(),
        ];
        Statement::from_sql_and_values(tx.backend(), text, values)
    }
}

/// Makes runs of one programme wait for each other, on SQLite they do anyway. Deals go on being won meanwhile.
pub async fn lock_program(tx: &Tx, id: ProgramId) -> Result<()> {
    let found = program::Entity::find_by_id(id)
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await?;
    found
        .map(|_| ())
        .ok_or_else(|| Error::not_found("programId"))
}

/// The same, unless somebody else holds it just now; says whether it was locked.
pub async fn lock_program_unless_held(tx: &Tx, id: ProgramId) -> Result<bool> {
    let found = program::Entity::find_by_id(id)
        .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
        .one(tx)
        .await?;
    Ok(found.is_some())
}

#[derive(FromQueryResult)]
struct DueRow {
    partner_id: PartnerId,
    currency: Currency,
    amount_minor: i64,
    line_count: i64,
    status: PartnerStatus,
    dpa_valid_until: Option<NaiveDate>,
    payment_details_id: Option<PaymentDetailsId>,
}

impl DueRow {
    const fn due(&self) -> Due<PartnerId> {
        Due {
            partner: self.partner_id,
            currency: self.currency,
            amount_minor: self.amount_minor,
            line_count: self.line_count,
            status: self.status,
            agreement_until: self.dpa_valid_until,
            has_account: self.payment_details_id.is_some(),
        }
    }
}

/// What is due, by partner and currency in a stable order, each with the account that the partner has now.
pub async fn due(tx: &Tx, claim: Claim) -> Result<Vec<(Due<PartnerId>, Option<PaymentDetailsId>)>> {
    let due = belonging::due_before("accrual", "$2");
    let sql = format!(
        "SELECT p.id AS partner_id, l.currency AS currency, l.amount_minor AS amount_minor, l.line_count AS line_count, \
         p.status AS status, p.dpa_valid_until AS dpa_valid_until, d.id AS payment_details_id \
         FROM (SELECT partner_id, currency, CAST(SUM(amount_minor) AS BIGINT) AS amount_minor, COUNT(*) AS line_count \
           FROM accrual WHERE program_id = $1 AND payout_id IS NULL AND partner_id > $3 AND partner_id <= $4 \
           AND {due} GROUP BY partner_id, currency) l \
         JOIN partner p ON p.id = l.partner_id \
         LEFT JOIN payment_details d ON d.partner_id = p.id AND d.replaced_at IS NULL ORDER BY p.id, l.currency"
    );
    let rows = DueRow::find_by_statement(claim.statement(tx, &sql))
        .all(tx)
        .await?;
    let due = |row: DueRow| {
        let account = row.payment_details_id;
        (row.due(), account)
    };
    Ok(rows.into_iter().map(due).collect())
}

/// Gives the due lines of every partner and currency that has a payment in the run to that payment; returns how many.
pub async fn claim(tx: &Tx, claim: Claim) -> Result<u64> {
    let due = belonging::due_before("accrual", "$2");
    let sql = format!(
        "UPDATE accrual SET payout_id = payout.id FROM payout \
         WHERE payout.run_id = $5 AND payout.partner_id > $3 AND payout.partner_id <= $4 \
         AND accrual.program_id = $1 AND accrual.payout_id IS NULL AND accrual.partner_id > $3 AND accrual.partner_id <= $4 \
         AND accrual.partner_id = payout.partner_id AND accrual.currency = payout.currency \
         AND {due}"
    );
    let done = tx.execute_raw(claim.statement(tx, &sql)).await?;
    Ok(done.rows_affected())
}

/// Whether any payment that the claim led to differs from the lines that it really got.
pub async fn has_payment_unlike_its_lines(tx: &Tx, claim: Claim) -> Result<bool> {
    let sql = "SELECT p.id AS id FROM payout p LEFT JOIN (SELECT a.payout_id AS payout_id, SUM(a.amount_minor) AS total, \
           COUNT(*) AS lines FROM accrual a JOIN payout q ON q.id = a.payout_id \
           WHERE q.run_id = $5 AND q.partner_id > $3 AND q.partner_id <= $4 GROUP BY a.payout_id) s ON s.payout_id = p.id \
         WHERE p.run_id = $5 AND p.partner_id > $3 AND p.partner_id <= $4 \
         AND (s.lines IS NULL OR s.total <> p.amount_minor OR s.lines <> p.line_count) LIMIT 1";
    Ok(tx.query_one_raw(claim.statement(tx, sql)).await?.is_some())
}

/// The runs of a programme that are being calculated or freed, the oldest first, locked until the end of the unit of work.
pub async fn lock_under_way(tx: &Tx, program: ProgramId) -> Result<Vec<payout_run::Model>> {
    use payout_run::Column;
    let under_way = payout_run::Entity::find()
        .filter(Column::ProgramId.eq(program))
        .filter(Column::Status.is_in(RunStatus::iter().filter(|status| status.is_under_way())))
        .order_by_asc(Column::Id)
        .lock_exclusive();
    Ok(under_way.all(tx).await?)
}

/// Notes up to which partner a run was calculated.
pub async fn note_calculated(
    tx: &Tx,
    run: &payout_run::Model,
    until: Option<PartnerId>,
) -> Result<()> {
    let update = update_run(tx, run, run.status)
        .col_expr(payout_run::Column::AfterPartnerId, Expr::value(until));
    guarded(tx, update).await
}

/// A run, locked until the end of the unit of work.
pub async fn lock_run(tx: &Tx, id: PayoutRunId) -> Result<payout_run::Model> {
    let run = payout_run::Entity::find_by_id(id)
        .lock_exclusive()
        .one(tx)
        .await?;
    run.ok_or_else(|| Error::not_found("payoutRunId"))
}

/// Moves a run that nobody changed since it was read.
pub async fn move_run(tx: &Tx, run: &payout_run::Model, status: RunStatus) -> Result<()> {
    guarded(tx, update_run(tx, run, status)).await
}

/// Moves a run to its approval by a person.
pub async fn approve_run(
    tx: &Tx,
    run: &payout_run::Model,
    by: UserId,
    status: RunStatus,
) -> Result<()> {
    let update = update_run(tx, run, status)
        .col_expr(payout_run::Column::ApprovedBy, Expr::value(by))
        .col_expr(payout_run::Column::ApprovedAt, Expr::value(tx.now()));
    guarded(tx, update).await
}

/// Moves a run to its execution; the server has no user.
pub async fn start_run(
    tx: &Tx,
    run: &payout_run::Model,
    by: Option<UserId>,
    status: RunStatus,
) -> Result<()> {
    let update = update_run(tx, run, status)
        .col_expr(payout_run::Column::ExecutedBy, Expr::value(by))
        .col_expr(payout_run::Column::ExecutedAt, Expr::value(tx.now()));
    guarded(tx, update).await
}

/// Moves a run to its end.
pub async fn complete_run(tx: &Tx, run: &payout_run::Model, status: RunStatus) -> Result<()> {
    let update = update_run(tx, run, status)
        .col_expr(payout_run::Column::CompletedAt, Expr::value(tx.now()));
    guarded(tx, update).await
}

fn update_run(
    tx: &Tx,
    run: &payout_run::Model,
    status: RunStatus,
) -> UpdateMany<payout_run::Entity> {
    use payout_run::Column;
    payout_run::Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::Version, Expr::value(run.version + 1))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
        .filter(Column::Id.eq(run.id))
        .filter(Column::Version.eq(run.version))
}

async fn guarded(tx: &Tx, update: UpdateMany<payout_run::Entity>) -> Result<()> {
    if update.exec(tx).await?.rows_affected == 1 {
        Ok(())
    } else {
        Err(Error::stale())
    }
}

/// Takes an action on those of some payments whose state allows it.
pub async fn move_payments(tx: &Tx, payments: &[PayoutId], action: PayoutAction) -> Result<()> {
    use payout::Column;
    for from in PayoutStatus::iter() {
        let Some(to) = from.target(action) else {
            continue;
        };
        payout::Entity::update_many()
            .col_expr(Column::Status, Expr::value(to))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
            .filter(any_of(tx, Column::Id, payments.iter().copied()))
            .filter(Column::Status.eq(from))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Those of some payments in which earnings and clawbacks cancel out.
pub async fn payments_of_nothing(tx: &Tx, payments: &[PayoutId]) -> Result<Vec<PayoutId>> {
    let payments = payout::Entity::find()
        .select_only()
        .column(payout::Column::Id)
        .filter(any_of(tx, payout::Column::Id, payments.iter().copied()))
        .filter(payout::Column::AmountMinor.eq(0_i64));
    Ok(payments.into_tuple().all(tx).await?)
}

/// The first payments of a run in a state, so many at most, in the order of their ids.
pub async fn payments_in(
    tx: &Tx,
    run_id: PayoutRunId,
    status: PayoutStatus,
    limit: u64,
) -> Result<Vec<PayoutId>> {
    payments_where(tx, run_id, payout::Column::Status.eq(status), limit).await
}

/// Payments of a run that are not cancelled yet, so many at most.
pub async fn uncancelled(tx: &Tx, run_id: PayoutRunId, limit: u64) -> Result<Vec<PayoutId>> {
    let status = payout::Column::Status.ne(PayoutStatus::Cancelled);
    payments_where(tx, run_id, status, limit).await
}

async fn payments_where(
    tx: &Tx,
    run_id: PayoutRunId,
    condition: SimpleExpr,
    limit: u64,
) -> Result<Vec<PayoutId>> {
    let payments = payout::Entity::find()
        .select_only()
        .column(payout::Column::Id)
        .filter(payout::Column::RunId.eq(run_id))
        .filter(condition)
        .order_by_asc(payout::Column::Id)
        .limit(limit);
    Ok(payments.into_tuple().all(tx).await?)
}

/// Frees the lines of payments.
pub async fn free_lines(tx: &Tx, payments: &[PayoutId]) -> Result<()> {
    let of_payments = any_of(tx, accrual::Column::PayoutId, payments.iter().copied());
    accrual::Entity::update_many()
        .col_expr(accrual::Column::PayoutId, Expr::value(None::<PayoutId>))
        .filter(of_payments)
        .exec(tx)
        .await?;
    Ok(())
}

/// Whether a run pays to an account that this person set.
pub async fn pays_to_details_of(tx: &Tx, run_id: PayoutRunId, person: UserId) -> Result<bool> {
    let sql = "SELECT p.id AS id FROM payout p JOIN payment_details d ON d.id = p.payment_details_id \
         WHERE p.run_id = $1 AND d.set_by = $2 LIMIT 1";
    let values = [run_id.uuid().into(), person.uuid().into()];
    let found = Statement::from_sql_and_values(tx.backend(), sql, values);
    Ok(tx.query_one_raw(found).await?.is_some())
}

/// How many holdbacks are released at a time.
pub const HOLDBACKS: usize = 1_000;

/// Some holdback lines of payments whose release was not posted, in the order of their ids; none when all are.
pub async fn unreleased_holdbacks(tx: &Tx, payments: &[PayoutId]) -> Result<Vec<accrual::Model>> {
    let sql = format!(
        "SELECT a.* FROM accrual a WHERE a.payout_id IN {} AND a.kind = 'HOLDBACK' \
         AND NOT EXISTS (SELECT 1 FROM ledger_transaction t WHERE t.subject_id = a.id AND t.kind = 'HOLDBACK_RELEASE') \
         LIMIT {HOLDBACKS}",
        sql::rows(1, payments.len())
    );
    let mut lines = accrual::Entity::find()
        .from_raw_sql(of_payments(tx, &sql, payments))
        .all(tx)
        .await?;
    lines.sort_unstable_by_key(|line| line.id);
    Ok(lines)
}

fn of_payments(tx: &Tx, sql: &str, payments: &[PayoutId]) -> Statement {
    let ids = payments.iter().map(|id| id.uuid().into());
    Statement::from_sql_and_values(tx.backend(), sql, ids)
}

/// What the lines of one payment come to.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Netting {
    /// The payment.
    pub id: PayoutId,
    /// Whose.
    pub partner_id: PartnerId,
    /// In which currency.
    pub currency: Currency,
    /// The sum of what was earned, in minor units.
    pub earned_minor: i64,
    /// The sum of what was taken back, as a positive amount.
    pub taken_back_minor: i64,
}

/// Payments with what their lines come to, in the order of their ids.
pub async fn nettings(tx: &Tx, payments: &[PayoutId]) -> Result<Vec<Netting>> {
    let sql = format!(
        "SELECT p.id AS id, p.partner_id AS partner_id, p.currency AS currency, \
         CAST(SUM(CASE WHEN a.amount_minor > 0 THEN a.amount_minor ELSE 0 END) AS BIGINT) AS earned_minor, \
         CAST(SUM(CASE WHEN a.amount_minor < 0 THEN -a.amount_minor ELSE 0 END) AS BIGINT) AS taken_back_minor \
         FROM payout p JOIN accrual a ON a.payout_id = p.id WHERE p.id IN {} \
         GROUP BY p.id, p.partner_id, p.currency ORDER BY p.id",
        sql::rows(1, payments.len())
    );
    let found = Netting::find_by_statement(of_payments(tx, &sql, payments));
    Ok(found.all(tx).await?)
}
