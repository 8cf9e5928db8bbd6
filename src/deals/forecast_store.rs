//! Sums of deals for a forecast, always under the caller's scope: the database adds up, whatever the number of deals.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, FromQueryResult,
    JoinType, QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Alias, CaseStatement, Expr, Func, SimpleExpr, UnionType},
};

use super::{
    pipeline::Grouping,
    store::{live_participants, visible_deals},
};
use crate::{
    access::Scope,
    entity::{
        customer, deal, deal_participant, enrollment,
        ids::{PartnerId, ProgramVersionId},
    },
    error::Result,
    platform::{calendar::Offset, money::Currency},
};

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

/// Deals of one version of rules, stage, currency, day and group together.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Sum {
    /// The rules that say what the stage is worth.
    pub program_version_id: ProgramVersionId,
    /// The stage.
    pub stage: String,
    /// The currency of the values.
    pub currency: Currency,
    /// The day whose rate counts; none for the currency that is asked for.
    pub rate_day: Option<NaiveDate>,
    /// The owner, when grouped by it.
    pub owner: Option<PartnerId>,
    /// The group, when grouped by something else.
    pub group_key: Option<String>,
    /// How many deals.
    pub deals: i64,
    /// The sum of their values less refunds, in whole millions of minor units each ...
    pub millions: i64,
    /// ... and the sum of what is left: together they do not overflow.
    pub units: i64,
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
        .filter(shown(scope))
        .filter(filter)
        .group_by(deal::Column::ProgramVersionId)
        .group_by(deal::Column::Currency)
        .into_model()
        .all(db)
        .await?)
}

/// The same deals as [`visible_deals`], found by their ids: two index look-ups instead of a condition on every deal.
fn shown(scope: Scope) -> Condition {
    let Scope::Partner(partner) = scope else {
        return visible_deals(scope);
    };
    let mut ids = deal::Entity::find()
        .select_only()
        .column(deal::Column::Id)
        .filter(deal::Column::PartnerId.eq(partner))
        .into_query();
    let joined = deal_participant::Entity::find()
        .select_only()
        .column(deal_participant::Column::DealId)
        .filter(deal_participant::Column::PartnerId.eq(partner))
        .filter(live_participants());
    ids.union(UnionType::Distinct, joined.into_query());
    Condition::all().add(deal::Column::Id.in_subquery(ids))
}

/// How deals are put together.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Deals in this currency are put together whatever their day.
    pub target: Currency,
    /// By what, beside rules, stage, currency and day.
    pub grouping: Option<Grouping>,
    /// The offsets of the time zones in which days are counted, by versions of rules; the last ones hold for all others.
    pub zones: &'a [(Vec<ProgramVersionId>, Vec<Offset>)],
}

/// Adds up the deals that a scope shows and a filter keeps.
///
/// # Errors
/// The database failed.
pub async fn sums<C: ConnectionTrait>(
    db: &C,
    scope: Scope,
    filter: Condition,
    terms: Terms<'_>,
) -> Result<Vec<Sum>> {
    use deal::Column as D;
    let backend = db.get_database_backend();
    let sum = |part: &str| {
        Expr::cust(format!(
            "CAST(SUM((deal.value_minor - deal.refunded_minor) {part} 1000000) AS BIGINT)"
        ))
    };
    let to_customer = deal::Entity::belongs_to(customer::Entity)
        .from(D::CustomerId)
        .to(customer::Column::Id)
        .into();
    let to_enrollment = deal::Entity::belongs_to(enrollment::Entity)
        .from((D::ProgramId, D::PartnerId))
        .to((enrollment::Column::ProgramId, enrollment::Column::PartnerId))
        .into();
    let select = deal::Entity::find()
        .select_only()
        .columns([D::ProgramVersionId, D::Stage, D::Currency])
        .column_as(D::Id.count(), "deals")
        .expr_as(sum("/"), "millions")
        .expr_as(sum("%"), "units")
        .expr_as(rate_day(backend, terms), "rate_day")
        .expr_as(owner(terms.grouping), "owner")
        .expr_as(group_key(backend, terms.grouping), "group_key")
        .filter(shown(scope))
        .filter(filter)
        .group_by(D::ProgramVersionId)
        .group_by(D::Stage)
        .group_by(D::Currency)
        .group_by(Expr::col(Alias::new("rate_day")));
    let select = match terms.grouping {
        None => select,
        Some(Grouping::Partner) => select.group_by(Expr::col(Alias::new("owner"))),
        Some(Grouping::Quarter) => select.group_by(Expr::col(Alias::new("group_key"))),
        Some(Grouping::Country) => select
            .join(JoinType::LeftJoin, to_customer)
            .group_by(Expr::col(Alias::new("group_key"))),
        // A partner's people do not learn the tiers of others.
        Some(Grouping::Tier) => select
            .join(JoinType::LeftJoin, to_enrollment)
            .group_by(Expr::col(Alias::new("owner")))
            .group_by(Expr::col(Alias::new("group_key"))),
    };
    Ok(select.into_model().all(db).await?)
}

fn owner(grouping: Option<Grouping>) -> SimpleExpr {
    match grouping {
        Some(Grouping::Partner | Grouping::Tier) => {
            Expr::col(deal::Column::PartnerId.as_column_ref())
        }
        _ => Expr::cust("CAST(NULL AS uuid)"),
    }
}

fn group_key(backend: DbBackend, grouping: Option<Grouping>) -> SimpleExpr {
    match grouping {
        Some(Grouping::Country) => Expr::col(customer::Column::Country.as_column_ref()),
        Some(Grouping::Tier) => Expr::col(enrollment::Column::Tier.as_column_ref()),
        Some(Grouping::Quarter) if backend == DbBackend::Postgres => {
            Expr::cust("to_char(deal.expected_close_on, 'YYYY\"-Q\"Q')")
        }
        Some(Grouping::Quarter) => Expr::cust(
            "substr(deal.expected_close_on, 1, 4) || '-Q' || \
             ((CAST(substr(deal.expected_close_on, 6, 2) AS INTEGER) + 2) / 3)",
        ),
        Some(Grouping::Partner) | None => Expr::cust("CAST(NULL AS text)"),
    }
}

/// The day of the close, or else of the opening, in the time zone of the rules.
fn rate_day(backend: DbBackend, terms: Terms<'_>) -> SimpleExpr {
    use deal::Column as D;
    let at = || {
        Func::coalesce([
            Expr::col(D::ClosedAt.as_column_ref()),
            Expr::col(D::OpenedAt.as_column_ref()),
        ])
    };
    let shift = |seconds: i32| match backend {
        DbBackend::Postgres => Expr::cust(format!("interval '{seconds} seconds'")),
        _ => Expr::cust(format!("'{seconds:+} seconds'")),
    };
    let of_zone = |offsets: &[Offset]| {
        let last = offsets.last().map_or(0, |offset| offset.seconds);
        let earlier = offsets.iter().zip(offsets.iter().skip(1));
        let mut case = CaseStatement::new();
        let mut changes = false;
        for (offset, next) in earlier {
            changes = true;
            case = case.case(Expr::expr(at()).lt(next.from), shift(offset.seconds));
        }
        if changes {
            case.finally(shift(last)).into()
        } else {
            shift(last)
        }
    };
    let shift = match terms.zones {
        [] => shift(0),
        [(_, only)] => of_zone(only),
        [others @ .., (_, last)] => others
            .iter()
            .fold(CaseStatement::new(), |case, (versions, offsets)| {
                case.case(
                    D::ProgramVersionId.is_in(versions.iter().copied()),
                    of_zone(offsets),
                )
            })
            .finally(of_zone(last))
            .into(),
    };
    let day = match backend {
        DbBackend::Postgres => Expr::cust_with_exprs(
            "CAST(($1 AT TIME ZONE 'UTC') + $2 AS date)",
            [at().into(), shift],
        ),
        _ => Expr::cust_with_exprs("date(?, ?)", [at().into(), shift]),
    };
    CaseStatement::new()
        .case(D::Currency.ne(terms.target), day)
        .finally(Expr::cust("NULL"))
        .into()
}
