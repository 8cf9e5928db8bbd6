//! Customers are compared by canonical forms of their names, domains and numbers, which are stored. When a form or a list
//! behind it changes, the stored ones are rewritten before the program serves: otherwise a customer recorded earlier
//! would not be found by a claim made today.

use super::{
    identity::{self, Address, address, name_key},
    match_store as store,
};
use crate::{
    app::App,
    entity::{customer, ids::CustomerId},
    error::Result,
    platform::{
        company_number::{phone_key, registration_number_key},
        forms::Forms,
    },
    tx::Tx,
};

const STORED: Forms = Forms("customer_forms");

/// Rewrites the stored forms of all customers unless they have the current version; returns how many were checked.
///
/// # Errors
/// The database failed.
pub async fn bring_up_to_date(app: &App) -> Result<u64> {
    STORED
        .bring_up_to_date(app, "customerForms", identity::FORMS, |tx, after| {
            Box::pin(rewrite_chunk(tx, after))
        })
        .await
}

/// The next customers; at their end the version is recorded.
async fn rewrite_chunk(tx: &Tx, after: Option<CustomerId>) -> Result<(u64, Option<CustomerId>)> {
    let rows = store::hold_next(tx, after).await?;
    let Some(last) = rows.last() else {
        STORED.store(tx, identity::FORMS).await?;
        return Ok((0, None));
    };
    let last = last.id;
    let changed = rows.iter().filter_map(|row| {
        let now = in_todays_forms(row);
        (now != *row).then_some(now)
    });
    store::rewrite(tx, changed.collect(), &rows).await?;
    Ok((u64::try_from(rows.len()).unwrap_or(u64::MAX), Some(last)))
}

fn in_todays_forms(row: &customer::Model) -> customer::Model {
    let mut row = row.clone();
    row.name_key = name_key(&row.name);
    // A domain that many share is no domain; anything else that is stored stays.
    let kept = |domain: &String| address(domain) != Ok(Address::Shared);
    row.domain = row.domain.filter(kept);
    row.domain_hint = row.domain_hint.filter(kept);
    row.registration_number = row
        .registration_number
        .as_deref()
        .and_then(registration_number_key);
    row.phone = row.phone.as_deref().and_then(phone_key);
    row
}
