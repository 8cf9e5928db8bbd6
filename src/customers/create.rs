//! The vendor records a customer.

use std::collections::BTreeSet;

use sea_orm::ActiveEnum;

use super::{
    claim::ClaimedCustomer,
    claim::{Claim, WORD},
    identity, match_store,
    resolve::{self, Lookalike},
    store,
};
use crate::{
    access::{Action, Held},
    entity::{customer, ids::CustomerId},
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    platform::hierarchy::HierarchyFault,
    tx::Tx,
};

/// The most people a customer employs.
pub const MAX_EMPLOYEES: i64 = 100_000_000;
/// The most characters of a key in another system.
pub const KEY: usize = 200;
/// How many similar customers the error lists.
const NAMED: usize = 3;

/// A customer to be recorded.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// Who it is.
    pub named: ClaimedCustomer,
    /// Its industry, in the vendor's words.
    pub industry: Option<String>,
    /// How many people it employs.
    pub employees: Option<i64>,
    /// The company it belongs to.
    pub parent: Option<CustomerId>,
    /// Its key in another system; unique.
    pub external_id: Option<String>,
    /// Whether the caller confirmed that it is a different company from the similar customers.
    pub different_customer: bool,
}

/// Records a customer that is not there yet.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `BAD_USER_INPUT` with every fault
/// at its field; `NOT_FOUND` at `parentId`; `DUPLICATE` at `domain`, `registrationNumber` or `externalId`; `CONFLICT` at
/// `differentCustomer` when a similar customer exists and the caller has not confirmed that it is a different one.
/// Records `customer.created`, and `customer.conflict_dismissed` for such a confirmation.
pub async fn create(tx: &Tx, command: Create) -> Result<Held<customer::Entity>> {
    tx.actor().may(Action::CustomerManage)?;
    let mut faults = Faults::default();
    let claim = Claim::read(&mut faults, &command.named, "");
    let industry = faults.optional_text("industry", command.industry.as_deref(), WORD);
    let external_id = faults.optional_text("externalId", command.external_id.as_deref(), KEY);
    let employees = employees(&mut faults, command.employees);
    faults.check()?;
    if let Some(parent) = command.parent {
        check_parent(tx, None, parent).await?;
    }
    match_store::hold_number(tx, claim.registration_number.as_deref()).await?;
    if let Some(known) = match_store::identical(tx, &claim).await? {
        return Err(taken(proof(&claim, &known)));
    }
    let row = customer::Model {
        industry,
        employees,
        external_id,
        parent_id: command.parent,
        ..resolve::blank(tx, &claim)
    };
    let alike = resolve::undecided(tx, &row, identity::SIMILAR_NAMES).await?;
    if !alike.is_empty() && !command.different_customer {
        return Err(undecided(&alike));
    }
    if let Some(added) = resolve::insert(tx, row).await? {
        if !alike.is_empty() {
            tx.record(Event::CustomerConflictDismissed {
                customer_id: added.id,
            });
        }
        return Ok(added);
    }
    let now_known = match_store::identical(tx, &claim).await?;
    let field = now_known.map_or("externalId", |known| proof(&claim, &known));
    Err(taken(field))
}

/// A number of people that a company can employ.
pub(super) fn employees(faults: &mut Faults, number: Option<i64>) -> Option<i64> {
    if number.is_some_and(|number| !(0..=MAX_EMPLOYEES).contains(&number)) {
        faults.add("employees", format!("must be from 0 to {MAX_EMPLOYEES}"));
    }
    number
}

/// Refuses a parent that does not exist, makes a circle or a tree of too many levels.
pub(super) async fn check_parent(
    tx: &Tx,
    own: Option<CustomerId>,
    parent: CustomerId,
) -> Result<()> {
    store::TREE
        .check(tx, own, parent)
        .await?
        .map_err(|fault| match fault {
            HierarchyFault::Missing => Error::not_found("parentId"),
            HierarchyFault::Circle | HierarchyFault::TooDeep => {
                Refusal::input("parentId", fault.to_string()).into()
            }
        })
}

/// The field by which a claim means a customer.
pub(super) fn proof(claim: &Claim, known: &customer::Model) -> &'static str {
    if claim.domain.is_some() && claim.domain == known.domain {
        "domain"
    } else {
        "registrationNumber"
    }
}

/// The refusal when similar customers exist and a person has to decide whether the new one is one of them.
fn undecided(alike: &[Lookalike]) -> Error {
    let named = alike.iter().take(NAMED).map(|(other, ..)| {
        let id = other.id.to_string();
        format!("{:?} ({id})", other.name)
    });
    let mut named = named.collect::<Vec<_>>().join(", ");
    if let Some(more) = alike.len().checked_sub(NAMED).filter(|more| *more > 0) {
        named = format!("{named} and {more} more");
    }
    let message = format!(
        "This may be an existing customer: {named}. Use that one, or create this one with \
         `differentCustomer: true` if it is another company."
    );
    let reasons: BTreeSet<_> = alike
        .iter()
        .flat_map(|(.., reasons)| reasons.0.iter().copied())
        .collect();
    Refusal::new(Code::Conflict, message)
        .at("differentCustomer")
        .because(reasons.iter().map(ActiveEnum::to_value))
        .into()
}

/// Another customer has this value.
pub(super) fn taken(field: &str) -> Error {
    Refusal::new(Code::Duplicate, "This customer is recorded already.")
        .at(field)
        .into()
}
