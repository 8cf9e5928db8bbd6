//! An incentive plan is drafted, put into force and taken out of force.

use std::{collections::HashSet, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::ActiveValue::Set;

use super::{
    PlanTerms,
    rebate::{MAX_TIERS, Method, Period, Rebate, Tier},
    status::PlanAction,
    store,
    terms::{Component, ComponentKind, Holdback},
};
use crate::{
    access::Action,
    entity::{
        ids::{IncentivePlanId, ProgramId},
        incentive_plan::{self, PlanStatus},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::{
        money::{Currency, Money},
        ppm::Ppm,
        transition::StateMachine,
    },
    programs::rules,
    rules::{
        range::{Range, Succession},
        status::second_person,
    },
    tx::Tx,
};

/// A plan as somebody types it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// For which programme; the only active one when left out.
    pub program: Option<ProgramId>,
    /// What people call it. A plan of a name that exists gets the next number.
    pub name: String,
    /// ISO 4217 code of the deals it is for, and of its amounts.
    pub currency: String,
    /// What it pays for.
    pub components: Vec<DraftComponent>,
    /// What is held back, as a percentage and days after the win; nothing when left out.
    pub holdback: Option<(String, i32)>,
    /// Days after the win in which a refund takes back.
    pub clawback_days: i32,
    /// From when on deals won are paid by it; may lie in the past. Now when left out.
    pub effective_from: Option<DateTime<Utc>>,
    /// Until when, not included; for ever when left out.
    pub effective_to: Option<DateTime<Utc>>,
}

/// A promise as somebody types it: decimal numbers as text.
#[derive(Clone, Debug)]
pub struct DraftComponent {
    /// What it pays for.
    pub kind: ComponentKind,
    /// Percentage of the deal's value.
    pub rate_percent: Option<String>,
    /// Amount per deal.
    pub flat_amount: Option<String>,
    /// The most that the percentage yields per deal.
    pub cap: Option<String>,
    /// Code of the product family that the deal must hold.
    pub product_family: Option<String>,
    /// Whether renewals are paid like new business.
    pub includes_renewals: bool,
    /// The terms of a volume rebate.
    pub rebate: Option<DraftRebate>,
}

/// A volume rebate as somebody types it.
#[derive(Clone, Debug)]
pub struct DraftRebate {
    /// Over which period volume is counted.
    pub period: Period,
    /// What the rates apply to.
    pub method: Method,
    /// From which amount on which percentage.
    pub tiers: Vec<(String, String)>,
}

/// A plan to be moved.
#[derive(Clone, Debug)]
pub struct Move {
    /// Which plan.
    pub plan: IncentivePlanId,
    /// The version that the caller saw.
    pub expected_version: Option<i64>,
}

/// Drafts a plan; it pays nothing before somebody else puts it into force.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` for an unknown programme; `BAD_USER_INPUT` with every fault at its field; `RETRY_LATER`
/// when somebody else drafted the same number meanwhile. Records `incentive_plan.created`.
pub async fn create(tx: &Tx, draft: Draft) -> Result<IncentivePlanId> {
    tx.actor().may(Action::PlanManage)?;
    let author = tx.actor().person()?;
    let program = rules::choose(tx, draft.program).await?;
    let mut faults = Faults::default();
    let name = faults.text("name", &draft.name, 120);
    let effective_from = draft.effective_from.unwrap_or_else(|| tx.now());
    let asked = Range {
        from: effective_from,
        until: draft.effective_to,
    };
    if asked.is_empty() {
        faults.add("effectiveTo", "must be after effectiveFrom");
    }
    let terms = terms(&draft, &mut faults);
    families_exist(tx, &draft, &mut faults).await?;
    faults.check()?;
    let terms = terms.ok_or_else(|| Error::internal("a missing term was not noted"))?;

    let id: IncentivePlanId = tx.id();
    let row = incentive_plan::ActiveModel {
        id: Set(id),
        program_id: Set(program),
        number: Set(store::next_number(tx, program, &name).await?),
        name: Set(name),
        status: Set(PlanStatus::Draft),
        currency: Set(terms.currency),
        terms: Set(terms),
        effective_from: Set(effective_from),
        effective_to: Set(draft.effective_to),
        created_by: Set(author),
        activated_by: Set(None),
        activated_at: Set(None),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    };
    if !tx.insert_new(row).await? {
        return Err(Refusal::new(
            Code::RetryLater,
            "Somebody drafted a plan of this name meanwhile.",
        )
        .into());
    }
    tx.record(Event::PlanCreated {
        plan_id: id,
        effective_to: draft.effective_to,
    });
    Ok(id)
}

/// Puts a plan into force. The number of the same name that was in force ends where this one begins. A deal earns once
/// under a plan, so a number does not reach back over deals that another number has booked.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` at `planId`; `STALE_OBJECT`; `ILLEGAL_TRANSITION` unless it is a draft, or at `planId` when it
/// covers deals that another number of its name has booked; `SAME_PERSON` for whoever drafted it. Records `incentive_plan.activated`, and `incentive_plan.retired` for a number that it leaves no
/// time to.
pub async fn activate(tx: &Tx, command: Move) -> Result<IncentivePlanId> {
    tx.actor().may(Action::PlanActivate)?;
    let person = tx.actor().person()?;
    let plan = movable(tx, &command).await?;
    let status = plan.status.apply(PlanAction::Activate).map_err(illegal)?;
    second_person("plan", plan.created_by, person)?;
    let earlier = store::lock_active(tx, plan.program_id, &plan.name).await?;
    if let Some(booked) = store::latest_booked_by_another_number(tx, &plan).await? {
        return Err(reaches_back(&plan, &booked));
    }
    for earlier in earlier {
        supersede(tx, &earlier, plan.effective_from).await?;
    }
    let change = incentive_plan::ActiveModel {
        status: Set(status),
        activated_by: Set(Some(person)),
        activated_at: Set(Some(tx.now())),
        ..Default::default()
    };
    store::save_plan(tx, &plan, change).await?;
    tx.record(Event::PlanActivated { plan_id: plan.id });
    Ok(plan.id)
}

/// Takes a plan out of force; what it paid stays, and it pays nothing more, whenever a deal was won.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` at `planId`; `STALE_OBJECT`; `ILLEGAL_TRANSITION` when it is retired. Records
/// `incentive_plan.retired`.
pub async fn retire(tx: &Tx, command: Move) -> Result<IncentivePlanId> {
    tx.actor().may(Action::PlanActivate)?;
    let plan = movable(tx, &command).await?;
    let status = plan.status.apply(PlanAction::Retire).map_err(illegal)?;
    let change = incentive_plan::ActiveModel {
        status: Set(status),
        ..Default::default()
    };
    store::save_plan(tx, &plan, change).await?;
    tx.record(Event::PlanRetired { plan_id: plan.id });
    Ok(plan.id)
}

/// The refusal of a number that covers a deal which another number has booked.
fn reaches_back(plan: &incentive_plan::Model, booked: &store::BookedDeal) -> Error {
    let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let message = format!(
        "Number {} of \"{}\" takes effect on {}, but number {} has already booked commission on deals won since then. \
         The latest is {}, won on {}. A deal earns only once under a plan. Draft a number that takes effect after \
         that, or give what you promise in addition a plan of its own.",
        plan.number,
        plan.name,
        instant(plan.effective_from),
        booked.plan_number,
        booked.deal_number,
        instant(booked.won_at),
    );
    Refusal::new(Code::IllegalTransition, message)
        .at("planId")
        .into()
}

async fn movable(tx: &Tx, command: &Move) -> Result<incentive_plan::Model> {
    let plan = store::lock_plan(tx, command.plan)
        .await?
        .ok_or_else(|| Error::not_found("planId"))?;
    match command.expected_version {
        Some(seen) if seen != plan.version => Err(Error::stale()),
        _ => Ok(plan),
    }
}

async fn supersede(tx: &Tx, earlier: &incentive_plan::Model, from: DateTime<Utc>) -> Result<()> {
    let change = match range(earlier).give_way(from) {
        Succession::Keeps => return Ok(()),
        Succession::EndsAt(until) => incentive_plan::ActiveModel {
            effective_to: Set(Some(until)),
            ..Default::default()
        },
        Succession::Superseded => {
            tx.record(Event::PlanRetired {
                plan_id: earlier.id,
            });
            incentive_plan::ActiveModel {
                status: Set(PlanStatus::Retired),
                ..Default::default()
            }
        }
    };
    store::save_plan(tx, earlier, change).await
}

/// When deals have to be won to be paid by a plan.
pub(super) const fn range(plan: &incentive_plan::Model) -> Range {
    Range {
        from: plan.effective_from,
        until: plan.effective_to,
    }
}

/// The document, if every number can be read; what is wrong is noted at its field of the input.
fn terms(draft: &Draft, faults: &mut Faults) -> Option<PlanTerms> {
    let currency = faults.take("currency", Currency::from_str(&draft.currency));
    let days = |faults: &mut Faults, path: &str, days: i32| {
        faults.take(
            path,
            u32::try_from(days).map_err(|_| "must not be negative"),
        )
    };
    let clawback_days = days(faults, "clawbackDays", draft.clawback_days);
    let holdback = match &draft.holdback {
        None => Some(Holdback::default()),
        Some((percent, after)) => {
            let rate = faults.take("holdback.percent", Ppm::from_str(percent));
            let after = days(faults, "holdback.days", *after);
            rate.zip(after)
                .map(|(rate_ppm, days)| Holdback { rate_ppm, days })
        }
    };
    let read = |(place, typed)| component(typed, currency, &format!("components.{place}"), faults);
    let components: Vec<Option<Component>> =
        draft.components.iter().enumerate().map(read).collect();
    let terms = PlanTerms {
        currency: currency?,
        components: components.into_iter().collect::<Option<_>>()?,
        holdback: holdback?,
        clawback_days: clawback_days?,
    };
    for fault in terms.validate() {
        faults.add(&path_of_input(&fault.path), fault.problem);
    }
    Some(terms)
}

fn component(
    typed: &DraftComponent,
    currency: Option<Currency>,
    path: &str,
    faults: &mut Faults,
) -> Option<Component> {
    let mut amount = |field: &str, text: &Option<String>| match (text, currency) {
        (Some(text), Some(currency)) => faults
            .take(&format!("{path}.{field}"), Money::parse(text, currency))
            .map(|money| Some(money.minor())),
        (Some(_), None) => None,
        (None, _) => Some(None),
    };
    let flat_minor = amount("flatAmount", &typed.flat_amount);
    let cap_minor = amount("cap", &typed.cap);
    let rate_ppm = match &typed.rate_percent {
        Some(text) => faults
            .take(&format!("{path}.ratePercent"), Ppm::from_str(text))
            .map(Some),
        None => Some(None),
    };
    let rebate = match &typed.rebate {
        Some(typed) => rebate(typed, currency, path, faults).map(Some),
        None => Some(None),
    };
    let product_family = typed
        .product_family
        .as_ref()
        .map(|family| family.trim().to_owned());
    Some(Component {
        kind: typed.kind,
        rate_ppm: rate_ppm?,
        flat_minor: flat_minor?,
        cap_minor: cap_minor?,
        product_family,
        includes_renewals: typed.includes_renewals,
        rebate: rebate?,
    })
}

fn rebate(
    typed: &DraftRebate,
    currency: Option<Currency>,
    path: &str,
    faults: &mut Faults,
) -> Option<Rebate> {
    if typed.tiers.len() > MAX_TIERS {
        let problem = format!("must be 1 to {MAX_TIERS}, not {}", typed.tiers.len());
        faults.add(&format!("{path}.rebate.tiers"), problem);
        return None;
    }
    let mut tiers = Vec::with_capacity(typed.tiers.len());
    for (place, (from, rate)) in typed.tiers.iter().enumerate() {
        let at = |field: &str| format!("{path}.rebate.tiers.{place}.{field}");
        let rate_ppm = faults.take(&at("ratePercent"), Ppm::from_str(rate));
        let from =
            currency.and_then(|currency| faults.take(&at("from"), Money::parse(from, currency)));
        tiers.push(from.zip(rate_ppm).map(|(from, rate_ppm)| Tier {
            from_minor: from.minor(),
            rate_ppm,
        }));
    }
    Some(Rebate {
        period: typed.period,
        method: typed.method,
        tiers: tiers.into_iter().collect::<Option<_>>()?,
    })
}

/// The document's own names of fields in the words of the input.
fn path_of_input(path: &str) -> String {
    path.replace("holdback.rate_ppm", "holdback.percent")
        .replace("rate_ppm", "ratePercent")
        .replace("flat_minor", "flatAmount")
        .replace("from_minor", "from")
        .replace("includes_renewals", "includesRenewals")
        .replace("cap_minor", "cap")
        .replace("product_family", "productFamily")
        .replace("clawback_days", "clawbackDays")
}

async fn families_exist(tx: &Tx, draft: &Draft, faults: &mut Faults) -> Result<()> {
    let named: Vec<&str> = draft
        .components
        .iter()
        .filter_map(|typed| typed.product_family.as_deref())
        .map(str::trim)
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let known: HashSet<String> = store::families(tx, &named).await?;
    for (place, typed) in draft.components.iter().enumerate() {
        let family = typed
            .product_family
            .as_deref()
            .map(str::trim)
            .filter(|family| !family.is_empty());
        if family.is_some_and(|family| !known.contains(family)) {
            let path = format!("components.{place}.productFamily");
            faults.push(Refusal::new(Code::NotFound, "There is no such product family.").at(&path));
        }
    }
    Ok(())
}

fn illegal(error: crate::platform::transition::IllegalTransition) -> Error {
    Refusal::new(Code::IllegalTransition, error.to_string()).into()
}
