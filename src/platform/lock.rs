//! Locks beside an SQLite file. The operating system releases them with the process that holds them, however it ends,
//! and they do not depend on what is in the database: a damaged one is in use all the same.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A lock beside the database file cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("the lock {} cannot be taken: {source}", path.display())]
pub struct LockFault {
    /// The lock file.
    path: PathBuf,
    /// Why.
    source: io::Error,
}

/// What comes after the name of the database in those of its lock files.
pub const SUFFIXES: [&str; 3] = [MIGRATION, USE, DEMO];

const MIGRATION: &str = ".migration-lock";
const USE: &str = ".use-lock";
const DEMO: &str = ".demo-lock";

/// Waits until nobody else migrates the database or puts a backup in its place; nobody does while the guard lives.
///
/// # Errors
/// See [`LockFault`].
pub async fn migrate(database: &Path) -> Result<File, LockFault> {
    alone(
        database,
        MIGRATION,
        "another process migrates this database",
    )
    .await
}

/// Waits until nobody else loads the demo into the database; nobody does while the guard lives.
///
/// # Errors
/// See [`LockFault`].
pub async fn load_demo(database: &Path) -> Result<File, LockFault> {
    alone(database, DEMO, "another process loads the demo").await
}

/// Takes a lock, and writes to the log when others have it.
async fn alone(database: &Path, suffix: &str, others: &'static str) -> Result<File, LockFault> {
    taken(database, suffix, move |file| match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            tracing::info!("waiting: {others}");
            file.lock()
        }
        Err(TryLockError::Error(error)) => Err(error),
    })
    .await
}

/// Says that the database is in use while the guard lives. Any number may use it at once; whoever comes while it is
/// being replaced waits.
///
/// # Errors
/// See [`LockFault`].
pub async fn share(database: &Path) -> Result<File, LockFault> {
    taken(database, USE, File::lock_shared).await
}

/// Keeps everybody from the database while the guard lives; nothing when somebody uses it.
///
/// # Errors
/// See [`LockFault`].
pub async fn replace(database: &Path) -> Result<Option<File>, LockFault> {
    let outcome = taken(database, USE, |file| match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => Err(error),
    });
    match outcome.await {
        Ok(file) => Ok(Some(file)),
        Err(fault) if fault.source.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn taken(
    database: &Path,
    suffix: &str,
    take: impl FnOnce(&File) -> io::Result<()> + Send + 'static,
) -> Result<File, LockFault> {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    let path = PathBuf::from(path);
    let opened = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = File::create(&path)?;
            take(&file)?;
            Ok(file)
        })
        .await
    };
    opened
        .map_err(io::Error::other)
        .and_then(|result| result)
        .map_err(|source| LockFault { path, source })
}
