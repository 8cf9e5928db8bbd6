//! What deals are expected to bring, in one currency: summed by the database, never read deal by deal.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::{Condition, ConnectionTrait};

use super::{
    forecast_store::{self, Extent, Sum, Terms},
    pipeline::{Expected, Forecast, Grouping},
    rules::Rules,
};
use crate::{
    access::Actor,
    entity::ids::{PartnerId, ProgramId, ProgramVersionId},
    error::{Error, Result},
    platform::{
        calendar::{self, Offset},
        ids::TypedId,
        money::{Currency, UnknownCurrency},
    },
    programs::rules,
    rates,
};

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

/// Adds up what the deals that the caller sees are expected to bring: their values less what was refunded. A deal is
/// converted at the rate of the day on which it was closed, or else opened; deals of one stage, currency, day and group
/// are converted together.
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
    let today: rules::Rules = rules::in_force(db, program, now).await?;
    let settings = today.program;
    let currency = match question.currency {
        Some(currency) => currency,
        None => settings
            .reporting_currency
            .parse()
            .map_err(|error: UnknownCurrency| Error::Internal(Box::new(error)))?,
    };
    let (scope, own) = (actor.scope(), actor.partner_id());
    let extents = forecast_store::extents(db, scope, question.filter.clone()).await?;
    let versions: BTreeSet<_> = extents.iter().map(|one| one.program_version_id).collect();
    let rules: HashMap<_, Rules> =
        rules::by_version(db, &versions.into_iter().collect::<Vec<_>>()).await?;
    let zones = zones(&extents, &rules);
    let rates = rates_for(db, currency, settings.rate_max_age_days, &extents).await?;
    let terms = Terms {
        target: currency,
        grouping: question.grouping,
        zones: &zones,
    };
    let mut outlook = Outlook {
        currency,
        all: Forecast::default(),
        groups: BTreeMap::new(),
    };
    for sum in forecast_store::sums(db, scope, question.filter, terms).await? {
        let rules = rules.get(&sum.program_version_id);
        let stage = rules.and_then(|rules| {
            let stages = &rules.settings.stages;
            stages.iter().find(|stage| stage.key == sum.stage)
        });
        let deals = Expected {
            deals: sum.deals,
            value_minor: i128::from(sum.millions) * 1_000_000 + i128::from(sum.units),
            currency: sum.currency,
            probability_ppm: stage.map_or(0, |stage| stage.probability_ppm),
            day: sum.rate_day,
        };
        outlook.all.add(deals, &rates);
        if let Some(grouping) = question.grouping {
            let group = outlook.groups.entry(key(grouping, &sum, own));
            group.or_default().add(deals, &rates);
        }
    }
    Ok(outlook)
}

/// The offsets of the time zones in which the days of these deals are counted, with the versions of rules they are of.
fn zones(
    extents: &[Extent],
    rules: &HashMap<ProgramVersionId, Rules>,
) -> Vec<(Vec<ProgramVersionId>, Vec<Offset>)> {
    let mut zones: BTreeMap<&str, (Tz, BTreeSet<ProgramVersionId>)> = BTreeMap::new();
    for (id, rules) in rules {
        let zone = rules.program.default_time_zone;
        let versions = zones.entry(zone.name());
        versions.or_insert((zone, BTreeSet::new())).1.insert(*id);
    }
    let first = extents.iter().map(|extent| extent.first_at).min();
    let last = extents.iter().map(|extent| extent.last_at).max();
    let Some((first, last)) = first.zip(last) else {
        return Vec::new();
    };
    zones
        .into_values()
        .map(|(zone, versions)| {
            let offsets = calendar::offsets(zone, first, last);
            (Vec::from_iter(versions), offsets)
        })
        .collect()
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
            // Whatever the zone, a day is at most one day from that in UTC.
            let day = TimeDelta::days(1);
            let days = ((first - day).date_naive(), (last + day).date_naive());
            rates::known(db, target, max_age_days, &others, days).await
        }
    }
}

/// The group of deals. A partner's people learn nothing about the owners of deals in which they only take part.
fn key(grouping: Grouping, sum: &Sum, own: Option<PartnerId>) -> Option<String> {
    let owner_shown = own.is_none() || own == sum.owner;
    match grouping {
        Grouping::Partner => sum.owner.filter(|_| owner_shown).map(TypedId::text),
        Grouping::Tier => sum.group_key.clone().filter(|_| owner_shown),
        Grouping::Country | Grouping::Quarter => sum.group_key.clone(),
    }
}
