//! Why a partner has the credit it has: its own touchpoints, their weights, the formula and its share.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::{
    computation::Outcome,
    countable::Exclusion,
    facts::{self, Book, Evidence, Facts, out_of_bounds},
    formula, store,
};
use crate::{
    entity::{
        attribution_run::{self, AttributionBasis, AttributionModel},
        deal,
        ids::PartnerId,
        touchpoint,
    },
    error::Result,
    platform::{ids::TypedId, ppm::Ppm},
};

/// The credit of a deal explained to one viewer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The model whose credit is paid.
    pub model: AttributionModel,
    /// What it was computed from.
    pub basis: AttributionBasis,
    /// The stored computation; none for a forecast.
    pub run: Option<attribution_run::Model>,
    /// The instant up to which facts are known.
    pub as_of: DateTime<Utc>,
    /// The formula in words.
    pub formula: String,
    /// The sum of all weights, as people see it.
    pub total_weight: String,
    /// The partners that this viewer may see.
    pub parts: Vec<Part>,
    /// How many other partners have a part.
    pub others: usize,
}

/// One partner's part.
#[derive(Clone, Debug)]
pub struct Part {
    /// Whose; none is what stays with the vendor.
    pub partner: Option<PartnerId>,
    /// Its weight as people see it.
    pub weight: String,
    /// Its share.
    pub share: Ppm,
    /// Its part of the deal's value, in minor units.
    pub amount_minor: i64,
    /// Its touchpoints in order of time.
    pub touchpoints: Vec<Judged>,
}

/// A touchpoint and what became of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The touchpoint.
    pub row: touchpoint::Model,
    /// Why it does not count; none if it does.
    pub exclusion: Option<Exclusion>,
    /// Its own weight as people see it, if the credit goes by touchpoints and it counts.
    pub weight: Option<String>,
}

/// Facts and rules of one deal, from which any model's credit follows.
#[derive(Clone, Debug)]
pub struct Case {
    /// The deal.
    pub deal: deal::Model,
    /// The official computation, if there is one.
    pub run: Option<attribution_run::Model>,
    /// The rules that apply.
    pub book: Book,
    /// The facts, of all partners.
    pub facts: Facts,
    /// What counts of them for the official model.
    pub evidence: Evidence,
    /// When the deal was closed, else now.
    pub close: DateTime<Utc>,
    /// The instant up to which facts are known: of the stored computation, else now.
    pub as_of: DateTime<Utc>,
}

/// Opens the cases of deals in bulk. Whoever shows them must leave out what the viewer may not see.
///
/// # Errors
/// The database failed.
pub async fn cases<C: ConnectionTrait>(
    db: &C,
    deals: &[deal::Model],
    now: DateTime<Utc>,
) -> Result<Vec<Case>> {
    let ids: Vec<_> = deals.iter().map(|deal| deal.id).collect();
    let mut official = store::official(db, &ids).await?;
    let mut facts = facts::load(db, &ids).await?;
    let runs: HashMap<_, _> = ids
        .iter()
        .filter_map(|id| Some((*id, official.remove(id)?.0)))
        .collect();
    let version = |deal: &deal::Model| {
        runs.get(&deal.id)
            .map_or(deal.program_version_id, |run| run.program_version_id)
    };
    let versions: BTreeSet<_> = deals.iter().map(version).collect();
    let books = facts::books(db, &Vec::from_iter(versions)).await?;
    let mut cases = Vec::with_capacity(deals.len());
    for deal in deals {
        let Some(book) = books.get(&version(deal)).cloned() else {
            continue;
        };
        let run = runs.get(&deal.id).cloned();
        let facts = facts.remove(&deal.id).unwrap_or_default();
        let as_of = run.as_ref().map_or(now, |run| run.created_at);
        let close = deal.closed_at.unwrap_or(now);
        let model = run.as_ref().map_or(book.official, |run| run.model);
        let evidence = facts.as_known(model, close, as_of, &book.parameters);
        cases.push(Case {
            deal: deal.clone(),
            run,
            book,
            facts,
            evidence,
            close,
            as_of,
        });
    }
    Ok(cases)
}

impl Case {
    /// The credit that a model gives.
    ///
    /// # Errors
    /// Parameters that validation would refuse.
    pub fn credit(&self, model: AttributionModel) -> Result<Outcome<PartnerId>> {
        self.evidence(model).credit(&self.book)
    }

    /// What counts of the facts for a model.
    #[must_use]
    pub fn evidence(&self, model: AttributionModel) -> Cow<'_, Evidence> {
        if model == self.evidence.model {
            return Cow::Borrowed(&self.evidence);
        }
        let parameters = &self.book.parameters;
        Cow::Owned(
            self.facts
                .as_known(model, self.close, self.as_of, parameters),
        )
    }

    /// The model whose credit is paid.
    #[must_use]
    pub fn official(&self) -> AttributionModel {
        self.evidence.model
    }

    /// The official credit explained: to a partner its own part, to the vendor all parts.
    ///
    /// # Errors
    /// Parameters that validation would refuse.
    pub fn explain(&self, viewer: Option<PartnerId>) -> Result<Explanation> {
        let model = self.official();
        let outcome = self.credit(model)?;
        let mut parts = self.parts(&outcome)?;
        let mut others = 0;
        if let Some(viewer) = viewer {
            others = parts
                .iter()
                .filter(|part| part.partner.is_some_and(|partner| partner != viewer))
                .count();
            parts.retain(|part| part.partner == Some(viewer));
            if parts.is_empty() {
                parts.push(self.part(&outcome, Some(viewer), (0, Ppm::ZERO, 0)));
            }
        }
        Ok(Explanation {
            model,
            basis: outcome.basis,
            run: self.run.clone(),
            as_of: self.as_of,
            formula: formula::text(model, outcome.basis, &self.book.parameters),
            total_weight: outcome.text(outcome.total()),
            parts,
            others,
        })
    }

    /// Those with credit in its order, then those who only have touchpoints that do not count.
    fn parts(&self, outcome: &Outcome<PartnerId>) -> Result<Vec<Part>> {
        let amounts = outcome
            .amounts(self.deal.value_minor)
            .map_err(out_of_bounds)?;
        let shares = outcome.shares().map_err(out_of_bounds)?;
        let rows = outcome.credits.iter().zip(shares).zip(amounts);
        let mut parts: Vec<Part> = rows
            .map(|((credit, share), amount)| {
                self.part(outcome, credit.partner, (credit.weight, share, amount))
            })
            .collect();
        let credited: BTreeSet<_> = parts.iter().filter_map(|part| part.partner).collect();
        let touching: BTreeSet<_> = self
            .facts
            .touchpoints
            .iter()
            .map(|row| row.partner_id)
            .collect();
        parts.extend(
            touching
                .difference(&credited)
                .map(|partner| self.part(outcome, Some(*partner), (0, Ppm::ZERO, 0))),
        );
        Ok(parts)
    }

    fn part(
        &self,
        outcome: &Outcome<PartnerId>,
        partner: Option<PartnerId>,
        (weight, share, amount_minor): (u64, Ppm, i64),
    ) -> Part {
        let excluded: BTreeMap<Uuid, Exclusion> =
            self.evidence.judgement.excluded.iter().copied().collect();
        let weights: BTreeMap<Uuid, u64> = outcome
            .contributions
            .iter()
            .filter_map(|row| Some((row.touch?, row.weight)))
            .collect();
        let own = self
            .facts
            .touchpoints
            .iter()
            .filter(|row| Some(row.partner_id) == partner);
        let touchpoints = own.map(|row| Judged {
            row: row.clone(),
            exclusion: excluded.get(&row.id.uuid()).copied(),
            weight: weights
                .get(&row.id.uuid())
                .map(|weight| outcome.text(*weight)),
        });
        Part {
            partner,
            weight: outcome.text(weight),
            share,
            amount_minor,
            touchpoints: touchpoints.collect(),
        }
    }
}
