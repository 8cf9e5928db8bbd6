//! A partner registers a deal: it names a customer, the products and what the deal is worth, and with that takes
//! the customer's place for each product family until the vendor has decided.

use chrono::{NaiveDate, TimeDelta};
use sea_orm::ActiveValue::Set;

use super::{
    conflict::{self, Claim, Verdict},
    expiry,
    input::{self, Amount, Line, Lines},
    occupy,
    rules::Rules,
    store,
};
use crate::{
    access::{Action, Held},
    customers::{claim::ClaimedCustomer, identity::registrable_domain, resolve},
    entity::{
        deal::DealBusiness,
        deal_registration::{self, Contact, Contacts, RegistrationStatus},
        deal_registration_product,
        ids::{CustomerId, DealRegistrationId, PartnerId, ProgramId, UserId},
    },
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    partners::standing::{self, Ability},
    platform::{ids, money::Money},
    programs::{rules, settings::Tier},
    tx::Tx,
};

/// The most contacts of one registration.
pub const MAX_CONTACTS: usize = 10;

/// A claim as it is handed in.
#[derive(Clone, Debug)]
pub struct Submit {
    /// For whom; a partner's people register for their own partner and may leave it out.
    pub partner: Option<PartnerId>,
    /// Under which programme; the only active one when left out.
    pub program: Option<ProgramId>,
    /// The customer as the partner names it.
    pub customer: ClaimedCustomer,
    /// What is to be sold.
    pub lines: Vec<Line>,
    /// Whether the customer is new to it or goes on with it.
    pub business: DealBusiness,
    /// What the deal is worth.
    pub value: Amount,
    /// When the customer is expected to buy.
    pub expected_close_on: NaiveDate,
    /// IANA zone in which protection is counted; the programme's when left out.
    pub time_zone: Option<String>,
    /// What the customer needs.
    pub need: Option<String>,
    /// Who else is after the deal.
    pub competitor: Option<String>,
    /// People at the customer.
    pub contacts: Vec<Contact>,
}

/// Hands in a claim. Its place at the customer is taken at once, so that of any number of parallel claims one is
/// accepted. Protections of this customer that are over make room first.
///
/// # Errors
/// `NOT_FOUND` for a partner that is not the caller's own or for an unknown programme or product; `NOT_ELIGIBLE` by
/// the partner's state; `BAD_USER_INPUT` with every fault at its field; `LIMIT_REACHED` when the partner has as
/// many open registrations as its tier allows; `CONFLICT` when somebody else holds the place, `DUPLICATE` when the
/// partner itself does. Records `deal_registration.submitted`.
pub async fn submit(tx: &Tx, command: Submit) -> Result<Held<deal_registration::Entity>> {
    tx.actor().may(Action::RegistrationSubmit)?;
    let submitted_by = tx.actor().person()?;
    let partner = claimant(tx, command.partner)?;
    standing::require(tx, partner, Ability::RegisterDeals, "partnerId").await?;

    let program = rules::choose(tx, command.program).await?;
    let rules: Rules = rules::in_force(tx, program, tx.now()).await?;
    let sound = check(tx, &command, &rules).await?;
    let tier = rules::tier_of(tx, &rules, partner).await?;
    check_limit(tx, &rules, &tier, partner).await?;

    let similarity = rules.settings.conflict.name_similarity_ppm;
    let resolved =
        resolve::find_or_create(tx, &command.customer, partner, similarity, "customer").await?;
    expiry::expire_at(tx, resolved.customer.id).await?;
    let families = &sound.lines.families;
    let claim = Claim {
        partner,
        named: &command.customer,
        families,
        name_similarity_ppm: similarity,
    };
    let verdict = conflict::judge(tx, claim, &resolved).await?;

    let facts = Facts {
        submitted_by,
        partner,
        customer: resolved.customer.id,
        tier,
        verdict,
    };
    let registration = insert(tx, command.clone(), facts, &rules, &sound).await?;
    let holder = occupy::Holder {
        registration: registration.id,
        partner,
        customer: resolved.customer.id,
    };
    if !occupy::take(tx, holder, families).await? {
        return Err(conflict::lost_race(tx, claim, &resolved).await?.into());
    }
    tx.record(Event::RegistrationSubmitted {
        registration_id: registration.id,
        partner_id: partner,
    });
    Ok(registration)
}

/// The partner for whom is registered. Naming another partner answers as if there were none.
fn claimant(tx: &Tx, named: Option<PartnerId>) -> Result<PartnerId> {
    match (tx.actor().partner_id(), named) {
        (Some(own), Some(named)) if own != named => Err(Error::not_found("partnerId")),
        (Some(own), _) => Ok(own),
        (None, Some(named)) => Ok(named),
        (None, None) => {
            Err(Refusal::input("partnerId", "say for which partner you register").into())
        }
    }
}

/// What was typed, read and found sound.
struct Sound {
    lines: Lines,
    value: Money,
    zone: chrono_tz::Tz,
    need: Option<String>,
    competitor: Option<String>,
}

async fn check(tx: &Tx, command: &Submit, rules: &Rules) -> Result<Sound> {
    let mut faults = Faults::default();
    check_customer(&mut faults, &command.customer);
    let lines = input::lines(tx, &mut faults, &command.lines).await?;
    let value = command.value.read(&mut faults, "value");
    let zone = input::zone(
        &mut faults,
        command.time_zone.as_deref(),
        rules.program.default_time_zone,
    );
    input::not_past(&mut faults, command.expected_close_on, zone, tx.now());
    let need = faults.optional_text("need", command.need.as_deref(), 4_000);
    let competitor = faults.optional_text("competitor", command.competitor.as_deref(), 200);
    check_contacts(&mut faults, &command.contacts);
    faults.check()?;
    let value = value.ok_or_else(|| Error::internal("a missing value was not noted"))?;
    Ok(Sound {
        lines,
        value,
        zone,
        need,
        competitor,
    })
}

fn check_customer(faults: &mut Faults, customer: &ClaimedCustomer) {
    faults.text("customer.name", &customer.name, 200);
    if let Some(domain) = customer
        .domain
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        faults.take("customer.domain", registrable_domain(domain));
    }
    faults.optional_text(
        "customer.registrationNumber",
        customer.registration_number.as_deref(),
        60,
    );
    faults.optional_text("customer.phone", customer.phone.as_deref(), 60);
}

fn check_contacts(faults: &mut Faults, contacts: &[Contact]) {
    if contacts.len() > MAX_CONTACTS {
        faults.add(
            "contacts",
            format!("must have at most {MAX_CONTACTS} entries"),
        );
    }
    for (position, contact) in contacts.iter().enumerate().take(MAX_CONTACTS) {
        faults.text(&format!("contacts.{position}.name"), &contact.name, 200);
        faults.optional_text(
            &format!("contacts.{position}.role"),
            contact.role.as_deref(),
            100,
        );
    }
}

async fn check_limit(tx: &Tx, rules: &Rules, tier: &str, partner: PartnerId) -> Result<()> {
    let allowed = tier_in(rules, tier)?.max_open_registrations;
    if store::open_registrations(tx, rules.program_id, partner).await? < u64::from(allowed) {
        return Ok(());
    }
    let message = format!(
        "The tier allows {allowed} open registrations; wait for decisions or withdraw one."
    );
    Err(Refusal::new(Code::LimitReached, message).into())
}

/// The tier of a registration in the rules under which it was handed in.
///
/// # Errors
/// The rules do not have it, which the programme's checks prevent.
pub(super) fn tier_in<'r>(rules: &'r Rules, key: &str) -> Result<&'r Tier> {
    rules
        .program
        .tier(key)
        .ok_or_else(|| Error::internal(format!("version {} has no tier {key}", rules.version_id)))
}

struct Facts {
    submitted_by: UserId,
    partner: PartnerId,
    customer: CustomerId,
    tier: String,
    verdict: Verdict,
}

async fn insert(
    tx: &Tx,
    typed: Submit,
    facts: Facts,
    rules: &Rules,
    sound: &Sound,
) -> Result<Held<deal_registration::Entity>> {
    let id: DealRegistrationId = tx.id();
    let registration = deal_registration::Model {
        id,
        number: ids::number("DR", id.0),
        program_id: rules.program_id,
        program_version_id: rules.version_id,
        partner_id: facts.partner,
        submitted_by: facts.submitted_by,
        customer_id: facts.customer,
        customer_name: typed.customer.name.trim().to_owned(),
        customer_domain: typed.customer.domain,
        customer_country: typed.customer.country,
        business: typed.business,
        value_minor: sound.value.minor(),
        currency: sound.value.currency(),
        expected_close_on: typed.expected_close_on,
        time_zone: sound.zone.name().to_owned(),
        need: sound.need.clone(),
        competitor: sound.competitor.clone(),
        contacts: Contacts(typed.contacts),
        tier: facts.tier,
        status: RegistrationStatus::Submitted,
        conflict_outcome: facts.verdict.outcome,
        conflict_reasons: facts.verdict.reasons,
        submitted_at: tx.now(),
        review_due_at: tx.now() + TimeDelta::hours(rules.settings.review_sla_hours.into()),
        extensions: 0,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
        question: None,
        question_at: None,
        answer: None,
        decided_by: None,
        decided_at: None,
        rejection_reason: None,
        decision_note: None,
        protected_until: None,
        reminder_due_at: None,
        extended_at: None,
        extension_evidence: None,
        deal_id: None,
    };
    let registration = tx.add(registration).await?;
    tx.insert_all(products(id, &sound.lines)).await?;
    Ok(registration)
}

fn products(
    registration: DealRegistrationId,
    lines: &Lines,
) -> Vec<deal_registration_product::ActiveModel> {
    let row = |&(product, quantity): &(_, i64)| deal_registration_product::ActiveModel {
        registration_id: Set(registration),
        product_id: Set(product),
        quantity: Set(quantity),
    };
    lines.products.iter().map(row).collect()
}
