//! Commission lines in the API.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Description, ID, Object, dataloader::Loader};
use sea_orm::{EntityTrait, QueryFilter, Select};

use super::IncentivePlan;
use crate::{
    access::Action,
    attribution::graphql::CreditOf,
    connection,
    deals::graphql::Deal,
    entity::{
        accrual::{self, AccrualKind},
        deal,
        ids::{DealId, PayoutId},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, Objects,
        context::{LoadError, Rows},
        errors::top_level,
        paging::{self, Below, Direction, PageArgs, Sort},
        scalars::{DateTime, Decimal, Money, percent},
    },
    incentives::{store, terms::ComponentKind},
    partners::graphql::Partner,
    platform::{
        ids::TypedId,
        money::{proportion, sum},
        ppm::Ppm,
    },
};

/// A commission line: earned, held back, or taken back. Lines are only ever added. The vendor sees all; a partner's
/// people (not members) their own.
#[derive(Clone, Debug, Description)]
pub struct Accrual(accrual::Model);

#[Object(use_type_description)]
impl Accrual {
    /// The object's id.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The id of the deal that it was earned on.
    fn deal_id(&self) -> ID {
        self.0.deal_id.into()
    }

    /// The deal that it was earned on; null when you may not see it, such as a partner that took no part but had
    /// influence.
    async fn deal(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Deal>> {
        ctx.object(self.0.deal_id).await
    }

    /// The plan that pays it.
    async fn plan(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<IncentivePlan>> {
        IncentivePlan::load(ctx, self.0.plan_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// What the component of the plan pays for.
    async fn component(&self, ctx: &Context<'_>) -> async_graphql::Result<ComponentKind> {
        self.component_kind(ctx).await.map_err(top_level)
    }

    /// What the line is.
    fn kind(&self) -> AccrualKind {
        self.0.kind
    }

    /// Whose it is.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.partner_id).await
    }

    /// The amount; negative for what was taken back.
    fn amount(&self) -> Money {
        Money::minor(self.0.amount_minor, self.0.currency)
    }

    /// The pool that was divided among the partners; of a VOLUME_REBATE, which is the partner's alone, the whole rebate of
    /// the period up to this line.
    fn pool(&self) -> Money {
        Money::minor(self.0.pool_minor, self.0.currency)
    }

    /// The partner's share of the pool in percent with up to four decimals: by its credit, or by the role it holds.
    async fn share(&self, ctx: &Context<'_>) -> async_graphql::Result<Decimal> {
        self.share_of_pool(ctx)
            .await
            .map(percent)
            .map_err(top_level)
    }

    /// When it was earned: when the deal was won, or the refund happened.
    fn earned_at(&self) -> DateTime {
        DateTime(self.0.earned_at)
    }

    /// From when on it can be paid. What was taken back counts from the refund on; as far as it is taken from a holdback of
    /// the same deal, from the day on which that becomes available.
    fn available_at(&self) -> DateTime {
        DateTime(self.0.available_at)
    }

    /// The id of the payout that pays it; null while none does.
    fn payout_id(&self) -> Option<ID> {
        self.0.payout_id.map(ID::from)
    }
}

impl Accrual {
    async fn component_kind(&self, ctx: &Context<'_>) -> Result<ComponentKind> {
        let plan = IncentivePlan::load(ctx, self.0.plan_id).await?;
        let place = usize::try_from(self.0.component).unwrap_or(usize::MAX);
        let kind = plan.and_then(|plan| {
            plan.0
                .terms
                .components
                .get(place)
                .map(|component| component.kind)
        });
        kind.ok_or_else(|| Error::internal(format!("the line {} has no component", self.0.id)))
    }

    async fn share_of_pool(&self, ctx: &Context<'_>) -> Result<Ppm> {
        let kind = self.component_kind(ctx).await?;
        if kind == ComponentKind::VolumeRebate {
            return Ok(Ppm::WHOLE);
        }
        if kind == ComponentKind::InfluencePool {
            let credit = ctx.loaders().load_one(CreditOf(self.0.deal_id)).await;
            let credit = credit.map_err(|error| Error::Internal(Box::new(error)))?;
            if let Some(share) = credit.and_then(|credit| credit.share_of(self.0.partner_id)) {
                return Ok(share);
            }
        }
        let lines = lines_of(ctx, self.0.deal_id).await?;
        let earned = lines.iter().filter(|line| {
            line.kind != AccrualKind::Clawback
                && (line.plan_id, line.component, line.partner_id)
                    == (self.0.plan_id, self.0.component, self.0.partner_id)
        });
        let parts = sum(earned.map(|line| line.amount_minor))
            .and_then(|earned| proportion(Ppm::WHOLE.parts().into(), earned, self.0.pool_minor));
        let parts = parts.map_err(|error| Error::Internal(Box::new(error)))?;
        Ok(Ppm::new(
            i32::try_from(parts).map_err(|error| Error::Internal(Box::new(error)))?,
        ))
    }
}

connection!(AccrualConnection, AccrualEdge, Accrual);

/// The commission lines of a deal that the caller may see, as they were booked.
///
/// # Errors
/// `FORBIDDEN` for roles that do not read payouts; impossible paging arguments.
pub async fn accruals_for(
    ctx: &Context<'_>,
    deal: &deal::Model,
    args: PageArgs,
) -> async_graphql::Result<AccrualConnection> {
    ctx.may(Action::PayoutRead)?;
    let rows = lines_of(ctx, deal.id).await.map_err(top_level)?;
    let page = paging::cut(rows, |row| row.id.text(), &args).map_err(top_level)?;
    Ok(AccrualConnection::of(page, Accrual))
}

async fn lines_of(ctx: &Context<'_>, deal: DealId) -> Result<Vec<accrual::Model>> {
    let rows = ctx.loaders().load_one(AccrualsOf(deal)).await;
    Ok(rows
        .map_err(|error| Error::Internal(Box::new(error)))?
        .unwrap_or_default())
}

/// The commission lines that a payment pays, oldest first. Whoever may see the payment may see them.
///
/// # Errors
/// Impossible paging arguments.
pub async fn accruals_paid_by(
    ctx: &Context<'_>,
    payout: PayoutId,
    args: PageArgs,
) -> async_graphql::Result<AccrualConnection> {
    let page = paging::below(ctx, payout, PaidBy, args).await;
    Ok(AccrualConnection::of(page.map_err(top_level)?, Accrual))
}

/// The commission lines that a payment pays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PaidBy;

impl Below for PaidBy {
    type Entity = accrual::Entity;

    fn parent() -> accrual::Column {
        accrual::Column::PayoutId
    }

    fn sort() -> Sort<accrual::Column> {
        Sort {
            column: None,
            id: accrual::Column::Id,
            direction: Direction::Asc,
        }
    }

    fn rows(&self, rows: &Rows) -> Select<accrual::Entity> {
        accrual::Entity::find().filter(store::visible_accruals(rows.scope()))
    }
}

/// The commission lines of a deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccrualsOf(pub DealId);

impl Loader<AccrualsOf> for Rows {
    type Value = Vec<accrual::Model>;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[AccrualsOf],
    ) -> Result<HashMap<AccrualsOf, Self::Value>, LoadError> {
        let deals: Vec<DealId> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<AccrualsOf, Self::Value> =
            keys.iter().map(|key| (*key, Vec::new())).collect();
        for row in store::accruals(&self.db, self.scope(), &deals)
            .await
            .map_err(Arc::new)?
        {
            found.entry(AccrualsOf(row.deal_id)).or_default().push(row);
        }
        Ok(found)
    }
}
