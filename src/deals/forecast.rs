//! What deals are expected to bring, in one currency: read a few thousand at a time, never a query per deal.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sea_orm::{Condition, ConnectionTrait};

use super::{
    forecast_store::{self, Extent, ForecastRow},
    pipeline::{Expected, Forecast, quarter},
};
use crate::{
    entity::ids::{PartnerId, ProgramId},
    error::{Error, Result},
    identity::Actor,
    platform::{
        ids::TypedId,
        money::{Currency, UnknownCurrency},
    },
    programs::rules,
    rates,
};

/// By what deals are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "DealForecastGrouping")]
pub enum Grouping {
    /// The partner that owns the deal.
    Partner,
    /// The tier that the owner has today in the programme of the deal.
    Tier,
    /// The country of the customer.
    Country,
    /// The quarter of the expected close.
    Quarter,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which deals, beside what the caller may see.
    pub filter: Condition,
    /// The programme whose reporting currency and patience with old rates count; else the only active one's.
    pub program: Option<ProgramId>,
    /// Another currency than the programme's.
    pub currency: Option<Currency>,
    /// By what to put deals together, beside all of them.
    pub grouping: Option<Grouping>,
}

/// What deals are expected to bring.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The currency.
    pub currency: Currency,
    /// All deals.
    pub all: Forecast,
    /// The groups by their key, deals without one first.
    pub groups: BTreeMap<Option<String>, Forecast>,
}

/// Adds up what the deals that the caller sees are expected to bring. A deal is converted at the rate of the day on
/// which it was closed, or else opened.
///
/// # Errors
/// `NOT_FOUND` at `programId`; `BAD_USER_INPUT` there when none is named and there are several.
pub async fn forecast<C: ConnectionTrait>(
    db: &C,
    actor: &Actor,
    now: DateTime<Utc>,
    question: Question,
) -> Result<Outlook> {
    let program = rules::choose(db, question.program).await?;
    let settings = rules::in_force(db, program, now).await?.settings;
    let currency = match question.currency {
        Some(currency) => currency,
        None => settings
            .reporting_currency
            .parse()
            .map_err(|error: UnknownCurrency| Error::Internal(Box::new(error)))?,
    };
    let (scope, own) = (actor.scope(), actor.partner_id());
    let extents = forecast_store::extents(db, scope, question.filter.clone()).await?;
    let rates = rates_for(db, currency, settings.rate_max_age_days, &extents).await?;
    let versions: BTreeSet<_> = extents.iter().map(|one| one.program_version_id).collect();
    let rules = rules::by_version(db, &versions.into_iter().collect::<Vec<_>>()).await?;
    let probability = |row: &ForecastRow| {
        let rules = rules.get(&row.program_version_id)?;
        let stages = &rules.settings.stages;
        let stage = stages.iter().find(|stage| stage.key == row.stage)?;
        Some(stage.probability_ppm)
    };
    let mut outlook = Outlook {
        currency,
        all: Forecast::default(),
        groups: BTreeMap::new(),
    };
    let mut behind = None;
    loop {
        let rows = forecast_store::next(db, scope, question.filter.clone(), behind).await?;
        let Some(last) = rows.last() else {
            return Ok(outlook);
        };
        behind = Some(last.id);
        for row in &rows {
            let deal = Expected {
                value_minor: row.value_minor,
                currency: row.currency,
                probability_ppm: probability(row).unwrap_or_default(),
                day: row.closed_at.unwrap_or(row.opened_at).date_naive(),
            };
            outlook.all.add(deal, &rates);
            if let Some(grouping) = question.grouping {
                let group = outlook.groups.entry(key(grouping, row, own));
                group.or_default().add(deal, &rates);
            }
        }
    }
}

/// The rates of all days that occur.
async fn rates_for<C: ConnectionTrait>(
    db: &C,
    target: Currency,
    max_age_days: u16,
    extents: &[Extent],
) -> Result<rates::Rates> {
    let others: BTreeSet<_> = extents.iter().map(|extent| extent.currency).collect();
    let others: Vec<_> = others.into_iter().filter(|one| *one != target).collect();
    let first = extents.iter().map(|extent| extent.first_at).min();
    let last = extents.iter().map(|extent| extent.last_at).max();
    match first.zip(last).filter(|_| !others.is_empty()) {
        None => Ok(rates::Rates::into(target, max_age_days)),
        Some((first, last)) => {
            let days = (first.date_naive(), last.date_naive());
            rates::known(db, target, max_age_days, &others, days).await
        }
    }
}

/// The group of a deal. A partner's people learn nothing about the owners of deals in which they only take part.
fn key(grouping: Grouping, row: &ForecastRow, own: Option<PartnerId>) -> Option<String> {
    let owner_shown = own.is_none() || own == row.partner_id;
    match grouping {
        Grouping::Partner => row.partner_id.filter(|_| owner_shown).map(TypedId::text),
        Grouping::Tier => row.tier.clone().filter(|_| owner_shown),
        Grouping::Country => row.country.clone(),
        Grouping::Quarter => row.expected_close_on.map(quarter),
    }
}
