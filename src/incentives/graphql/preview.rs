//! What a deal would pay, in the API.

use std::{collections::BTreeSet, str::FromStr};

use async_graphql::{Context, Description, ID, InputObject, Object};

use super::IncentivePlan;
use crate::{
    access::Action,
    deals::graphql::Deal,
    entity::{
        accrual::AccrualKind, deal::DealBusiness, deal_participant::ParticipantRole, ids::PartnerId,
    },
    error::{Error, Faults, Refusal, Result},
    graphql::{
        ContextExt, List, Objects, Shown,
        context::id,
        errors::top_level,
        scalars::{DateTime, Decimal, Money, MoneyInput},
    },
    incentives::{
        preview::{self, Expected, Imagined},
        terms::ComponentKind,
    },
    partners::graphql::Partner,
    platform::{
        money::{Currency, sum},
        ppm::Ppm,
    },
    programs::rules,
};

/// What a deal would pay.
#[derive(Clone, Debug, Description)]
pub struct PayoutPreview {
    currency: Currency,
    lines: Vec<Expected>,
}

#[Object(use_type_description)]
impl PayoutPreview {
    /// All lines together.
    fn total(&self) -> async_graphql::Result<Money> {
        let total = sum(self.lines.iter().map(|expected| expected.line.amount_minor));
        let total = total.map_err(|error| top_level(Error::Internal(Box::new(error))))?;
        Ok(Money::minor(total, self.currency))
    }

    /// The lines, by plan and component. At most 150.
    #[graphql(directive = crate::graphql::cost::list_size::apply(10, None))]
    async fn lines(&self) -> List<PayoutPreviewLine> {
        self.lines
            .iter()
            .take(150)
            .cloned()
            .map(PayoutPreviewLine)
            .collect()
    }
}

/// One line that would be paid.
#[derive(Clone, Debug, Description)]
pub struct PayoutPreviewLine(Expected);

#[Object(use_type_description)]
impl PayoutPreviewLine {
    /// The plan that would pay it.
    async fn plan(&self) -> IncentivePlan {
        IncentivePlan(self.0.plan.clone())
    }

    /// What the component of the plan pays for.
    fn component(&self) -> ComponentKind {
        self.0.component
    }

    /// What the line is: paid at once, or held back.
    fn kind(&self) -> AccrualKind {
        self.0.line.kind
    }

    /// Whose it would be; null for an imagined deal.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.0.line.partner?).await
    }

    /// The amount.
    fn amount(&self) -> Money {
        Money::minor(self.0.line.amount_minor, self.0.plan.currency)
    }

    /// The pool that would be divided, its cap applied; for a VOLUME_REBATE the rebate of the period with this deal.
    fn pool(&self) -> Money {
        Money::minor(self.0.line.pool_minor, self.0.plan.currency)
    }

    /// From when on it could be paid.
    fn available_at(&self) -> DateTime {
        DateTime(self.0.line.available_at)
    }
}

/// A deal that exists, or one that you imagine; of an imagined deal you are taken to be the leading partner.
#[derive(Clone, Debug, InputObject)]
pub struct PayoutPreviewInput {
    /// The deal; the other fields are then left out.
    deal_id: Option<ID>,
    /// The value of the imagined deal.
    value: Option<MoneyInput>,
    /// The share of its credit in percent with at most four decimals, 0 to 100; 100 when left out.
    share: Option<Decimal>,
    /// The roles one would have on it; none when left out. At most 7.
    roles: Option<Vec<ParticipantRole>>,
    /// The codes of the product families it would hold; none when left out. At most 50.
    product_families: Option<Vec<String>>,
    /// Whether it would be new business or a renewal.
    #[graphql(default)]
    business: DealBusiness,
    /// The partner whose volume so far counts for volume rebates: a partner's people leave it out or name their own.
    /// When the vendor's people leave it out, nothing was sold before.
    partner_id: Option<ID>,
    /// The programme; the only active one when left out.
    program_id: Option<ID>,
}

pub(super) async fn read(
    ctx: &Context<'_>,
    input: PayoutPreviewInput,
) -> async_graphql::Result<PayoutPreview> {
    ctx.may(Action::PlanRead)?;
    let preview = match &input.deal_id {
        Some(text) => of_deal(ctx, text).await,
        None => imagined(ctx, input).await,
    };
    preview.map_err(top_level)
}

async fn of_deal(ctx: &Context<'_>, text: &ID) -> Result<PayoutPreview> {
    let found = Deal::load(ctx, id(text)).await?;
    let deal = found.ok_or_else(|| Error::not_found("input.dealId"))?.0;
    let mut lines = preview::of_deal(ctx.db(), &deal, ctx.app().clock().now()).await?;
    let viewer: Option<PartnerId> = ctx.actor().partner_id();
    lines.retain(|expected| viewer.is_none() || expected.line.partner == viewer);
    Ok(PayoutPreview {
        currency: deal.currency,
        lines,
    })
}

async fn imagined(ctx: &Context<'_>, input: PayoutPreviewInput) -> Result<PayoutPreview> {
    let mut faults = Faults::default();
    let value = input
        .value
        .as_ref()
        .and_then(|value| value.read(&mut faults, "input.value"));
    if input.value.is_none() {
        faults.push(Refusal::input("input.value", "give a deal or a value"));
    }
    if let Some(value) = value
        && value.minor() < 0
    {
        let amount = value.currency().decimal(value.minor());
        faults.add(
            "input.value.amount",
            format!("must not be negative, found {amount}"),
        );
    }
    let share = input
        .share
        .map_or(Ok(Ppm::WHOLE), |share| Ppm::from_str(&share.0));
    let share = faults.take("input.share", share);
    if share.is_some_and(|share| share < Ppm::ZERO || share > Ppm::WHOLE) {
        faults.add("input.share", "must be from 0 to 100");
    }
    let families: BTreeSet<String> = input
        .product_families
        .unwrap_or_default()
        .into_iter()
        .collect();
    if families.len() > 50 {
        faults.add("input.productFamilies", "at most 50");
    }
    faults.check()?;
    let (Some(value), Some(share)) = (value, share) else {
        return Err(Error::internal("a missing value was not noted"));
    };
    let asked: Option<PartnerId> = input.partner_id.map(|text| id(&text));
    let named = input.program_id.map(|text| id(&text));
    let own = ctx.actor().partner_id();
    if own.is_some() && asked.is_some() && own != asked {
        return Err(Error::not_found("input.partnerId"));
    }
    let program = rules::choose(ctx.db(), named).await?;
    let deal = Imagined {
        program,
        value,
        business: input.business,
        partner: own.or(asked),
        share,
        roles: input.roles.unwrap_or_default(),
        families,
    };
    let lines = preview::imagined(ctx.db(), &deal, ctx.app().clock().now()).await?;
    Ok(PayoutPreview {
        currency: value.currency(),
        lines,
    })
}
