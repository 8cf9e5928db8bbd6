//! Passwords: the rule for choosing one, and argon2id to keep and check it.
//!
//! Hashing is slow and takes 19 MiB on purpose, so it runs beside the event loop and only as many at once as there are
//! processors; more would only make everybody wait longer. A sign-in with an unknown name does the same work as one with
//! a known name, so that nobody can find out who has an account by measuring.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Argon2, Params};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

/// The fewest characters of a password.
pub const MINIMUM: usize = 12;
/// The most characters of a password.
pub const MAXIMUM: usize = 200;

/// Why a chosen password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than [`MINIMUM`] characters.
    #[error("a password has at least {MINIMUM} characters")]
    TooShort,
    /// More than [`MAXIMUM`] characters.
    #[error("a password has at most {MAXIMUM} characters")]
    TooLong,
    /// Nothing but white space.
    #[error("a password is not only white space")]
    Blank,
}

/// A failure of the machinery, not of the password: a damaged stored hash, no memory, or the program is stopping.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// argon2 could not work with the stored hash or the machine.
    #[error("the password could not be processed: {0}")]
    Hash(#[from] password_hash::Error),
    /// The work was cut off because the program is stopping.
    #[error("the password check was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The door to the workers is closed because the program is stopping.
    #[error("passwords are no longer checked")]
    Closed(#[from] tokio::sync::AcquireError),
}

/// How much work one hash is. A stored hash carries its own cost and stays valid when this changes.
#[derive(Clone, Debug)]
pub struct Cost(Params);

impl Cost {
    /// What argon2 0.6 recommends: 19 MiB, two passes, one lane.
    pub const STANDARD: Self = Self(Params::DEFAULT);

    /// Nearly no work: for tests and the accounts of the demo, never for real people.
    pub fn cheap() -> Self {
        Self(Params::new(Params::MIN_M_COST, 1, 1, None).unwrap_or(Params::DEFAULT))
    }
}

/// Hashes and checks passwords. Cheap to clone; clones share the limit on parallel work.
#[derive(Clone, Debug)]
pub struct Passwords {
    argon: Argon2<'static>,
    slots: Arc<Semaphore>,
    places: u32,
    computed: Arc<AtomicU64>,
}

impl Passwords {
    /// Passwords at this cost, as many at once as the machine has processors.
    pub fn new(cost: Cost) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let places = u32::try_from(processors).unwrap_or(1);
        Self {
            argon: Argon2::from(cost.0),
            slots: Arc::new(Semaphore::new(places.try_into().unwrap_or(1))),
            places,
            computed: Arc::default(),
        }
    }

    /// Takes every place for work; what is asked meanwhile waits until the guard is dropped.
    ///
    /// # Errors
    /// The program is stopping.
    pub async fn occupy(&self) -> Result<OwnedSemaphorePermit, PasswordError> {
        Ok(Arc::clone(&self.slots)
            .acquire_many_owned(self.places)
            .await?)
    }

    /// How many hashes were computed since the start, for whatever purpose.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// The text to store for a password: a PHC string with algorithm, cost and a fresh salt.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.work(move |argon| Ok(argon.hash_password(&bytes(&password))?.to_string()))
            .await
    }

    /// Whether `password` is the one `stored` was made from. An error means that `stored` is damaged.
    pub async fn verify(
        &self,
        password: SecretString,
        stored: String,
    ) -> Result<bool, PasswordError> {
        self.work(move |argon| {
            let stored = PasswordHash::new(&stored).map_err(password_hash::Error::from)?;
            match argon.verify_password(&bytes(&password), &stored) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(fault) => Err(fault.into()),
            }
        })
        .await
    }

    /// The work of [`Passwords::verify`] for a name nobody has; the caller then refuses as for a wrong password.
    pub async fn verify_dummy(&self, password: SecretString) -> Result<(), PasswordError> {
        self.hash(password).await.map(drop)
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Argon2<'static>) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await?;
        let argon = self.argon.clone();
        self.computed.fetch_add(1, Ordering::Relaxed);
        tokio::task::spawn_blocking(move || {
            // The slot goes with the work: a caller who hangs up does not free it while the processor is still busy.
            let _slot = slot;
            job(&argon)
        })
        .await?
    }
}

/// The rule for choosing a password: [`MINIMUM`] to [`MAXIMUM`] characters, not only white space. No other demands, as
/// they make passwords worse (NIST SP 800-63B, section 3.1.1.2).
pub fn check_rule(password: &str) -> Result<(), PasswordFault> {
    match password.nfkc().count() {
        _ if !password.is_empty() && password.trim().is_empty() => Err(PasswordFault::Blank),
        length if length < MINIMUM => Err(PasswordFault::TooShort),
        length if length > MAXIMUM => Err(PasswordFault::TooLong),
        _ => Ok(()),
    }
}

/// One spelling for letters that keyboards compose differently, so that a password works on each of them.
fn bytes(password: &SecretString) -> Vec<u8> {
    password
        .expose_secret()
        .nfkc()
        .collect::<String>()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_accepted() {
        let passwords = Passwords::new(Cost::cheap());
        let stored = passwords
            .hash("correct horse battery".into())
            .await
            .unwrap();
        assert!(stored.starts_with("$argon2id$v=19$"));
        assert!(
            passwords
                .verify("correct horse battery".into(), stored.clone())
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse batterY".into(), stored.clone())
                .await
                .unwrap()
        );
        assert!(
            passwords
                .hash("correct horse battery".into())
                .await
                .unwrap()
                != stored
        );
        passwords.verify_dummy("anything".into()).await.unwrap();
    }

    #[tokio::test]
    async fn a_stored_hash_outlives_a_change_of_cost_and_a_damaged_one_is_an_error() {
        let stored = Passwords::new(Cost::STANDARD)
            .hash("correct horse battery".into())
            .await
            .unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let cheap = Passwords::new(Cost::cheap());
        assert!(
            cheap
                .verify("correct horse battery".into(), stored)
                .await
                .unwrap()
        );
        assert!(matches!(
            cheap
                .verify("correct horse battery".into(), "plain".into())
                .await,
            Err(PasswordError::Hash(_))
        ));
    }

    #[tokio::test]
    async fn composed_and_decomposed_letters_are_the_same_password() {
        let passwords = Passwords::new(Cost::cheap());
        let stored = passwords
            .hash("Gr\u{fc}\u{df}e aus Wien".into())
            .await
            .unwrap();
        assert!(
            passwords
                .verify("Gru\u{308}\u{df}e aus Wien".into(), stored)
                .await
                .unwrap()
        );
    }

    #[test]
    fn the_rule_counts_characters_and_refuses_blanks() {
        assert_eq!(check_rule("elf zeichen"), Err(PasswordFault::TooShort));
        assert_eq!(check_rule("zwölf zeiche"), Ok(()));
        assert_eq!(check_rule(&"x".repeat(200)), Ok(()));
        assert_eq!(check_rule(&"x".repeat(201)), Err(PasswordFault::TooLong));
        assert_eq!(check_rule(&" ".repeat(20)), Err(PasswordFault::Blank));
        assert_eq!(check_rule(""), Err(PasswordFault::TooShort));
    }
}
