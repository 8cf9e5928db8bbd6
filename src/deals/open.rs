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
    access::Action,
    entity::{
        customer,
        deal::{self, DealBusiness, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        deal_product, deal_registration, deal_stage_change,
        ids::{CustomerId, DealId, PartnerId, ProductId, ProgramId},
    },
    error::{Error, Faults, Result},
    events::Event,
    partners::standing::{self, Ability},
    platform::ids,
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
pub async fn create(tx: &Tx, command: Create) -> Result<DealId> {
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
    let row = deal::ActiveModel {
        name: Set(name),
        program_id: Set(rules.program_id),
        program_version_id: Set(rules.version_id),
        customer_id: Set(command.customer),
        partner_id: Set(command.owner),
        business: Set(command.business),
        value_minor: Set(value.minor()),
        currency: Set(value.currency()),
        time_zone: Set(zone.name().to_owned()),
        expected_close_on: Set(command.expected_close_on),
        ..Default::default()
    };
    insert(tx, row, &lines.products, &rules.settings.stages).await
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
    let row = deal::ActiveModel {
        name: Set(registration.customer_name.clone()),
        program_id: Set(registration.program_id),
        program_version_id: Set(registration.program_version_id),
        customer_id: Set(Some(registration.customer_id)),
        partner_id: Set(Some(registration.partner_id)),
        business: Set(registration.business),
        value_minor: Set(registration.value_minor),
        currency: Set(registration.currency),
        time_zone: Set(registration.time_zone.clone()),
        expected_close_on: Set(Some(registration.expected_close_on)),
        competitor: Set(registration.competitor.clone()),
        ..Default::default()
    };
    let deal = insert(tx, row, &products, stages).await?;
    tx.insert(deal_participant::ActiveModel {
        id: Set(tx.id()),
        deal_id: Set(deal),
        partner_id: Set(registration.partner_id),
        role: Set(ParticipantRole::Sourcer),
        status: Set(ParticipantStatus::Accepted),
        invited_by: Set(tx.actor().user_id()),
        invited_at: Set(tx.now()),
        accepted_at: Set(Some(tx.now())),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
        ..Default::default()
    })
    .await?;
    Ok(deal)
}

async fn insert(
    tx: &Tx,
    row: deal::ActiveModel,
    products: &[(ProductId, i64)],
    stages: &[Stage],
) -> Result<DealId> {
    let first =
        stage::first(stages).ok_or_else(|| Error::internal("a programme without an open stage"))?;
    let id: DealId = tx.id();
    tx.insert(deal::ActiveModel {
        id: Set(id),
        number: Set(ids::number("D", id.0)),
        stage: Set(first.key.clone()),
        status: Set(SalesStatus::Open),
        opened_at: Set(tx.now()),
        refunded_minor: Set(0),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
        ..row
    })
    .await?;
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
    Ok(id)
}

fn lines(deal: DealId, products: &[(ProductId, i64)]) -> Vec<deal_product::ActiveModel> {
    let row = |&(product, quantity): &(_, i64)| deal_product::ActiveModel {
        deal_id: Set(deal),
        product_id: Set(product),
        quantity: Set(quantity),
    };
    products.iter().map(row).collect()
}
