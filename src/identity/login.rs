//! Signing in with address and password.
//!
//! Checking a password is slow on purpose, so it happens between two looks at the database: [`look_up`]
//! finds the account and refuses who guessed too often, [`Candidate::verify`] does the slow work, the same
//! for accounts that do not exist, and [`conclude`] decides. Only what `conclude` says reaches the caller:
//! it counts under a lock, so that any number of guesses at once learn no more than ten in a row. Who waits when: see
//! [`throttle`].

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use secrecy::SecretString;

use super::{
    email::Email,
    sessions, store,
    throttle::{self, ACCOUNT_LIMIT, ADDRESS_LIMIT, Key, PAIR_LIMIT},
    tokens::Opened,
};
use crate::{
    entity::{ids::UserId, user::UserStatus},
    error::{Code, Error, Refusal, Result},
    platform::{
        auth::{opaque::OpaqueTokens, password::Passwords},
        ids::{self, TypedId},
    },
    tx::Tx,
};

/// An attempt to sign in, with the account it is about, if there is one that may sign in.
#[derive(Clone, Debug)]
pub struct Candidate {
    key: Key,
    address: String,
    account: Option<Account>,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A session begins.
    Right(Opened),
    /// Nothing begins; the answer is to wait for [`throttle::PAUSE`] when its address had too many wrong passwords.
    Wrong {
        /// Whether it waits.
        slow: bool,
    },
}

#[derive(Clone, Debug)]
struct Account {
    user_id: UserId,
    password_hash: String,
}

/// Finds the account of an attempt. `address` is the network address it comes from.
///
/// # Errors
/// `THROTTLED` after ten wrong passwords for the account from the address in 15 minutes, or fifty from anywhere when it has
/// never signed in from there.
pub async fn look_up(
    db: &impl ConnectionTrait,
    email: &str,
    address: &str,
    now: DateTime<Utc>,
) -> Result<Candidate> {
    let key = Key::sign_in(email, address);
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
    let candidate = Candidate {
        key,
        address: address.to_owned(),
        account,
    };
    candidate.admit(db, now).await?;
    Ok(candidate)
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

    /// Refuses when there were too many wrong passwords.
    async fn admit(&self, db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<()> {
        let pair = store::attempts_on_pair(db, &self.key, PAIR_LIMIT, now).await?;
        let mut wait = throttle::wait(&pair, PAIR_LIMIT, now);
        let account = store::attempts_on_account(db, &self.key.account, ACCOUNT_LIMIT, now).await?;
        if let Some(longer) = throttle::wait(&account, ACCOUNT_LIMIT, now) {
            // Asked for an account that does not exist, too: the work is the same.
            let nobody = || UserId::of(ids::of_nothing(&self.key.account));
            let user = self
                .account
                .as_ref()
                .map_or_else(nobody, |account| account.user_id);
            let network = throttle::network_name(&self.address);
            if !store::knows_network(db, user, &network, now).await? {
                wait = wait.max(Some(longer));
            }
        }
        wait.map_or(Ok(()), |wait| Err(throttle::refused(wait)))
    }
}

/// Begins a session if the password was `genuine` and is still the account's; otherwise counts the attempt. Records
/// `session.started`.
///
/// # Errors
/// `THROTTLED` as [`look_up`], counted again; then nothing is said about the password.
pub async fn conclude(
    tx: &Tx,
    tokens: &OpaqueTokens,
    candidate: Candidate,
    genuine: bool,
) -> Result<Verdict> {
    store::serialise_attempts(tx, &candidate.key).await?;
    candidate.admit(tx, tx.now()).await?;
    let Candidate {
        key,
        address,
        account,
    } = candidate;
    if let Some(account) = account.filter(|_| genuine)
        && unchanged(tx, &account).await?
    {
        let opened = sessions::start(tx, tokens, account.user_id, &address).await?;
        return Ok(Verdict::Right(opened));
    }
    let slow = address_wait(tx, &key, tx.now()).await?.is_some();
    store::insert_attempt(tx, &key).await?;
    Ok(Verdict::Wrong { slow })
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

/// How long the address must wait.
async fn address_wait(
    db: &impl ConnectionTrait,
    key: &Key,
    now: DateTime<Utc>,
) -> Result<Option<chrono::TimeDelta>> {
    let recent = store::attempts_from_address(db, &key.address, ADDRESS_LIMIT, now).await?;
    Ok(throttle::wait(&recent, ADDRESS_LIMIT, now))
}

/// Refuses when the address had too many attempts of this kind.
///
/// # Errors
/// `THROTTLED`.
pub async fn admit_address(db: &impl ConnectionTrait, key: &Key, now: DateTime<Utc>) -> Result<()> {
    address_wait(db, key, now)
        .await?
        .map_or(Ok(()), |wait| Err(throttle::refused(wait)))
}
