//! A partner joins a programme, or changes its tier there.

use chrono::SecondsFormat;
use sea_orm::{IntoActiveModel, sea_query::LockType};

use super::{
    ProgramRules,
    rules::{self, Rules},
    store, tiers,
};
use crate::{
    access::Action,
    entity::{
        enrollment,
        ids::{PartnerId, ProgramId},
        partner,
    },
    error::{Code, Error, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// In how many programmes a partner may be.
pub const MAX_PROGRAMS: u64 = 20;

/// A partner's place in a programme.
#[derive(Clone, Debug)]
pub struct Place {
    /// The partner.
    pub partner: PartnerId,
    /// The programme; the only active one when left out.
    pub program: Option<ProgramId>,
    /// The key of the tier.
    pub tier: String,
}

/// Enrols a partner in a programme.
///
/// # Errors
/// `NOT_FOUND` at `partnerId` or `programId`; `FORBIDDEN` for everybody but the vendor's administrators and alliance
/// managers; `BAD_USER_INPUT` at `tier`; `DUPLICATE` for a partner that is in the programme already; `LIMIT_REACHED`.
/// Records `partner.enrolled`.
pub async fn enroll(tx: &Tx, command: Place) -> Result<PartnerId> {
    tx.actor().may(Action::ProgramManage)?;
    let partner = command.partner;
    // Held, so that the number of its programmes stands still.
    tx.load_seen::<partner::Entity>(partner).await?;
    let program = open_tier(tx, command.program, &command.tier).await?;
    if store::count_enrollments(tx, partner).await? >= MAX_PROGRAMS {
        let message = format!("A partner may be in {MAX_PROGRAMS} programmes.");
        return Err(Refusal::new(Code::LimitReached, message)
            .at("partnerId")
            .into());
    }
    let row = enrollment::Model {
        id: tx.id(),
        program_id: program,
        partner_id: partner,
        tier: command.tier.clone(),
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    let given = tiers::given(tx, &row);
    if !tx.insert_new(row.into_active_model()).await? {
        return Err(
            Refusal::new(Code::Duplicate, "The partner is in this programme already.")
                .at("partnerId")
                .into(),
        );
    }
    tx.insert(given.into_active_model()).await?;
    tx.record(Event::PartnerEnrolled {
        partner_id: partner,
        program_id: program,
        tier: command.tier,
    });
    Ok(partner)
}

/// Gives an enrolled partner another tier. The tier it has is no change, and nothing is written.
///
/// # Errors
/// `NOT_FOUND` at `partnerId` for a partner that is not in the programme, or at `programId`; `FORBIDDEN` as for
/// [`enroll`]; `BAD_USER_INPUT` at `tier`; `STALE_OBJECT` when somebody else changed it meanwhile. Records
/// `partner.enrolled`.
pub async fn change_tier(tx: &Tx, command: Place) -> Result<PartnerId> {
    tx.actor().may(Action::ProgramManage)?;
    let partner = command.partner;
    let program = open_tier(tx, command.program, &command.tier).await?;
    let place = store::enrollment(tx, program, partner)
        .await?
        .ok_or_else(|| Error::not_found("partnerId"))?;
    if place.tier == command.tier {
        return Ok(partner);
    }
    if !store::change_tier(tx, place.id, place.version, &command.tier).await? {
        return Err(Error::stale());
    }
    let given = enrollment::Model {
        tier: command.tier.clone(),
        ..place
    };
    tx.insert(tiers::given(tx, &given).into_active_model())
        .await?;
    tx.record(Event::PartnerEnrolled {
        partner_id: partner,
        program_id: program,
        tier: command.tier,
    });
    Ok(partner)
}

/// The programme, if its rules of now and those that are scheduled have this tier; they keep it until the end of the unit
/// of work.
async fn open_tier(tx: &Tx, program: Option<ProgramId>, tier: &str) -> Result<ProgramId> {
    let program = rules::choose(tx, program).await?;
    store::hold(tx, program, LockType::Share).await?;
    let rules: Rules = rules::in_force(tx, program, tx.now()).await?;
    if rules.program.tier(tier).is_none() {
        let known: Vec<_> = rules
            .program
            .tiers
            .iter()
            .map(|tier| tier.key.as_str())
            .collect();
        return Err(Refusal::input("tier", format!("must be one of {}", known.join(", "))).into());
    }
    for version in store::scheduled(tx, program).await? {
        let coming: ProgramRules = version.settings.read()?;
        if coming.tier(tier).is_none() {
            let from = version
                .effective_from
                .to_rfc3339_opts(SecondsFormat::AutoSi, true);
            let message = format!(
                "is not among the tiers from {from} on; choose another tier or withdraw version {} of the rules",
                version.number
            );
            return Err(Refusal::input("tier", message).into());
        }
    }
    Ok(program)
}
