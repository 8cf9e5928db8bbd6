//! Signing in with address and password.
//!
//! Checking a password is slow on purpose, so it happens between two looks at the database: [`look_up`]
//! finds the account and refuses who guessed too often, [`Candidate::verify`] does the slow work, the same
//! for accounts that do not exist, and [`conclude`] decides. Only what `conclude` says reaches the caller:
//! it counts under a lock, so that any number of guesses at once learn no more than ten in a row.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use secrecy::SecretString;

use super::{
    email::Email,
    sessions,
    status::UserStatus,
    store,
    throttle::{self, ACCOUNT_LIMIT, ADDRESS_LIMIT, Key},
    tokens::Opened,
};
use crate::{
    entity::ids::UserId,
    error::{Code, Error, Refusal, Result},
    platform::auth::{opaque::OpaqueTokens, password::Passwords},
    tx::Tx,
};

/// An attempt to sign in, with the account it is about, if there is one that may sign in.
#[derive(Clone, Debug)]
pub struct Candidate {
    key: Key,
    account: Option<Account>,
}

#[derive(Clone, Debug)]
struct Account {
    user_id: UserId,
    password_hash: String,
}

/// Finds the account of an attempt. `address` is the network address it comes from.
///
/// # Errors
/// `THROTTLED` after ten wrong passwords for the account, or a hundred from the address, in 15 minutes.
pub async fn look_up(
    db: &impl ConnectionTrait,
    email: &str,
    address: &str,
    now: DateTime<Utc>,
) -> Result<Candidate> {
    let key = Key::sign_in(email, address);
    admit(db, &key, now).await?;
    let user = match email.parse::<Email>() {
        Ok(email) => store::user_by_email(db, email.as_str()).await?,
        Err(_) => None,
    };
    let account = user
        .filter(|user| user.status == UserStatus::Active)
        .and_then(|user| {
            Some(Account {
                user_id: user.id,
                password_hash: user.password_hash?,
            })
        });
    Ok(Candidate { key, account })
}

impl Candidate {
    /// Whether the password is the account's. Takes as long when there is no account.
    ///
    /// # Errors
    /// The stored hash is damaged, or the server is stopping.
    pub async fn verify(&self, passwords: &Passwords, password: SecretString) -> Result<bool> {
        let verdict = match &self.account {
            Some(account) => {
                passwords
                    .verify(password, account.password_hash.clone())
                    .await
            }
            None => passwords.verify_dummy(password).await.map(|()| false),
        };
        verdict.map_err(|fault| Error::Internal(Box::new(fault)))
    }
}

/// Begins a session if the password was `genuine` and is still the account's; otherwise counts the attempt
/// and returns nothing. Records `session.started`.
///
/// # Errors
/// `THROTTLED` as [`look_up`], counted again; then nothing is said about the password.
pub async fn conclude(
    tx: &Tx,
    tokens: &OpaqueTokens,
    candidate: Candidate,
    genuine: bool,
) -> Result<Option<Opened>> {
    store::serialise_attempts(tx, &candidate.key).await?;
    admit(tx, &candidate.key, tx.now()).await?;
    let account = candidate.account.filter(|_| genuine);
    if let Some(account) = account
        && unchanged(tx, &account).await?
    {
        return sessions::start(tx, tokens, account.user_id).await.map(Some);
    }
    store::insert_attempt(tx, &candidate.key).await?;
    Ok(None)
}

/// The one refusal of a sign-in: it does not say whether there is such an account.
#[must_use]
pub fn wrong() -> Error {
    Refusal::new(
        Code::Unauthenticated,
        "The address or the password is wrong.",
    )
    .into()
}

/// The row stays locked, so that a reset or a deactivation meanwhile finds the new session and ends it.
async fn unchanged(tx: &Tx, account: &Account) -> Result<bool> {
    let user = store::user_locked(tx, account.user_id).await?;
    Ok(user.is_some_and(|user| {
        user.status == UserStatus::Active
            && user.password_hash.as_deref() == Some(account.password_hash.as_str())
    }))
}

/// Refuses when the account or the address had too many attempts.
async fn admit(db: &impl ConnectionTrait, key: &Key, now: DateTime<Utc>) -> Result<()> {
    let account = store::attempts_on_account(db, &key.account, ACCOUNT_LIMIT, now).await?;
    let waits = [
        throttle::wait(&account, ACCOUNT_LIMIT, now),
        address_wait(db, key, now).await?,
    ];
    match waits.into_iter().flatten().max() {
        Some(wait) => Err(throttle::refused(wait)),
        None => Ok(()),
    }
}

/// How long the address must wait.
async fn address_wait(
    db: &impl ConnectionTrait,
    key: &Key,
    now: DateTime<Utc>,
) -> Result<Option<chrono::TimeDelta>> {
    let recent = store::attempts_from_address(db, &key.address, ADDRESS_LIMIT, now).await?;
    Ok(throttle::wait(&recent, ADDRESS_LIMIT, now))
}

/// Refuses when the address had too many attempts, of whatever kind.
///
/// # Errors
/// `THROTTLED`.
pub async fn admit_address(db: &impl ConnectionTrait, key: &Key, now: DateTime<Utc>) -> Result<()> {
    address_wait(db, key, now)
        .await?
        .map_or(Ok(()), |wait| Err(throttle::refused(wait)))
}
