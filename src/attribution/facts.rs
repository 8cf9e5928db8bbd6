//! Everything that credit for deals is computed from, read in bulk, and what it comes to.

use std::{collections::HashMap, fmt::Write as _};

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{ActiveEnum, ConnectionTrait};

use super::{
    computation::{Inputs, Outcome, Participant, Touch},
    countable::{self, Judgement},
    known::{self, Recorded},
    models,
    parameters::Parameters,
    settings::Rules,
    store,
};
use crate::{
    entity::{
        attribution_run::AttributionModel,
        deal,
        deal_participant::{self, ParticipantStatus},
        ids::{DealId, PartnerId, ProgramVersionId, TouchpointId},
        touchpoint,
    },
    error::{Error, Result},
    platform::{audit, calendar, ids::TypedId, money::MoneyError},
    programs::rules,
};

/// What is recorded about one deal.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// All its touchpoints, by time, then id.
    pub touchpoints: Vec<touchpoint::Model>,
    /// Its participants that have accepted at some time.
    pub participants: Vec<deal_participant::Model>,
}

/// How a version of a programme's rules gives credit.
#[derive(Clone, Debug)]
pub struct Book {
    /// The version.
    pub version_id: ProgramVersionId,
    /// The model whose credit is paid.
    pub official: AttributionModel,
    /// The parameters of all models.
    pub parameters: Parameters,
    /// Verified touchpoints from which a partner without a role counts as having influenced a deal.
    pub influence_threshold: u32,
    /// The parameters as canonical text, for the hash of the inputs.
    text: String,
}

/// The facts of a deal as known at an instant, told apart into what counts and what does not.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The model that it was judged for.
    pub model: AttributionModel,
    /// Which touchpoints count, and why the others do not.
    pub judgement: Judgement,
    /// The accepted participants.
    pub participants: Vec<deal_participant::Model>,
    /// What the models work on.
    pub inputs: Inputs<PartnerId>,
}

/// Reads the facts of deals, all partners' together: they must not leave the house unfiltered.
///
/// # Errors
/// The database failed.
pub async fn load<C: ConnectionTrait>(db: &C, deals: &[DealId]) -> Result<HashMap<DealId, Facts>> {
    let mut facts: HashMap<DealId, Facts> =
        deals.iter().map(|deal| (*deal, Facts::default())).collect();
    for row in store::touchpoints(db, deals).await? {
        facts.entry(row.deal_id).or_default().touchpoints.push(row);
    }
    for row in store::participants(db, deals).await? {
        facts.entry(row.deal_id).or_default().participants.push(row);
    }
    Ok(facts)
}

/// Reads how versions of programmes give credit.
///
/// # Errors
/// A version does not exist.
pub async fn books<C: ConnectionTrait>(
    db: &C,
    versions: &[ProgramVersionId],
) -> Result<HashMap<ProgramVersionId, Book>> {
    let mut books = HashMap::new();
    let rules: HashMap<_, Rules> = rules::by_version(db, versions).await?;
    for (version_id, rules) in rules {
        let parameters = rules.settings.parameters(rules.program.default_time_zone);
        let text = audit::canonical(&serde_json::to_value(&parameters)?);
        let influence_threshold = rules.settings.models.influence_threshold.into();
        let official = rules.settings.official_model;
        books.insert(
            version_id,
            Book {
                version_id,
                official,
                parameters,
                influence_threshold,
                text,
            },
        );
    }
    Ok(books)
}

/// How one version gives credit.
///
/// # Errors
/// The version does not exist.
pub async fn book<C: ConnectionTrait>(db: &C, version: ProgramVersionId) -> Result<Book> {
    let found = books(db, &[version]).await?.remove(&version);
    found.ok_or_else(|| Error::internal(format!("there is no version {version} of a programme")))
}

impl Facts {
    /// What was known at `as_of` about a deal closed at `close`, judged for a model by the programme's windows and caps.
    #[must_use]
    pub fn as_known(
        &self,
        model: AttributionModel,
        close: DateTime<Utc>,
        as_of: DateTime<Utc>,
        parameters: &Parameters,
    ) -> Evidence {
        let closes = calendar::last_instant(parameters.time_zone, close);
        let corrected: HashMap<TouchpointId, DateTime<Utc>> = self
            .touchpoints
            .iter()
            .filter_map(|row| Some((row.corrects_id?, row.recorded_at)))
            .collect();
        let facts: Vec<_> = self
            .touchpoints
            .iter()
            .map(|row| {
                known::fact(
                    &recorded(row, corrected.get(&row.id).copied()),
                    closes,
                    as_of,
                )
            })
            .collect();
        let judgement = countable::judge(&facts, model, close, parameters);
        let by_id: HashMap<_, _> = self
            .touchpoints
            .iter()
            .map(|row| (row.id.uuid(), row))
            .collect();
        let touches = judgement
            .counted
            .iter()
            .filter_map(|id| by_id.get(id))
            .map(|row| touch(row))
            .collect();
        let participants = taking_part(&self.participants, as_of);
        let inputs = Inputs {
            touches,
            participants: participants.iter().filter_map(participant).collect(),
            close,
        };
        Evidence {
            model,
            judgement,
            participants,
            inputs,
        }
    }
}

impl Evidence {
    /// The credit that the model gives.
    ///
    /// # Errors
    /// Parameters that validation would refuse.
    pub fn credit(&self, book: &Book) -> Result<Outcome<PartnerId>> {
        models::credit(self.model, &self.inputs, &book.parameters).map_err(out_of_bounds)
    }

    /// A hash over everything that the credit of a deal depends on: whoever has the same facts gets the same hash.
    #[must_use]
    pub fn hash(&self, book: &Book, deal: &deal::Model) -> String {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut touches: Vec<_> = self.inputs.touches.iter().collect();
        touches.sort_by_key(|touch| (touch.at, touch.partner, touch.id));
        let mut participants: Vec<_> = self.inputs.participants.iter().collect();
        participants.sort_by_key(|row| (row.accepted_at, row.partner, row.role.as_str()));
        let mut text = format!(
            "{}|{} {}|{}|{}",
            self.model.to_value(),
            deal.value_minor,
            deal.currency,
            time(self.inputs.close),
            book.text
        );
        for touch in touches {
            let milestone = touch
                .milestone
                .map(|milestone| milestone.to_value())
                .unwrap_or_default();
            let (kind, phase) = (touch.kind.to_value(), touch.phase.to_value());
            let _ = write!(
                text,
                "|T {} {} {} {kind} {phase} {milestone}",
                touch.id,
                touch.partner,
                time(touch.at)
            );
        }
        for row in participants {
            let _ = write!(
                text,
                "|P {} {} {}",
                row.partner,
                row.role,
                time(row.accepted_at)
            );
        }
        audit::digest(&text)
    }
}

/// An amount that does not fit, as a fault of the server: validation keeps such amounts out.
pub fn out_of_bounds(error: MoneyError) -> Error {
    Error::Internal(Box::new(error))
}

fn recorded(row: &touchpoint::Model, corrected_at: Option<DateTime<Utc>>) -> Recorded<PartnerId> {
    Recorded {
        id: row.id.uuid(),
        partner: row.partner_id,
        kind: row.kind,
        phase: row.phase,
        milestone: row.milestone,
        status: row.status,
        occurred_at: row.occurred_at,
        recorded_at: row.recorded_at,
        verified_at: row.verified_at,
        verified_by_person: row.verified_by.is_some(),
        corrected_at,
    }
}

fn touch(row: &touchpoint::Model) -> Touch<PartnerId> {
    Touch {
        id: row.id.uuid(),
        partner: row.partner_id,
        at: row.occurred_at,
        kind: row.kind,
        phase: row.phase,
        milestone: row.milestone,
    }
}

fn participant(row: &deal_participant::Model) -> Option<Participant<PartnerId>> {
    Some(Participant {
        partner: row.partner_id,
        role: row.role.to_value(),
        accepted_at: row.accepted_at?,
    })
}

/// The participants who had accepted by an instant and had not left.
#[must_use]
pub fn taking_part(
    participants: &[deal_participant::Model],
    as_of: DateTime<Utc>,
) -> Vec<deal_participant::Model> {
    let takes_part = |row: &&deal_participant::Model| {
        let joined = row.accepted_at.is_some_and(|at| at <= as_of);
        let stayed =
            row.status == ParticipantStatus::Accepted || row.ended_at.is_some_and(|at| at > as_of);
        joined && stayed
    };
    participants.iter().filter(takes_part).cloned().collect()
}
