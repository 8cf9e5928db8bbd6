//! Revenue that partners influenced in a period, over all deals won in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::{
    attribute,
    facts::{self, Book, out_of_bounds},
    influence::{self, Involvement, Report, WonDeal},
    store,
};
use crate::{
    entity::{
        deal,
        deal_participant::ParticipantRole,
        ids::{DealId, PartnerId},
    },
    error::Result,
    platform::{
        money::{Currency, sum},
        sql,
    },
    programs::calendar::Bound,
};

/// How many deals are looked at together: so many are in memory, whatever the span. Which touchpoints count depends on caps,
/// windows and milestones of each deal's rules, so deals are read and decided by those rules, with ten statements for a
/// thousand of them: one for the deals, two each for touchpoints, participants, runs and credit, and one for the rules.
const CHUNK: u64 = 1_000;

/// What was influenced by partners in a span of days, by currency: by all of them, or by one. Values are less what was
/// refunded.
///
/// A partner influenced a won deal in which it took part in a role, or with at least as many counting touchpoints as
/// the programme's threshold, and which it did not bring.
///
/// # Errors
/// The database failed.
pub async fn between<C: ConnectionTrait>(
    db: &C,
    bounds: &[Bound],
    partner: Option<PartnerId>,
) -> Result<BTreeMap<Currency, Report<PartnerId>>> {
    // The days of the only time zone are those of all programmes.
    let programs = |bound: &'_ Bound| (bounds.len() > 1).then(|| bound.programs.clone());
    let mut reports = BTreeMap::new();
    for bound in bounds {
        let mut after = None;
        loop {
            let programs = programs(bound);
            let span = (bound, programs.as_deref());
            let deals = store::won_between(db, span, partner, after, CHUNK).await?;
            let Some(last) = deals.last() else { break };
            let is_last = sql::count(deals.len()) < CHUNK;
            after = last.closed_at.map(|at| (at, last.id));
            for (currency, report) in of_deals(db, &deals).await? {
                match reports.get_mut(&currency) {
                    None => {
                        reports.insert(currency, report);
                    }
                    Some(sum) => add(sum, report)?,
                }
            }
            if is_last {
                break;
            }
        }
    }
    Ok(reports)
}

async fn of_deals<C: ConnectionTrait>(
    db: &C,
    deals: &[deal::Model],
) -> Result<Vec<(Currency, Report<PartnerId>)>> {
    let ids: Vec<DealId> = deals.iter().map(|deal| deal.id).collect();
    let mut facts = facts::load(db, &ids).await?;
    let official = store::official(db, &ids).await?;
    let versions: BTreeSet<_> = deals.iter().map(|deal| deal.program_version_id).collect();
    let books = facts::books(db, &Vec::from_iter(versions)).await?;
    let mut groups: HashMap<(Currency, u32), Vec<WonDeal<PartnerId>>> = HashMap::new();
    for deal in deals {
        let (Some(book), Some(close)) = (books.get(&deal.program_version_id), deal.closed_at)
        else {
            continue;
        };
        let run = official.get(&deal.id);
        // Without a stored computation nothing is attributed yet: all of it is the vendor's.
        let credits = run.map_or_else(
            || vec![(None, 1)],
            |(_, credits)| attribute::weights(credits),
        );
        let as_of = run.map_or(close, |(run, _)| run.created_at);
        let facts = facts.remove(&deal.id).unwrap_or_default();
        let won = WonDeal {
            value_minor: deal.value_minor - deal.refunded_minor,
            involved: involved(&facts, close, as_of, book),
            credits,
        };
        groups
            .entry((deal.currency, book.influence_threshold))
            .or_default()
            .push(won);
    }
    let mut reports = Vec::new();
    for ((currency, threshold), deals) in groups {
        reports.push((
            currency,
            influence::report(&deals, threshold).map_err(out_of_bounds)?,
        ));
    }
    Ok(reports)
}

fn involved(
    facts: &facts::Facts,
    close: DateTime<Utc>,
    as_of: DateTime<Utc>,
    book: &Book,
) -> Vec<Involvement<PartnerId>> {
    let evidence = facts.as_known(book.official, close, as_of, &book.parameters);
    let mut rows: BTreeMap<PartnerId, Involvement<PartnerId>> = BTreeMap::new();
    let blank = |partner| Involvement {
        partner,
        sourcer: false,
        accepted_role: false,
        touches: 0,
    };
    for touch in &evidence.inputs.touches {
        rows.entry(touch.partner)
            .or_insert_with(|| blank(touch.partner))
            .touches += 1;
    }
    for row in &evidence.participants {
        let involvement = rows
            .entry(row.partner_id)
            .or_insert_with(|| blank(row.partner_id));
        involvement.accepted_role = true;
        involvement.sourcer |= row.role == ParticipantRole::Sourcer;
    }
    rows.into_values().collect()
}

fn add(total: &mut Report<PartnerId>, more: Report<PartnerId>) -> Result<()> {
    for (partner, influenced) in more.partners {
        let row = total.partners.entry(partner).or_default();
        row.full_minor = sum([row.full_minor, influenced.full_minor]).map_err(out_of_bounds)?;
        row.fractional_minor =
            sum([row.fractional_minor, influenced.fractional_minor]).map_err(out_of_bounds)?;
        row.deals = row.deals.saturating_add(influenced.deals);
    }
    total.distinct_minor =
        sum([total.distinct_minor, more.distinct_minor]).map_err(out_of_bounds)?;
    total.elsewhere_minor =
        sum([total.elsewhere_minor, more.elsewhere_minor]).map_err(out_of_bounds)?;
    total.deals = total.deals.saturating_add(more.deals);
    Ok(())
}
