//! Where a partner is paid.
//!
//! The account is kept sealed and shown by its last four characters only; nothing else of it leaves the server but in the
//! payment file. Whoever can change where money goes can steal it, so a change is audited and mailed to the
//! partner's administrators, and it redirects nothing that was calculated before: a payment goes to the account that the
//! partner had when its run was created, whatever happens later. Nobody approves a payment to an account that he set.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::ConnectionTrait;
use secrecy::{ExposeSecret, SecretString};

use super::{
    account::{Account, Typed},
    store,
};
use crate::{
    access::{Action, Actor},
    app::App,
    entity::{
        ids::{PartnerId, PaymentDetailsId},
        partner, payment_details,
    },
    error::{Error, Faults, Result},
    events::Event,
    platform::{auth::seal::Seals, ids::TypedId, sql},
    tx::{CHUNK, Call, Tx},
};

/// Another account of a partner.
#[derive(Clone, Debug)]
pub struct Set {
    /// Whose.
    pub partner: PartnerId,
    /// Which account.
    pub account: Typed,
}

/// Sets the account to which a partner is paid from the next payout run on. The same account again is no change.
///
/// # Errors
/// `NOT_FOUND` for a partner the caller does not see; `FORBIDDEN`; `BAD_USER_INPUT` with every fault at its field, none of
/// which repeats what was typed. Records `payment_details.changed`, by ids only.
pub async fn set(tx: &Tx, seals: &Seals, command: Set) -> Result<PaymentDetailsId> {
    tx.actor().may(Action::PaymentDetailsSet)?;
    let person = tx.actor().person()?;
    let partner = tx.load_seen::<partner::Entity>(command.partner).await?;
    let mut faults = Faults::default();
    let account = Account::read(&command.account);
    for fault in account.as_ref().err().into_iter().flatten() {
        faults.add(&fault.path, fault.problem.clone());
    }
    faults.check()?;
    let account = account.map_err(|_| Error::internal("a fault of an account was not noted"))?;
    if let Some(before) = current(tx, partner.id).await? {
        if open(seals, &before)? == account {
            return Ok(before.id);
        }
        store::replace_details(tx, before.id).await?;
    }
    let id: PaymentDetailsId = tx.id();
    tx.add(payment_details::Model {
        id,
        partner_id: partner.id,
        kind: account.kind,
        last_four: account.last_four().to_owned(),
        sealed: seal(seals, id, &account)?,
        country: account.country,
        set_by: person,
        created_at: tx.now(),
        replaced_at: None,
    })
    .await?;
    tx.record(Event::PaymentDetailsChanged {
        details_id: id,
        partner_id: partner.id,
    });
    Ok(id)
}

/// The account to which a partner is paid now, if one is set.
///
/// # Errors
/// The database failed.
pub async fn current(tx: &Tx, partner: PartnerId) -> Result<Option<payment_details::Model>> {
    Ok(store::current_details(tx, &Actor::System, &[partner])
        .await?
        .pop())
}

/// The accounts of these ids, for the payment provider.
///
/// # Errors
/// The database failed; an account cannot be opened with the secrets of this installation.
pub async fn accounts<C: ConnectionTrait>(
    db: &C,
    seals: &Seals,
    ids: &[PaymentDetailsId],
) -> Result<HashMap<PaymentDetailsId, Account>> {
    let mut accounts = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        for row in store::details(db, chunk).await? {
            accounts.insert(row.id, open(seals, &row)?);
        }
    }
    Ok(accounts)
}

/// The partners that share an account with another partner, as groups in a stable order: of these accounts and those to
/// which other partners are paid now. What differs but for its last four characters is not opened.
///
/// # Errors
/// The database failed; an account cannot be opened with the secrets of this installation.
pub async fn shared<C: ConnectionTrait>(
    db: &C,
    seals: &Seals,
    ids: &[PaymentDetailsId],
) -> Result<Vec<BTreeSet<PartnerId>>> {
    let mut alike: HashMap<_, BTreeMap<PaymentDetailsId, payment_details::Model>> = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let mut rows = store::details(db, chunk).await?;
        rows.extend(store::details_alike(db, chunk).await?);
        for row in rows {
            let looks = (row.kind, row.country.clone(), row.last_four.clone());
            alike.entry(looks).or_default().insert(row.id, row);
        }
    }
    let mut shared = BTreeSet::new();
    for rows in alike.into_values().filter(|rows| rows.len() > 1) {
        let mut partners: HashMap<_, BTreeSet<PartnerId>> = HashMap::new();
        for row in rows.values() {
            let account = open(seals, row)?;
            let same = partners.entry((account.number, account.bank_code));
            same.or_default().insert(row.partner_id);
        }
        shared.extend(partners.into_values().filter(|partners| partners.len() > 1));
    }
    Ok(shared.into_iter().collect())
}

/// Seals every account under the present secret, in chunks; returns how many were under another one.
///
/// # Errors
/// An account was sealed under a secret that is gone; the chunks before it stay done.
pub async fn reseal(app: &App) -> Result<u64> {
    let (mut total, mut after) = (0, None);
    loop {
        let seals = app.tokens().seals();
        let (done, next) = app
            .write(Call::system("accountsReseal"), move |tx| {
                let seals = seals.clone();
                Box::pin(async move { reseal_chunk(tx, &seals, after).await })
            })
            .await?;
        total += done;
        if next.is_none() {
            return Ok(total);
        }
        after = next;
    }
}

async fn reseal_chunk(
    tx: &Tx,
    seals: &Seals,
    after: Option<PaymentDetailsId>,
) -> Result<(u64, Option<PaymentDetailsId>)> {
    let rows = store::some_details(tx, after).await?;
    let mut renewed = Vec::new();
    for row in &rows {
        let sealed = seals.renew(row.id.uuid().as_bytes(), &row.sealed);
        let sealed = sealed.map_err(|error| Error::Internal(Box::new(error)))?;
        renewed.extend(sealed.map(|sealed| (row.id, sealed)));
    }
    store::reseal_details(tx, &renewed).await?;
    Ok((sql::count(renewed.len()), rows.last().map(|row| row.id)))
}

fn seal(seals: &Seals, id: PaymentDetailsId, account: &Account) -> Result<String> {
    let text = SecretString::from(serde_json::to_string(account)?);
    seals
        .seal(id.uuid().as_bytes(), &text)
        .map_err(|error| Error::Internal(Box::new(error)))
}

fn open(seals: &Seals, row: &payment_details::Model) -> Result<Account> {
    let text = seals.open(row.id.uuid().as_bytes(), &row.sealed);
    let text = text.map_err(|error| Error::Internal(Box::new(error)))?;
    // What serde says of a broken text may repeat parts of it.
    serde_json::from_str(text.expose_secret())
        .map_err(|_| Error::internal("a sealed account is not one"))
}
