//! What a test stands on: a database of its own, a clock that stands still, mail that is kept, and people.

mod answer;
mod database;
pub mod export;
pub mod http;
pub mod keysets;
pub mod logs;
pub mod program;
pub mod s3;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    pin::Pin,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    access::{Actor, SignedIn},
    app::{App, Parts, Site},
    entity::{
        deal,
        ids::{DealId, JobId, PartnerId, SessionId, UserId},
        job::{self, JobLane, JobStatus},
        session,
        user::{self, Role, UserStatus},
    },
    graphql::{Api, context::Caller},
    platform::{
        auth::{
            opaque::OpaqueTokens,
            password::{Cost, Passwords},
            token::Keys,
        },
        clock::{Clock, ManualClock},
        config::Statements,
        db::{Db, Fault, Limits, Step},
        files::Files,
        ids::{self, TypedId},
        jobs::{self, Job},
        mail::{MailTransport, Mailer, MemoryMail},
        migrations,
    },
    tx::{Call, Tx, Work},
    worker,
};
use sea_orm::{ActiveValue::Set, DbBackend, EntityTrait, Iterable, Statement};
use secrecy::SecretSlice;
use serde_json::Value;

pub use answer::Answer;
pub use database::{Database, Databases};

/// The master secret of every test application.
pub const SECRET: &[u8] = b"a secret that only the tests know";

/// A named test body.
#[derive(Clone, Copy)]
pub struct Case {
    /// Module and behaviour.
    pub name: &'static str,
    /// The body.
    pub body: fn(TestApp) -> Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The one database that it is about, where it is about one.
    pub only: Option<DbBackend>,
    /// Whether it needs what is not there, or a form that nobody asked for.
    pub skipped: bool,
}

impl Case {
    /// Whether it does not run on this database; it is reported as ignored then, never as passed.
    pub fn ignored_on(&self, database: DbBackend) -> bool {
        self.skipped || self.only.is_some_and(|only| only != database)
    }
}

/// Lists test functions as cases; one that is left out is an unused function, which the lints refuse. Those that run
/// somewhere only stand in a list after the place: `sqlite: [..]`, `postgres: [..]`, `dump: [..]` for what needs the
/// tools of PostgreSQL, `disk: [..]` for what needs a disk that fails, `bucket: [..]` for what needs an S3-compatible
/// service, `long: [..]` for the long form.
#[macro_export]
macro_rules! cases {
    ($($test:ident $(: [$($of:ident),+ $(,)?])?),+ $(,)?) => {
        /// The cases of this module.
        pub fn cases() -> Vec<$crate::support::Case> {
            [$($crate::cases_of!($test $($($of)+)?)),+].concat()
        }
    };
}

/// The cases of one entry of [`cases!`].
#[macro_export]
macro_rules! cases_of {
    (sqlite $($test:ident)+) => {
        $crate::cases_of!(@ Some(sea_orm::DbBackend::Sqlite), false, $($test)+)
    };
    (postgres $($test:ident)+) => {
        $crate::cases_of!(@ Some(sea_orm::DbBackend::Postgres), false, $($test)+)
    };
    (dump $($test:ident)+) => {
        $crate::cases_of!(@ Some(sea_orm::DbBackend::Postgres), !$crate::support::dumps(), $($test)+)
    };
    (disk $($test:ident)+) => {
        $crate::cases_of!(@ Some(sea_orm::DbBackend::Sqlite), !$crate::durability::disk::available(), $($test)+)
    };
    (bucket $($test:ident)+) => {
        $crate::cases_of!(@ None, $crate::support::s3::service().is_none(), $($test)+)
    };
    (long $($test:ident)+) => {
        $crate::cases_of!(@ None, !$crate::support::long_form(), $($test)+)
    };
    ($test:ident) => {
        $crate::cases_of!(@ None, false, $test)
    };
    (@ $only:expr, $skipped:expr, $($test:ident)+) => {
        vec![$($crate::support::Case {
            name: concat!(module_path!(), "::", stringify!($test)),
            body: |app| Box::pin($test(app)),
            only: $only,
            skipped: $skipped,
        }),+]
    };
}

/// Whether somebody asked for the form that takes its time.
pub fn long_form() -> bool {
    std::env::var_os("ENSEMBLE_CRASH_KILLS").is_some()
}

/// Whether the programs are here that dump a database of PostgreSQL and restore it.
pub fn dumps() -> bool {
    ["pg_dump", "pg_restore"].iter().all(|program| {
        let asked = Command::new(program).arg("--version").output();
        asked.is_ok_and(|told| told.status.success())
    })
}

/// A running application on a database of its own.
#[derive(Clone)]
pub struct TestApp {
    /// The application.
    pub app: App,
    /// The API, as a request reaches it after authentication.
    pub api: Api,
    /// The hands of its clock; they stand at 2026-03-01T09:00:00Z in the beginning.
    pub clock: ManualClock,
    /// The mail that it sent.
    pub outbox: MemoryMail,
    database: Arc<Database>,
    books_altered: Arc<AtomicBool>,
    statements: Arc<Mutex<Vec<Statement>>>,
    /// Statements that read on behind a row the slow way.
    slow: Arc<Mutex<BTreeSet<String>>>,
}

/// Somebody who signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user.
    pub id: UserId,
    /// The address.
    pub email: String,
    /// As the application sees it.
    pub actor: Actor,
}

impl TestApp {
    /// Starts an application.
    pub async fn start(database: Database) -> Self {
        let db = database.connect().await;
        Self::over(db, Arc::new(database))
    }

    /// Another application on a database of its own, which goes with this one.
    pub async fn another(&self) -> Self {
        let url = self.database.fresh().await;
        migrations::up(&url).await.unwrap();
        Self::over(
            Db::connect(&url, 5).await.unwrap(),
            Arc::clone(&self.database),
        )
    }

    /// The same database through other pools, at another address.
    pub async fn reached_at(&self, url: &str) -> Self {
        self.reached_within(url, Limits::default()).await
    }

    /// The same with these limits.
    pub async fn reached_within(&self, url: &str, limits: Limits) -> Self {
        let db = Db::open(url, 5, limits).await.unwrap();
        Self::over(db, Arc::clone(&self.database))
    }

    /// The same database through other pools, where a test decides what goes wrong with each step.
    pub async fn disturbed(
        &self,
        disturb: impl Fn(Step, &str) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let db = self.database.connect().await.disturbed(disturb);
        Self::over(db, Arc::clone(&self.database))
    }

    /// The same application with another way for its mail.
    pub fn posting_by(&self, transport: MailTransport, limit: Duration) -> Self {
        Self::put_together(
            self.app.db().clone(),
            self.clock.clone(),
            mailer(transport, limit),
            self.outbox.clone(),
            Arc::clone(&self.database),
            Statements::Monthly,
        )
    }

    /// The same application where no statement is published by itself.
    pub fn without_publishing(&self) -> Self {
        Self::put_together(
            self.app.db().clone(),
            self.clock.clone(),
            self.app.mail().clone(),
            self.outbox.clone(),
            Arc::clone(&self.database),
            Statements::Off,
        )
    }

    /// The same application once more on the same database, which tells statements that take so long in the log.
    pub async fn telling(&self, slow: Duration) -> Self {
        Self::over(
            self.database.connect_telling(slow).await,
            Arc::clone(&self.database),
        )
    }

    /// Another process on the same database: pools, mail and API of its own, the same time.
    pub async fn beside(&self) -> Self {
        self.beside_at(&self.clock).await
    }

    /// The same with a clock of its own.
    pub async fn beside_at(&self, clock: &ManualClock) -> Self {
        let other = Self::over(self.database.connect().await, Arc::clone(&self.database));
        let app = other.app.with_clock(Clock::from(clock));
        Self {
            api: ensemble::schema::api(app.clone()),
            app,
            clock: clock.clone(),
            books_altered: Arc::clone(&self.books_altered),
            ..other
        }
    }

    fn over(db: Db, database: Arc<Database>) -> Self {
        let start: DateTime<Utc> = "2026-03-01T09:00:00Z".parse().unwrap();
        let outbox = MemoryMail::default();
        // A mail kept in memory is accepted at once, or never when a test says so.
        let mail = mailer(
            MailTransport::Memory(outbox.clone()),
            Duration::from_millis(20),
        );
        let clock = ManualClock::new(start);
        Self::put_together(db, clock, mail, outbox, database, Statements::Monthly)
    }

    fn put_together(
        db: Db,
        clock: ManualClock,
        mail: Mailer,
        outbox: MemoryMail,
        database: Arc<Database>,
        publishing: Statements,
    ) -> Self {
        let statements: Arc<Mutex<Vec<Statement>>> = Arc::default();
        let noted = Arc::clone(&statements);
        let slow: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let found = Arc::clone(&slow);
        let db = db.observed(move |statement| {
            if keysets::reads_on_by_or(&statement.sql) {
                found.lock().unwrap().insert(statement.sql.clone());
            }
            noted.lock().unwrap().push(statement.clone());
        });
        let secret = || SecretSlice::from(SECRET.to_vec());
        let app = App::new(Parts {
            db,
            clock: Clock::from(&clock),
            passwords: Passwords::new(Cost::cheap()),
            keys: Keys::new(&secret(), None, "http://localhost:8080", "ensemble").unwrap(),
            tokens: OpaqueTokens::new(secret(), None),
            mail,
            files: Files::folder(database.folder()),
            site: Site {
                public_url: "http://localhost:8080".to_owned(),
                worker_concurrency: 4,
                statements: publishing,
            },
            wake: Arc::default(),
            tasks: tokio_util::task::TaskTracker::new(),
        });
        Self {
            api: ensemble::schema::api(app.clone()),
            app,
            clock,
            outbox,
            database,
            books_altered: Arc::default(),
            statements,
            slow,
        }
    }

    /// The statements that the database was sent since this was last asked.
    pub fn statements(&self) -> Vec<Statement> {
        std::mem::take(&mut self.statements.lock().unwrap())
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// Runs a unit of work as the server itself.
    pub async fn write<T, F>(&self, body: F) -> ensemble::error::Result<T>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        self.app.write(Call::system("test"), body).await
    }

    /// Changes a deal past its use cases, as a write of Ensemble.
    pub async fn change_deal(
        &self,
        id: DealId,
        edit: impl Fn(&mut deal::Model) + Send + Sync + 'static,
    ) {
        let edit = Arc::new(edit);
        self.write(move |tx| {
            let edit = Arc::clone(&edit);
            Box::pin(async move {
                let held = tx.lock(deal::Entity::find_by_id(id)).await?.remove(0);
                tx.save(&held, |row| edit(row)).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    }

    /// Somebody of the vendor.
    pub async fn vendor(&self, role: Role) -> Person {
        self.person(role, None).await
    }

    /// The one administrator whom tests let do what is not their subject.
    pub async fn admin(&self) -> Person {
        self.vendor(Role::Administrator).await
    }

    /// Somebody with a session, of a partner or of the vendor.
    pub async fn person(&self, role: Role, partner: Option<PartnerId>) -> Person {
        let now = self.app.clock().now();
        let user_id = UserId::of(ids::mint(now));
        let session_id = SessionId::of(ids::mint(now));
        let email = format!("{}@people.example", user_id.text());
        let address = email.clone();
        self.write(move |tx| {
            let user = user::ActiveModel {
                id: Set(user_id),
                email: Set(address.clone()),
                name: Set(format!("{role:?}")),
                role: Set(role),
                partner_id: Set(partner),
                status: Set(UserStatus::Active),
                password_hash: Set(None),
                locale: Set("en".to_owned()),
                version: Set(1),
                created_at: Set(now),
                updated_at: Set(now),
            };
            let session = session::ActiveModel {
                id: Set(session_id),
                user_id: Set(user_id),
                created_at: Set(now),
                expires_at: Set(now + TimeDelta::days(30)),
                revoked_at: Set(None),
                revoke_reason: Set(None),
                network_hash: Set(None),
            };
            Box::pin(async move {
                tx.insert(user).await?;
                tx.insert(session).await
            })
        })
        .await
        .unwrap();
        let actor = Actor::User(SignedIn {
            user_id,
            role,
            partner_id: partner,
            session_id,
        });
        Person {
            id: user_id,
            email,
            actor,
        }
    }

    /// Asks the API as this person.
    pub async fn ask(&self, person: &Person, document: &str, variables: Value) -> Answer {
        self.ask_as(&person.actor, document, variables).await
    }

    /// Asks the API as any actor.
    pub async fn ask_as(&self, actor: &Actor, document: &str, variables: Value) -> Answer {
        let caller = Caller {
            actor: actor.clone(),
            request_id: "test-request".to_owned(),
            address: "192.0.2.1".to_owned(),
        };
        let request = async_graphql::Request::new(document)
            .variables(async_graphql::Variables::from_json(variables));
        Answer::new(document, self.api.execute(caller, request).await)
    }

    /// Queues any job, including one that the program would never write; returns its id.
    pub async fn queue(&self, topic: &str, payload: Value, request_id: Option<&str>) -> JobId {
        let (topic, request_id) = (topic.to_owned(), request_id.map(str::to_owned));
        let lane = ensemble::jobs::kind(&topic).map_or(JobLane::Bulk, |kind| kind.lane);
        self.write(move |tx| {
            let id = tx.id();
            let row = job::ActiveModel {
                id: Set(id),
                topic: Set(topic.clone()),
                lane: Set(lane),
                priority: Set(1),
                payload: Set(payload.clone()),
                dedupe_key: Set(None),
                status: Set(JobStatus::Pending),
                run_at: Set(tx.now()),
                attempts: Set(0),
                max_attempts: Set(12),
                lease_until: Set(None),
                lease_epoch: Set(0),
                last_error: Set(None),
                request_id: Set(request_id.clone()),
                created_at: Set(tx.now()),
                finished_at: Set(None),
            };
            Box::pin(async move { tx.insert(row).await.map(|()| id) })
        })
        .await
        .unwrap()
    }

    /// Claims up to a hundred due jobs of every lane, like a worker that never returns.
    pub async fn claim(&self) -> Vec<Job> {
        self.write(|tx| {
            Box::pin(async move {
                let mut claimed = Vec::new();
                for lane in JobLane::iter() {
                    claimed.extend(jobs::claim(tx, lane, 100).await?);
                }
                Ok(claimed)
            })
        })
        .await
        .unwrap()
    }

    /// Works off everything that is due: schedules, events, mail.
    pub async fn settle(&self) {
        for _ in 0..1_000 {
            if worker::turn(&self.app).await.unwrap() == 0 {
                return;
            }
        }
        panic!("the worker never comes to rest");
    }

    /// The URL of its database.
    pub fn url(&self) -> &str {
        self.database.url()
    }

    /// A folder that goes with the test.
    pub fn folder(&self) -> PathBuf {
        self.database.folder()
    }

    /// The URL of another database without tables, removed with this one.
    pub async fn fresh_database(&self) -> String {
        self.database.fresh().await
    }

    /// Says that this test leaves the books altered on purpose, so that they are not checked after it.
    pub fn leaves_books_altered(&self) {
        self.books_altered.store(true, Ordering::Relaxed);
    }

    /// After every test: the books must be in order.
    pub async fn check_books(&self) -> Result<(), String> {
        if self.books_altered.load(Ordering::Relaxed) {
            return Ok(());
        }
        let report = ensemble::verify::verify(self.app.db().reader())
            .await
            .map_err(|error| error.to_string())?;
        if report.is_clean() {
            Ok(())
        } else {
            Err(format!("the books are not in order:\n{report}"))
        }
    }

    /// After every test: whatever was asked of the database, no chunk was read the slow way.
    ///
    /// # Errors
    /// The statements that were.
    pub fn check_statements(&self) -> Result<(), String> {
        let slow = self.slow.lock().unwrap();
        if slow.is_empty() {
            return Ok(());
        }
        let slow = slow.iter().cloned().collect::<Vec<_>>().join("\n");
        Err(format!(
            "statements that compare rows column by column:\n{slow}"
        ))
    }

    /// Removes the database.
    pub async fn stop(self) {
        self.app.tasks().close();
        self.app.tasks().wait().await;
        let _ = self.app.db().clone().close().await;
        self.database.remove().await;
    }
}

fn mailer(transport: MailTransport, limit: Duration) -> Mailer {
    let sender = "Ensemble <partners@vendor.example>".parse().unwrap();
    Mailer::new(transport, sender).with_limit(limit)
}

/// Asks until the answer is yes; for what another process or a server does in its own time.
pub async fn until<F, A>(what: &str, mut asked: F)
where
    F: FnMut() -> A,
    A: Future<Output = bool>,
{
    let asking = async {
        while !asked().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(30), asking)
            .await
            .is_ok(),
        "never came: {what}"
    );
}
