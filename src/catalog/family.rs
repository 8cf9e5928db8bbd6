//! The vendor adds a product family.

use super::{facts, store};
use crate::{
    access::{Action, Held},
    entity::{ids::ProductFamilyId, product_family},
    error::{Code, Error, Faults, Refusal, Result},
    events::Event,
    tx::Tx,
};

/// A family to be added.
#[derive(Clone, Debug)]
pub struct Create {
    /// Its code; unique, whatever the case.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// Adds a product family.
///
/// # Errors
/// `FORBIDDEN` for everybody but the vendor's administrators and alliance managers; `BAD_USER_INPUT` with every fault
/// at its field; `DUPLICATE` at `code`. Records `product_family.created`.
pub async fn create(tx: &Tx, command: Create) -> Result<Held<product_family::Entity>> {
    tx.actor().may(Action::CatalogManage)?;
    let mut faults = Faults::default();
    let code = facts::family_code(&mut faults, "code", &command.code);
    let name = faults.text("name", &command.name, facts::NAME);
    faults.check()?;
    let added = add(tx, code, name).await?;
    added.ok_or_else(|| {
        Refusal::new(Code::Duplicate, "A family of this code exists.")
            .at("code")
            .into()
    })
}

/// The family of a code that is sound; a new one, named like its code, where there is none.
pub(super) async fn of_code(tx: &Tx, code: String) -> Result<ProductFamilyId> {
    if let Some(family) = store::family_by_code(tx, &code).await? {
        return Ok(family.id);
    }
    if let Some(added) = add(tx, code.clone(), code.clone()).await? {
        return Ok(added.id);
    }
    let theirs = store::family_by_code(tx, &code).await?;
    theirs
        .map(|family| family.id)
        .ok_or_else(|| Error::internal("a product family exists and cannot be found"))
}

/// Writes a family, unless one of this code exists.
async fn add(tx: &Tx, code: String, name: String) -> Result<Option<Held<product_family::Entity>>> {
    let row = product_family::Model {
        id: tx.id(),
        code,
        name,
        created_at: tx.now(),
    };
    let added = tx.add_new(row).await?;
    if let Some(family) = &added {
        tx.record(Event::ProductFamilyCreated {
            family_id: family.id,
        });
    }
    Ok(added)
}
