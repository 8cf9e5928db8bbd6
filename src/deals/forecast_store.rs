//! Rows of deals for a forecast, always under the caller's scope.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};

use super::store::visible_deals;
use crate::{
    entity::{
        customer, deal, enrollment,
        ids::{DealId, PartnerId, ProgramVersionId},
    },
    error::Result,
    identity::Scope,
    platform::money::Currency,
};

/// How many deals one statement of a forecast reads.
const PAGE: u64 = 5_000;

/// Which rules, currencies and times occur among the deals of a forecast.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Extent {
    /// The rules.
    pub program_version_id: ProgramVersionId,
    /// The currency.
    pub currency: Currency,
    /// The earliest close, or opening where a deal is open.
    pub first_at: DateTime<Utc>,
    /// The latest.
    pub last_at: DateTime<Utc>,
}

/// A deal as a forecast reads it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct ForecastRow {
    /// The deal.
    pub id: DealId,
    /// The rules that say what the stage is worth.
    pub program_version_id: ProgramVersionId,
    /// Its owner.
    pub partner_id: Option<PartnerId>,
    /// The stage.
    pub stage: String,
    /// Its value in minor units.
    pub value_minor: i64,
    /// The currency of the value.
    pub currency: Currency,
    /// When it is expected to close.
    pub expected_close_on: Option<NaiveDate>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was closed.
    pub closed_at: Option<DateTime<Utc>>,
    /// The country of the customer.
    pub country: Option<String>,
    /// The tier of the owner in the programme of the deal.
    pub tier: Option<String>,
}

/// What occurs among the deals that a scope shows and a filter keeps.
///
/// # Errors
/// The database failed.
pub async fn extents<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    filter: Condition,
) -> Result<Vec<Extent>> {
    let day = |end: &str| Expr::cust(format!("{end}(COALESCE(closed_at, opened_at))"));
    Ok(deal::Entity::find()
        .select_only()
        .column(deal::Column::ProgramVersionId)
        .column(deal::Column::Currency)
        .column_as(day("MIN"), "first_at")
        .column_as(day("MAX"), "last_at")
        .filter(visible_deals(scope))
        .filter(filter)
        .group_by(deal::Column::ProgramVersionId)
        .group_by(deal::Column::Currency)
        .into_model()
        .all(db)
        .await?)
}

/// The next deals behind one, by id; none when there are no more.
///
/// # Errors
/// The database failed.
pub async fn next<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    filter: Condition,
    behind: Option<DealId>,
) -> Result<Vec<ForecastRow>> {
    use deal::Column as D;
    let to_customer = deal::Entity::belongs_to(customer::Entity)
        .from(D::CustomerId)
        .to(customer::Column::Id)
        .into();
    let to_enrollment = deal::Entity::belongs_to(enrollment::Entity)
        .from((D::ProgramId, D::PartnerId))
        .to((enrollment::Column::ProgramId, enrollment::Column::PartnerId))
        .into();
    Ok(deal::Entity::find()
        .select_only()
        .columns([
            D::Id,
            D::ProgramVersionId,
            D::PartnerId,
            D::Stage,
            D::ValueMinor,
            D::Currency,
            D::ExpectedCloseOn,
            D::OpenedAt,
            D::ClosedAt,
        ])
        .column(customer::Column::Country)
        .column(enrollment::Column::Tier)
        .join(JoinType::LeftJoin, to_customer)
        .join(JoinType::LeftJoin, to_enrollment)
        .filter(visible_deals(scope))
        .filter(filter)
        .apply_if(behind, |select, behind| select.filter(D::Id.gt(behind)))
        .order_by_asc(D::Id)
        .limit(PAGE)
        .into_model()
        .all(db)
        .await?)
}
