//! A fresh database per test, copied from a migrated template.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use ensemble::platform::db::{Db, Limits};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database as SeaDatabase};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The templates of this run.
pub struct Databases {
    folder: tempfile::TempDir,
    sqlite: OnceCell<PathBuf>,
    server: Option<String>,
    postgres: OnceCell<String>,
}

/// One test's database.
pub struct Database {
    url: String,
    folder: tempfile::TempDir,
    /// The server and the name of a PostgreSQL database.
    dropped_by: Option<(String, String)>,
    /// How many others were made beside it.
    others: AtomicUsize,
}

impl Databases {
    /// Reads which server to use.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told their server by the environment"
    )]
    pub fn from_environment() -> Self {
        let server = std::env::var("ENSEMBLE_TEST_POSTGRES")
            .ok()
            .filter(|url| !url.is_empty());
        Self {
            folder: tempfile::tempdir().unwrap(),
            sqlite: OnceCell::new(),
            server,
            postgres: OnceCell::new(),
        }
    }

    /// The PostgreSQL server, if one was named.
    pub fn postgres(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// A fresh SQLite database.
    pub async fn sqlite(&self) -> Database {
        let template = self
            .sqlite
            .get_or_init(|| async {
                let file = self.folder.path().join("template.db");
                let connection =
                    SeaDatabase::connect(format!("sqlite://{}?mode=rwc", file.display()))
                        .await
                        .unwrap();
                Migrator::up(&connection, None).await.unwrap();
                connection.close().await.unwrap();
                file
            })
            .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ensemble.db");
        std::fs::copy(template, &file).unwrap();
        Database {
            url: format!("sqlite://{}", file.display()),
            folder,
            dropped_by: None,
            others: AtomicUsize::new(0),
        }
    }

    /// A fresh PostgreSQL database.
    #[expect(clippy::disallowed_methods, reason = "a name that no other run has")]
    pub async fn postgres_database(&self) -> Database {
        let server = self.server.clone().unwrap();
        let template = self
            .postgres
            .get_or_init(|| async {
                let name = format!("ensemble_template_{}", Uuid::new_v4().simple());
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                let connection = SeaDatabase::connect(on(&server, &name)).await.unwrap();
                Migrator::up(&connection, None).await.unwrap();
                connection.close().await.unwrap();
                name
            })
            .await;
        let name = format!("ensemble_test_{}", Uuid::new_v4().simple());
        execute(
            &server,
            &format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"),
        )
        .await;
        let url = on(&server, &name);
        Database {
            url,
            folder: tempfile::tempdir().unwrap(),
            dropped_by: Some((server, name)),
            others: AtomicUsize::new(0),
        }
    }

    /// Removes the templates.
    pub async fn remove(&self) {
        if let (Some(server), Some(name)) = (&self.server, self.postgres.get()) {
            execute(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

impl Database {
    /// A folder of this test.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens its pools.
    pub async fn connect(&self) -> Db {
        Db::connect(&self.url, 5).await.unwrap()
    }

    /// Opens pools that tell statements that take so long.
    pub async fn connect_telling(&self, slow: std::time::Duration) -> Db {
        let limits = Limits {
            slow,
            ..Limits::default()
        };
        Db::open(&self.url, 2, limits).await.unwrap()
    }

    /// Another database, without tables; it goes with this one.
    pub async fn fresh(&self) -> String {
        let number = self.others.fetch_add(1, Ordering::Relaxed);
        match &self.dropped_by {
            None => format!(
                "sqlite://{}?mode=rwc",
                self.folder
                    .path()
                    .join(format!("fresh{number}.db"))
                    .display()
            ),
            Some((server, name)) => {
                let name = format!("{name}_{number}");
                execute(server, &format!("CREATE DATABASE {name}")).await;
                on(server, &name)
            }
        }
    }

    /// Drops it.
    pub async fn remove(&self) {
        if let Some((server, name)) = &self.dropped_by {
            for number in 0..self.others.load(Ordering::Relaxed) {
                let other = format!("DROP DATABASE IF EXISTS {name}_{number} WITH (FORCE)");
                execute(server, &other).await;
            }
            execute(server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

fn on(server: &str, database: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(database);
    url.to_string()
}

async fn execute(server: &str, sql: &str) {
    let connection = SeaDatabase::connect(server).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}
