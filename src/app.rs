//! The application: everything a request or a job may need, in one cheap handle.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    entity::job::JobLane,
    platform::{
        auth::{opaque::OpaqueTokens, password::Passwords, token::Keys},
        clock::Clock,
        config::Statements,
        db::Db,
        files::Files,
        mail::Mailer,
    },
};

/// A handle to the running application; cloning it is cheap.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an application is put together from.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Signs and verifies access tokens.
    pub keys: Keys,
    /// Derives invitation, reset and refresh tokens.
    pub tokens: OpaqueTokens,
    /// Sends mail.
    pub mail: Mailer,
    /// Payment files.
    pub files: Files,
    /// Facts of this installation.
    pub site: Site,
    /// Wakes the worker after a commit.
    pub wake: Arc<Wake>,
    /// The units of work under way; a shutdown waits for them.
    pub tasks: TaskTracker,
}

/// Wakes the lanes of the worker, each for its own jobs.
#[derive(Debug, Default)]
pub struct Wake {
    money: Notify,
    bulk: Notify,
    mail: Notify,
}

impl Wake {
    const fn of(&self, lane: JobLane) -> &Notify {
        match lane {
            JobLane::Money => &self.money,
            JobLane::Bulk => &self.bulk,
            JobLane::Mail => &self.mail,
        }
    }
}

/// Facts of an installation.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where people reach this installation, without a trailing slash.
    pub public_url: String,
    /// How many background jobs of each lane run at once.
    pub worker_concurrency: usize,
    /// When statements are published by themselves.
    pub statements: Statements,
}

impl App {
    /// Puts an application together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The same application with another clock.
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        Self::new(Parts {
            clock,
            ..self.0.as_ref().clone()
        })
    }

    /// The same application with other files, as a process on another host has them.
    #[must_use]
    pub fn with_files(&self, files: Files) -> Self {
        Self::new(Parts {
            files,
            ..self.0.as_ref().clone()
        })
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Hashes and verifies passwords.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Signs and verifies access tokens.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// Derives invitation, reset and refresh tokens.
    #[must_use]
    pub fn tokens(&self) -> &OpaqueTokens {
        &self.0.tokens
    }

    /// Sends mail.
    #[must_use]
    pub fn mail(&self) -> &Mailer {
        &self.0.mail
    }

    /// Payment files.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// Facts of this installation.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// The units of work under way.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Notifies the worker that these lanes may have work.
    pub fn wake_worker(&self, lanes: impl IntoIterator<Item = JobLane>) {
        for lane in lanes {
            self.0.wake.of(lane).notify_one();
        }
    }

    /// Waits until a lane may have work.
    pub async fn woken(&self, lane: JobLane) {
        self.0.wake.of(lane).notified().await;
    }
}
