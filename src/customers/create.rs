//! The vendor records a customer.

use super::{
    claim::ClaimedCustomer,
    claim::{Claim, WORD},
    match_store, resolve, store,
};
use crate::{
    access::{Action, Held},
    entity::{customer, ids::CustomerId},
    error::{Code, Error, Faults, Refusal, Result},
    platform::hierarchy::HierarchyFault,
    tx::Tx,
};

/// The most people a customer employs.
pub const MAX_EMPLOYEES: i64 = 100_000_000;
/// The most characters of a key in another system.
pub const KEY: usize = 200;

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
}

/// Records a customer that is not there yet.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `BAD_USER_INPUT` with every fault
/// at its field; `NOT_FOUND` at `parentId`; `DUPLICATE` at `domain`, `registrationNumber` or `externalId`, and at `name` when
/// the new customer has neither a domain nor a number and one of its name and country is there. Records
/// `customer.created`.
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
    if match_store::nameless_twin(tx, &claim).await? {
        return Err(same_name());
    }
    let row = customer::Model {
        industry,
        employees,
        external_id,
        parent_id: command.parent,
        ..resolve::blank(tx, &claim)
    };
    if let Some(added) = resolve::insert(tx, row).await? {
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

/// A customer of the same name is there, and nothing distinguishes the new one from it.
fn same_name() -> Error {
    let message = "A customer of this name and country is recorded. If this is another company, give its domain or \
        registration number.";
    Refusal::new(Code::Duplicate, message).at("name").into()
}

/// Another customer has this value.
pub(super) fn taken(field: &str) -> Error {
    Refusal::new(Code::Duplicate, "This customer is recorded already.")
        .at(field)
        .into()
}
