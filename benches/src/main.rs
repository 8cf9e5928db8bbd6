//! Measures this server against the least that any server on the same tables must do, on one machine in one run.
//!
//! `cargo run --release -p ensemble-bench` builds `ensemble`, starts a PostgreSQL server of its own with the settings
//! of a fresh installation, makes the data up, asks both servers in turn, and prints tables.

mod bare;
mod batches;
mod flood;
mod load;
mod machine;
mod operations;
mod report;
mod stage;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use ensemble::platform::print;

use load::{Connection, Sample};
use machine::{Postgres, Server, memory, processor_time, watch};
use operations::Operation;
use report::{Cell, HEAD, Line, Row, Table};
use stage::{Stage, ensemble};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Anything that ends the benchmark.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// What the benchmark's functions return.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Measures Ensemble against a bare server on the same tables.
#[derive(Parser)]
#[command(max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to measure; everything unless given.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// On which databases; both unless given.
    #[arg(long, value_enum, value_delimiter = ',')]
    on: Vec<Database>,
    /// Only the operations whose name has this text.
    #[arg(long, default_value = "")]
    operation: String,
    /// How long each server is asked for an operation, in seconds, in two turns; four unless given.
    #[arg(long)]
    seconds: Option<u64>,
    /// A tenth of the data and a second for each operation: a look whether everything works.
    #[arg(long)]
    short: bool,
    /// How many times the data of the benchmark.
    #[arg(long, default_value_t = 1)]
    times: u64,
    /// A folder that keeps the data for the next run; a new one that goes unless given.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the bare handlers.
    #[command(hide = true)]
    Bare {
        #[arg(long)]
        listen: String,
        #[arg(long)]
        url: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests, memory and time to start.
    Load,
    /// What others notice while one caller floods the server.
    Flood,
    /// The accrual run and the payout run against pure SQL.
    Batches,
    /// The import against a bare insert.
    Import,
    /// The accrual run killed half way and run again.
    Resume,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// A server of its own.
    Postgres,
    /// A file.
    Sqlite,
}

impl Database {
    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// How much data.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Partners.
    pub partners: u64,
    /// Deals.
    pub deals: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Bare { listen, url }) => bare::serve(listen, url).await,
        None => measure(&cli).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(error);
            ExitCode::FAILURE
        }
    }
}

async fn measure(cli: &Cli) -> Result<()> {
    let binary = stage::build()?;
    let temporary = tempfile::tempdir()?;
    let folder = cli
        .data
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    // The database server runs as somebody else.
    std::fs::set_permissions(
        temporary.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let size = if cli.short {
        Size {
            partners: 1_000,
            deals: 20_000,
        }
    } else {
        Size {
            partners: 10_000 * cli.times,
            deals: 200_000 * cli.times,
        }
    };
    let wants = |part| cli.only.is_empty() || cli.only.contains(&part);
    let on = |database| cli.on.is_empty() || cli.on.contains(&database);
    let seconds = cli.seconds.unwrap_or(if cli.short { 1 } else { 4 });
    let bench = Bench {
        binary: &binary,
        folder: &folder,
        size,
        operation: &cli.operation,
        loads: wants(Part::Load),
        floods: wants(Part::Flood),
        length: Duration::from_millis(seconds * 500),
    };

    let postgres = on(Database::Postgres)
        .then(|| Postgres::start(&folder.join("postgres")))
        .transpose()?;
    let mut table = Table::default();
    if wants(Part::Load) || wants(Part::Flood) {
        print::line(format_args!(
            "\n{} partners, {} deals\n\n{HEAD}",
            size.partners, size.deals
        ))?;
        if let Some(postgres) = &postgres {
            let url = postgres.url("loaded");
            bench.prepare_postgres(postgres).await?;
            bench
                .load(Database::Postgres, &url, Some(postgres), &mut table)
                .await?;
        }
        if on(Database::Sqlite) {
            let url = format!("sqlite://{}", folder.join("loaded.db").display());
            bench.prepare_sqlite()?;
            bench.load(Database::Sqlite, &url, None, &mut table).await?;
        }
    }
    if let Some(postgres) = &postgres {
        if wants(Part::Batches) {
            batches::on_postgres(&binary, &folder, postgres, size, &mut table).await?;
        }
        if wants(Part::Import) {
            batches::import(&binary, &folder, postgres, size, &mut table).await?;
        }
        if wants(Part::Resume) {
            batches::resume(&binary, &folder, postgres, size).await?;
        }
    }
    print::text(format_args!("\n{table}"))?;
    Ok(())
}

/// Makes the data up.
pub fn seed(binary: &Path, url: &str, folder: &Path, size: Size, all_won: bool) -> Result<()> {
    let (partners, deals) = (size.partners.to_string(), size.deals.to_string());
    let mut arguments = vec!["seed", "--partners", &partners, "--deals", &deals];
    if all_won {
        arguments.extend(["--won-percent", "100", "--no-commission"]);
    }
    let run = watch(&mut ensemble(binary, url, folder, &arguments), None)?;
    print::line(format_args!(
        "seeded {} deals{} in {:.0} s, at most {:.0} MB: {}",
        size.deals,
        if all_won {
            ", all won, without commission,"
        } else {
            ""
        },
        run.time.as_secs_f64(),
        run.memory,
        if url.starts_with("sqlite") {
            "SQLite"
        } else {
            "PostgreSQL"
        },
    ))?;
    Ok(())
}

/// The books must be in order.
pub fn verify(binary: &Path, url: &str, folder: &Path) -> Result<()> {
    watch(&mut ensemble(binary, url, folder, &["verify"]), None)?;
    Ok(())
}

struct Bench<'a> {
    binary: &'a Path,
    folder: &'a Path,
    size: Size,
    /// Only the operations whose name has this text.
    operation: &'a str,
    /// Whether the operations are measured.
    loads: bool,
    /// Whether others are measured beside a flood.
    floods: bool,
    /// How long a turn is.
    length: Duration,
}

impl Bench<'_> {
    /// A database of its own for the load, from the one that was seeded once.
    async fn prepare_postgres(&self, postgres: &Postgres) -> Result<()> {
        use sqlx::{Connection as _, Executor as _};
        let mut admin = sqlx::PgConnection::connect(&postgres.url("postgres")).await?;
        let seeded: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = 'seeded')",
        )
        .fetch_one(&mut admin)
        .await?;
        if !seeded {
            admin.execute("CREATE DATABASE seeded").await?;
            seed(
                self.binary,
                &postgres.url("seeded"),
                self.folder,
                self.size,
                false,
            )?;
        }
        admin
            .execute("DROP DATABASE IF EXISTS loaded WITH (FORCE)")
            .await?;
        admin
            .execute("CREATE DATABASE loaded TEMPLATE seeded STRATEGY FILE_COPY")
            .await?;
        admin.execute("CHECKPOINT").await?;
        admin.close().await?;
        Ok(())
    }

    /// A file of its own for the load, from the one that was seeded once.
    fn prepare_sqlite(&self) -> Result<()> {
        let seeded = self.folder.join("seeded.db");
        if !seeded.exists() {
            let url = format!("sqlite://{}", seeded.display());
            seed(self.binary, &url, self.folder, self.size, false)?;
        }
        for log in ["loaded.db-wal", "loaded.db-shm"] {
            let log = self.folder.join(log);
            if log.exists() {
                std::fs::remove_file(log)?;
            }
        }
        std::fs::copy(seeded, self.folder.join("loaded.db"))?;
        Ok(())
    }

    async fn load(
        &self,
        database: Database,
        url: &str,
        postgres: Option<&Postgres>,
        table: &mut Table,
    ) -> Result<()> {
        let stage = Arc::new(Stage::set(url).await?);
        let (ours, bare) = (
            stage::ours(self.binary, &stage.url, self.folder)?,
            stage::bare(&stage.url)?,
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        let name = database.name();
        let ready = ours.ready_after.as_secs_f64() * 1e3;
        table.add(Line::value(
            &format!("ready after start, {name}"),
            ready,
            "ms",
            300.0,
        ));
        let idle = memory(ours.process(), "VmRSS").unwrap_or_default();
        table.add(Line::value(
            &format!("memory when idle, {name}"),
            idle,
            "MB",
            40.0,
        ));

        let mut turns = Turns {
            postgres,
            ours: &ours,
            bare: &bare,
            length: self.length,
            costs: HashMap::new(),
        };
        let asked = |operation: &&Operation| self.loads && operation.name.contains(self.operation);
        for operation in operations::ALL.iter().filter(asked) {
            if operation.reads {
                turns.compare(operation, &stage).await?;
            }
            for row in turns.of(operation, &stage, database).await? {
                print::line(format_args!("{row}"))?;
            }
        }
        if self.floods {
            flood::measure(&ours, &stage, database, self.length, table).await?;
        }
        let peak = memory(ours.process(), "VmHWM").unwrap_or_default();
        table.add(Line::value(
            &format!("most memory under load, {name}"),
            peak,
            "MB",
            150.0,
        ));
        drop((ours, bare));
        verify(self.binary, url, self.folder)
    }
}

/// Both servers, asked in turn.
struct Turns<'a> {
    postgres: Option<&'a Postgres>,
    ours: &'a Server,
    bare: &'a Server,
    length: Duration,
    /// Processor time per request of the bare handlers, by operation and connections.
    costs: HashMap<(&'static str, usize), f64>,
}

impl Turns<'_> {
    /// Both must answer the same.
    async fn compare(&self, operation: &Operation, stage: &Arc<Stage>) -> Result<()> {
        let (ours, bare) = (operation.ours(stage)?, operation.bare(stage));
        let mut connections = (
            Connection::open(self.ours.address).await?,
            Connection::open(self.bare.address).await?,
        );
        for number in [0, 1, 77, 1_234] {
            let ours = operations::data(&connections.0.ask(&ours(number)).await?)?;
            let bare = operations::data(&connections.1.ask(&bare(number)).await?)?;
            if ours != bare {
                return Err(format!(
                    "{}: ensemble answers {ours}, the bare server {bare}",
                    operation.name
                )
                .into());
            }
        }
        Ok(())
    }

    async fn of(
        &mut self,
        operation: &Operation,
        stage: &Arc<Stage>,
        database: Database,
    ) -> Result<Vec<Row>> {
        let (ours, bare) = (operation.ours(stage)?, operation.bare(stage));
        let numbers = Arc::new(AtomicUsize::new(0));
        let mut rows = Vec::new();
        for connections in [1, 16] {
            let (mut mine, mut theirs) = (Cell::default(), Cell::default());
            // A turn that does not count: pools fill, plans are made.
            for (server, asks) in [(self.ours, &ours), (self.bare, &bare)] {
                load::run(server.address, asks, &numbers, connections, self.length / 4).await?;
            }
            for _ in 0..2 {
                self.turn(self.ours, &ours, &numbers, connections, &mut mine)
                    .await?;
                self.turn(self.bare, &bare, &numbers, connections, &mut theirs)
                    .await?;
            }
            self.costs
                .insert((operation.name, connections), theirs.cost());
            let against = self.costs.get(&(operation.against, connections)).copied();
            let against = against.unwrap_or(f64::NAN);
            rows.push(Row {
                database: database.name(),
                operation: operation.name,
                connections,
                ours: mine,
                bare: theirs,
                against,
                goal: (operation.goal)(database),
            });
        }
        Ok(rows)
    }

    async fn turn(
        &self,
        server: &Server,
        asks: &load::Asks,
        numbers: &Arc<AtomicUsize>,
        connections: usize,
        cell: &mut Cell,
    ) -> Result<()> {
        let database = self
            .postgres
            .map(Postgres::processes)
            .transpose()?
            .unwrap_or_default();
        let before = (
            processor_time(&[server.process()]),
            processor_time(&database),
        );
        let sample: Sample =
            load::run(server.address, asks, numbers, connections, self.length).await?;
        cell.server += processor_time(&[server.process()]).saturating_sub(before.0);
        cell.database += processor_time(&database).saturating_sub(before.1);
        cell.memory = memory(server.process(), "VmHWM").unwrap_or_default();
        cell.sample.add(sample);
        Ok(())
    }
}
