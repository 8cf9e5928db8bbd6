//! Influenced revenue in the API.

use async_graphql::{Context, Description, ID, Object};
use chrono::{Days, NaiveDate};

use super::partner;
use crate::{
    attribution::{
        influence::{Influenced, Report},
        influenced,
    },
    entity::ids::PartnerId,
    error::{Error, Faults, Result},
    graphql::{
        ContextExt, List, Objects,
        scalars::{CurrencyCode, Money},
    },
    partners::graphql::Partner,
    platform::money::Currency,
    programs::graphql::calendar,
};

/// Revenue that partners influenced in a period, in one currency. Values are those of the won deals less refunds.
#[derive(Clone, Debug, Description)]
pub struct InfluencedRevenue {
    currency: Currency,
    report: Report<PartnerId>,
    only: Option<PartnerId>,
}

#[Object(use_type_description)]
impl InfluencedRevenue {
    /// The currency of all amounts.
    fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.currency.to_string())
    }

    /// The values of the influenced deals, each deal counted as often as partners influenced it. Overlapping: more than
    /// what was sold. For one partner the values of its deals.
    fn full_credit(&self) -> Money {
        let total = self
            .rows()
            .map(|(_, row)| row.full_minor)
            .fold(0, i64::saturating_add);
        Money::minor(total, self.currency)
    }

    /// The partners' parts of those deals by their official credit. Additive.
    fn fractional(&self) -> Money {
        let total = self
            .rows()
            .map(|(_, row)| row.fractional_minor)
            .fold(0, i64::saturating_add);
        Money::minor(total, self.currency)
    }

    /// The values of the influenced deals, each counted once.
    fn distinct_total(&self) -> Money {
        let total = match self.only {
            None => self.report.distinct_minor,
            Some(_) => self.rows().map(|(_, row)| row.full_minor).sum(),
        };
        Money::minor(total, self.currency)
    }

    /// How many deals were influenced.
    fn deals(&self) -> i32 {
        let deals = match self.only {
            None => self.report.deals,
            Some(_) => self.rows().map(|(_, row)| row.deals).sum(),
        };
        i32::try_from(deals).unwrap_or(i32::MAX)
    }

    /// The partners that influenced most by full credit. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(25, None))]
    async fn partners(&self) -> List<PartnerInfluence> {
        let mut rows: Vec<_> = self.rows().collect();
        rows.sort_by_key(|(partner, row)| (std::cmp::Reverse(row.full_minor), *partner));
        let influence = |(partner, row)| PartnerInfluence {
            partner,
            row,
            currency: self.currency,
        };
        rows.into_iter().take(100).map(influence).collect()
    }
}

impl InfluencedRevenue {
    fn rows(&self) -> impl Iterator<Item = (PartnerId, Influenced)> {
        let wanted = |(partner, _): &(&PartnerId, &Influenced)| {
            self.only.is_none_or(|only| only == **partner)
        };
        self.report
            .partners
            .iter()
            .filter(wanted)
            .map(|(partner, row)| (*partner, *row))
    }
}

/// What one partner influenced.
#[derive(Clone, Debug, Description)]
pub struct PartnerInfluence {
    partner: PartnerId,
    row: Influenced,
    currency: Currency,
}

#[Object(use_type_description)]
impl PartnerInfluence {
    /// The partner.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.partner).await
    }

    /// The values of the deals it influenced; partners overlap.
    fn full_credit(&self) -> Money {
        Money::minor(self.row.full_minor, self.currency)
    }

    /// Its parts of those deals by their official credit; partners add up.
    fn fractional(&self) -> Money {
        Money::minor(self.row.fractional_minor, self.currency)
    }

    /// How many deals it influenced.
    fn deals(&self) -> i32 {
        i32::try_from(self.row.deals).unwrap_or(i32::MAX)
    }
}

pub(super) async fn read(
    ctx: &Context<'_>,
    (first, last): (NaiveDate, NaiveDate),
    partner_id: Option<ID>,
) -> Result<Vec<InfluencedRevenue>> {
    let only = partner(ctx, partner_id)?;
    let mut faults = Faults::default();
    if last < first {
        faults.add("periodEnd", "must not be before periodStart");
    }
    faults.check()?;
    let until = last.checked_add_days(Days::new(1));
    let calendar = calendar(ctx).await?;
    let bounds = until.and_then(|until| calendar.bounds(first, until));
    let bounds = bounds.ok_or_else(|| Error::internal("the calendar ends"))?;
    let reports = influenced::between(ctx.db(), &bounds, only).await?;
    let revenue = reports
        .into_iter()
        .map(|(currency, report)| InfluencedRevenue {
            currency,
            report,
            only,
        });
    Ok(revenue
        .filter(|revenue| revenue.rows().next().is_some())
        .collect())
}
