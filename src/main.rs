//! The command `ensemble`. Without arguments it serves, with demo data when the database is new.

#![recursion_limit = "512"]

use std::{
    io::{IsTerminal, Read},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use ensemble::{
    app::App,
    backup,
    entity::user::Role,
    graphql::page::StartPage,
    identity, import, incentives, partners,
    platform::{
        audit::Head,
        auth::password,
        config::{Config, Mode, Options, environment},
        migrations,
        place::Place,
        print, private, telemetry,
    },
    programs, seeds,
    server::{self, Listeners, Opening, StartError},
    tx::Call,
    verify,
};
use secrecy::{ExposeSecret, SecretString};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ensemble: an open, self-hosted partner relationship management backend.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    settings: SettingArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct SettingArgs {
    /// A configuration file instead of ensemble.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address of the API (ENSEMBLE_LISTEN).
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// SQLite or PostgreSQL (DATABASE_URL).
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// development or production (ENSEMBLE_MODE).
    #[arg(long, global = true, value_name = "MODE")]
    mode: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default), with the worker inside.
    Serve {
        /// Leave background work to `ensemble worker`.
        #[arg(long)]
        no_worker: bool,
    },
    /// Do background work: mail, schedules.
    Worker,
    /// Bring the database to the schema of this version.
    Migrate,
    /// Load the demo into a new database, or made-up data of any size.
    Seed(SeedArgs),
    /// Import partners, customers, products, deals and touchpoints from CSV or JSON Lines.
    Import(ImportArgs),
    /// Run a batch.
    #[command(subcommand)]
    Run(Batch),
    /// Print the GraphQL schema.
    Schema,
    /// Check the books and the audit trail; exits with 1 when anything is wrong or there is nothing to check.
    Verify {
        /// A head of the audit trail that an earlier verification printed and you recorded elsewhere.
        #[arg(long, value_name = "POSITION:DIGEST")]
        head: Option<Head>,
    },
    /// Copy the SQLite database to a new file, also while it is served.
    Backup {
        /// The copy; it must not exist yet.
        file: PathBuf,
    },
    /// Put a backup in the place of the SQLite database, which is kept beside it; no server may run.
    Restore {
        /// The copy that `ensemble backup` made.
        file: PathBuf,
        /// Accept a backup without a checksum, as versions before checksums made them.
        #[arg(long)]
        without_checksum: bool,
    },
    /// Manage administrators.
    #[command(subcommand)]
    Admin(Admin),
    /// Check the configuration and tell every fault.
    CheckConfig,
}

/// Without arguments the demo is loaded. With any of them the data is made up, the same for the same arguments; what is
/// not told is as large as in the benchmark.
#[derive(Args)]
struct SeedArgs {
    /// Partner companies, each with a person who signs in (10,000).
    #[arg(long, value_name = "N")]
    partners: Option<u64>,
    /// Deals with three participants each; half as many customers (200,000).
    #[arg(long, value_name = "M")]
    deals: Option<u64>,
    /// Touchpoints of each deal (7).
    #[arg(long, value_name = "K")]
    touchpoints_per_deal: Option<u64>,
    /// How many of a hundred deals are won (50).
    #[arg(long, value_name = "PERCENT")]
    won_percent: Option<u64>,
    /// Another number gives other data (1).
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Leave the credit and commission of the won deals to `ensemble run accrual`.
    #[arg(long)]
    no_commission: bool,
}

impl SeedArgs {
    /// How much to make up; nothing when nothing was asked for.
    fn scale(&self) -> Option<seeds::bulk::Scale> {
        let told = [
            self.partners,
            self.deals,
            self.touchpoints_per_deal,
            self.won_percent,
            self.seed,
        ];
        let asked = self.no_commission || told.iter().any(Option::is_some);
        asked.then(|| seeds::bulk::Scale {
            partners: self.partners.unwrap_or(10_000),
            deals: self.deals.unwrap_or(200_000),
            touchpoints_per_deal: self.touchpoints_per_deal.unwrap_or(7),
            won_percent: self.won_percent.unwrap_or(50),
            seed: self.seed.unwrap_or(1),
            commission: !self.no_commission,
        })
    }
}

/// Exits with 0 when every row was imported, 1 when the import stopped with an error, 2 for wrong arguments or a wrong
/// configuration, and 3 when rows were refused and the others imported. See docs/import.md.
#[derive(Args)]
struct ImportArgs {
    /// Print a file to start from, a header and two rows, instead of importing.
    #[arg(long, value_name = "ENTITY", conflicts_with_all = ["mapping", "folder"])]
    template: Option<import::Template>,
    /// How the files' columns and values are to be read.
    #[arg(long, value_name = "FILE", required_unless_present = "template")]
    mapping: Option<PathBuf>,
    /// Where the files are.
    #[arg(long, value_name = "FOLDER", required_unless_present = "template")]
    folder: Option<PathBuf>,
    /// The programme of the deals, instead of the mapping's.
    #[arg(long, value_name = "NAME")]
    program: Option<String>,
    /// Report what would happen and write nothing, not even a new database.
    #[arg(long)]
    dry_run: bool,
    /// Where to write every refused row: CSV, or JSON Lines when the name ends in `.jsonl`.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Batch {
    /// Attribute and accrue the commission of won deals that have none yet.
    Accrual {
        /// The programme.
        #[arg(long, value_name = "NAME")]
        program: String,
    },
    /// Seal the partners' accounts under the present secret, after which the previous one is no longer needed for them.
    Reseal,
}

#[derive(Subcommand)]
enum Admin {
    /// Create an administrator. The password is read from standard input, or made up and printed.
    Create {
        /// The address to sign in with.
        #[arg(long)]
        email: String,
        /// The person's name.
        #[arg(long)]
        name: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    private::by_default();
    match start(cli).await {
        Ok(code) => code,
        Err(error) => {
            print::error(error);
            ExitCode::FAILURE
        }
    }
}

async fn start(cli: Cli) -> Result<ExitCode, StartError> {
    let template = match &cli.command {
        Some(Command::Schema) => Some(ensemble::schema::sdl()),
        Some(Command::Import(import)) => import.template.map(|template| template.text().to_owned()),
        _ => None,
    };
    if let Some(text) = template {
        print::text(text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options {
        file: cli.settings.config,
        listen: cli.settings.listen,
        database_url: cli.settings.database_url,
        mode: cli.settings.mode,
    };
    let command = cli.command.unwrap_or(Command::Serve { no_worker: false });
    let config = match Config::read(options, environment()) {
        Ok(config) => config,
        Err(faults) => {
            print::error(format_args!(
                "The configuration has {} fault(s):",
                faults.len()
            ));
            for fault in faults {
                print::error(format_args!("  - {fault}"));
            }
            return Ok(ExitCode::from(2));
        }
    };
    if let Err(error) = telemetry::start_log(config.log_format, &config.log) {
        print::error(error);
        return Ok(ExitCode::from(2));
    }
    run(command, &config).await
}

async fn run(command: Command, config: &Config) -> Result<ExitCode, StartError> {
    match command {
        Command::Serve { no_worker } => serve(config, !no_worker).await?,
        Command::Worker => {
            server::work(server::open(config, Opening::Migrate).await?, config).await?
        }
        Command::Migrate => {
            migrations::up(config.database_url.expose_secret()).await?;
            print::line("The database is up to date.")?;
        }
        Command::Seed(args) => seed(config, &args).await?,
        Command::Import(args) => return import(config, args).await,
        Command::Run(Batch::Accrual { program }) => {
            let report = server::once(config, Opening::Migrate, async |app| {
                let program = programs::rules::named(app.db().reader(), &program).await?;
                Ok(incentives::batch::run(app, program).await?)
            })
            .await?;
            print::line(format_args!(
                "{} won deals looked at, {} commission lines booked.",
                report.deals, report.lines
            ))?;
            for (reason, unpaid) in &report.exceptions {
                print::line(format_args!(
                    "{} deals pay no commission: {reason}.",
                    unpaid.deals
                ))?;
            }
        }
        Command::Run(Batch::Reseal) => {
            let resealed = server::once(config, Opening::Migrate, async |app| {
                Ok(partners::payment::reseal(app).await?)
            })
            .await?;
            print::line(format_args!("{resealed} accounts sealed anew."))?;
        }
        Command::Schema => {}
        Command::Verify { head } => return check_books(config, head).await,
        Command::Backup { file } => {
            let bytes = backup::take(config.database_url.expose_secret(), &file).await?;
            print::line(format_args!(
                "{} holds the database: {bytes} bytes.",
                file.display()
            ))?;
        }
        Command::Restore {
            file,
            without_checksum,
        } => {
            let url = config.database_url.expose_secret();
            let restored = backup::put_back(url, &file, without_checksum).await?;
            print::line(format_args!("{}\nThe backup is in place.", restored.report))?;
            if let Some(replaced) = restored.replaced {
                print::line(format_args!(
                    "What was there before is {}.",
                    replaced.display()
                ))?;
            }
        }
        Command::Admin(Admin::Create { email, name }) => create_admin(config, email, name).await?,
        Command::CheckConfig => print::line("The configuration is good.")?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn seed(config: &Config, args: &SeedArgs) -> Result<(), StartError> {
    // Everybody in made-up data signs in with a password that is public.
    if config.mode == Mode::Production {
        return Err("seed: made-up data has a public password; production takes none".into());
    }
    let done = server::once(config, Opening::Create, async |app| {
        Ok(match args.scale() {
            Some(scale) => {
                let progress = std::io::stderr().is_terminal();
                seeds::bulk::load(app, scale, progress).await?.to_string()
            }
            None if seeds::load(app).await? => "The demo data is loaded.".to_owned(),
            None => "The database is not new; nothing was changed.".to_owned(),
        })
    });
    print::line(done.await?)?;
    Ok(())
}

async fn serve(config: &Config, with_worker: bool) -> Result<(), StartError> {
    // Before anything is printed, and before the database is opened: an address that is taken leaves no trace.
    let listeners = Listeners::bind(config)?;
    let config = &Config {
        listen: listeners.address()?,
        ..config.clone()
    };
    let app = server::open(config, Opening::Create).await?;
    let page = match development_page(&app, config).await {
        Ok(page) => page,
        Err(error) => {
            server::close(&app).await?;
            return Err(error);
        }
    };
    server::serve(app, listeners, config, with_worker, page).await
}

/// Loads the demo into a new database of a development installation, and prints how to begin.
async fn development_page(app: &App, config: &Config) -> Result<Option<StartPage>, StartError> {
    if config.mode != Mode::Development {
        return Ok(None);
    }
    if seeds::load(app).await? {
        print::line("The demo data is loaded.")?;
    }
    let page = Some(seeds::start_page(app, config).await?);
    // Without the demo there is nobody to sign in as.
    if let Some(page) = page.as_ref().filter(|page| !page.sign_ins.is_empty()) {
        print::line(format_args!(
            "\nSign in (all with the password {}):",
            seeds::PASSWORD
        ))?;
        for person in &page.sign_ins {
            print::line(format_args!("  {:<32} {}", person.email, person.role))?;
        }
        print::line(format_args!(
            "\nOpen {address}/ to look around and {address}/graphiql to try the API, or ask it right away:\n",
            address = page.address
        ))?;
        print::line(format_args!("{}\n", seeds::first_query(&page.address)))?;
    }
    Ok(page)
}

async fn import(config: &Config, args: ImportArgs) -> Result<ExitCode, StartError> {
    let dry_run = args.dry_run;
    let options = import::Options {
        mapping: args.mapping.unwrap_or_default(),
        folder: args.folder.unwrap_or_default(),
        program: args.program,
        dry_run,
        report: args.report,
        progress: std::io::stderr().is_terminal(),
    };
    let prepared = import::prepare(options)?;
    let import = async |app: &App| Ok(import::run(app, prepared).await?);
    let report = if dry_run {
        let (report, empty) = server::rehearse(config, import).await?;
        if empty {
            print::line("There is no database yet: this is decided against an empty one.")?;
        }
        report
    } else {
        server::once(config, Opening::Create, import).await?
    };
    print::line(&report)?;
    Ok(if report.total().refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(3)
    })
}

async fn check_books(config: &Config, recorded: Option<Head>) -> Result<ExitCode, StartError> {
    let place: Place = config.database_url.expose_secret().parse()?;
    print::line(format_args!("Checking {place}"))?;
    let report = server::once(config, Opening::AsItIs, async |app| {
        Ok(verify::verify_since(app.db().reader(), recorded.as_ref()).await?)
    })
    .await?;
    print::line(&report)?;
    if report.is_empty() {
        return Err(format!(
            "There is nothing to check: {place} holds no deals, no money and no audit trail."
        )
        .into());
    }
    let good = report.is_clean();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn create_admin(config: &Config, email: String, name: String) -> Result<(), StartError> {
    let mut given = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_string(&mut given)?;
    }
    let given = given.trim_end_matches(['\r', '\n']).to_owned();
    let made_up = given.is_empty();
    let password = if made_up { made_up_password() } else { given };
    password::check_rule(&password)
        .map_err(|error| format!("The password is refused: {error}."))?;
    server::once(config, Opening::Create, async |app| {
        let hash = app
            .passwords()
            .hash(SecretString::from(password.clone()))
            .await?;
        let new = identity::admin::Create {
            email: email.clone(),
            name,
            role: Role::Administrator,
            partner_id: None,
            locale: None,
            password_hash: hash,
        };
        let created = app.write(Call::system("adminCreate"), move |tx| {
            let new = new.clone();
            Box::pin(async move { identity::admin::create(tx, new).await })
        });
        Ok(created.await?)
    })
    .await?;
    print::line(format_args!("Created administrator {email}."))?;
    if made_up {
        print::line(format_args!("The password is {password} (shown only now)."))?;
    }
    Ok(())
}

fn made_up_password() -> String {
    let letters: Vec<char> = "abcdefghjkmnpqrstuvwxyz23456789".chars().collect();
    let group = || -> String {
        (0..5)
            .map(|_| letters[rand::random_range(0..letters.len())])
            .collect()
    };
    [group(), group(), group(), group()].join("-")
}
