//! From a won deal to stored credit.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::{ConnectionTrait, IntoActiveModel};

use super::{
    computation::Outcome,
    facts::{self, Book, Facts, out_of_bounds},
    store,
};
use crate::{
    entity::{
        attribution_credit, attribution_run,
        deal::{self, SalesStatus},
        deal_participant,
        ids::{AttributionCreditId, DealId, PartnerId, ProgramVersionId},
    },
    error::{Error, Result},
    platform::ids::TypedId,
    programs::rules::{self, Rules},
    tx::Tx,
};

/// The official credit of one won deal, with the facts that commission is computed from.
#[derive(Clone, Debug)]
pub struct Attributed {
    /// The deal.
    pub deal: deal::Model,
    /// The stored computation.
    pub run: attribution_run::Model,
    /// Its parts in their order; a part without a partner stays with the vendor.
    pub credits: Vec<attribution_credit::Model>,
    /// The accepted participants.
    pub participants: Vec<deal_participant::Model>,
    /// The time zone of the programme, in which days are counted.
    pub zone: Tz,
}

/// Computes and stores the official credit of won deals that have none yet, set-based: reads and writes in bulk.
/// Deals that have an official run already are left out of the result, and so are deals that are not won.
///
/// # Errors
/// The database failed.
pub async fn won(tx: &Tx, deals: &[deal::Model]) -> Result<Vec<Attributed>> {
    let ids: Vec<DealId> = deals.iter().map(|deal| deal.id).collect();
    let done = store::attributed(tx, &ids).await?;
    let open: Vec<&deal::Model> = deals
        .iter()
        .filter(|deal| deal.status == SalesStatus::Won && !done.contains(&deal.id))
        .collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let versions: BTreeSet<ProgramVersionId> =
        open.iter().map(|deal| deal.program_version_id).collect();
    let books = facts::books(tx, &Vec::from_iter(versions)).await?;
    let ids: Vec<DealId> = open.iter().map(|deal| deal.id).collect();
    let mut facts = facts::load(tx, &ids).await?;
    let mut drafts = Vec::with_capacity(open.len());
    for deal in open {
        let book = books
            .get(&deal.program_version_id)
            .ok_or_else(|| no_version(deal))?;
        let facts = facts.remove(&deal.id).unwrap_or_default();
        drafts.push(draft(tx, deal, &facts, book)?);
    }
    let runs: Vec<_> = drafts.iter().map(|draft| draft.run.clone()).collect();
    let written = store::insert_runs(tx, &runs).await?;
    drafts.retain(|draft| written.contains(&draft.run.id));
    let credits: Vec<_> = drafts
        .iter()
        .flat_map(|draft| draft.credits.iter())
        .map(|row| row.clone().into_active_model())
        .collect();
    tx.insert_all(credits).await?;
    Ok(drafts)
}

/// The official credit that is stored for deals; those without any are left out.
///
/// # Errors
/// The database failed.
pub async fn stored<C: ConnectionTrait>(db: &C, deals: &[deal::Model]) -> Result<Vec<Attributed>> {
    let ids: Vec<DealId> = deals.iter().map(|deal| deal.id).collect();
    let mut official = store::official(db, &ids).await?;
    let mut participants: HashMap<DealId, Vec<deal_participant::Model>> = HashMap::new();
    for row in store::participants(db, &ids).await? {
        participants.entry(row.deal_id).or_default().push(row);
    }
    let versions: BTreeSet<ProgramVersionId> =
        deals.iter().map(|deal| deal.program_version_id).collect();
    let rules: HashMap<_, Rules> = rules::by_version(db, &Vec::from_iter(versions)).await?;
    let attributed = deals.iter().filter_map(|deal| {
        let (run, credits) = official.remove(&deal.id)?;
        let rules = rules.get(&deal.program_version_id)?;
        let participants = participants.remove(&deal.id).unwrap_or_default();
        let participants = facts::taking_part(&participants, run.created_at);
        Some(Attributed {
            deal: deal.clone(),
            run,
            credits,
            participants,
            zone: rules.program.default_time_zone,
        })
    });
    Ok(attributed.collect())
}

/// The official credit of won deals: what is stored, and for deals that have none what is computed and stored now.
///
/// # Errors
/// The database failed.
pub async fn ensure(tx: &Tx, deals: &[deal::Model]) -> Result<Vec<Attributed>> {
    let mut attributed = won(tx, deals).await?;
    let fresh: BTreeSet<DealId> = attributed.iter().map(|won| won.deal.id).collect();
    let older: Vec<deal::Model> = deals
        .iter()
        .filter(|deal| !fresh.contains(&deal.id))
        .cloned()
        .collect();
    attributed.extend(stored(tx, &older).await?);
    Ok(attributed)
}

/// The credit of a deal as it would be stored if it were won at `now`, or as it is stored if it was won.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The weights in their order; no partner is the vendor.
    pub credits: Vec<(Option<PartnerId>, u64)>,
    /// The accepted participants.
    pub participants: Vec<deal_participant::Model>,
    /// When it was won, or `now`.
    pub close: DateTime<Utc>,
    /// The time zone of the programme, in which days are counted.
    pub zone: Tz,
}

/// What credit a deal has or can expect today.
///
/// # Errors
/// The database failed.
pub async fn expected<C: ConnectionTrait>(
    db: &C,
    deal: &deal::Model,
    now: DateTime<Utc>,
) -> Result<Expected> {
    let close = deal.closed_at.unwrap_or(now);
    if let Some(known) = stored(db, std::slice::from_ref(deal)).await?.pop() {
        return Ok(Expected {
            credits: weights(&known.credits),
            participants: known.participants,
            close,
            zone: known.zone,
        });
    }
    let book = facts::book(db, deal.program_version_id).await?;
    let facts = facts::load(db, &[deal.id])
        .await?
        .remove(&deal.id)
        .unwrap_or_default();
    let evidence = facts.as_known(book.official, close, now, &book.parameters);
    let outcome = evidence.credit(&book)?;
    let credits = outcome
        .credits
        .iter()
        .map(|credit| (credit.partner, credit.weight))
        .collect();
    Ok(Expected {
        credits,
        participants: evidence.participants,
        close,
        zone: book.parameters.time_zone,
    })
}

/// The weights of stored credit in their order.
#[must_use]
pub fn weights(credits: &[attribution_credit::Model]) -> Vec<(Option<PartnerId>, u64)> {
    // A CHECK of the table keeps weights from being negative.
    credits
        .iter()
        .map(|credit| (credit.partner_id, u64::try_from(credit.weight).unwrap_or(0)))
        .collect()
}

fn draft(tx: &Tx, deal: &deal::Model, facts: &Facts, book: &Book) -> Result<Attributed> {
    let close = deal
        .closed_at
        .ok_or_else(|| Error::internal(format!("the won deal {} has no end", deal.id)))?;
    let evidence = facts.as_known(book.official, close, tx.now(), &book.parameters);
    let outcome = evidence.credit(book)?;
    let run = attribution_run::Model {
        id: tx.id(),
        deal_id: deal.id,
        program_version_id: book.version_id,
        model: book.official,
        official: true,
        basis: outcome.basis,
        value_minor: deal.value_minor,
        currency: deal.currency,
        as_of: close,
        inputs_hash: evidence.hash(book, deal),
        created_at: tx.now(),
        superseded_at: None,
    };
    let credits = credits(&run, &outcome, || tx.id())?;
    Ok(Attributed {
        deal: deal.clone(),
        run,
        credits,
        participants: evidence.participants,
        zone: book.parameters.time_zone,
    })
}

/// The rows of an outcome: amounts and shares are divided each for itself, both by the same weights.
pub(super) fn credits(
    run: &attribution_run::Model,
    outcome: &Outcome<PartnerId>,
    mut id: impl FnMut() -> AttributionCreditId,
) -> Result<Vec<attribution_credit::Model>> {
    let amounts = outcome.amounts(run.value_minor).map_err(out_of_bounds)?;
    let shares = outcome.shares().map_err(out_of_bounds)?;
    let rows = outcome.credits.iter().zip(amounts).zip(shares).zip(0..);
    rows.map(|(((credit, amount_minor), share_ppm), position)| {
        Ok(attribution_credit::Model {
            id: id(),
            run_id: run.id,
            deal_id: run.deal_id,
            partner_id: credit.partner,
            position,
            weight: i64::try_from(credit.weight)
                .map_err(|error| Error::Internal(Box::new(error)))?,
            share_ppm,
            amount_minor,
            currency: run.currency,
            touches: i32::try_from(credit.touches).unwrap_or(i32::MAX),
        })
    })
    .collect()
}

fn no_version(deal: &deal::Model) -> Error {
    Error::internal(format!(
        "the rules of the deal {} are gone: {}",
        deal.id,
        deal.program_version_id.text()
    ))
}
