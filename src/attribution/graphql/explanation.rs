//! The explanation of credit in the API.

use async_graphql::{Context, Description, ID, Object};
use sea_orm::Iterable;

use super::{Attribution, Touchpoint, deal};
use crate::{
    access::Action,
    attribution::{
        countable::Exclusion,
        explain::{self, Case, Explanation, Judged, Part},
        formula,
    },
    deals::graphql::Deal,
    entity::attribution_run::{AttributionBasis, AttributionModel},
    error::{Error, Result},
    graphql::{
        ContextExt, List, Objects, Shown,
        errors::top_level,
        scalars::{DateTime, Decimal, Money, percent},
    },
    partners::graphql::Partner,
    platform::money::Currency,
};

/// Why credit for a deal is what it is.
#[derive(Clone, Debug, Description)]
pub struct AttributionExplanation {
    case: Case,
    told: Explanation,
    compares: bool,
}

#[Object(use_type_description)]
impl AttributionExplanation {
    /// The deal.
    async fn deal(&self) -> Deal {
        Deal::of_row(self.case.deal.clone())
    }

    /// The programme's official model.
    fn model(&self) -> AttributionModel {
        self.told.model
    }

    /// Whether this is what the deal would give if it were won now; otherwise the stored credit is explained.
    fn forecast(&self) -> bool {
        self.told.run.is_none()
    }

    /// What the credit was computed from.
    fn basis(&self) -> AttributionBasis {
        self.told.basis
    }

    /// The instant up to which facts are taken into account: of the stored computation, or now.
    fn as_of(&self) -> DateTime {
        DateTime(self.told.as_of)
    }

    /// The formula in words, with the programme's numbers.
    fn formula(&self) -> &str {
        &self.told.formula
    }

    /// The sum of all weights, of all partners and the vendor, such as `1.75`; at most 12 decimals.
    fn total_weight(&self) -> Decimal {
        Decimal(self.told.total_weight.clone())
    }

    /// The value of the deal, of which the amounts are parts.
    fn value(&self) -> Money {
        Money::minor(self.case.deal.value_minor, self.case.deal.currency)
    }

    /// The parts that you may see: a partner's people their own (with share 0 if it has none), the vendor's people
    /// all. At most 25.
    #[graphql(directive = crate::graphql::cost::list_size::apply(5, None))]
    async fn credits(&self) -> List<ExplainedCredit> {
        let part = |part: &Part| ExplainedCredit {
            part: part.clone(),
            total_weight: self.told.total_weight.clone(),
            others: self.told.others,
            currency: self.case.deal.currency,
        };
        self.told.parts.iter().map(part).collect()
    }

    /// How many other partners have a part, without their names; 0 for the vendor's people, who see them all.
    fn other_partner_count(&self) -> i32 {
        i32::try_from(self.told.others).unwrap_or(i32::MAX)
    }

    /// The same in words: `2 other partners`.
    fn other_partners(&self) -> String {
        formula::others(self.told.others)
    }

    /// What every model would give on the same facts; at most 8. Null for those who may not compare, partners among
    /// them. That of the official model equals the stored credit.
    #[graphql(directive = crate::graphql::cost::list_size::apply(8, None))]
    async fn what_if(&self) -> Option<async_graphql::Result<List<Attribution>>> {
        let compared = || {
            AttributionModel::iter()
                .map(|model| Attribution::compared(&self.case, model))
                .collect::<Result<List<_>>>()
        };
        self.compares.then(|| compared().map_err(top_level))
    }
}

/// The part of one partner, or of the vendor, explained.
#[derive(Clone, Debug, Description)]
pub struct ExplainedCredit {
    part: Part,
    total_weight: String,
    others: usize,
    currency: Currency,
}

#[Object(use_type_description)]
impl ExplainedCredit {
    /// Whose part; null is what stays with the vendor.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.part.partner?).await
    }

    /// The weight, such as `0.5` of a total of `1.75`; at most 12 decimals.
    fn weight(&self) -> Decimal {
        Decimal(self.part.weight.clone())
    }

    /// The share in percent with up to four decimals.
    fn share(&self) -> Decimal {
        percent(self.part.share)
    }

    /// The part of the deal's value.
    fn amount(&self) -> Money {
        Money::minor(self.part.amount_minor, self.currency)
    }

    /// The sum in words: `0.5 ÷ 1.75 = 28.5714 %, beside 2 other partners`.
    fn text(&self) -> String {
        let Part { weight, share, .. } = &self.part;
        let beside = match self.others {
            0 => String::new(),
            others => format!(", beside {}", formula::others(others)),
        };
        format!("{weight} ÷ {} = {share} %{beside}", self.total_weight)
    }

    /// The touchpoints that were looked at, by time; the 200 latest where there are more. At most 200.
    #[graphql(directive = crate::graphql::cost::list_size::apply(10, None))]
    async fn touchpoints(&self) -> List<ExplainedTouchpoint> {
        let rows = &self.part.touchpoints;
        rows.iter()
            .skip(rows.len().saturating_sub(200))
            .cloned()
            .map(ExplainedTouchpoint)
            .collect()
    }
}

/// A touchpoint and what became of it in the computation.
#[derive(Clone, Debug, Description)]
pub struct ExplainedTouchpoint(Judged);

#[Object(use_type_description)]
impl ExplainedTouchpoint {
    /// The touchpoint.
    async fn touchpoint(&self) -> Touchpoint {
        Touchpoint::of_row(self.0.row.clone())
    }

    /// Whether it counts.
    fn counted(&self) -> bool {
        self.0.exclusion.is_none()
    }

    /// Why it does not count; null if it does.
    fn exclusion(&self) -> Option<Exclusion> {
        self.0.exclusion
    }

    /// Its own weight; null if it does not count or the credit goes by roles.
    fn weight(&self) -> Option<Decimal> {
        self.0.weight.clone().map(Decimal)
    }
}

pub(super) async fn read(
    ctx: &Context<'_>,
    id: &ID,
) -> async_graphql::Result<AttributionExplanation> {
    ctx.may(Action::AttributionRead)?;
    let deal = deal(ctx, id).await.map_err(top_level)?.0;
    let now = ctx.app().clock().now();
    let case = explain::cases(ctx.db(), std::slice::from_ref(&deal), now)
        .await
        .map_err(top_level)?
        .pop();
    let case = case.ok_or_else(|| top_level(Error::internal("a deal without rules")))?;
    let told = case.explain(ctx.actor().partner_id()).map_err(top_level)?;
    let compares = ctx.actor().can(Action::AttributionCompare);
    Ok(AttributionExplanation {
        case,
        told,
        compares,
    })
}
