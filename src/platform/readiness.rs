//! Whether this process can serve: the database answers a read and takes a write.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::{sync::Mutex, time::timeout};

use super::{db::Db, trouble::Trouble};

/// How long an answer is good, and how recent a change must be to prove that writing works.
const FRESH: Duration = Duration::from_secs(1);

/// How long each proof may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// While the one place of a writer is taken, a change this recent proves that the queue moves.
const MOVING: Duration = Duration::from_secs(10);

/// The last answer; whoever asks meanwhile waits for it.
#[derive(Default)]
pub(super) struct Readiness {
    last: Mutex<Option<(Instant, Result<(), &'static str>)>>,
    writing: Arc<AtomicBool>,
}

impl Readiness {
    pub(super) async fn ask(&self, db: &Db) -> Result<(), &'static str> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = *last
            && at.elapsed() < FRESH
        {
            return answer;
        }
        let answer = match reads(db).await {
            Ok(()) => self.writes(db).await,
            unread => unread,
        };
        let before = last.is_none_or(|(_, answer)| answer.is_ok());
        match answer {
            Err(why) if before => tracing::error!(why, "not ready"),
            Ok(()) if !before => tracing::info!("ready again"),
            _ => {}
        }
        *last = Some((Instant::now(), answer));
        answer
    }

    async fn writes(&self, db: &Db) -> Result<(), &'static str> {
        let recent = |within| db.since_written().is_some_and(|since| since < within);
        if recent(FRESH) {
            return Ok(());
        }
        let waiting = || {
            let moves = recent(MOVING);
            moves.then_some(()).ok_or("the database takes no changes")
        };
        // One that still waits would only be joined in the queue.
        if self.writing.swap(true, Ordering::AcqRel) {
            return waiting();
        }
        let (db, writing) = (db.clone(), Arc::clone(&self.writing));
        let proof = tokio::spawn(async move {
            let written = write(&db).await;
            writing.store(false, Ordering::Release);
            written
        });
        match timeout(PATIENCE, proof).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => match Trouble::of(&error) {
                Some(Trouble::Busy(_) | Trouble::NoConnection) => waiting(),
                Some(Trouble::Unwritable | Trouble::Undone) => {
                    tracing::warn!(%error, "the database cannot be written");
                    Err("the database cannot be written; is its disk full?")
                }
                _ => {
                    tracing::warn!(%error, "the database cannot be written");
                    Err("the database takes no changes")
                }
            },
            Ok(Err(_)) => Err("the database takes no changes"),
            Err(_) => waiting(),
        }
    }
}

async fn reads(db: &Db) -> Result<(), &'static str> {
    let reader = db.reading();
    let question = Statement::from_string(db.backend(), "SELECT 1");
    match timeout(PATIENCE, reader.query_one_raw(question)).await {
        Ok(Ok(_)) => Ok(()),
        unanswered => {
            if unanswered.is_err() {
                db.distrust();
            }
            Err("the database does not answer")
        }
    }
}

/// Commits a change that changes nothing. SQLite leaves out a write of equal values, but not one of its header.
async fn write(db: &Db) -> Result<(), sea_orm::DbErr> {
    let transaction = db.begin().await?;
    let sql = match db.backend() {
        DbBackend::Postgres => {
            "UPDATE seaql_migrations SET applied_at = applied_at \
             WHERE version = (SELECT min(version) FROM seaql_migrations)"
        }
        _ => "PRAGMA user_version = 0",
    };
    if let Err(error) = transaction.run_plain(sql).await {
        transaction.rollback().await;
        return Err(error);
    }
    transaction.commit(true).await
}
