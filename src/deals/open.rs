//! A deal comes into being: from an approved registration, or from the vendor's own sales.

use chrono::NaiveDate;
use sea_orm::{ActiveValue::Set, EntityTrait};

use super::{
    input::{self, Amount, Line},
    rules::Rules,
    stage::{self, Stage},
    store,
};
use crate::{
    access::{Action, Held},
    entity::{
        customer,
        deal::{self, DealBusiness, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        deal_product, deal_registration, deal_stage_change,
        ids::{CustomerId, DealId, PartnerId, ProductId, ProgramId, ProgramVersionId},
    },
    error::{Error, Faults, Result},
    events::Event,
    partners::standing::{self, Ability},
    platform::{ids, money::Money},
    programs::rules,
    tx::Tx,
};

/// A deal of the vendor's own sales.
#[derive(Clone, Debug)]
pub struct Create {
    /// What people call it.
    pub name: String,
    /// Under which programme; the only active one when left out.
    pub program: Option<ProgramId>,
    /// The customer; none when it is not known yet.
    pub customer: Option<CustomerId>,
    /// Whether the customer is new to it or goes on with it.
    pub business: DealBusiness,
    /// The partner that leads it, if any.
    pub owner: Option<PartnerId>,
    /// What is to be sold.
    pub lines: Vec<Line>,
    /// What it is worth.
    pub value: Amount,
    /// When the customer is expected to buy.
    pub expected_close_on: Option<NaiveDate>,
    /// IANA zone; the programme's when left out.
    pub time_zone: Option<String>,
}

/// Opens a deal without a registration: nobody is protected, and nobody has a role on it yet.
///
/// # Errors
/// `FORBIDDEN`; `NOT_FOUND` for an unknown programme, customer, partner or product; `NOT_ELIGIBLE` by the partner's
/// state; `BAD_USER_INPUT` with every fault at its field. Records `deal.created`.
pub async fn create(tx: &Tx, command: Create) -> Result<Held<deal::Entity>> {
    tx.actor().may(Action::DealManage)?;
    let program = rules::choose(tx, command.program).await?;
    let rules: Rules = rules::in_force(tx, program, tx.now()).await?;
    if let Some(owner) = command.owner {
        standing::require(tx, owner, Ability::JoinDeals, "ownerPartnerId").await?;
    }
    if let Some(id) = command.customer {
        let found = customer::Entity::find_by_id(id).one(tx).await?;
        found.ok_or_else(|| Error::not_found("customerId"))?;
    }
    let mut faults = Faults::default();
    let name = faults.text("name", &command.name, 200);
    let lines = input::lines(tx, &mut faults, &command.lines).await?;
    let value = command.value.read(&mut faults, "value");
    let zone = input::zone(
        &mut faults,
        command.time_zone.as_deref(),
        rules.program.default_time_zone,
    );
    if let Some(day) = command.expected_close_on {
        input::not_past(&mut faults, day, zone, tx.now());
    }
    faults.check()?;
    let value = value.ok_or_else(|| Error::internal("a missing value was not noted"))?;
    let draft = Draft {
        name,
        program: (rules.program_id, rules.version_id),
        customer: command.customer,
        owner: command.owner,
        business: command.business,
        value,
        time_zone: zone.name().to_owned(),
        expected_close_on: command.expected_close_on,
        competitor: None,
    };
    insert(tx, draft, &lines.products, &rules.settings.stages).await
}

/// Opens the deal of a granted registration, with the partner as its owner and accepted sourcer.
///
/// # Errors
/// The database failed; the programme has no open stage. Records `deal.created`.
pub(super) async fn from_registration(
    tx: &Tx,
    registration: &deal_registration::Model,
    stages: &[Stage],
) -> Result<DealId> {
    let products = store::registered_products(tx, registration.id).await?;
    let products: Vec<_> = products
        .iter()
        .map(|line| (line.product_id, line.quantity))
        .collect();
    let value = Money::new(registration.value_minor, registration.currency);
    let draft = Draft {
        name: registration.customer_name.clone(),
        program: (registration.program_id, registration.program_version_id),
        customer: Some(registration.customer_id),
        owner: Some(registration.partner_id),
        business: registration.business,
        value: value.map_err(|error| Error::Internal(Box::new(error)))?,
        time_zone: registration.time_zone.clone(),
        expected_close_on: Some(registration.expected_close_on),
        competitor: registration.competitor.clone(),
    };
    let deal = insert(tx, draft, &products, stages).await?;
    let sourcer = deal_participant::Model {
        id: tx.id(),
        deal_id: deal.id,
        partner_id: registration.partner_id,
        role: ParticipantRole::Sourcer,
        status: ParticipantStatus::Accepted,
        scope: None,
        invited_by: tx.actor().user_id(),
        invited_at: tx.now(),
        expires_at: None,
        accepted_at: Some(tx.now()),
        ended_at: None,
        end_reason: None,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
        fingerprint: None,
    };
    tx.add(sourcer).await?;
    Ok(deal.id)
}

/// What a deal is opened with.
struct Draft {
    name: String,
    program: (ProgramId, ProgramVersionId),
    customer: Option<CustomerId>,
    owner: Option<PartnerId>,
    business: DealBusiness,
    value: Money,
    time_zone: String,
    expected_close_on: Option<NaiveDate>,
    competitor: Option<String>,
}

async fn insert(
    tx: &Tx,
    draft: Draft,
    products: &[(ProductId, i64)],
    stages: &[Stage],
) -> Result<Held<deal::Entity>> {
    let first =
        stage::first(stages).ok_or_else(|| Error::internal("a programme without an open stage"))?;
    let id: DealId = tx.id();
    let deal = deal::Model {
        id,
        external_id: None,
        number: ids::number("D", id.0),
        name: draft.name,
        program_id: draft.program.0,
        program_version_id: draft.program.1,
        customer_id: draft.customer,
        partner_id: draft.owner,
        business: draft.business,
        value_minor: draft.value.minor(),
        currency: draft.value.currency(),
        stage: first.key.clone(),
        status: SalesStatus::Open,
        time_zone: draft.time_zone,
        expected_close_on: draft.expected_close_on,
        opened_at: tx.now(),
        closed_at: None,
        loss_reason: None,
        loss_detail: None,
        competitor: draft.competitor,
        refunded_minor: 0,
        version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
        fingerprint: None,
    };
    let deal = tx.add(deal).await?;
    tx.insert_all(lines(id, products)).await?;
    tx.insert(deal_stage_change::ActiveModel {
        id: Set(tx.id()),
        deal_id: Set(id),
        from_stage: Set(None),
        to_stage: Set(first.key.clone()),
        actor_id: Set(tx.actor().user_id()),
        at: Set(tx.now()),
    })
    .await?;
    tx.record(Event::DealCreated { deal_id: id });
    Ok(deal)
}

fn lines(deal: DealId, products: &[(ProductId, i64)]) -> Vec<deal_product::ActiveModel> {
    let row = |&(product, quantity): &(_, i64)| deal_product::ActiveModel {
        deal_id: Set(deal),
        product_id: Set(product),
        quantity: Set(quantity),
    };
    products.iter().map(row).collect()
}
