//! Rows of registrations and deals, always under the caller's scope.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, Iterable, JoinType,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select, sea_query::Expr,
};

use crate::{
    access::{Action, Scope, Versioned, Visible, of_partner, with_partner},
    entity::{
        deal::{self, SalesStatus},
        deal_participant::{self, ParticipantStatus},
        deal_registration::{self, RegistrationStatus},
        deal_registration_product, deal_stage_change,
        ids::{
            CustomerId, DealId, DealRegistrationId, PartnerId, ProductFamilyId, ProgramId,
            ProgramVersionId,
        },
        protection::{self, ProtectionStatus},
    },
    error::Result,
    platform::money::Currency,
    tx::{CHUNK, Tx},
};

/// Participants who are on the deal or may still come.
#[must_use]
pub fn live_participants() -> Condition {
    let statuses = [ParticipantStatus::Invited, ParticipantStatus::Accepted];
    Condition::all().add(deal_participant::Column::Status.is_in(statuses))
}

impl Visible for deal_registration::Entity {
    const ID: Self::Column = deal_registration::Column::Id;
    const ARGUMENT: &'static str = "registrationId";
    const READ: Action = Action::RegistrationRead;

    fn visible(scope: Scope) -> Condition {
        of_partner(scope, deal_registration::Column::PartnerId)
    }
}

impl Versioned for deal_registration::Entity {
    const VERSION: Self::Column = deal_registration::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(deal_registration::Column::UpdatedAt);
}

impl Visible for deal::Entity {
    const ID: Self::Column = deal::Column::Id;
    const ARGUMENT: &'static str = "dealId";
    const READ: Action = Action::DealRead;

    /// A partner sees the deals that it owns, takes part in or is invited to. Whoever declined, was removed or did not
    /// answer in time sees the deal no more.
    fn visible(scope: Scope) -> Condition {
        with_partner(scope, deals_of)
    }
}

impl Versioned for deal::Entity {
    const VERSION: Self::Column = deal::Column::Version;
    const UPDATED_AT: Option<Self::Column> = Some(deal::Column::UpdatedAt);
}

/// The registrations that a scope shows: a partner's own.
#[must_use]
pub fn visible_registrations(scope: Scope) -> Condition {
    deal_registration::Entity::visible(scope)
}

/// The deals that a scope shows.
#[must_use]
pub fn visible_deals(scope: Scope) -> Condition {
    deal::Entity::visible(scope)
}

/// The deals of [`visible_deals`] as selects that are served by an index each.
#[must_use]
pub fn deals(scope: Scope) -> Vec<Select<deal::Entity>> {
    match scope {
        Scope::All | Scope::Nothing => vec![deal::Entity::find().filter(visible_deals(scope))],
        Scope::Partner(partner) => deals_with(partner),
    }
}

/// The deals that a partner owns, and those that it is a live participant of.
#[must_use]
pub fn deals_with(partner: PartnerId) -> Vec<Select<deal::Entity>> {
    let owned = deal::Entity::find().filter(deal::Column::PartnerId.eq(partner));
    let to_participant = deal::Entity::belongs_to(deal_participant::Entity)
        .from(deal::Column::Id)
        .to(deal_participant::Column::DealId)
        .into();
    // A partner with two roles on a deal is on it once.
    let joined = deal::Entity::find()
        .distinct()
        .join(JoinType::InnerJoin, to_participant)
        .filter(deal_participant::Column::PartnerId.eq(partner))
        .filter(live_participants());
    vec![owned, joined]
}

/// The deals that a partner owns or is a live participant of.
#[must_use]
pub fn deals_of(partner: PartnerId) -> Condition {
    let joined = deal_participant::Entity::find()
        .select_only()
        .column(deal_participant::Column::DealId)
        .filter(deal_participant::Column::PartnerId.eq(partner))
        .filter(live_participants());
    Condition::any()
        .add(deal::Column::PartnerId.eq(partner))
        .add(deal::Column::Id.in_subquery(joined.into_query()))
}

/// The registration that a deal was created from, if any.
pub fn registration_of(deal: DealId) -> Select<deal_registration::Entity> {
    deal_registration::Entity::find().filter(deal_registration::Column::DealId.eq(deal))
}

/// How many registrations of a partner in a programme hold a place.
///
/// # Errors
/// The database failed.
pub async fn open_registrations(tx: &Tx, program: ProgramId, partner: PartnerId) -> Result<u64> {
    let open = RegistrationStatus::iter().filter(|status| status.holds_place());
    Ok(deal_registration::Entity::find()
        .filter(deal_registration::Column::PartnerId.eq(partner))
        .filter(deal_registration::Column::ProgramId.eq(program))
        .filter(deal_registration::Column::Status.is_in(open))
        .count(tx)
        .await?)
}

/// The places held at any of these customers for any of these families.
///
/// # Errors
/// The database failed.
pub async fn held_places(
    tx: &Tx,
    customers: impl IntoIterator<Item = CustomerId>,
    families: &BTreeSet<ProductFamilyId>,
) -> Result<Vec<protection::Model>> {
    let held = Condition::any()
        .add(protection::Column::Status.eq(ProtectionStatus::Pending))
        .add(protection::Column::ExpiresAt.gt(tx.now()));
    Ok(protection::Entity::find()
        .filter(protection::Column::CustomerId.is_in(customers))
        .filter(protection::Column::FamilyId.is_in(families.iter().copied()))
        .filter(protection::Column::Status.ne(ProtectionStatus::Ended))
        .filter(held)
        .order_by_asc(protection::Column::Id)
        .all(tx)
        .await?)
}

/// The families for which a registration holds a place.
///
/// # Errors
/// The database failed.
pub async fn held_families(
    tx: &Tx,
    registration: DealRegistrationId,
) -> Result<BTreeSet<ProductFamilyId>> {
    let places = protection::Entity::find()
        .filter(protection::Column::RegistrationId.eq(registration))
        .filter(protection::Column::Status.ne(ProtectionStatus::Ended))
        .all(tx)
        .await?;
    Ok(places.into_iter().map(|place| place.family_id).collect())
}

/// Registrations whose protection is over and not yet ended, locked, at most [`CHUNK`]; of one customer, or of all.
///
/// # Errors
/// The database failed.
pub async fn lock_overdue(
    tx: &Tx,
    customer: Option<CustomerId>,
) -> Result<Vec<deal_registration::Model>> {
    let ended = protection::Entity::find()
        .select_only()
        .column(protection::Column::RegistrationId)
        .filter(protection::Column::Status.eq(ProtectionStatus::Active))
        .filter(protection::Column::ExpiresAt.lte(tx.now()))
        .apply_if(customer, |select, customer| {
            select.filter(protection::Column::CustomerId.eq(customer))
        });
    Ok(deal_registration::Entity::find()
        .filter(deal_registration::Column::Id.in_subquery(ended.into_query()))
        .filter(deal_registration::Column::Status.eq(RegistrationStatus::Approved))
        .filter(deal_registration::Column::ProtectedUntil.lte(tx.now()))
        .order_by_asc(deal_registration::Column::Id)
        .limit(chunk())
        .lock_exclusive()
        .all(tx)
        .await?)
}

/// [`CHUNK`] as SeaORM counts rows.
pub(super) fn chunk() -> u64 {
    u64::try_from(CHUNK).unwrap_or(u64::MAX)
}

/// Registrations whose next reminder is due, locked, at most [`CHUNK`].
///
/// # Errors
/// The database failed.
pub async fn lock_reminders(tx: &Tx) -> Result<Vec<deal_registration::Model>> {
    Ok(deal_registration::Entity::find()
        .filter(deal_registration::Column::ReminderDueAt.lte(tx.now()))
        .filter(deal_registration::Column::Status.eq(RegistrationStatus::Approved))
        .order_by_asc(deal_registration::Column::Id)
        .limit(chunk())
        .lock_exclusive()
        .all(tx)
        .await?)
}

/// The products of a registration.
///
/// # Errors
/// The database failed.
pub async fn registered_products(
    tx: &Tx,
    registration: DealRegistrationId,
) -> Result<Vec<deal_registration_product::Model>> {
    Ok(deal_registration_product::Entity::find()
        .filter(deal_registration_product::Column::RegistrationId.eq(registration))
        .order_by_asc(deal_registration_product::Column::ProductId)
        .all(tx)
        .await?)
}

/// The moves of a deal, earliest first.
///
/// # Errors
/// The database failed.
pub async fn stage_log(tx: &Tx, deal: DealId) -> Result<Vec<deal_stage_change::Model>> {
    Ok(deal_stage_change::Entity::find()
        .filter(deal_stage_change::Column::DealId.eq(deal))
        .order_by_asc(deal_stage_change::Column::At)
        .order_by_asc(deal_stage_change::Column::Id)
        .all(tx)
        .await?)
}

/// Open deals of one stage and currency together.
#[derive(Clone, Debug, FromQueryResult)]
pub struct StageSum {
    /// The rules that say what the stage is worth.
    pub program_version_id: ProgramVersionId,
    /// The stage.
    pub stage: String,
    /// The currency.
    pub currency: Currency,
    /// How many deals.
    pub deals: i64,
    /// Their value in minor units.
    pub total: i64,
}

/// The open deals that a scope shows and a filter keeps, summed by stage and currency.
///
/// # Errors
/// The database failed.
pub async fn open_pipeline<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    filter: Condition,
) -> Result<Vec<StageSum>> {
    Ok(deal::Entity::find()
        .select_only()
        .column(deal::Column::ProgramVersionId)
        .column(deal::Column::Stage)
        .column(deal::Column::Currency)
        .column_as(deal::Column::Id.count(), "deals")
        .column_as(Expr::cust("CAST(SUM(value_minor) AS BIGINT)"), "total")
        .filter(visible_deals(scope))
        .filter(filter)
        .filter(deal::Column::Status.eq(SalesStatus::Open))
        .group_by(deal::Column::ProgramVersionId)
        .group_by(deal::Column::Stage)
        .group_by(deal::Column::Currency)
        .into_model()
        .all(db)
        .await?)
}

/// When a deal last moved, or when it was opened.
///
/// # Errors
/// The database failed.
pub async fn last_move_at(tx: &Tx, deal: &deal::Model) -> Result<DateTime<Utc>> {
    Ok(stage_log(tx, deal.id)
        .await?
        .last()
        .map_or(deal.opened_at, |last| last.at.max(deal.opened_at)))
}
