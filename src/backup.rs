//! Copies of an SQLite database: taken while it is served, and put back in its place.
//!
//! A copy appears under its name complete or not at all, with a checksum at its end. Before a copy is put back its
//! checksum is compared, and it is examined, brought to the schema of this program and verified like a live database; what
//! it replaces is kept beside it. PostgreSQL has its own programs for this; see `docs/operations.md`.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sha2::{Digest, Sha256};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{
    error::Error,
    platform::{
        clock::Clock,
        db::Db,
        lock::{self, LockFault},
        migrations::{self, MigrationFault},
    },
    verify::{self, Report},
};

/// How long a busy database is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a copy was not taken or not put back; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// The database is not SQLite.
    #[error(
        "these commands copy SQLite files; PostgreSQL has pg_dump and pg_restore, see docs/operations.md"
    )]
    NotSqlite,
    /// The URL cannot be read.
    #[error("the database URL is not valid")]
    Url,
    /// There is no database to copy.
    #[error("There is no database at {}; check DATABASE_URL.", .0.display())]
    Missing(PathBuf),
    /// There is a file already.
    #[error("{} exists; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// A server or another program has the database open.
    #[error("{} is in use: stop whatever has it open", .0.display())]
    InUse(PathBuf),
    /// The file is not an intact database.
    #[error("{} is damaged: {detail}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The file does not end with a checksum.
    #[error(
        "{} has no checksum: it was cut short or altered, or an older version made it. \
         Pass --without-checksum to restore a backup of an older version.",
        .0.display()
    )]
    NoChecksum(PathBuf),
    /// The file is an intact database of some other program.
    #[error("{} is not a database of Ensemble", .0.display())]
    Foreign(PathBuf),
    /// The books in the copy are not in order.
    #[error("the books of the backup are not in order:\n{0}")]
    Broken(Box<Report>),
    /// Nobody can be kept from the database.
    #[error(transparent)]
    Lock(#[from] LockFault),
    /// The copy cannot be brought to this program's schema.
    #[error(transparent)]
    Migration(#[from] MigrationFault),
    /// The copy cannot be read.
    #[error("the backup cannot be verified: {0}")]
    Verification(#[from] Error),
    /// SQLite failed.
    #[error("the database cannot be copied: {0}")]
    Database(#[from] sqlx::Error),
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was put back.
#[derive(Debug)]
pub struct Restored {
    /// The verification of the copy that is now in place.
    pub report: Report,
    /// Where the database is that was there before, if there was one.
    pub replaced: Option<PathBuf>,
}

/// Copies the database to a new file as of one instant, while others go on reading and writing; returns its size in
/// bytes.
///
/// # Errors
/// See [`BackupFault`]; no file is left under that name.
pub async fn take(url: &str, file: &Path) -> Result<u64, BackupFault> {
    let source = database_file(url)?;
    if file.exists() {
        return Err(BackupFault::Exists(file.to_owned()));
    }
    if !source.is_file() {
        return Err(BackupFault::Missing(source));
    }
    let partial = beside(file, ".partial");
    remove(&partial)?;
    let mut database = open(&source).await?;
    let copied = sqlx::query("VACUUM INTO ?")
        .bind(partial.to_string_lossy().into_owned())
        .execute(&mut database)
        .await;
    database.close().await?;
    let good = match copied {
        Ok(_) => examine(&partial).await,
        Err(error) => Err(error.into()),
    };
    if good.is_err() {
        remove(&partial)?;
    }
    good?;
    let named = || -> io::Result<u64> {
        let mut copy = File::options().read(true).append(true).open(&partial)?;
        let digest = digest(&mut copy, u64::MAX)?;
        copy.write_all(&MARK)?;
        copy.write_all(&digest)?;
        // SQLite leaves it to the caller that such a copy reaches the disk.
        copy.sync_all()?;
        std::fs::rename(&partial, file)?;
        sync_folder(file)?;
        Ok(copy.metadata()?.len())
    };
    named().map_err(|source| at(file, source))
}

/// What stands before the checksum at the end of a copy. SQLite knows from its header where its pages end.
const MARK: [u8; 16] = *b"ENSEMBLE-SHA256\n";
/// The length of both.
const CHECKSUM: u64 = 48;

/// SHA-256 over so many bytes from the beginning, or as many as there are.
fn digest(file: &mut File, length: u64) -> io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hasher, mut left) = (Sha256::new(), length);
    let mut block = vec![0; 1 << 16];
    loop {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        let read = file.read(&mut block[..wanted])?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&block[..read]);
        left -= u64::try_from(read).map_err(io::Error::other)?;
    }
}

/// Whether a copy is what was written, bit for bit; nothing when it has no checksum. Takes the checksum off.
fn is_as_written(copy: &Path) -> io::Result<Option<bool>> {
    let mut file = File::options().read(true).write(true).open(copy)?;
    let Some(length) = file.metadata()?.len().checked_sub(CHECKSUM) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(length))?;
    let (mut mark, mut written) = ([0; 16], [0; 32]);
    file.read_exact(&mut mark)?;
    file.read_exact(&mut written)?;
    if mark != MARK {
        return Ok(None);
    }
    let same = digest(&mut file, length)? == written;
    file.set_len(length)?;
    Ok(Some(same))
}

/// Puts a copy in the place of the database, after it was found intact and its books in order. A copy without a checksum
/// is refused unless the caller says that it may lack one.
///
/// # Errors
/// See [`BackupFault`]; the database is what it was.
pub async fn put_back(
    url: &str,
    file: &Path,
    without_checksum: bool,
) -> Result<Restored, BackupFault> {
    let target = database_file(url)?;
    // A mistyped name creates no files.
    let _ = tokio::fs::metadata(file)
        .await
        .map_err(|source| at(file, source))?;
    // Whoever starts meanwhile waits, and then finds the copy.
    let migrating = lock::migrate(&target).await?;
    let replacing = lock::replace(&target).await?;
    let replacing = replacing.ok_or_else(|| BackupFault::InUse(target.clone()))?;
    let copy = beside(&target, ".restoring");
    discard(&copy)?;
    let outcome = restore(&target, file, &copy, without_checksum).await;
    discard(&copy)?;
    drop((migrating, replacing));
    outcome
}

async fn restore(
    target: &Path,
    file: &Path,
    copy: &Path,
    without_checksum: bool,
) -> Result<Restored, BackupFault> {
    tokio::fs::copy(file, copy)
        .await
        .map_err(|source| at(file, source))?;
    match is_as_written(copy).map_err(|source| at(copy, source))? {
        Some(true) => {}
        Some(false) => {
            return Err(BackupFault::Damaged {
                file: file.to_owned(),
                detail: "its checksum does not match".to_owned(),
            });
        }
        None if without_checksum => {}
        None => return Err(BackupFault::NoChecksum(file.to_owned())),
    }
    examine(copy).await.map_err(|fault| match fault {
        BackupFault::Damaged { detail, .. } => BackupFault::Damaged {
            file: file.to_owned(),
            detail,
        },
        BackupFault::Foreign(_) => BackupFault::Foreign(file.to_owned()),
        other => other,
    })?;
    let report = verified(copy).await?;
    to_one_file(copy).await?;
    if target.exists() {
        match to_one_file(target).await {
            // A database that cannot even be opened is replaced as it is, with its log.
            Ok(()) | Err(BackupFault::Database(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    let replaced = replace(target, copy).map_err(|source| at(target, source))?;
    Ok(Restored { report, replaced })
}

/// Brings the copy to the schema of this program and asks it everything that a live database is asked.
async fn verified(copy: &Path) -> Result<Report, BackupFault> {
    let url = SqliteConnectOptions::new().filename(copy).to_url_lossy();
    migrations::up(url.as_str()).await?;
    let db = Db::connect(url.as_str(), 1).await.map_err(Error::from)?;
    let report = verify::verify(db.reader()).await;
    db.close().await.map_err(Error::from)?;
    let report = report?;
    if report.is_clean() {
        Ok(report)
    } else {
        Err(BackupFault::Broken(Box::new(report)))
    }
}

/// Folds the log into the database file and ends write-ahead logging, which SQLite does only for whoever is alone.
async fn to_one_file(file: &Path) -> Result<(), BackupFault> {
    let mut database = open(file).await?;
    let mode: Result<String, _> = sqlx::query_scalar("PRAGMA journal_mode = DELETE")
        .fetch_one(&mut database)
        .await;
    database.close().await?;
    let in_use = match &mode {
        Ok(mode) => !mode.eq_ignore_ascii_case("delete"),
        Err(error) => is_busy(error),
    };
    if in_use {
        return Err(BackupFault::InUse(file.to_owned()));
    }
    mode?;
    Ok(())
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["5", "261", "517"].contains(&code.as_ref()))
}

/// Moves the database away with everything that belongs to it, and the copy into its place. Until the last step the
/// database stays under its name; its log goes before, because SQLite would read it into whatever stands there.
fn replace(target: &Path, copy: &Path) -> io::Result<Option<PathBuf>> {
    let now = Clock::System.now().format("%Y%m%dT%H%M%S%6fZ");
    let kept = beside(target, &format!(".replaced-{now}"));
    let replaced = target.exists();
    if replaced {
        std::fs::hard_link(target, &kept)?;
    }
    for log in ["-wal", "-journal"] {
        let file = beside(target, log);
        if file.exists() {
            std::fs::rename(&file, beside(&kept, log))?;
        }
    }
    let index = beside(target, "-shm");
    if index.exists() {
        std::fs::remove_file(index)?;
    }
    File::open(copy)?.sync_all()?;
    std::fs::rename(copy, target)?;
    sync_folder(target)?;
    Ok(replaced.then_some(kept))
}

/// Whether a file is an intact database of this program.
async fn examine(file: &Path) -> Result<(), BackupFault> {
    let damaged = |detail: String| BackupFault::Damaged {
        file: file.to_owned(),
        detail,
    };
    let asked = async {
        let mut database = open(file).await?;
        let told: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)")
            .fetch_all(&mut database)
            .await?;
        let ours: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        )
        .fetch_one(&mut database)
        .await?;
        database.close().await?;
        Ok::<_, sqlx::Error>((told, ours))
    };
    let (told, ours) = asked.await.map_err(|error| damaged(error.to_string()))?;
    if told != ["ok"] {
        return Err(damaged(told.join("; ")));
    }
    if ours == 0 {
        return Err(BackupFault::Foreign(file.to_owned()));
    }
    Ok(())
}

async fn open(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(PATIENCE)
        .connect()
        .await
}

fn database_file(url: &str) -> Result<PathBuf, BackupFault> {
    if !url.starts_with("sqlite:") {
        return Err(BackupFault::NotSqlite);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|_| BackupFault::Url)?;
    Ok(options.get_filename().to_owned())
}

/// Another name in the same folder: the file's, with something after it.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a working copy, if there is one, and what SQLite and the locks put beside it.
fn discard(copy: &Path) -> Result<(), BackupFault> {
    let ours = ["", "-wal", "-shm", "-journal"].into_iter();
    for suffix in ours.chain(lock::SUFFIXES) {
        remove(&beside(copy, suffix))?;
    }
    Ok(())
}

fn remove(file: &Path) -> Result<(), BackupFault> {
    match std::fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(at(file, source)),
        _ => Ok(()),
    }
}

fn at(file: &Path, source: io::Error) -> BackupFault {
    BackupFault::File {
        file: file.to_owned(),
        source,
    }
}

/// A name is as durable as its content only when the folder is written too.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
