//! The credit of a deal in the API: the stored one, and what other models would give.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Description, Object, dataloader::Loader};
use sea_orm::Iterable;

use crate::{
    access::{Action, Scope},
    attribution::{
        computation::Outcome,
        explain::{self, Case},
        facts::out_of_bounds,
        store,
    },
    entity::{
        attribution_credit,
        attribution_run::{self, AttributionBasis, AttributionModel},
        deal,
        ids::{DealId, PartnerId},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, List, Objects,
        context::{LoadError, Rows},
        errors::top_level,
        scalars::{BigInt, DateTime, Decimal, Money, percent},
    },
    partners::graphql::Partner,
    platform::{
        money::{Currency, sum},
        ppm::Ppm,
    },
};

/// The credit of one deal by one model. Its parts sum to exactly the deal's value. A partner's people see their own
/// part; those of other partners only as a number and a sum.
#[derive(Clone, Debug, Description)]
pub struct Attribution {
    model: AttributionModel,
    basis: AttributionBasis,
    stored: Option<attribution_run::Model>,
    as_of: chrono::DateTime<chrono::Utc>,
    currency: Currency,
    credits: Vec<Share>,
    others: usize,
    others_minor: i64,
    unattributed_minor: i64,
}

/// One row of credit, before it is known who looks at it.
#[derive(Clone, Copy, Debug)]
struct Share {
    partner: Option<PartnerId>,
    weight: i64,
    share: Ppm,
    amount_minor: i64,
    touches: i32,
}

#[Object(use_type_description)]
impl Attribution {
    /// The rule by which credit is given.
    fn model(&self) -> AttributionModel {
        self.model
    }

    /// Whether this is the stored credit by the programme's own model, from which commission is computed. Others are
    /// computed for comparison and stored nowhere.
    fn official(&self) -> bool {
        self.stored.is_some()
    }

    /// What it was computed from.
    fn basis(&self) -> AttributionBasis {
        self.basis
    }

    /// When it was computed and stored; null for a comparison.
    fn computed_at(&self) -> Option<DateTime> {
        self.stored.as_ref().map(|run| DateTime(run.created_at))
    }

    /// The instant against which ages and windows are measured: the close of the deal, or now while it is open.
    fn as_of(&self) -> DateTime {
        DateTime(self.as_of)
    }

    /// SHA-256 of all inputs, parameters and the model: the same facts give the same text. Null for a comparison.
    fn inputs_hash(&self) -> Option<&str> {
        self.stored.as_ref().map(|run| run.inputs_hash.as_str())
    }

    /// The parts, by the earliest touchpoint; what stays with the vendor comes last. At most 25. A partner's people
    /// see their own part alone.
    #[graphql(directive = crate::graphql::cost::list_size::apply(5, None))]
    async fn credits(&self) -> List<AttributionCredit> {
        self.credits
            .iter()
            .map(|share| AttributionCredit {
                share: *share,
                currency: self.currency,
            })
            .collect()
    }

    /// How many partners have a part that is not shown to you; 0 for the vendor's people.
    fn other_partner_count(&self) -> i32 {
        i32::try_from(self.others).unwrap_or(i32::MAX)
    }

    /// The parts of those other partners together.
    fn other_amount(&self) -> Money {
        Money::minor(self.others_minor, self.currency)
    }

    /// The part that nobody earned; it stays with the vendor.
    fn unattributed_amount(&self) -> Money {
        Money::minor(self.unattributed_minor, self.currency)
    }
}

/// One part of the credit of a deal.
#[derive(Clone, Debug, Description)]
pub struct AttributionCredit {
    share: Share,
    currency: Currency,
}

#[Object(use_type_description)]
impl AttributionCredit {
    /// Who has it; null is the part that stays with the vendor.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.share.partner?).await
    }

    /// The share in percent with up to four decimals; all shares sum to exactly 100.
    fn share(&self) -> Decimal {
        percent(self.share.share)
    }

    /// The part of the deal's value; all parts sum to exactly the value.
    fn amount(&self) -> Money {
        Money::minor(self.share.amount_minor, self.currency)
    }

    /// The weight, relative to the other rows of the same credit.
    fn weight(&self) -> BigInt {
        BigInt(self.share.weight)
    }

    /// How many of the partner's touchpoints count.
    fn touches(&self) -> i32 {
        self.share.touches
    }
}

impl Attribution {
    fn stored(
        run: &attribution_run::Model,
        credits: &[attribution_credit::Model],
        viewer: Option<PartnerId>,
    ) -> Result<Self> {
        let share = |row: &attribution_credit::Model| Share {
            partner: row.partner_id,
            weight: row.weight,
            share: row.share_ppm,
            amount_minor: row.amount_minor,
            touches: row.touches,
        };
        let blank = Self {
            model: run.model,
            basis: run.basis,
            stored: Some(run.clone()),
            as_of: run.as_of,
            currency: run.currency,
            credits: credits.iter().map(share).collect(),
            others: 0,
            others_minor: 0,
            unattributed_minor: 0,
        };
        blank.seen_by(viewer)
    }

    /// What a model gives on the facts and rules of a case, stored nowhere.
    ///
    /// # Errors
    /// Parameters that validation would refuse.
    pub fn compared(case: &Case, model: AttributionModel) -> Result<Self> {
        let outcome = case.credit(model)?;
        let blank = Self {
            model,
            basis: outcome.basis,
            stored: None,
            as_of: case.evidence.inputs.close,
            currency: case.deal.currency,
            credits: computed(&outcome, case.deal.value_minor)?,
            others: 0,
            others_minor: 0,
            unattributed_minor: 0,
        };
        blank.seen_by(None)
    }

    /// The share of a partner that the caller may see.
    #[must_use]
    pub fn share_of(&self, partner: PartnerId) -> Option<Ppm> {
        self.credits
            .iter()
            .find(|row| row.partner == Some(partner))
            .map(|row| row.share)
    }

    /// Sums up what is left out for this viewer.
    fn seen_by(mut self, viewer: Option<PartnerId>) -> Result<Self> {
        let unattributed = self.credits.iter().filter(|row| row.partner.is_none());
        self.unattributed_minor =
            sum(unattributed.map(|row| row.amount_minor)).map_err(out_of_bounds)?;
        let Some(viewer) = viewer else {
            return Ok(self);
        };
        let others: Vec<Share> = self
            .credits
            .iter()
            .filter(|row| row.partner.is_some_and(|partner| partner != viewer))
            .copied()
            .collect();
        self.others = others.len();
        self.others_minor =
            sum(others.iter().map(|row| row.amount_minor)).map_err(out_of_bounds)?;
        self.credits.retain(|row| row.partner == Some(viewer));
        Ok(self)
    }
}

fn computed(outcome: &Outcome<PartnerId>, value_minor: i64) -> Result<Vec<Share>> {
    let amounts = outcome.amounts(value_minor).map_err(out_of_bounds)?;
    let shares = outcome.shares().map_err(out_of_bounds)?;
    let rows = outcome.credits.iter().zip(amounts).zip(shares);
    rows.map(|((credit, amount_minor), share)| {
        Ok(Share {
            partner: credit.partner,
            weight: i64::try_from(credit.weight)
                .map_err(|error| Error::Internal(Box::new(error)))?,
            share,
            amount_minor,
            touches: i32::try_from(credit.touches).unwrap_or(i32::MAX),
        })
    })
    .collect()
}

/// The credit of a deal: the stored one first, if there is one, then what the models named would give.
///
/// # Errors
/// `FORBIDDEN` for roles that do not read credit, or do not compare and name models.
pub async fn attribution_for(
    ctx: &Context<'_>,
    deal: &deal::Model,
    models: Option<Vec<AttributionModel>>,
) -> async_graphql::Result<Vec<Attribution>> {
    ctx.may(Action::AttributionRead)?;
    let stored = ctx
        .loaders()
        .load_one(CreditOf(deal.id))
        .await
        .map_err(top_level)?;
    let mut found: Vec<Attribution> = stored.into_iter().collect();
    if let Some(models) = models {
        ctx.may(Action::AttributionCompare)?;
        let case = ctx
            .loaders()
            .load_one(CaseOf(deal.id))
            .await
            .map_err(top_level)?;
        // Each model once, however often it is named.
        for model in AttributionModel::iter().filter(|model| models.contains(model)) {
            if let Some(case) = &case {
                found.push(Attribution::compared(case, model).map_err(top_level)?);
            }
        }
    }
    Ok(found)
}

/// The stored credit of a deal, as the caller may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CreditOf(pub DealId);

impl Loader<CreditOf> for Rows {
    type Value = Attribution;
    type Error = LoadError;

    /// Deals are reached through the deals that the caller was shown; of their credit each sees its own part.
    async fn load(&self, keys: &[CreditOf]) -> Result<HashMap<CreditOf, Self::Value>, LoadError> {
        let viewer = match self.scope() {
            Scope::All => None,
            Scope::Partner(partner) => Some(partner),
            Scope::Nothing => return Ok(HashMap::new()),
        };
        let deals: Vec<DealId> = keys.iter().map(|key| key.0).collect();
        let mut found = HashMap::new();
        for (deal, (run, credits)) in store::official(&self.db, &deals).await.map_err(Arc::new)? {
            found.insert(
                CreditOf(deal),
                Attribution::stored(&run, &credits, viewer).map_err(Arc::new)?,
            );
        }
        Ok(found)
    }
}

/// The facts of a deal for comparing models; for the vendor's people only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CaseOf(pub DealId);

impl Loader<CaseOf> for Rows {
    type Value = Arc<Case>;
    type Error = LoadError;

    async fn load(&self, keys: &[CaseOf]) -> Result<HashMap<CaseOf, Self::Value>, LoadError> {
        if self.scope() != Scope::All {
            return Ok(HashMap::new());
        }
        let ids: Vec<DealId> = keys.iter().map(|key| key.0).collect();
        let deals = store::deals(&self.db, &ids).await.map_err(Arc::new)?;
        let cases = explain::cases(&self.db, &deals, self.now)
            .await
            .map_err(Arc::new)?;
        Ok(cases
            .into_iter()
            .map(|case| (CaseOf(case.deal.id), Arc::new(case)))
            .collect())
    }
}
