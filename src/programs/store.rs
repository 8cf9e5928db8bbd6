//! Reading and writing programmes, their versions and enrolments.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
    sea_query::{Expr, LockType, Query, SimpleExpr},
};

use crate::{
    access::{Scope, Visible},
    entity::{
        enrollment,
        ids::{EnrollmentId, PartnerId, ProgramId, ProgramVersionId},
        program::{self, ProgramStatus},
        program_version,
        program_version_outcome::{self, VersionOutcome},
        tier_change,
    },
    error::Result,
    platform::sql::any_of,
    tx::{CHUNK, Tx},
};

/// The enrolments that the caller may see: the vendor all, a partner its own.
#[must_use]
pub fn visible_enrollments(scope: Scope) -> Select<enrollment::Entity> {
    enrollment::Entity::find().filter(enrollment::Entity::visible(scope))
}

/// The versions of a programme that hold, or will at their date.
#[must_use]
pub fn versions(program: ProgramId) -> Select<program_version::Entity> {
    program_version::Entity::find()
        .filter(program_version::Column::ProgramId.eq(program))
        .filter(not_withdrawn())
}

/// Versions that were not withdrawn before their date.
pub fn not_withdrawn() -> SimpleExpr {
    use program_version_outcome::Column;
    let withdrawn = Query::select()
        .column(Column::VersionId)
        .from(program_version_outcome::Entity)
        .and_where(Column::Outcome.eq(VersionOutcome::Withdrawn))
        .to_owned();
    program_version::Column::Id.not_in_subquery(withdrawn)
}

/// What became of scheduled versions.
///
/// # Errors
/// The database failed.
pub async fn outcomes<C: ConnectionTrait>(
    db: &C,
    versions: &[ProgramVersionId],
) -> Result<Vec<program_version_outcome::Model>> {
    let of_these = any_of(
        db,
        program_version_outcome::Column::VersionId,
        versions.iter().copied(),
    );
    let found = program_version_outcome::Entity::find().filter(of_these);
    Ok(found.all(db).await?)
}

/// Whether it is settled what became of a version.
pub(super) async fn has_outcome(tx: &Tx, version: ProgramVersionId) -> Result<bool> {
    let found = program_version_outcome::Entity::find_by_id(version);
    Ok(found.one(tx).await?.is_some())
}

/// Scheduled versions whose date has come and of which it is not settled what becomes, oldest first.
pub(super) async fn due_versions(tx: &Tx, limit: u64) -> Result<Vec<program_version::Model>> {
    use program_version::Column;
    let settled = Query::select()
        .column(program_version_outcome::Column::VersionId)
        .from(program_version_outcome::Entity)
        .to_owned();
    let due = program_version::Entity::find()
        .filter(Column::EffectiveFrom.lte(tx.now()))
        .filter(Expr::col(Column::CreatedAt).lt(Expr::col(Column::EffectiveFrom)))
        .filter(Column::Id.not_in_subquery(settled))
        .order_by_asc(Column::EffectiveFrom)
        .order_by_asc(Column::Id)
        .limit(limit);
    Ok(due.all(tx).await?)
}

/// The versions of a programme that begin at an instant or later, latest first.
pub(super) async fn versions_from(
    tx: &Tx,
    program: ProgramId,
    from: DateTime<Utc>,
) -> Result<Vec<program_version::Model>> {
    use program_version::Column;
    let later = versions(program).filter(Column::EffectiveFrom.gte(from));
    Ok(later.order_by_desc(Column::EffectiveFrom).all(tx).await?)
}

/// The versions of a programme that are still to come.
pub(super) async fn scheduled(tx: &Tx, program: ProgramId) -> Result<Vec<program_version::Model>> {
    let coming = program_version::Column::EffectiveFrom.gt(tx.now());
    Ok(versions(program).filter(coming).all(tx).await?)
}

/// The tiers that enrolments had until an instant, oldest first, under a scope.
///
/// # Errors
/// The database failed.
pub async fn tier_history<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    enrollments: &[EnrollmentId],
    until: DateTime<Utc>,
) -> Result<Vec<tier_change::Model>> {
    use tier_change::Column;
    let history = tier_change::Entity::find()
        .filter(tier_change::Entity::visible(scope))
        .filter(any_of(
            db,
            Column::EnrollmentId,
            enrollments.iter().copied(),
        ))
        .filter(Column::EffectiveFrom.lte(until))
        .order_by_asc(Column::EffectiveFrom)
        .order_by_asc(Column::Id);
    Ok(history.all(db).await?)
}

/// One programme.
///
/// # Errors
/// The database failed.
pub async fn find<C: ConnectionTrait>(db: &C, id: ProgramId) -> Result<Option<program::Model>> {
    Ok(program::Entity::find_by_id(id).one(db).await?)
}

/// One programme, held until the end of the unit of work: against every change, or against changes of its rules only.
///
/// # Errors
/// The database failed.
pub async fn hold(tx: &Tx, id: ProgramId, lock: LockType) -> Result<Option<program::Model>> {
    Ok(program::Entity::find_by_id(id).lock(lock).one(tx).await?)
}

/// Several programmes, in no order.
///
/// # Errors
/// The database failed.
pub async fn find_all<C: ConnectionTrait>(
    db: &C,
    ids: &[ProgramId],
) -> Result<Vec<program::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        found.extend(
            program::Entity::find()
                .filter(any_of(db, program::Column::Id, ids.iter().copied()))
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// The version in force at an instant; before the first version begins, the first.
///
/// # Errors
/// The database failed.
pub async fn in_force<C: ConnectionTrait>(
    db: &C,
    program: ProgramId,
    at: DateTime<Utc>,
) -> Result<Option<program_version::Model>> {
    Ok(versions_at(program, at).one(db).await?)
}

/// The versions of a programme, that of an instant first.
fn versions_at(program: ProgramId, at: DateTime<Utc>) -> Select<program_version::Entity> {
    use program_version::Column::EffectiveFrom;
    let begun: SimpleExpr = Expr::case(EffectiveFrom.lte(at), 0).finally(1).into();
    let begun_at: SimpleExpr = Expr::case(
        EffectiveFrom.lte(at),
        Expr::col(EffectiveFrom.as_column_ref()),
    )
    .into();
    versions(program)
        .order_by(begun, Order::Asc)
        .order_by(begun_at, Order::Desc)
        .order_by_asc(EffectiveFrom)
}

/// The versions in force at an instant, of several programmes.
///
/// # Errors
/// The database failed.
pub async fn all_in_force<C: ConnectionTrait>(
    db: &C,
    programs: &[ProgramId],
    at: DateTime<Utc>,
) -> Result<Vec<program_version::Model>> {
    use program_version::{Column, Entity};
    let begun = Entity::find()
        .filter(any_of(db, Column::ProgramId, programs.iter().copied()))
        .filter(not_withdrawn())
        .order_by_asc(Column::EffectiveFrom);
    let mut found: Vec<program_version::Model> = Vec::new();
    for version in begun.all(db).await? {
        match found
            .iter_mut()
            .find(|known| known.program_id == version.program_id)
        {
            None => found.push(version),
            Some(known) if version.effective_from <= at => *known = version,
            Some(_) => {}
        }
    }
    Ok(found)
}

/// The time zone of every version of every programme with the instant from which it holds, oldest first.
///
/// # Errors
/// The database failed.
pub async fn zones<C: ConnectionTrait>(db: &C) -> Result<Vec<(ProgramId, DateTime<Utc>, String)>> {
    use program_version::{Column, Entity};
    // Only this of the document, which may be long.
    let zone = Expr::cust("settings ->> 'defaultTimeZone'");
    Ok(Entity::find()
        .select_only()
        .column(Column::ProgramId)
        .column(Column::EffectiveFrom)
        .expr_as(zone, "zone")
        .filter(not_withdrawn())
        .order_by_asc(Column::EffectiveFrom)
        .into_tuple()
        .all(db)
        .await?)
}

/// The version of a programme that begins last.
///
/// # Errors
/// The database failed.
pub async fn last_version<C: ConnectionTrait>(
    db: &C,
    program: ProgramId,
) -> Result<Option<program_version::Model>> {
    Ok(versions(program)
        .order_by_desc(program_version::Column::EffectiveFrom)
        .one(db)
        .await?)
}

/// The highest number of a programme's versions, those that were withdrawn included.
pub(super) async fn last_number(tx: &Tx, program: ProgramId) -> Result<i32> {
    use program_version::{Column, Entity};
    let last: Option<i32> = Entity::find()
        .select_only()
        .column(Column::Number)
        .filter(Column::ProgramId.eq(program))
        .order_by_desc(Column::Number)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(last.unwrap_or(0))
}

/// Versions by id, in no order.
///
/// # Errors
/// The database failed.
pub async fn versions_by_id<C: ConnectionTrait>(
    db: &C,
    ids: &[ProgramVersionId],
) -> Result<Vec<program_version::Model>> {
    use program_version::{Column, Entity};
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        found.extend(
            Entity::find()
                .filter(any_of(db, Column::Id, ids.iter().copied()))
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// Writes that a programme changed, over the version that was read; says whether that was still the stored one.
///
/// # Errors
/// The database failed.
pub async fn touch(tx: &Tx, program: &program::Model) -> Result<bool> {
    let update = program::Entity::update_many()
        .col_expr(program::Column::Version, Expr::value(program.version + 1))
        .col_expr(program::Column::UpdatedAt, Expr::value(tx.now()))
        .filter(program::Column::Id.eq(program.id))
        .filter(program::Column::Version.eq(program.version));
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// A partner's place in a programme.
///
/// # Errors
/// The database failed.
pub async fn enrollment<C: ConnectionTrait>(
    db: &C,
    program: ProgramId,
    partner: PartnerId,
) -> Result<Option<enrollment::Model>> {
    use enrollment::{Column, Entity};
    Ok(Entity::find()
        .filter(Column::ProgramId.eq(program))
        .filter(Column::PartnerId.eq(partner))
        .one(db)
        .await?)
}

/// The places of partners in programmes, oldest first.
///
/// # Errors
/// The database failed.
pub async fn enrollments_of<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    partners: &[PartnerId],
) -> Result<Vec<enrollment::Model>> {
    let mut found = Vec::new();
    for ids in partners.chunks(CHUNK) {
        let of_these = visible_enrollments(scope).filter(any_of(
            db,
            enrollment::Column::PartnerId,
            ids.iter().copied(),
        ));
        found.extend(
            of_these
                .order_by_asc(enrollment::Column::Id)
                .all(db)
                .await?,
        );
    }
    Ok(found)
}

/// In how many programmes a partner is.
///
/// # Errors
/// The database failed.
pub async fn count_enrollments(tx: &Tx, partner: PartnerId) -> Result<u64> {
    Ok(enrollment::Entity::find()
        .filter(enrollment::Column::PartnerId.eq(partner))
        .count(tx)
        .await?)
}

/// The tiers that partners of a programme have.
///
/// # Errors
/// The database failed.
pub async fn tiers_taken(tx: &Tx, program: ProgramId) -> Result<Vec<String>> {
    use enrollment::{Column, Entity};
    let tiers = Entity::find()
        .select_only()
        .column(Column::Tier)
        .distinct()
        .filter(Column::ProgramId.eq(program));
    Ok(tiers
        .order_by_asc(Column::Tier)
        .into_tuple()
        .all(tx)
        .await?)
}

/// Gives an enrolment another tier, over the version that was read; says whether that was still the stored one.
///
/// # Errors
/// The database failed.
pub async fn change_tier(tx: &Tx, id: EnrollmentId, version: i64, tier: &str) -> Result<bool> {
    use enrollment::{Column, Entity};
    let update = Entity::update_many()
        .col_expr(Column::Tier, Expr::value(tier))
        .col_expr(Column::Version, Expr::value(version + 1))
        .col_expr(Column::UpdatedAt, Expr::value(tx.now()))
        .filter(Column::Id.eq(id))
        .filter(Column::Version.eq(version));
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// The active programmes, two at most: enough to know whether there is exactly one.
///
/// # Errors
/// The database failed.
pub async fn some_active<C: ConnectionTrait>(db: &C) -> Result<Vec<ProgramId>> {
    let active = program::Entity::find()
        .select_only()
        .column(program::Column::Id);
    let active = active
        .filter(program::Column::Status.eq(ProgramStatus::Active))
        .order_by_asc(program::Column::Id);
    Ok(active.limit(2).into_tuple().all(db).await?)
}

/// The programme of this name.
pub async fn named<C: ConnectionTrait>(db: &C, name: &str) -> Result<Option<program::Model>> {
    Ok(program::Entity::find()
        .filter(program::Column::Name.eq(name))
        .one(db)
        .await?)
}
