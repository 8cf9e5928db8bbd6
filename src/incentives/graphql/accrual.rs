//! Commission lines in the API.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Description, ID, Object, dataloader::Loader};

use super::IncentivePlan;
use crate::{
    attribution::graphql::CreditOf,
    connection,
    entity::{accrual, deal, ids::DealId},
    error::{Error, Result},
    graphql::{
        ContextExt,
        context::{LoadError, Rows},
        errors::top_level,
        paging::{self, PageArgs},
        scalars::{DateTime, Decimal, Money, percent},
    },
    identity::Action,
    incentives::{AccrualKind, store, terms::ComponentKind},
    partners::graphql::Partner,
    platform::{ids::TypedId, money::proportion, ppm::Ppm},
};

/// A commission line: earned, held back, or taken back. Lines are only ever added. The vendor sees all; a partner's
/// people (not members) their own.
#[derive(Clone, Debug, Description)]
pub struct Accrual {
    row: accrual::Model,
    /// What the partner earned from the component altogether, held back or not.
    earned_minor: i64,
}

#[Object(use_type_description)]
impl Accrual {
    /// The object's id.
    async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The plan that pays it.
    async fn plan(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<IncentivePlan>> {
        IncentivePlan::load(ctx, self.row.plan_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// What the component of the plan pays for.
    async fn component(&self, ctx: &Context<'_>) -> async_graphql::Result<ComponentKind> {
        self.component_kind(ctx).await.map_err(top_level)
    }

    /// What the line is.
    async fn kind(&self) -> AccrualKind {
        self.row.kind
    }

    /// Whose it is.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        Partner::load(ctx, self.row.partner_id)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// The amount; negative for what was taken back.
    async fn amount(&self) -> Money {
        Money::minor(self.row.amount_minor, self.row.currency)
    }

    /// The pool that was divided among the partners.
    async fn pool(&self) -> Money {
        Money::minor(self.row.pool_minor, self.row.currency)
    }

    /// The partner's share of the pool in percent with up to four decimals: by its credit, or by the role it holds.
    async fn share(&self, ctx: &Context<'_>) -> async_graphql::Result<Decimal> {
        self.share_of_pool(ctx)
            .await
            .map(percent)
            .map_err(top_level)
    }

    /// When it was earned: when the deal was won, or the refund happened.
    async fn earned_at(&self) -> DateTime {
        DateTime(self.row.earned_at)
    }

    /// From when on it can be paid.
    async fn available_at(&self) -> DateTime {
        DateTime(self.row.available_at)
    }

    /// The id of the payout that pays it; null while none does.
    async fn payout_id(&self) -> Option<ID> {
        self.row.payout_id.map(ID::from)
    }
}

impl Accrual {
    async fn component_kind(&self, ctx: &Context<'_>) -> Result<ComponentKind> {
        let plan = IncentivePlan::load(ctx, self.row.plan_id).await?;
        let place = usize::try_from(self.row.component).unwrap_or(usize::MAX);
        let kind = plan.and_then(|plan| {
            plan.0
                .terms
                .components
                .get(place)
                .map(|component| component.kind)
        });
        kind.ok_or_else(|| Error::internal(format!("the line {} has no component", self.row.id)))
    }

    async fn share_of_pool(&self, ctx: &Context<'_>) -> Result<Ppm> {
        if self.component_kind(ctx).await? == ComponentKind::InfluencePool {
            let credit = ctx.loaders().load_one(CreditOf(self.row.deal_id)).await;
            let credit = credit.map_err(|error| Error::Internal(Box::new(error)))?;
            if let Some(share) = credit.and_then(|credit| credit.share_of(self.row.partner_id)) {
                return Ok(share);
            }
        }
        let parts = proportion(
            Ppm::WHOLE.parts().into(),
            self.earned_minor,
            self.row.pool_minor,
        );
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
    let rows = ctx
        .loaders()
        .load_one(AccrualsOf(deal.id))
        .await
        .map_err(top_level)?
        .unwrap_or_default();
    let mut earned: HashMap<_, i64> = HashMap::new();
    for row in rows.iter().filter(|row| row.kind != AccrualKind::Clawback) {
        *earned
            .entry((row.plan_id, row.component, row.partner_id))
            .or_default() += row.amount_minor;
    }
    let page = paging::cut(rows, |row| row.id.text(), &args).map_err(top_level)?;
    Ok(AccrualConnection::of(page, |row| {
        let earned_minor = earned
            .get(&(row.plan_id, row.component, row.partner_id))
            .copied()
            .unwrap_or_default();
        Accrual { row, earned_minor }
    }))
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
        let mut found: HashMap<AccrualsOf, Self::Value> = HashMap::new();
        for row in store::accruals(&self.db, self.scope(), &deals)
            .await
            .map_err(Arc::new)?
        {
            found.entry(AccrualsOf(row.deal_id)).or_default().push(row);
        }
        Ok(found)
    }
}
